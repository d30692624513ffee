"""The verbs about business where the code shown is another city's: one path for the validator.

A validator sends what it scanned to ``order`` and gets an order back, whoever issued the code. A
code of ours is text (``M1:``); one of the JT/T family is bytes, sent as hexadecimal digits. Behind
the same verbs such a ride is what ADR 171 says: owed by its issuer, no order of a person here.
"""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from cardcore.account.chart import account_id
from cardcore.books import transaction
from cardcore.business.foreign_request import ForeignRideRequest
from cardcore.business.foreign_tables import foreign_issuer, foreign_ride
from cardcore.business.order_states import OrderStatus
from cardcore.business.request import (
    Account,
    Mode,
    OrderRequest,
    PaidBy,
    QuoteRequest,
    RefundRequest,
)
from cardcore.business.scene_errors import ModeNotAllowedError
from cardcore.business.views import (
    ExplainedLine,
    ExplainView,
    LineView,
    OrderView,
    QuoteView,
    RefundView,
    TransferView,
)
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    AmountInvalidError,
    CodeRefusedError,
    FundUnknownError,
    MerchantUnknownError,
    NotFoundError,
    OrderStateError,
)
from cardcore.foreign_rides import SCENE, TYPE, lines_of
from cardcore.foreign_service import ForeignService
from cardcore.ids import new_id, part_id
from cardcore.known import Known
from cardcore.order_service import OrderService
from cardcore.parts import request_digest
from codes import jtt

_FIRST: Final = f"{jtt.VERSION:02x}"
_NS_PER_S: Final = 1_000_000_000


class UniformOrderService(OrderService, ForeignService):
    """``OrderService`` for every code a validator may be shown."""

    async def quote(self, caller: Caller, request: QuoteRequest) -> QuoteView:
        """See ``OrderService.quote``."""
        code = foreign_code(request.user.credential)
        if code is None:
            return await super().quote(caller, request)
        caller.require(Scope.ORDERS_WRITE)
        ride = _ride_of(request, code)
        if caller.merchant_id not in (None, ride.merchant_id):
            raise MerchantUnknownError(field="business.merchant_id")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            accepted, issuer = await self._accept(connection, bytes.fromhex(code), now)
            await self._payables(connection, raw, caller, ride)
        on = business_date(now, self._parts.cut_off)
        nobody = new_id(now, self._parts.random_bytes)
        quoted = self._price(ride, accepted, issuer, nobody, on)
        return QuoteView(
            nominal_fen=quoted.nominal_fen,
            citizen_fen=quoted.citizen_fen,
            lines=[LineView.model_validate(line) for line in lines_of(quoted)],
        )

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        """See ``OrderService.order``."""
        code = foreign_code(request.user.credential)
        if code is None:
            return await super().order(caller, request, idempotency_key)
        if request.mode is not Mode.PAY:
            raise ModeNotAllowedError(field="mode", modes=[Mode.PAY.value])
        digest = request_digest("order", request)
        ride = _ride_of(request, code)
        ride_id, known = await self._book_once(caller, ride, idempotency_key, digest)
        return _order_of(await self._ride(caller, ride_id=ride_id)), known

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        """See ``OrderService.read_order``."""
        try:
            return await super().read_order(caller, order_id)
        except NotFoundError:
            return _order_of(await self._ride(caller, ride_id=order_id))

    async def find_order(self, caller: Caller, merchant_id: str, out_trade_no: str) -> OrderView:
        """See ``OrderService.find_order``."""
        try:
            return await super().find_order(caller, merchant_id, out_trade_no)
        except NotFoundError:
            found = await self._ride(caller, merchant_id=merchant_id, out_trade_no=out_trade_no)
            return _order_of(found)

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, Known]:
        """See ``OrderService.refund``. A ride of another city's code is given back by its issuer.

        Raises:
            OrderStateError: it is such a ride.
        """
        try:
            return await super().refund(caller, order_id, request, idempotency_key)
        except NotFoundError:
            ride = await self._ride(caller, ride_id=order_id)
            raise OrderStateError(
                "given back by the issuer", field="order_id", issuer=ride.issuer
            ) from None

    async def explain(self, caller: Caller, order_id: UUID) -> ExplainView:
        """See ``OrderService.explain``."""
        try:
            return await super().explain(caller, order_id)
        except NotFoundError:
            return await self._explain_ride(await self._ride(caller, ride_id=order_id))

    async def _ride(self, caller: Caller, **named: object) -> Row[Any]:
        """A ride the caller may see. Raises ``NotFoundError``."""
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(foreign_ride, foreign_issuer.c.receivable_id)
                    .join(foreign_issuer, foreign_issuer.c.issuer == foreign_ride.c.issuer)
                    .where(*(foreign_ride.c[name] == value for name, value in named.items()))
                )
            ).one_or_none()
        if row is None or caller.merchant_id not in (None, row.merchant_id):
            raise NotFoundError(field=next(reversed(named)).replace("ride_id", "order_id"))
        return row

    async def _explain_ride(self, ride: Row[Any]) -> ExplainView:
        lines = [LineView.model_validate(line) for line in ride.lines]
        ids = {line.line_no: part_id(ride.ride_id, line.line_no) for line in lines}
        async with transaction(self._parts.engine) as (_, raw):
            found = await self._parts.book.lookup_transfers(
                [one.int for one in ids.values()], connection=raw
            )
        issuers_payable = account_id(f"issuer_payable:{ride.merchant_id}").int
        by_id = {transfer.id: transfer for transfer in found}
        explained = []
        for line in lines:
            transfer = by_id.get(ids[line.line_no].int)
            shown = []
            if transfer is not None:
                from_issuer = transfer.credit_account_id == issuers_payable
                debit = f"issuer_receivable:{ride.issuer}"
                shown.append(
                    TransferView(
                        transfer_id=ids[line.line_no],
                        debit_account=debit if from_issuer else f"subsidy_receivable:{line.payer}",
                        credit_account=("issuer" if from_issuer else "subsidy")
                        + f"_payable:{ride.merchant_id}",
                        amount_fen=transfer.amount,
                        recorded_at=datetime.fromtimestamp(transfer.timestamp / _NS_PER_S, UTC),
                    )
                )
            explained.append(ExplainedLine(**line.model_dump(), transfers=shown))
        return ExplainView(
            order_id=ride.ride_id,
            status=OrderStatus.CAPTURED.value,
            nominal_fen=ride.nominal_fen,
            explained_fen=sum(transfer.amount for transfer in found),
            evidence={"code_sha256": ride.code_digest.hex(), "issuer": ride.issuer},
            lines=explained,
            refunds=[],
        )


