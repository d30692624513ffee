"""``/v1/bus/…``: taps, journeys and their corrections. What they cost is priced by the worker."""

from typing import Final

from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from scenes.bus.journey_models import (
    CorrectionRequest,
    CorrectionView,
    ExitClaim,
    JourneysView,
    TapsRequest,
    TapsView,
    WeekQuery,
)
from scenes.bus.journey_service import (
    ClaimsExhaustedError,
    JourneyCorrectionError,
    JourneyService,
)

SUMMARY: Final = "Bus taps and the journeys made of them."
BYTES_MAX: Final = 1_000_000
TAPS: Final = {
    "clock": "2026-06-01T18:00:05+08:00",
    "taps": [
        {
            "tap_id": "019e7f0a-1c00-7a3b-8d41-5a6b7c8d9e00",
            "user_id": "019e7e11-0000-7000-8000-000000000000",
            "kind": "on",
            "terminal_id": "bus-V0001",
            "terminal_counter": 41,
            "line": "101",
            "vehicle": "V0001",
            "stop": "SC01",
            "tapped_at": "2026-06-01T07:30:00+08:00",
        }
    ],
}
CLAIM: Final = {"off_stop": "SN01", "reason": "下车时刷卡机无反应"}
CORRECTION: Final = {"kind": "exit", "off_stop": "SN01", "reason": "车载视频核实"}


def bus_noun(journeys: JourneyService) -> Noun:
    """The operations of the bus scene, served by this service."""
    noun = Noun("bus", SUMMARY)

    @noun.operation(
        "POST",
        "/v1/bus/taps",
        summary="Upload taps of a collecting system",
        body=TapsRequest,
        reply=TapsView,
        scope=Scope.RECORDS_WRITE,
        body_bytes_max=BYTES_MAX,
        examples={"morning": TAPS},
    )
    async def take_taps(call: Call[TapsRequest]) -> Answer:
        """In any order, late, and again: a tap is known by its id. No key is needed."""
        return Answer(view=await journeys.take_taps(call.caller, call.body))

    @noun.operation(
        "GET",
        "/v1/users/{user_id}/bus-journeys",
        summary="A user's journeys of a week",
        body=WeekQuery,
        reply=JourneysView,
        scope=Scope.USERS_READ,
    )
    async def read_journeys(call: Call[WeekQuery]) -> Answer:
        """With every signed entry that was booked for them."""
        view = await journeys.journeys(call.caller, call.id("user_id"), call.body)
        return Answer(view=view)

    @noun.operation(
        "GET",
        "/v1/me/bus-journeys",
        summary="My journeys of a week",
        body=WeekQuery,
        reply=JourneysView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_journeys(call: Call[WeekQuery]) -> Answer:
        """When each was ridden and when it was reported, what it cost, and by which rule."""
        assert call.caller.user_id is not None, "a citizen's session has a user"
        return Answer(view=await journeys.journeys(call.caller, call.caller.user_id, call.body))

    @noun.operation(
        "POST",
        "/v1/me/bus-journeys/{journey_id}/exit-claims",
        summary="Say where I got off",
        body=ExitClaim,
        reply=CorrectionView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, NotFoundError, JourneyCorrectionError, ClaimsExhaustedError),
        examples={"forgotten": CLAIM},
    )
    async def claim_exit(call: Call[ExitClaim]) -> Answer:
        """For a journey nobody tapped off: three times a month, within seven days."""
        view, replayed = await journeys.claim_exit(
            call.caller, call.id("journey_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/bus/journeys/{journey_id}/corrections",
        summary="Correct a journey",
        body=CorrectionRequest,
        reply=CorrectionView,
        status=201,
        keyed=True,
        scope=Scope.DISPUTES_DECIDE,
        refusals=(NotFoundError, JourneyCorrectionError),
        examples={"exit": CORRECTION},
    )
    async def correct(call: Call[CorrectionRequest]) -> Answer:
        """The exit of a journey nobody tapped off, or the whole journey given back."""
        view, replayed = await journeys.correct(
            call.caller, call.id("journey_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    return noun
