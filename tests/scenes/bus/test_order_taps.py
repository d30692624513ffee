"""Orders of the uniform API as taps: paid rides, boardings that hold, taps that record."""

from uuid import UUID

import pytest

from adapters.bus_scene import BusDuties
from adapters.wiring import City
from cardcore.business.request import Mode
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.errors import CardcoreError
from scenes.bus.order_taps import OrderTaps
from scenes.bus.tap_intake import TapIntake
from scenes.bus.taps import ClockRule
from tests.city_life import VALIDATOR, Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import CITIZEN, SECTIONAL, BusLife, settling_of


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


async def tap(bus: BusLife, rider: UUID, type_: str, mode: Mode, **details: object) -> UUID:
    """One order, as a validator sends it."""
    request = bus.life.ride(
        await bus.life.code(rider), type=type_, details={"line": SECTIONAL, **details}
    )
    order, _ = await bus.city.core.order(
        VALIDATOR, request.model_copy(update={"mode": mode}), f"k{next(bus.counters)}"
    )
    return order.order_id


async def collect(bus: BusLife) -> int:
    return await OrderTaps(bus.city.engine, TapIntake(ClockRule())).collect(bus.clock.now)


async def test_a_boarding_holds_the_maximum_fare_until_the_ride_is_charged(bus: BusLife) -> None:
    rider = await bus.life.person()
    held = await tap(bus, rider, "boarding", Mode.HOLD, on_stop="SC01", vehicle="V0001")
    assert await bus.rows("SELECT nominal_fen FROM cardcore.business_order") == [(600,)]
    bus.clock.advance(minutes=30)
    await tap(bus, rider, "tap_off", Mode.RECORD, off_stop="SN01", vehicle="V0001")
    assert await collect(bus) == 2
    assert await collect(bus) == 0
    await bus.settle(after_min=60)
    assert await bus.journeys(rider) == [("complete", "SN01", 300, 0, 0)]
    assert await bus.rows(
        "SELECT status FROM cardcore.business_order WHERE order_id = %s", held
    ) == [("voided",)]
    assert await bus.balance(rider) == 10_000 - 300


async def test_a_recorded_tap_on_moves_no_money_until_the_day_is_priced(bus: BusLife) -> None:
    rider = await bus.life.person()
    await tap(bus, rider, "tap_on", Mode.RECORD, on_stop="SC01")
    await collect(bus)
    assert await bus.balance(rider) == 10_000
    await bus.settle()
    assert await bus.journeys(rider) == [("incomplete", None, 600, 0, 0)]
    assert await bus.balance(rider) == 10_000 - 600


async def test_a_paid_ride_is_not_charged_again(bus: BusLife) -> None:
    rider = await bus.life.person()
    await tap(bus, rider, "fare", Mode.PAY, on_stop="SC01", off_stop="SN01")
    await collect(bus)
    await bus.settle()
    assert await bus.journeys(rider) == [("complete", "SN01", 300, 0, 0)]
    assert await bus.booked(rider) == await bus.orders_say(rider) == {CITIZEN: 300}


@pytest.mark.parametrize(
    ("type_", "mode", "details"),
    [
        ("tap_on", Mode.RECORD, {"on_stop": "SC01", "line": "999"}),
        ("tap_off", Mode.RECORD, {"on_stop": "SC01"}),
        ("boarding", Mode.HOLD, {"on_stop": "SC01", "off_stop": "SN01"}),
    ],
)
async def test_taps_nobody_could_price_are_refused_at_the_validator(
    bus: BusLife, type_: str, mode: Mode, details: dict[str, object]
) -> None:
    rider = await bus.life.person()
    with pytest.raises(CardcoreError):
        await tap(bus, rider, type_, mode, **details)


async def test_the_worker_reads_orders_and_prices_them(bus: BusLife) -> None:
    """How: the duties as the worker has them, with the funding plans read anew each time."""
    duties = BusDuties(
        engine=bus.city.engine, pool=bus.city.pool, book=bus.city.book, cut_off=CUT_OFF_DEFAULT
    )
    rider = await bus.life.person()
    await tap(bus, rider, "tap_on", Mode.RECORD, on_stop="SC01")
    assert await duties.collect_taps(bus.clock.now) == 1
    assert await duties.settle_weeks(bus.clock.now) == 1
    assert [row[0] for row in await bus.journeys(rider)] == ["open"]
    bus.clock.advance(hours=4)
    assert await duties.settle_weeks(bus.clock.now) == 1
    assert await bus.booked(rider) == {CITIZEN: 600}
    assert await duties.settle_weeks(bus.clock.now) == 0