def foreign_code(credential: str | None) -> str | None:
    """The hexadecimal digits of a code of the JT/T family; None of anything else.

    Told apart by the first byte: a code of ours begins with ``M``.
    """
    if credential is None or credential[:2] != _FIRST:
        return None
    return credential


def _ride_of(request: QuoteRequest, code: str) -> ForeignRideRequest:
    """The ride an order for such a code asks for.

    Raises:
        CodeRefusedError: not on a bus; or longer than a code, or no digits.
        AmountInvalidError: the amount is named; the fare is the scene's to set.
        FundUnknownError: a fund or a payer is named; such a person has none here.
    """
    business = request.business
    if (business.scene, business.type) != (SCENE, TYPE):
        raise CodeRefusedError("scene_not_allowed", "codes of other cities ride buses here")
    if business.amount_fen is not None:
        raise AmountInvalidError("the fare is set by the tables", field="business.amount_fen")
    own = request.account.payer in (PaidBy.AUTO, PaidBy.SELF)
    if request.account.fund != Account().fund or not own:
        raise FundUnknownError(field="account")
    try:
        digits = bytes.fromhex(code).hex()
    except ValueError:
        raise CodeRefusedError("code_invalid", "no hexadecimal digits") from None
    if len(digits) > 2 * jtt.SIZE_MAX:
        raise CodeRefusedError("code_invalid", "longer than a code")
    return ForeignRideRequest(
        code=digits,
        merchant_id=business.merchant_id,
        terminal_id=business.terminal_id,
        out_trade_no=business.out_trade_no,
        occurred_at=business.occurred_at,
        details=business.details,
    )


def _order_of(ride: Row[Any]) -> OrderView:
    """A ride as an order. ``citizen_fen`` is what its holder's issuer owes for them."""
    return OrderView(
        order_id=ride.ride_id,
        status=OrderStatus.CAPTURED.value,
        mode=Mode.PAY.value,
        scene=SCENE,
        type=TYPE,
        merchant_id=ride.merchant_id,
        terminal_id=ride.terminal_id,
        out_trade_no=ride.out_trade_no,
        nominal_fen=ride.nominal_fen,
        citizen_fen=ride.issuer_fen,
        captured_fen=ride.nominal_fen,
        refunded_fen=0,
        currency="CNY",
        business_on=ride.business_on,
        occurred_at=ride.occurred_at,
        recorded_at=ride.recorded_at,
        lines=[LineView.model_validate(line) for line in ride.lines],
    )
