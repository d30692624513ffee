"""Citizens of other cities on our buses: their codes taken, their issuers billed.

They have no account here. The ride is priced by the city's own rules; what a citizen would pay,
the issuer owes, and the merchant gets once the issuer has paid: a receivable and a payable of their
own, as with subsidies (ADR 9), apart from what custody covers.
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
from cardcore.business.foreign_clearing import ClearedRide, write_clearing_file
from cardcore.business.foreign_request import (
    ClearingFileUnknownError,
    ClearingFileView,
    ForeignIssuerUnknownError,
    ForeignRideRequest,
    ForeignRideView,
    IssuerView,
    RegisterIssuerRequest,
)
from cardcore.business.foreign_tables import (
    foreign_clearing_file,
    foreign_clearing_ride,
    foreign_issuer,
    foreign_ride,
    foreign_root,
)
from cardcore.business.quote import Payer, PricingFacts, Quote, Subject
from cardcore.business.views import LineView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    CodeRefusedError,
    ForbiddenError,
    LimitExceededError,
    MerchantUnknownError,
    OrderConflictError,
    TerminalUnknownError,
)
from cardcore.ids import new_id, part_id
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.user.personal_data import WRAPPING_KEY
from codes import Algorithm, CodeError, jtt
from codes.suites import load_public_key
from ledger import Transfer, TransferFlags

CLEARING_KEY: Final = "foreign-clearing"
SCENE: Final = "bus"
TYPE: Final = "fare"
KEPT_AFTER: Final = timedelta(minutes=15)


class ForeignService:
    """Serves rides by foreign codes, and the files of their issuers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register_issuer(self, caller: Caller, request: RegisterIssuerRequest) -> IssuerView:
        """Register an issuer and its root; the same again changes nothing.

        Raises:
            OrderConflictError: the issuer, or the root's index, is known otherwise.
        """
        caller.require(Scope.SCENES_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("issuers are registered by the card centre")
        now = self._parts.clock()
        receivable_id = account_id(f"issuer_receivable:{request.issuer}")
        async with transaction(self._parts.engine) as (connection, raw):
            await open_accounts(
                self._parts.book, [account(receivable_id, AccountCode.ISSUER_RECEIVABLE)], raw
            )
            written = {"recorded_by": caller.client_id, "recorded_at": now}
            root = {"root_index": request.root_index, "public_key": bytes.fromhex(request.root_key)}
            issuer = request.model_dump(exclude={"root_index", "root_key"})
            for table, values in ((foreign_root, root), (foreign_issuer, issuer)):
                more = {"receivable_id": receivable_id} if table is foreign_issuer else {}
                await connection.execute(
                    upsert(table).values(**values, **more, **written).on_conflict_do_nothing()
                )
                key = next(iter(values))
                stands = (
                    await connection.execute(select(table).where(table.c[key] == values[key]))
                ).one()
                if any(stands._mapping[name] != value for name, value in values.items()):  # noqa: SLF001  (documented name)
                    raise OrderConflictError(field=key)
            return await self._issuer(connection, raw, request.issuer)

    async def read_issuer(self, caller: Caller, issuer: str) -> IssuerView:
        """An issuer and what it owes. Raises ``ForeignIssuerUnknownError``."""
        caller.require(Scope.REPORTS_READ)
        async with transaction(self._parts.engine) as (connection, raw):
            return await self._issuer(connection, raw, issuer)

    async def foreign_ride(
        self, caller: Caller, request: ForeignRideRequest, idempotency_key: str
    ) -> tuple[ForeignRideView, bool]:
        """Accept a code, price the ride, book it to the issuer: one transaction.

        Raises:
            ForeignIssuerUnknownError: issuer or root are not known here.
            CodeRefusedError: what is wrong with the code; ``code_replayed`` when it was used.
            TerminalUnknownError: not a terminal in service of this merchant.
            LimitExceededError: the code may not pay so much.
            CardcoreError: what the bus rules refuse.
        """
        caller.require(Scope.ORDERS_WRITE)
        if caller.merchant_id not in (None, request.merchant_id):
            raise MerchantUnknownError(field="merchant_id")
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, ForeignRideView]:
            ride_id = await self._book(connection, raw, caller, request, now)
            return ride_id, await self._view(connection, ride_id)

        async def recall(
            connection: AsyncConnection, _: RawConnection, ride_id: UUID
        ) -> ForeignRideView:
            return await self._view(connection, ride_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest("foreign_ride", request),
            action="foreign_ride",
            subject=f"terminal/{request.terminal_id}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def clearing_file(self, caller: Caller, issuer: str, on: date) -> ClearingFileView:
        """A day's file; made when it is first asked for, once the day is over.

        Raises:
            ForeignIssuerUnknownError: no such issuer.
            ClearingFileUnknownError: the day is not over.
        """
        caller.require(Scope.REPORTS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("an issuer's file is not a merchant's")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            await self._issuer(connection, raw, issuer)
        if on >= business_date(now, self._parts.cut_off):
            raise ClearingFileUnknownError(field="business_on")
        await self._make_file(issuer, on, now)
        ring = {key.label: key.public_key for key in await self._parts.hsm.list_keys()}
        f = foreign_clearing_file.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(foreign_clearing_file).where(f.issuer == issuer, f.business_on == on)
                )
            ).one()
        return ClearingFileView(
            issuer=issuer,
            business_on=on,
            rides_count=row.rides_count,
            sum_fen=row.sum_fen,
            sha256=row.sha256.hex(),
            signature=row.signature.hex(),
            public_key=ring[CLEARING_KEY].hex(),
            made_at=row.made_at,
            content=row.content.decode(),
        )

    # -- parts -----------------------------------------------------------------------------------

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
        granted = issuer.concessions.get(str(code.card_type))
        ride_id = new_id(now, self._parts.random_bytes)
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
        known = foreign_ride.c
        same_no = await connection.execute(
            select(known.ride_id).where(
                known.merchant_id == request.merchant_id,
                known.out_trade_no == request.out_trade_no,
            )
        )
        if same_no.one_or_none() is not None:
            raise OrderConflictError(field="out_trade_no")
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
                lines=_lines(quote),
                code_digest=hashlib.sha256(data).digest(),
                generated_at=datetime.fromtimestamp(code.generated_at_s, UTC),
                business_on=on,
                recorded_at=now,
                **request.model_dump(exclude={"code"}),
            )
        )
        return ride_id

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

    async def _issuer(
        self, connection: AsyncConnection, raw: RawConnection, issuer: str
    ) -> IssuerView:
        row = (
            await connection.execute(
                select(foreign_issuer).where(foreign_issuer.c.issuer == issuer)
            )
        ).one_or_none()
        if row is None:
            raise ForeignIssuerUnknownError(field="issuer")
        (owing,) = await self._parts.book.lookup_accounts([row.receivable_id.int], connection=raw)
        return IssuerView(
            issuer=row.issuer,
            name_zh=row.name_zh,
            name_en=row.name_en,
            concessions=row.concessions,
            receivable_fen=owing.debits_posted - owing.credits_posted,
        )

    async def _make_file(self, issuer: str, on: date, now: datetime) -> None:
        """Put every ride up to a date that lies in no file yet into this date's, once."""
        f, r, inside = foreign_clearing_file.c, foreign_ride.c, foreign_clearing_ride.c
        async with transaction(self._parts.engine) as (connection, _):
            # Locked by the issuer: two files at once must not share a ride.
            await connection.execute(
                select(foreign_issuer.c.issuer)
                .where(foreign_issuer.c.issuer == issuer)
                .with_for_update()
            )
            made = await connection.scalar(
                select(f.file_id).where(f.issuer == issuer, f.business_on == on)
            )
            if made is not None:
                return
            rows = (
                await connection.execute(
                    select(foreign_ride)
                    .outerjoin(foreign_clearing_ride, inside.ride_id == r.ride_id)
                    .where(r.issuer == issuer, r.business_on <= on, inside.ride_id.is_(None))
                    .order_by(r.ride_id)
                )
            ).all()
            rides = [
                ClearedRide(
                    ride_id=row.ride_id,
                    account=(
                        await self._parts.hsm.unwrap(
                            WRAPPING_KEY, row.account_sealed, context=row.ride_id.bytes
                        )
                    ).decode("ascii"),
                    merchant_id=row.merchant_id,
                    terminal_id=row.terminal_id,
                    occurred_at=row.occurred_at,
                    generated_at=row.generated_at,
                    amount_fen=row.issuer_fen,
                )
                for row in rows
            ]
            written = write_clearing_file(issuer, on, rides)
            file_id = new_id(now, self._parts.random_bytes)
            await connection.execute(
                insert(foreign_clearing_file).values(
                    file_id=file_id,
                    issuer=issuer,
                    business_on=on,
                    rides_count=written.rides_count,
                    sum_fen=written.sum_fen,
                    content=written.content,
                    sha256=written.sha256,
                    signature=await self._parts.hsm.sign(CLEARING_KEY, written.content),
                    made_at=now,
                )
            )
            for ride in rides:
                await connection.execute(
                    insert(foreign_clearing_ride).values(ride_id=ride.ride_id, file_id=file_id)
                )


def _lines(quote: Quote) -> list[dict[str, Any]]:
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
