"""Booking a ride by a foreign code, in one transaction with the spent code.

The ride is priced by the city's own rules; what a citizen would pay, the issuer owes, and the
merchant gets once the issuer has paid: a receivable and a payable of their own, as with subsidies
(ADR 9), apart from what custody covers.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import (
    LEDGER_CNY,
    AccountCode,
    TransferCode,
    account_id,
    subsidy_receivable,
)
from cardcore.books import account, open_accounts, transaction
from cardcore.business.foreign_request import (
    ForeignIssuerUnknownError,
    ForeignRideRequest,
    ForeignRideView,
)
from cardcore.business.foreign_tables import (
    foreign_issuer,
    foreign_ride,
    foreign_root,
)
from cardcore.business.orders import find_order_id
from cardcore.business.quote import Payer, PricingFacts, Quote, Subject
from cardcore.business.views import LineView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    CodeRefusedError,
    LimitExceededError,
    MerchantUnknownError,
    OrderConflictError,
    TerminalUnknownError,
)
from cardcore.ids import new_id, part_id
from cardcore.known import Known
from cardcore.once import Found, once_or_found
from cardcore.parts import Parts, request_digest
from cardcore.user.personal_data import WRAPPING_KEY
from codes import Algorithm, CodeError, jtt
from codes.suites import load_public_key
from ledger import Transfer, TransferFlags

SCENE: Final = "bus"
TYPE: Final = "fare"
KEPT_AFTER: Final = timedelta(minutes=15)


class ForeignRides:
    """Accepts foreign codes and books what they ride."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def foreign_ride(
        self, caller: Caller, request: ForeignRideRequest, idempotency_key: str
    ) -> tuple[ForeignRideView, Known]:
        """Accept a code, price the ride, book it to the issuer: one transaction.

        Raises:
            ForeignIssuerUnknownError: issuer or root are not known here.
            CodeRefusedError: what is wrong with the code; ``code_replayed`` when it was used.
            TerminalUnknownError: not a terminal in service of this merchant.
            LimitExceededError: the code may not pay so much.
            CardcoreError: what the bus rules refuse.
        """
        digest = request_digest("foreign_ride", request)
        ride_id, known = await self._book_once(caller, request, idempotency_key, digest)
        async with transaction(self._parts.engine) as (connection, _):
            return await self._view(connection, ride_id), known

    async def _book_once(
        self, caller: Caller, request: ForeignRideRequest, key: str, digest: bytes
    ) -> tuple[UUID, Known]:
        """The ride's id, and whether it was booked before: by this key, or by the same number."""
        caller.require(Scope.ORDERS_WRITE)
        if caller.merchant_id not in (None, request.merchant_id):
            raise MerchantUnknownError(field="merchant_id")
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, UUID] | Found[UUID]:
            known = await _same_number(connection, raw, request)
            if known is not None:
                return Found(effect_id=known, answer=known)
            ride_id = await self._book(connection, raw, caller, request, now)
            return ride_id, ride_id

        async def recall(_: AsyncConnection, __: RawConnection, ride_id: UUID) -> UUID:
            return ride_id

        return await once_or_found(
            self._parts.engine,
            caller=caller,
            key=key,
            digest=digest,
            action="foreign_ride",
            subject=f"terminal/{request.terminal_id}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def _book(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        caller: Caller,
        request: ForeignRideRequest,
        now: datetime,
    ) -> UUID:
        data = bytes.fromhex(request.code)
        code, issuer = await self._accept(connection, data, now)
        payables = await self._payables(connection, raw, caller, request)
        on = business_date(now, self._parts.cut_off)
        ride_id = new_id(now, self._parts.random_bytes)
        quote = self._price(request, code, issuer, ride_id, on)
        claimed = await connection.execute(
            upsert(tables.used_code)
            .values(
                replay_key=hashlib.sha256(code.identity.key).digest(),
                order_id=ride_id,
                expires_at=datetime.fromtimestamp(code.generated_at_s + code.validity_s, UTC)
                + KEPT_AFTER,
            )
            .on_conflict_do_nothing()
            .returning(tables.used_code.c.order_id)
        )
        if claimed.one_or_none() is None:
            raise CodeRefusedError("code_replayed", "this code was used before")
        await self._transfer(raw, ride_id, quote, issuer.receivable_id, payables)
        sealed = await self._parts.hsm.wrap(
            WRAPPING_KEY, code.payment_account.encode("ascii"), context=ride_id.bytes
        )
        await connection.execute(
            insert(foreign_ride).values(
                ride_id=ride_id,
                issuer=issuer.issuer,
                account_sealed=sealed,
                nominal_fen=quote.nominal_fen,
                issuer_fen=quote.citizen_fen,
                lines=lines_of(quote),
                code_digest=hashlib.sha256(data).digest(),
                generated_at=datetime.fromtimestamp(code.generated_at_s, UTC),
                business_on=on,
                recorded_at=now,
                **request.model_dump(exclude={"code"}),
            )
        )
        return ride_id

    def _price(
        self,
        request: ForeignRideRequest,
        code: jtt.RideCode,
        issuer: Row[Any],
        ride_id: UUID,
        on: date,
    ) -> Quote:
        """As a ride of ours, with the concession the card type gets here."""
        granted = issuer.concessions.get(str(code.card_type))
        quote = Quote(
            lines=tuple(
                self._parts.pricers[SCENE].price(
                    PricingFacts(
                        scene=SCENE,
                        type=TYPE,
                        merchant_id=request.merchant_id,
                        terminal_id=request.terminal_id,
                        amount_fen=None,
                        occurred_at=request.occurred_at,
                        details=request.details,
                    ),
                    Subject(
                        user_id=ride_id,
                        level="anonymous",
                        concessions=frozenset() if granted is None else frozenset({granted}),
                        business_on=on,
                    ),
                )
            )
        )
        if quote.citizen_fen > code.cap_fen:
            raise LimitExceededError(
                field="code", limit="code_cap", limit_fen=code.cap_fen, amount_fen=quote.citizen_fen
            )
        return quote

    async def _accept(
        self, connection: AsyncConnection, data: bytes, now: datetime
    ) -> tuple[jtt.RideCode, Row[Any]]:
        """The code and its issuer, form, signatures and windows checked."""
        try:
            shown = jtt.read(data)
        except CodeError as error:
            raise CodeRefusedError(error.code) from error
        i = foreign_issuer.c
        issuer = (
            await connection.execute(select(foreign_issuer).where(i.issuer == shown.issuer.hex()))
        ).one_or_none()
        roots = {
            row.root_index: load_public_key(Algorithm.SM2_SM3, row.public_key)
            for row in await connection.execute(select(foreign_root))
        }
        if issuer is None or shown.certificate.root_index not in roots:
            raise ForeignIssuerUnknownError(field="code", issuer=shown.issuer.hex())
        try:
            return jtt.verify(data, roots, int(now.timestamp()), None), issuer
        except CodeError as error:
            raise CodeRefusedError(error.code) from error

    async def _payables(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        caller: Caller,
        request: ForeignRideRequest,
    ) -> tuple[UUID, UUID]:
        """Where the merchant's money from issuers, and from subsidies, is booked."""
        t, m = tables.terminal.c, tables.merchant.c
        row = (
            await connection.execute(
                select(m.subsidy_payable_id)
                .join(tables.terminal, t.merchant_id == m.merchant_id)
                .where(
                    t.terminal_id == request.terminal_id,
                    t.merchant_id == request.merchant_id,
                    t.scene == SCENE,
                    t.status == "active",
                    m.status == "active",
                )
            )
        ).one_or_none()
        if row is None or caller.terminal_id not in (None, request.terminal_id):
            raise TerminalUnknownError(field="terminal_id")
        payable_id = account_id(f"issuer_payable:{request.merchant_id}")
        await open_accounts(
            self._parts.book, [account(payable_id, AccountCode.MERCHANT_ISSUER_PAYABLE)], raw
        )
        return payable_id, row.subsidy_payable_id

    async def _transfer(
        self,
        raw: RawConnection,
        ride_id: UUID,
        quote: Quote,
        receivable_id: UUID,
        payables: tuple[UUID, UUID],
    ) -> None:
        paid = [(number, line) for number, line in enumerate(quote.lines, 1) if line.amount_fen]
        transfers = []
        for position, (number, line) in enumerate(paid, start=1):
            is_issuers = line.payer is Payer.CITIZEN
            debit = receivable_id if is_issuers else subsidy_receivable(line.payer)
            transfers.append(
                Transfer(
                    id=part_id(ride_id, number).int,
                    debit_account_id=debit.int,
                    credit_account_id=payables[0 if is_issuers else 1].int,
                    amount=line.amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.FOREIGN_RIDE if is_issuers else TransferCode.SUBSIDY,
                    flags=TransferFlags.linked if position < len(paid) else TransferFlags(0),
                    user_data_128=ride_id.int,
                )
            )
        if transfers:
            results = await self._parts.book.create_transfers(transfers, connection=raw)
            assert set(results) == {"created"}, results

    async def _view(self, connection: AsyncConnection, ride_id: UUID) -> ForeignRideView:
        row = (
            await connection.execute(select(foreign_ride).where(foreign_ride.c.ride_id == ride_id))
        ).one()
        return ForeignRideView(
            lines=[LineView.model_validate(line) for line in row.lines],
            **{
                name: row._mapping[name]  # noqa: SLF001  (documented name)
                for name in ForeignRideView.model_fields
                if name != "lines"
            },
        )


