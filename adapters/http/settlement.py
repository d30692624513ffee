"""``/v1/settlement``: windows, tariff, receipts and shares, as the card centre sees them."""

from typing import Any, Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError, OrderConflictError
from cardcore.settlement.errors import ReceiptExceedsError, WindowUnknownError
from cardcore.settlement.request import CloseWindow, ReceiptRequest, SharesRequest, WindowsQuery
from cardcore.settlement.views import (
    ReceiptView,
    SharesView,
    StatementsView,
    TariffView,
    WindowsView,
    WindowView,
)

SETTLEMENT: Final = Noun("settlement", "Windows of settlement, fees, receipts and shares.")
NUMBER_MAX: Final = 2**62
_RECEIPT: Final = {"payer": "finance_bureau", "amount_fen": 125_000, "bank_no": "F20260601-1"}
_SHARES: Final = {
    "scene": "bus",
    "business_on": "2026-06-01",
    "nets": {"shanting-bus": -6700, "east-bus": 6700},
}


def number_of(call: Call[Any], name: str = "number") -> int:
    """The number in the path; 0, which names nothing, where it is none in its one form."""
    text = call.path[name]
    if not (text.isascii() and text.isdigit() and str(int(text[:20])) == text):
        return 0
    return min(int(text), NUMBER_MAX)


@SETTLEMENT.operation(
    "GET",
    "/v1/settlement/windows",
    summary="List windows of settlement",
    body=WindowsQuery,
    reply=WindowsView,
    access="office",
    scope=Scope.REPORTS_READ,
)
async def list_windows(call: Call[WindowsQuery]) -> Answer:
    """Newest first; go on with `before`. The first of all lists is the one that is open."""
    return Answer(view=await call.core.platform.settlement.windows(call.caller, call.body))


@SETTLEMENT.operation(
    "GET",
    "/v1/settlement/windows/{number}",
    summary="Read a window with its statements",
    reply=StatementsView,
    access="office",
    scope=Scope.REPORTS_READ,
    refusals=(WindowUnknownError,),
)
async def read_window(call: Call[None]) -> Answer:
    """A merchant sees its own statement alone."""
    desk = call.core.platform.settlement
    return Answer(view=await desk.statements(call.caller, number_of(call)))


@SETTLEMENT.operation(
    "POST",
    "/v1/settlement/windows",
    summary="Close the open window now",
    body=CloseWindow,
    reply=WindowView,
    status=201,
    scope=Scope.FUNDS_ADMIN,
    examples={"now": {"purpose": "month's end"}},
)
async def close_window(call: Call[CloseWindow]) -> Answer:
    """The worker settles it within half a minute; it closes one by itself at each cut-off."""
    desk = call.core.platform.settlement
    return Answer(view=await desk.close_window(call.caller, call.body))


@SETTLEMENT.operation(
    "GET",
    "/v1/settlement/tariff",
    summary="Read the tariff of fees",
    reply=TariffView,
    access="office",
    scope=Scope.REPORTS_READ,
)
async def read_tariff(call: Call[None]) -> Answer:
    """A merchant sees what may be about it. It is changed by `set_settlement_tariff`."""
    return Answer(view=await call.core.platform.settlement.tariff(call.caller))


@SETTLEMENT.operation(
    "POST",
    "/v1/settlement/receipts",
    summary="Book what a payer has paid to the custodian bank",
    body=ReceiptRequest,
    reply=ReceiptView,
    status=201,
    keyed=True,
    scope=Scope.FUNDS_ADMIN,
    refusals=(ReceiptExceedsError, OrderConflictError),
    examples={"bureau": _RECEIPT},
)
async def take_receipt(call: Call[ReceiptRequest]) -> Answer:
    """It goes to the merchants it is owed to, in proportion, with the window that is open."""
    desk = call.core.platform.settlement
    view, replayed = await desk.take_receipt(call.caller, call.body, call.key)
    return Answer(view=view, replayed=replayed)


@SETTLEMENT.operation(
    "POST",
    "/v1/settlement/shares",
    summary="Tell what merchants of a scene owe each other for a date",
    body=SharesRequest,
    reply=SharesView,
    status=201,
    scope=Scope.FUNDS_ADMIN,
    refusals=(MerchantUnknownError,),
    examples={"bus": _SHARES},
)
async def tell_shares(call: Call[SharesRequest]) -> Answer:
    """The nets of a date as a whole; told again, only the difference moves."""
    desk = call.core.platform.settlement
    return Answer(view=await desk.tell_shares(call.caller, call.body))
