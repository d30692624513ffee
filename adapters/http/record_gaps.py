"""``/v1/record-gaps``: records of terminals that have not arrived."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from cardcore.platform.errors import RecordDecidedError
from cardcore.platform.record_gaps import GapsPage, GapsView, GapView
from cardcore.platform.request import ForPurpose

RECORD_GAPS: Final = Noun("record gaps", "Numbers of terminals' records that have not arrived.")


@RECORD_GAPS.operation(
    "GET",
    "/v1/record-gaps",
    summary="List gaps in terminals' records",
    body=GapsPage,
    reply=GapsView,
    access="office",
    scope=Scope.TERMINALS_READ,
    refusals=SESSION,
)
async def list_gaps(call: Call[GapsPage]) -> Answer:
    """Alarms that are open, or gaps in another `state`, the oldest first; a merchant sees its own.

    A gap is `noticed` at once, an alarm (`open`) after a quarter of an hour, `filled` when its last
    record has come, `accepted` when a person gave it up.
    """
    return Answer(view=await call.core.platform.record_gaps.gaps(call.caller, call.body))


@RECORD_GAPS.operation(
    "POST",
    "/v1/record-gaps/{gap_id}/accept",
    summary="Accept that these records will never come",
    body=ForPurpose,
    reply=GapView,
    access="operator",
    scope=Scope.TERMINALS_WRITE,
    refusals=(*SESSION, NotFoundError, RecordDecidedError),
    examples={"burnt": {"purpose": "工单 2026-131：终端烧毁"}},
)
async def accept_gap(call: Call[ForPurpose]) -> Answer:
    """The alarm ends. Records that come all the same are taken as ever."""
    return Answer(
        view=await call.core.platform.record_gaps.accept(call.caller, call.id("gap_id"), call.body)
    )
