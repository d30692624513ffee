"""``/v1/early-warning/…``: daily counts in, events of early warning out (多点触发预警)."""

from typing import Any, Final

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from scenes.hospital.early_warning_service import (
    EarlyWarningService,
    PointCountsRequest,
    PointCountsView,
    SignalsQuery,
    SignalsView,
)
from scenes.hospital.errors import CountedDayError

GATE: Final[dict[str, Any]] = {
    "counted_on": "2026-06-01",
    "point": "gate",
    "counts": [{"symptom_group": "fever", "count": 7}],
}


def early_warning_noun(warnings: EarlyWarningService) -> Noun:
    """The operations of early warning."""
    noun = Noun("early warning", "Counts of complaints by day, without persons.")

    @noun.operation(
        "POST",
        "/v1/early-warning/counts",
        summary="Send a day's counts",
        body=PointCountsRequest,
        reply=PointCountsView,
        scope=Scope.SIGNALS_WRITE,
        refusals=(CountedDayError,),
        examples={"a gate": GATE},
    )
    async def put_point_counts(call: Call[PointCountsRequest]) -> Answer:
        """Of gates, schools, pharmacies, laboratories: figures alone. A day again replaces it."""
        return Answer(view=await warnings.put_counts(call.caller, call.body))

    @noun.operation(
        "GET",
        "/v1/early-warning/signals",
        summary="Counts and levels of days that are over",
        body=SignalsQuery,
        reply=SignalsView,
        scope=Scope.REPORTS_READ,
    )
    async def early_warning_signals(call: Call[SignalsQuery]) -> Answer:
        """CloudEvents, one per day, group and point, and one per day and group for the level.

        Counts from one to four are null and `few`. Ask again with `next_since`.
        """
        return Answer(view=await warnings.signals(call.caller, call.body))

    return noun
