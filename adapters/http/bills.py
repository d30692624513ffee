"""``/v1/bills`` and lists: what a merchant's back office fetches the day after."""

from datetime import date
from typing import Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError, NotFoundError, RequestInvalidError
from cardcore.platform.errors import BillNotReadyError
from cardcore.platform.request import BillName, DayPage, Page
from cardcore.platform.views import BillView, OrderRowsView, RefundRowsView, TopUpRowsView

BILLS: Final = Noun("bills", "Daily bills, and lists page by page.")
_REFUSALS: Final = (MerchantUnknownError, NotFoundError, BillNotReadyError)


@BILLS.operation(
    "GET",
    "/v1/bills/{business_on}",
    summary="Count, sums and digest of a day's bill",
    body=BillName,
    reply=BillView,
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def read_bill(call: Call[BillName]) -> Answer:
    """The newest version, or the one named. Of a day that is not closed: `not_ready`."""
    bills, name = call.core.platform.bills, call.body
    view = await bills.read(call.caller, name.merchant_id, _day(call), name.version)
    return Answer(view=view)


@BILLS.operation(
    "GET",
    "/v1/bills/{business_on}/file",
    summary="A day's bill as CSV",
    body=BillName,
    reply=None,
    media_type="text/csv",
    scope=Scope.BILLS_READ,
    refusals=_REFUSALS,
)
async def read_bill_file(call: Call[BillName]) -> Answer:
    """One line per payment, capture, refund, and movement of arrears or a dispute.

    A version never changes.
    """
    bills, name = call.core.platform.bills, call.body
    content = await bills.file(call.caller, name.merchant_id, _day(call), name.version)
    return Answer(content=content)


@BILLS.operation(
    "GET",
    "/v1/merchants/{merchant_id}/orders",
    summary="List orders of a business day",
    body=DayPage,
    reply=OrderRowsView,
    scope=Scope.BILLS_READ,
    refusals=(MerchantUnknownError,),
)
async def list_orders(call: Call[DayPage]) -> Answer:
    """Oldest first; go on with `next_cursor`."""
    lists = call.core.platform.lists
    return Answer(view=await lists.orders(call.caller, call.path["merchant_id"], call.body))


@BILLS.operation(
    "GET",
    "/v1/merchants/{merchant_id}/refunds",
    summary="List refunds of a business day",
    body=DayPage,
    reply=RefundRowsView,
    scope=Scope.BILLS_READ,
    refusals=(MerchantUnknownError,),
)
async def list_refunds(call: Call[DayPage]) -> Answer:
    """Oldest first; go on with `next_cursor`."""
    lists = call.core.platform.lists
    return Answer(view=await lists.refunds(call.caller, call.path["merchant_id"], call.body))


@BILLS.operation(
    "GET",
    "/v1/users/{user_id}/topups",
    summary="List top-ups of a person",
    body=Page,
    reply=TopUpRowsView,
    scope=Scope.FUNDS_WRITE,
)
async def list_topups(call: Call[Page]) -> Answer:
    """Oldest first; go on with `next_cursor`."""
    lists = call.core.platform.lists
    return Answer(view=await lists.topups(call.caller, call.id("user_id"), call.body))


def _day(call: Call[BillName]) -> date:
    text = call.path["business_on"]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or day.year >= date.max.year:
        raise RequestInvalidError("a business date is YYYY-MM-DD", field="business_on")
    return day
