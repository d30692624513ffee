"""``/v1/orders``, ``/v1/quotes``, ``/v1/verify``: who, with what, for what."""

from typing import Final

from adapters.http.examples import (
    CAPTURE,
    PAY,
    PAY_BY_CARD,
    PAY_BY_FOREIGN_CODE,
    QUOTE,
    RECORD,
    REFUND,
    VERIFY,
)
from adapters.http.operation import Answer, Call, Noun
from cardcore.business.foreign_request import ForeignIssuerUnknownError
from cardcore.business.request import (
    CaptureRequest,
    OrderRequest,
    QuoteRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.scene_errors import (
    LevelTooLowError,
    ModeNotAllowedError,
    SceneRetiredError,
)
from cardcore.business.views import ExplainView, OrderView, QuoteView, RefundView, VerifyView
from cardcore.caller import Scope
from cardcore.errors import (
    AmountInvalidError,
    CaptureExceedsError,
    CodeRefusedError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    MerchantBalanceError,
    MerchantUnknownError,
    NotFoundError,
    OrderConflictError,
    OrderStateError,
    RefundExceedsError,
    SceneUnknownError,
    TerminalUnknownError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.model import Model, PrintedNumber
from cardcore.user.card_errors import (
    CardCounterError,
    CardDomainError,
    CardInactiveError,
    CardLostError,
    CardTapError,
    CardTapExpiredError,
)

ORDERS: Final = Noun(
    "orders", "Business orders: priced, paid, held, recorded, refunded, explained."
)

_PRESENTED: Final = (
    CodeRefusedError,
    CardTapError,
    CardTapExpiredError,
    CardDomainError,
    CardCounterError,
    CardLostError,
    CardInactiveError,
    UserUnknownError,
    UserFrozenError,
    MerchantUnknownError,
    TerminalUnknownError,
    SceneUnknownError,
)
_PRICED: Final = (
    *_PRESENTED,
    ForeignIssuerUnknownError,
    SceneRetiredError,
    ModeNotAllowedError,
    LevelTooLowError,
    AmountInvalidError,
    FundUnknownError,
)


class OrderName(Model):
    """The merchant's own name of an order."""

    merchant_id: PrintedNumber
    out_trade_no: PrintedNumber


@ORDERS.operation(
    "POST",
    "/v1/verify",
    vital=True,
    summary="Who stands there",
    body=VerifyRequest,
    reply=VerifyView,
    scope=Scope.VERIFY,
    refusals=_PRESENTED,
    examples={"code": VERIFY},
)
async def verify(call: Call[VerifyRequest]) -> Answer:
    """A presented code becomes a pseudonym of this merchant's own, with level and concessions.

    Nothing is spent: the same code may still pay.
    """
    return Answer(view=await call.core.verify(call.caller, call.body))


@ORDERS.operation(
    "POST",
    "/v1/quotes",
    vital=True,
    summary="Price a business without booking it",
    body=QuoteRequest,
    reply=QuoteView,
    scope=Scope.ORDERS_WRITE,
    refusals=_PRICED,
    examples={"fare": QUOTE},
)
async def quote(call: Call[QuoteRequest]) -> Answer:
    """Each payer's part with the rule that says so. Books nothing, spends nothing."""
    return Answer(view=await call.core.quote(call.caller, call.body))


@ORDERS.operation(
    "POST",
    "/v1/orders",
    vital=True,
    summary="Pay, hold or record one business",
    body=OrderRequest,
    reply=OrderView,
    status=201,
    keyed=True,
    numbered=True,
    scope=Scope.ORDERS_WRITE,
    refusals=(
        *_PRICED,
        InsufficientBalanceError,
        LimitExceededError,
        OrderConflictError,
    ),
    examples={
        "pay": PAY,
        "pay by card": PAY_BY_CARD,
        "pay by a code of another city": PAY_BY_FOREIGN_CODE,
        "record": RECORD,
    },
)
async def make_order(call: Call[OrderRequest]) -> Answer:
    """Verify, price and book in one step; the reply comes when the order is durable.

    `mode` is `pay`, `hold` (captured or voided later; it expires by itself) or `record` (a
    zero-amount event such as an opened gate). After a lost reply, repeat the request with the
    same key (answered as before, `Idempotent-Replayed: true`), or ask by `out_trade_no`. The same
    request under another key books nothing: 200 with the order that its number names, as it was
    made.

    A scanned code that is bytes and no text (a ride code of another city) is sent as hexadecimal
    digits; its ride is an order like any other here, owed by its issuer.
    """
    view, known = await call.core.order(call.caller, call.body, call.key)
    return Answer.of_numbered(view, known)


@ORDERS.operation(
    "GET",
    "/v1/orders",
    vital=True,
    summary="Find an order by the merchant's own number",
    body=OrderName,
    reply=OrderView,
    scope=Scope.ORDERS_READ,
    refusals=(NotFoundError,),
)
async def find_order(call: Call[OrderName]) -> Answer:
    """The order as it stands now: what to ask when a reply was lost."""
    name = call.body
    return Answer(view=await call.core.find_order(call.caller, name.merchant_id, name.out_trade_no))


@ORDERS.operation(
    "GET",
    "/v1/orders/{order_id}",
    vital=True,
    summary="Read an order",
    reply=OrderView,
    scope=Scope.ORDERS_READ,
    refusals=(NotFoundError,),
)
async def read_order(call: Call[None]) -> Answer:
    """The order as it stands now. One of another merchant is not found."""
    return Answer(view=await call.core.read_order(call.caller, call.id("order_id")))


@ORDERS.operation(
    "POST",
    "/v1/orders/{order_id}/capture",
    vital=True,
    summary="Take all or part of a hold",
    body=CaptureRequest,
    reply=OrderView,
    keyed=True,
    scope=Scope.ORDERS_WRITE,
    refusals=(NotFoundError, OrderStateError, CaptureExceedsError),
    examples={"part": CAPTURE},
)
async def capture(call: Call[CaptureRequest]) -> Answer:
    """Take what is due of a held order.

    The rest is released, or stays held until `hold_expires_at` where `final` is false: then more
    may be captured later, and `void` releases what is left.
    """
    view, replayed = await call.core.capture(call.caller, call.id("order_id"), call.body, call.key)
    return Answer(view=view, replayed=replayed)


@ORDERS.operation(
    "POST",
    "/v1/orders/{order_id}/void",
    vital=True,
    summary="Release a hold",
    reply=OrderView,
    keyed=True,
    scope=Scope.ORDERS_WRITE,
    refusals=(NotFoundError, OrderStateError),
)
async def void(call: Call[None]) -> Answer:
    """Release all that is still held; what was captured stays. The request has no body."""
    view, replayed = await call.core.void(call.caller, call.id("order_id"), call.key)
    return Answer(view=view, replayed=replayed)


@ORDERS.operation(
    "POST",
    "/v1/orders/{order_id}/refunds",
    vital=True,
    summary="Give back all or part of an order",
    body=RefundRequest,
    reply=RefundView,
    status=201,
    keyed=True,
    numbered=True,
    scope=Scope.REFUNDS_WRITE,
    refusals=(
        NotFoundError,
        OrderStateError,
        RefundExceedsError,
        OrderConflictError,
        MerchantBalanceError,
    ),
    examples={"part": REFUND},
)
async def refund(call: Call[RefundRequest]) -> Answer:
    """Give back to where it came from, in reverse funding order; never more than captured.

    The same request under another key gives nothing back: 200 with the refund that its
    `out_refund_no` names.
    """
    view, known = await call.core.refund(call.caller, call.id("order_id"), call.body, call.key)
    return Answer.of_numbered(view, known)


@ORDERS.operation(
    "GET",
    "/v1/orders/{order_id}/explain",
    summary="Explain each fen of an order",
    reply=ExplainView,
    scope=Scope.ORDERS_READ,
    refusals=(NotFoundError,),
)
async def explain(call: Call[None]) -> Answer:
    """Payer, fund, rule and version, evidence and ledger transfers behind each line."""
    return Answer(view=await call.core.explain(call.caller, call.id("order_id")))