async def _same_number(
    connection: AsyncConnection, raw: RawConnection, request: ForeignRideRequest
) -> UUID | None:
    """The ride this request made before under its number; None where the number is free.

    Raises:
        OrderConflictError: the number names another ride, or an order.
    """
    f = foreign_ride.c
    row = (
        await connection.execute(
            select(foreign_ride).where(
                f.merchant_id == request.merchant_id, f.out_trade_no == request.out_trade_no
            )
        )
    ).one_or_none()
    if row is None:
        order_id = await find_order_id(raw, request.merchant_id, request.out_trade_no)
        if order_id is None:
            return None
        raise OrderConflictError(field="out_trade_no", order_id=str(order_id))
    same = (
        row.code_digest == hashlib.sha256(bytes.fromhex(request.code)).digest()
        and row.terminal_id == request.terminal_id
        and row.occurred_at == request.occurred_at
        and row.details == request.details
    )
    if not same:
        raise OrderConflictError(field="out_trade_no", order_id=str(row.ride_id))
    ride_id: UUID = row.ride_id
    return ride_id


def lines_of(quote: Quote) -> list[dict[str, Any]]:
    """As they are told: the issuer stands where a citizen of ours would."""
    return [
        {
            "line_no": number,
            "payer": "issuer" if line.payer is Payer.CITIZEN else line.payer.value,
            "fund": None,
            "amount_fen": line.amount_fen,
            "rule_id": line.rule_id,
            "rule_version": line.rule_version,
            "reason_zh": line.reason_zh,
            "reason_en": line.reason_en,
        }
        for number, line in enumerate(quote.lines, start=1)
    ]
