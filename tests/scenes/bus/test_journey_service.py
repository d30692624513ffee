"""What people ask of journeys: uploads, a week to read, corrections within their bounds."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from adapters.wiring import City
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError, NotFoundError, RequestInvalidError
from scenes.bus.journey_models import (
    CorrectionRequest,
    ExitClaim,
    TapsRequest,
    WeekQuery,
)
from scenes.bus.journey_service import ClaimsExhaustedError, JourneyCorrectionError
from tests.city_life import BUS_OFFICE, CENTRE, Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import CITIZEN, FLAT, BusLife, settling_of

CLAIM = ExitClaim(off_stop="SN01", reason="下车时刷卡机无反应")


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


def citizen(user_id: UUID) -> Caller:
    return Caller(
        client_id=f"user:{user_id}", merchant_id=None, scopes=frozenset(), user_id=user_id
    )


async def incomplete(bus: BusLife, minute: float = 0) -> tuple[UUID, UUID]:
    """A rider, and their journey nobody tapped off."""
    rider = await bus.life.person()
    on = bus.report(rider, "on", minute)
    await bus.take(on)
    await bus.settle()
    return rider, UUID(on.tap.tap_id)


async def test_an_upload_tells_of_each_tap_what_became_of_it(bus: BusLife) -> None:
    rider = await bus.life.person()
    tap = {
        "tap_id": str(uuid4()),
        "user_id": str(rider),
        "kind": "single",
        "terminal_id": demo_city.BUS_TERMINAL,
        "terminal_counter": 7,
        "line": FLAT,
        "vehicle": "V0001",
        "stop": "SC01",
        "tapped_at": bus.clock.now,
    }
    ahead = tap | {
        "tap_id": str(uuid4()),
        "terminal_counter": 8,
        "tapped_at": bus.clock.now.replace(year=2030),
    }
    stranger = tap | {"tap_id": str(uuid4()), "terminal_id": "nobody"}
    reused = tap | {"terminal_counter": 9}
    request = TapsRequest.model_validate({"taps": [tap, tap, ahead, stranger, reused]})
    service = bus.city.bus_journeys
    view = await service.take_taps(CENTRE, request)
    assert [one.state for one in view.results] == [
        "taken",
        "duplicate",
        "review",
        "terminal_unknown",
        "id_reused",
    ]
    with pytest.raises(ForbiddenError):
        await service.take_taps(BUS_OFFICE, request)


async def test_a_citizen_reads_their_own_week_with_every_entry(bus: BusLife) -> None:
    rider, journey_id = await incomplete(bus)
    service = bus.city.bus_journeys
    view = await service.journeys(citizen(rider), rider, WeekQuery())
    [journey] = view.journeys
    assert (journey.journey_id, journey.state, journey.fare_fen) == (journey_id, "incomplete", 600)
    assert journey.booked_fen == 600
    assert [entry.amount_fen for entry in view.entries] == [600]
    with pytest.raises(ForbiddenError):
        await service.journeys(citizen(uuid4()), rider, WeekQuery())


async def corrected(bus: BusLife) -> list[tuple[object, ...]]:
    """Who has corrected what and why, as the audit log has it."""
    return await bus.rows(
        "SELECT client_id, object, purpose FROM cardcore.audit_event"
        " WHERE action = 'journey.correct' AND outcome = 'done' ORDER BY seq"
    )


async def test_a_claimed_exit_is_priced_again_and_the_rest_goes_back(bus: BusLife) -> None:
    rider, journey_id = await incomplete(bus)
    service = bus.city.bus_journeys
    view, replayed = await service.claim_exit(citizen(rider), journey_id, CLAIM, "k")
    assert not replayed
    assert await service.claim_exit(citizen(rider), journey_id, CLAIM, "k") == (view, True)
    await bus.settle()
    assert await bus.journeys(rider) == [("corrected", "SN01", 300, 0, 0)]
    assert await bus.booked(rider) == {CITIZEN: 300}
    assert await bus.balance(rider) == 10_000 - 300
    week = await service.journeys(citizen(rider), rider, WeekQuery())
    assert [(one.journey_id, one.kind, one.off_stop, one.made_by) for one in week.corrections] == [
        (journey_id, "exit", "SN01", "citizen")
    ]
    assert await corrected(bus) == [(f"user:{rider}", f"journey/{journey_id}", "exit")]


async def test_claims_have_bounds(bus: BusLife) -> None:
    rider, journey_id = await incomplete(bus)
    service = bus.city.bus_journeys
    with pytest.raises(NotFoundError):
        await service.claim_exit(citizen(uuid4()), journey_id, CLAIM, "a")
    behind = CLAIM.model_copy(update={"off_stop": "nowhere"})
    with pytest.raises(RequestInvalidError):
        await service.claim_exit(citizen(rider), journey_id, behind, "b")
    for number in range(3):
        await service.claim_exit(citizen(rider), journey_id, CLAIM, f"c{number}")
    with pytest.raises(ClaimsExhaustedError):
        await service.claim_exit(citizen(rider), journey_id, CLAIM, "d")


async def test_an_operator_gives_a_journey_back_once(bus: BusLife) -> None:
    rider, journey_id = await incomplete(bus)
    service = bus.city.bus_journeys
    refund = CorrectionRequest(kind="refund", reason="车辆故障")
    await service.correct(CENTRE, journey_id, refund, "r1")
    await bus.settle()
    assert await bus.journeys(rider) == [("refunded", None, 0, 0, 0)]
    assert await bus.booked(rider) == {}
    assert await bus.balance(rider) == 10_000
    week = await service.journeys(citizen(rider), rider, WeekQuery())
    assert [(one.kind, one.off_stop, one.made_by) for one in week.corrections] == [
        ("refund", None, "office")
    ]
    assert await corrected(bus) == [(CENTRE.client_id, f"journey/{journey_id}", "车辆故障")]
    with pytest.raises(JourneyCorrectionError):
        await service.correct(CENTRE, journey_id, refund, "r2")
    with pytest.raises(ForbiddenError):
        await service.correct(replace(CENTRE, scopes=frozenset()), journey_id, refund, "r3")
    exit_nowhere = CorrectionRequest(kind="exit", reason="x")
    with pytest.raises(RequestInvalidError):
        await service.correct(CENTRE, journey_id, exit_nowhere, "r4")


async def test_a_finished_journey_takes_no_exit(bus: BusLife) -> None:
    rider = await bus.life.person()
    ride = bus.report(rider, "single", 0, line=FLAT)
    await bus.take(ride)
    await bus.settle()
    with pytest.raises(JourneyCorrectionError):
        await bus.city.bus_journeys.claim_exit(citizen(rider), UUID(ride.tap.tap_id), CLAIM, "k")
