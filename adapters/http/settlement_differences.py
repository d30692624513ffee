"""``/v1/settlement/bills`` and ``/v1/settlement/differences``: three books against each other."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from cardcore.base64url import encode_base64url
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from cardcore.settlement.channel_bill import write_bill
from cardcore.settlement.errors import (
    BillInvalidError,
    DifferenceClosedError,
    DifferenceUnknownError,
    SourceUnknownError,
)
from cardcore.settlement.request import BILL_TEXT_MAX, DifferencesQuery, TakeBill, TakeUp
from cardcore.settlement.views import BillTakenView, DifferencesView, DifferenceView

DIFFERENCES: Final = Noun("settlement-differences", "Bills taken, and what differs between books.")
_BODY_BYTES_MAX: Final = BILL_TEXT_MAX + 4_096
_BILL: Final = {
    "source": "custodian",
    "business_on": "2026-06-01",
    "content": encode_base64url(write_bill([])),
}


@DIFFERENCES.operation(
    "POST",
    "/v1/settlement/bills",
    summary="Take a bill of the custodian bank or a payment channel",
    body=TakeBill,
    reply=BillTakenView,
    status=201,
    body_bytes_max=_BODY_BYTES_MAX,
    scope=Scope.FUNDS_ADMIN,
    refusals=(BillInvalidError, SourceUnknownError),
    examples={"empty": _BILL},
)
async def take_bill(call: Call[TakeBill]) -> Answer:
    """CSV in UTF-8 or GBK whose last line agrees with it; compared with our books at once.

    The same file again changes nothing; another one of the same date is the next version.
    """
    desk = call.core.platform.settlement.differences
    return Answer(view=await desk.take_bill(call.caller, call.body))


@DIFFERENCES.operation(
    "GET",
    "/v1/settlement/differences",
    summary="List differences between books",
    body=DifferencesQuery,
    reply=DifferencesView,
    access="office",
    scope=Scope.REPORTS_READ,
)
async def list_differences(call: Call[DifferencesQuery]) -> Answer:
    """Those that stand, oldest first, or all of a date; each with owner and age."""
    desk = call.core.platform.settlement.differences
    return Answer(view=await desk.standing(call.caller, call.body))


@DIFFERENCES.operation(
    "POST",
    "/v1/settlement/differences/{difference_id}/owner",
    summary="Say who looks into a difference",
    body=TakeUp,
    reply=DifferenceView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=(*SESSION, NotFoundError, DifferenceUnknownError, DifferenceClosedError),
    examples={"clerk": {"owner": "operator:zhang.wei"}},
)
async def take_up(call: Call[TakeUp]) -> Answer:
    """It is ended by `resolve_difference`, proposed by one operator and decided by another."""
    desk = call.core.platform.settlement.differences
    return Answer(view=await desk.take_up(call.caller, call.id("difference_id"), call.body))
