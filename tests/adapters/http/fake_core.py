"""A core that keeps its promises in memory: what the HTTP face is tested against."""

import asyncio
import inspect
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel

from cardcore.account.request import TopUpRequest
from cardcore.account.views import AccountView, BooksView, FundView, TopUpView
from cardcore.business.request import (
    CaptureRequest,
    Mode,
    OrderRequest,
    QuoteRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.views import (
    ExplainedLine,
    ExplainView,
    LineView,
    OrderView,
    QuoteView,
    RefundView,
    TransferView,
    UserView,
    VerifyView,
)
from cardcore.caller import Caller, ClientRecord, Scope
from cardcore.errors import (
    IdempotencyKeyReusedError,
    NotFoundError,
    OrderConflictError,
    OrderStateError,
    RefundExceedsError,
    UserUnknownError,
)
from cardcore.known import Known
from cardcore.service import CardCore
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from cardcore.user.views import IssuedCodeView
from tests.adapters.http.fake_authorisations import FakeAuthorisations
from tests.adapters.http.fake_cards import FakeCards
from tests.adapters.http.fake_people import FakePeople
from tests.adapters.http.fake_terminals import FakeTerminals

ViewT = TypeVar("ViewT", bound=BaseModel)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FARE_FEN = 200


class FakeCore(FakePeople, FakeCards, FakeTerminals, FakeAuthorisations):
    """Same calls as ``CardCore``. ``refusal``, where set, is raised by every verb."""

    def __init__(self) -> None:
        FakeCards.__init__(self)
        FakePeople.__init__(self)
        self.clients: dict[str, ClientRecord] = {}
        self.refusal: Exception | None = None
        self.parts = {"database": "ok", "hsm": "ok"}
        self.effects = 0
        self.client_lookups = 0
        self.users: dict[UUID, UserView] = {}
        self.orders: dict[UUID, OrderView] = {}
        self.may_look = asyncio.Event()
        self.may_look.set()
        self.looking = asyncio.Event()
        self._answers: dict[tuple[str, str], tuple[str, BaseModel]] = {}
        self._numbers: dict[tuple[str, str], tuple[str, BaseModel]] = {}
        self._named: set[tuple[str, str]] = set()

    async def client(self, client_id: str) -> ClientRecord | None:
        self.client_lookups += 1
        self.looking.set()
        await self.may_look.wait()
        return self.clients.get(client_id)

    async def ready(self) -> dict[str, str]:
        return self.parts

    async def key_ring(self) -> dict[str, Any]:
        self._maybe_refuse()
        return {"issuers": []}

    async def verify(self, caller: Caller, request: VerifyRequest) -> VerifyView:
        self._admit(caller, Scope.VERIFY)
        return VerifyView(
            subject="p" * 24,
            level="real_name",
            concessions=["senior"],
            restrictions=[],
            code_class="S",
            expires_at=NOW + timedelta(seconds=30),
        )

    async def quote(self, caller: Caller, request: QuoteRequest) -> QuoteView:
        self._admit(caller, Scope.ORDERS_WRITE)
        return QuoteView(nominal_fen=FARE_FEN, citizen_fen=FARE_FEN, lines=[_line(FARE_FEN)])

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        self._admit(caller, Scope.ORDERS_WRITE)
        business = request.business
        number = (business.merchant_id, business.out_trade_no)
        made = self._made(caller, idempotency_key, number, "order", request)
        if made is not None:
            return made
        fen = 0 if request.mode is Mode.RECORD else business.amount_fen or FARE_FEN
        order = OrderView(
            order_id=uuid4(),
            status="held" if request.mode is Mode.HOLD else "booked",
            mode=request.mode,
            scene=business.scene,
            type=business.type,
            merchant_id=business.merchant_id,
            terminal_id=business.terminal_id,
            out_trade_no=business.out_trade_no,
            nominal_fen=fen,
            citizen_fen=fen,
            captured_fen=0 if request.mode is Mode.HOLD else fen,
            refunded_fen=0,
            currency="CNY",
            business_on=date(2026, 11, 23),
            occurred_at=business.occurred_at,
            recorded_at=NOW,
            lines=[_line(fen)],
        )
        self.orders[order.order_id] = order
        self._numbers[number] = ("order" + request.model_dump_json(), order)
        return self._keep(caller, idempotency_key, "order", request, order), Known.NEW

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        self._admit(caller, Scope.ORDERS_READ)
        return self._own(caller, order_id)

    async def find_order(self, caller: Caller, merchant_id: str, out_trade_no: str) -> OrderView:
        self._admit(caller, Scope.ORDERS_READ)
        for order in self.orders.values():
            if (order.merchant_id, order.out_trade_no) == (merchant_id, out_trade_no):
                return self._own(caller, order.order_id)
        raise NotFoundError(field="out_trade_no")

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        return self._resolve(caller, order_id, request.amount_fen, idempotency_key)

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        return self._resolve(caller, order_id, 0, idempotency_key)

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, Known]:
        self._admit(caller, Scope.REFUNDS_WRITE)
        action = f"refund/{order_id}"
        order = self._own(caller, order_id)
        number = (f"refund {order.merchant_id}", request.out_refund_no)
        made = self._made(caller, idempotency_key, number, action, request)
        if made is not None:
            return made
        left = order.captured_fen - order.refunded_fen
        amount = left if request.amount_fen is None else request.amount_fen
        if amount == 0 or amount > left:
            raise RefundExceedsError(field="amount_fen", remaining_fen=left)
        self.orders[order_id] = order.model_copy(
            update={"refunded_fen": order.refunded_fen + amount}
        )
        view = RefundView(
            refund_id=uuid4(),
            order_id=order_id,
            out_refund_no=request.out_refund_no,
            amount_fen=amount,
            recorded_at=NOW,
            lines=[_line(amount)],
        )
        self._numbers[number] = (action + request.model_dump_json(), view)
        return self._keep(caller, idempotency_key, action, request, view), Known.NEW

    async def explain(self, caller: Caller, order_id: UUID) -> ExplainView:
        self._admit(caller, Scope.ORDERS_READ)
        order = self._own(caller, order_id)
        transfer = TransferView(
            transfer_id=uuid4(),
            debit_account="citizen:transit",
            credit_account="merchant:payable",
            amount_fen=order.captured_fen,
            recorded_at=NOW,
        )
        line = ExplainedLine(**_line(order.captured_fen).model_dump(), transfers=[transfer])
        return ExplainView(
            order_id=order_id,
            status=order.status,
            nominal_fen=order.nominal_fen,
            explained_fen=order.captured_fen,
            evidence={"code_digest": "00"},
            lines=[line],
            refunds=[],
        )

    async def open_user(
        self, caller: Caller, request: OpenUserRequest, idempotency_key: str
    ) -> tuple[UserView, bool]:
        self._admit(caller, Scope.USERS_WRITE)
        known = self._known(caller, idempotency_key, "open_user", request)
        if known is not None:
            return known, True
        view = UserView(
            user_id=uuid4(),
            level="real_name",
            status="active",
            name_masked=request.name and request.name[0] + "*",
            id_no_masked="1101**********002X",
            concessions=[entitlement.concession for entitlement in request.entitlements],
            funds=[
                FundView(fund=fund, regime="r", balance_fen=0, held_fen=0, available_fen=0)
                for fund in request.funds
            ],
        )
        self.users[view.user_id] = view
        return self._keep(caller, idempotency_key, "open_user", request, view), False

    async def read_user(self, caller: Caller, user_id: UUID) -> UserView:
        self._admit(caller, Scope.USERS_WRITE)
        return self._person(user_id)

    async def top_up(
        self, caller: Caller, user_id: UUID, request: TopUpRequest, idempotency_key: str
    ) -> tuple[TopUpView, bool]:
        self._admit(caller, Scope.FUNDS_WRITE)
        action = f"topup/{user_id}"
        known = self._known(caller, idempotency_key, action, request)
        if known is not None:
            return known, True
        self._person(user_id)
        view = TopUpView(topup_id=uuid4(), user_id=user_id, recorded_at=NOW, **request.model_dump())
        return self._keep(caller, idempotency_key, action, request, view), False

    async def issue_code(
        self, caller: Caller, user_id: UUID, request: IssueCodeRequest
    ) -> IssuedCodeView:
        self._admit(caller, Scope.CODES_ISSUE)
        self._person(user_id)
        return IssuedCodeView(
            text="M1:ABC",
            code_class="S",
            issued_at=NOW,
            expires_at=NOW + timedelta(seconds=request.ttl_s),
            refresh_after_s=request.ttl_s // 2,
        )

    async def books(self, caller: Caller) -> BooksView:
        self._admit(caller, Scope.REPORTS_READ)
        account = AccountView(account="custody", code=1, debits_fen=5, credits_fen=5)
        return BooksView(trial_balance_fen=0, custody_difference_fen=0, accounts=[account])

    def _maybe_refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def _admit(self, caller: Caller, scope: Scope) -> None:
        caller.require(scope)
        self._maybe_refuse()

    def _person(self, user_id: UUID) -> UserView:
        if user_id not in self.users:
            raise UserUnknownError(field="user_id")
        return self.users[user_id]

    def _own(self, caller: Caller, order_id: UUID) -> OrderView:
        order = self.orders.get(order_id)
        if order is None or caller.merchant_id not in (None, order.merchant_id):
            raise NotFoundError(field="order_id")
        return order

    def _resolve(
        self, caller: Caller, order_id: UUID, amount_fen: int | None, key: str
    ) -> tuple[OrderView, bool]:
        self._admit(caller, Scope.ORDERS_WRITE)
        request = CaptureRequest.model_construct(amount_fen=amount_fen)
        action = f"resolve/{order_id}"
        known = self._known(caller, key, action, request)
        if known is not None:
            return known, True
        order = self._own(caller, order_id)
        if order.status != "held":
            raise OrderStateError(status=order.status)
        captured = order.nominal_fen if amount_fen is None else amount_fen
        view = order.model_copy(
            update={"status": "booked" if captured else "voided", "captured_fen": captured}
        )
        self.orders[order_id] = view
        return self._keep(caller, key, action, request, view), False

    def _made(
        self, caller: Caller, key: str, number: tuple[str, str], action: str, request: BaseModel
    ) -> tuple[Any, Known] | None:
        """What the request has become already, by its key or by its number."""
        known = self._known(caller, key, action, request)
        if known is not None:
            named = (caller.client_id, key) in self._named
            return known, Known.BY_KEY | (Known.BY_NUMBER if named else Known.NEW)
        if number not in self._numbers:
            return None
        asked, view = self._numbers[number]
        if asked != action + request.model_dump_json():
            raise OrderConflictError(field="business.out_trade_no")
        self._named.add((caller.client_id, key))
        self._answers[caller.client_id, key] = (asked, view)
        return view, Known.BY_NUMBER

    def _known(self, caller: Caller, key: str, action: str, request: BaseModel) -> BaseModel | None:
        kept = self._answers.get((caller.client_id, key))
        if kept is None:
            return None
        if kept[0] != action + request.model_dump_json():
            raise IdempotencyKeyReusedError
        return kept[1]

    def _keep(
        self, caller: Caller, key: str, action: str, request: BaseModel, view: ViewT
    ) -> ViewT:
        self.effects += 1
        self._answers[caller.client_id, key] = (action + request.model_dump_json(), view)
        return view


def _line(amount_fen: int) -> LineView:
    return LineView(
        line_no=1,
        payer="citizen",
        fund="transit",
        amount_fen=amount_fen,
        rule_id="fare:flat",
        rule_version="1",
        reason_zh="一票制票价",
        reason_en="flat fare",
    )


def different_calls() -> list[str]:
    """Calls of the fake that the real core does not have in this form."""
    return [
        name
        for name, fake in inspect.getmembers(FakeCore, inspect.isfunction)
        if not name.startswith("_")
        and inspect.signature(fake) != inspect.signature(getattr(CardCore, name, lambda: None))
    ]
