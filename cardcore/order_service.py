"""The verbs about business: quote, order, capture, void, refund, explain."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.explain import explain
from cardcore.business.holds import Holds
from cardcore.business.order_batch import Booked, OrderWriter
from cardcore.business.order_codes import OrderCodes
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.order_rules import RuleBook, code_scene
from cardcore.business.orders import find_order_id, load_order
from cardcore.business.refunds import Refunds
from cardcore.business.request import (
    CaptureRequest,
    Mode,
    OrderRequest,
    QuoteRequest,
    RefundRequest,
)
from cardcore.business.views import ExplainView, LineView, OrderView, QuoteView, RefundView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    CardcoreError,
    ForbiddenError,
    NotFoundError,
    ServiceUnavailableError,
)
from cardcore.known import Known
from cardcore.once import Found, once, once_or_found
from cardcore.parts import Parts, request_digest
from cardcore.user.card_taps import CardTaps, FoundTap, TapPlace, find_tap
from cardcore.user.code_desk import CodeDesk, Judging
from cardcore.user.code_judging import ShownCode, scene_bit
from cardcore.user.presented import PresentedCode
from ledger.errors import QueueFullError, WriterClosedError
from ledger.group_commit import GroupCommit


class OrderService:
    """Serves orders from quote to refund."""

    def __init__(
        self,
        parts: Parts,
        orders: GroupCommit[PreparedOrder, Booked],
        writer: OrderWriter,
        codes: OrderCodes,
        desk: CodeDesk,
    ) -> None:
        self._parts = parts
        self._orders = orders
        self._writer = writer
        self._codes = codes
        self._desk = desk
        self._taps = CardTaps(parts.hsm)
        self._refunds = Refunds(parts.book, parts.random_bytes)
        self._holds = Holds(parts.book, parts.random_bytes)

    @property
    def rules(self) -> RuleBook:
        """The rules orders are decided by, in the version in force."""
        return self._parts.rules

    async def quote(self, caller: Caller, request: QuoteRequest) -> QuoteView:
        """What it would cost and who would pay. Books nothing, spends nothing."""
        caller.require(Scope.ORDERS_WRITE)
        order = OrderRequest(user=request.user, account=request.account, business=request.business)
        await self._know_scene(request.business.scene)
        prepared = self._prepare(caller, order, "", await self._tap(order))
        (judged,) = await self._codes.judge([prepared])
        if isinstance(judged, Exception):
            raise judged
        quoted = await self._writer.quote(judged)
        return QuoteView(
            nominal_fen=quoted.nominal_fen,
            citizen_fen=quoted.citizen_fen,
            lines=[
                LineView(
                    line_no=line_no,
                    payer=line.payer.value,
                    fund=None,
                    amount_fen=line.amount_fen,
                    rule_id=line.rule_id,
                    rule_version=line.rule_version,
                    reason_zh=line.reason_zh,
                    reason_en=line.reason_en,
                )
                for line_no, line in enumerate(quoted.lines, start=1)
            ],
        )

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        """Verify, quote and book in one step: pay, hold, or record.

        Returns when the order is durable, as it was made. The second value tells whether it was
        booked before, and by which name it was found.
        """
        caller.require(Scope.ORDERS_WRITE)
        tap = None if request.user.card is None else await self._tap(request)
        await self._know_scene(request.business.scene)
        prepared = self._prepare(caller, request, idempotency_key, tap)
        try:
            outcome = await self._orders.submit(prepared)
        except QueueFullError as full:
            raise ServiceUnavailableError(
                "too many orders are waiting", retry_after_s=full.retry_after_s
            ) from full
        except WriterClosedError as closed:
            raise ServiceUnavailableError("shutting down") from closed
        return outcome.order.view(as_made=True), outcome.known

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        """One order as it stands."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (_, raw):
            order = await load_order(raw, caller, order_id)
            return order.view(now=self._parts.clock())

    async def find_order(self, caller: Caller, merchant_id: str, out_trade_no: str) -> OrderView:
        """The order a merchant's own number names: what to ask after a lost reply."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (_, raw):
            order_id = await find_order_id(raw, merchant_id, out_trade_no)
            if order_id is None:
                raise NotFoundError(field="out_trade_no")
            order = await load_order(raw, caller, order_id)
            return order.view(now=self._parts.clock())

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Take all or part of a held order; the rest is released, or kept for further captures."""

        async def perform(
            connection: AsyncConnection, raw: RawConnection, now: datetime
        ) -> tuple[UUID, OrderView]:
            return await self._holds.capture(
                connection,
                raw,
                caller=caller,
                order_id=order_id,
                amount_fen=request.amount_fen,
                keeps_rest=not request.final,
                now=now,
            )

        digest = request_digest("capture", request)
        return await self._resolve(caller, order_id, "capture", digest, idempotency_key, perform)

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Release what a held order still holds."""

        async def perform(
            connection: AsyncConnection, raw: RawConnection, now: datetime
        ) -> tuple[UUID, OrderView]:
            return await self._holds.void(
                connection, raw, caller=caller, order_id=order_id, now=now
            )

        digest = b"void".ljust(32, b"\0")
        return await self._resolve(caller, order_id, "void", digest, idempotency_key, perform)

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, Known]:
        """Give back all or part of a captured order to where it came from.

        The second value: whether it was given back before, under this key or ``out_refund_no``.
        """
        caller.require(Scope.REFUNDS_WRITE)
        now = self._parts.clock()
        on = business_date(now, self._parts.cut_off)
        digest = request_digest(f"refund/{order_id}", request)

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, RefundView] | Found[RefundView]:
            return await self._refunds.refund(
                connection,
                raw,
                caller=caller,
                order_id=order_id,
                request=request,
                digest=digest,
                now=now,
                business_on=on,
            )

        return await once_or_found(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=digest,
            action="refund",
            subject=f"order/{order_id}",
            now=now,
            perform=perform,
            recall=self._refunds.view,
        )

    async def explain(self, caller: Caller, order_id: UUID) -> ExplainView:
        """Every fen of an order."""
        caller.require(Scope.ORDERS_READ)
        async with transaction(self._parts.engine) as (connection, raw):
            order = await load_order(raw, caller, order_id)
            return await explain(
                connection,
                raw,
                self._parts.book,
                order,
                names_people=caller.merchant_id is None,
            )

    async def _know_scene(self, scene: str) -> None:
        """Read the rules again where they do not know a scene: another process may have added it.

        Its code is judged before the batch reads anything.
        """
        if scene in self._parts.pricers or scene in self._parts.rules.current.scenes:
            return
        async with transaction(self._parts.engine) as (_, raw):
            await self._parts.rules.refresh(raw)

    async def _tap(self, request: OrderRequest) -> PresentedCode | CardcoreError | None:
        """The card's tap of a request as a presented code, or why it is refused."""
        card, business = request.user.card, request.business
        if card is None:
            return None
        now = self._parts.clock()
        place = TapPlace(
            scene=business.scene,
            merchant_id=business.merchant_id,
            terminal_id=business.terminal_id,
        )
        try:
            found = await self._find_tap(card.tap)
            presented = await self._taps.judge(
                found,
                place,
                pays=request.mode is not Mode.RECORD,
                at=now,
                on=business_date(now, self._parts.cut_off),
            )
        except ServiceUnavailableError:
            raise
        except CardcoreError as refusal:
            # Returned, not raised: as with a code, a request that was booked gets its answer.
            return refusal
        return presented.code

    async def _find_tap(self, text: str) -> FoundTap:
        try:
            async with self._parts.by_key.connection() as connection:
                return await find_tap(connection, text)
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise ServiceUnavailableError from error

    def _prepare(
        self,
        caller: Caller,
        request: OrderRequest,
        key: str,
        tap: PresentedCode | CardcoreError | None = None,
    ) -> PreparedOrder:
        """Everything about an order that needs no database, and the tap that did."""
        if caller.merchant_id is not None and isinstance(request.account.payer, UUID):
            raise ForbiddenError("a merchant does not name payers by id", field="account.payer")
        now = self._parts.clock()
        code: PresentedCode | None = None
        refusal: CardcoreError | None = None
        judging: Judging | None = None
        if isinstance(tap, PresentedCode):
            code = tap
        elif tap is not None:
            refusal = tap
        elif request.user.credential is None:
            if caller.merchant_id is not None:
                raise ForbiddenError("a merchant names users by credential", field="user.user_id")
        else:
            try:
                shown = self._shown(request.user.credential, request, now)
                judging = self._desk.begin(shown)
            except CardcoreError as error:
                # Not raised yet: a retry of a request that was booked must get its answer.
                refusal = error
        return PreparedOrder(
            caller=caller,
            request=request,
            key=key,
            digest=request_digest("order", request),
            code=code,
            refusal=refusal,
            received_at=now,
            business_on=business_date(now, self._parts.cut_off),
            judging=judging,
        )

    def _shown(self, credential: str, request: OrderRequest, now: datetime) -> ShownCode:
        """The code of a request, to be judged by everything but its past use."""
        business = request.business
        scene = code_scene(self._parts.rules.current, business.scene)
        scene_bit(scene)
        # That the terminal is this merchant's is found out with its row.
        places: tuple[str, ...] = (business.terminal_id, business.merchant_id)
        named = (business.details.get(place) for place in ("line", "door"))
        places = (*places, *(one for one in named if isinstance(one, str)))
        return ShownCode(
            credential, scene, places, request.mode is not Mode.RECORD, int(now.timestamp())
        )

    async def _resolve(
        self,
        caller: Caller,
        order_id: UUID,
        action: str,
        digest: bytes,
        idempotency_key: str,
        perform: Callable[
            [AsyncConnection, RawConnection, datetime], Awaitable[tuple[UUID, OrderView]]
        ],
    ) -> tuple[OrderView, bool]:
        caller.require(Scope.ORDERS_WRITE)
        now = self._parts.clock()
        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=hashlib.sha256(order_id.bytes + digest).digest(),
            action=action,
            subject=f"order/{order_id}",
            now=now,
            perform=lambda connection, raw: perform(connection, raw, now),
            recall=self._holds.recall,
        )
