"""Statistics of a day against a clerk who counts journey by journey."""

import json
from collections import Counter
from datetime import date, timedelta

import pytest

from adapters.wiring import City
from cardcore.books import transaction
from cardcore.settlement.fees import FeeRate, FeeTier
from scenes.bus.clearing import ClearingReport, ClearingRules, clear_days
from scenes.bus.operator_revenue import SplitRule
from scenes.bus.service import activate_rules
from tests.city_life import Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import FLAT, BusLife, settling_of

ON = date(2026, 6, 1)
OPERATOR = "shanting-bus"


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


async def report_of(bus: BusLife, rules: ClearingRules | None = None) -> ClearingReport:
    async with transaction(bus.city.engine) as (_, raw):
        return await clear_days(raw, ON, ON, rules=rules)


async def busy_morning(bus: BusLife) -> None:
    """Three riders: two taps, a free ride, and one who forgets to tap off."""
    adult, senior = await bus.life.person(), await bus.life.person(concession="senior_65")
    forgetful = await bus.life.person()
    await bus.take(
        bus.report(adult, "on", 0, trip_id="t1"),
        bus.report(adult, "off", 30, "SN01", trip_id="t1"),
        bus.report(senior, "on", 5, trip_id="t1"),
        bus.report(senior, "off", 40, "CT01", trip_id="t1"),
        bus.report(forgetful, "on", 6, trip_id="t1"),
        bus.report(adult, "single", 120, line=FLAT),
    )
    await bus.settle()


async def test_every_dimension_sums_to_the_same_total(bus: BusLife) -> None:
    await busy_morning(bus)
    report = await report_of(bus)
    assert report.total.journeys == 4
    assert report.total.citizen_fen == 300 + 600 + 100
    assert report.total.subsidy_fen == 400
    for dimension, figures in report.by.items():
        assert sum(one.journeys for one in figures.values()) == 4, dimension
        assert sum(one.fare_fen for one in figures.values()) == report.total.fare_fen
    assert {label: one.journeys for label, one in report.by["stops"].items()} == {
        "SC01→SN01": 1,
        "SC01→CT01": 1,
        "SC01→": 2,
    }
    assert {label: one.journeys for label, one in report.by["hour"].items()} == {"10": 3, "12": 1}
    assert Counter(report.taps) == {"opened": 3, "closed": 2, "single": 1}


async def test_the_load_of_a_trip_is_the_most_who_were_on_at_once(bus: BusLife) -> None:
    await busy_morning(bus)
    [load] = (await report_of(bus)).loads
    assert (load.line_id, load.trip_id, load.boarded, load.load_max) == ("101", "t1", 2, 2)


async def test_revenue_is_fares_and_subsidies_less_the_fee(bus: BusLife) -> None:
    await busy_morning(bus)
    rate = FeeRate(tiers=(FeeTier(from_fen=0, per_million=6_000),))
    [line] = (await report_of(bus, ClearingRules(rates={OPERATOR: rate}))).operators
    assert (line.citizen_fen, line.subsidy_fen, line.fee_fen) == (1_000, 400, 8)
    assert line.revenue_fen == 1_392


async def test_gaps_and_vehicles_that_count_otherwise_are_told(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    next(bus.counters)
    next(bus.counters)
    await bus.take(bus.report(rider, "single", 90, line=FLAT))
    await bus.settle()
    await bus.rows(
        "INSERT INTO scene_bus.vehicle_count VALUES ('V0001', %s, 4, 'depot', %s) RETURNING 1",
        ON,
        bus.clock.now,
    )
    report = await report_of(bus)
    [gap] = report.gaps
    assert (gap.terminal_id, gap.missing) == ("bus-V0001", 2)
    [vehicle] = report.vehicles
    assert (vehicle.counted, vehicle.received) == (4, 2)


async def test_an_unpriced_journey_is_told_apart(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line="999"))
    await bus.settle()
    report = await report_of(bus)
    assert (report.journeys, report.unpriced) == (0, 1)


async def test_a_late_tap_changes_the_day_it_was_ridden_on(bus: BusLife) -> None:
    await busy_morning(bus)
    before = await report_of(bus)
    rider = await bus.life.person()
    bus.clock.advance(days=2)
    await bus.take(bus.report(rider, "single", -2 * 24 * 60, line=FLAT, late_min=3 * 24 * 60))
    await bus.settle()
    after = await report_of(bus)
    assert after.journeys == before.journeys + 1
    assert after.from_on == ON
    assert bus.clock.now.date() == ON + timedelta(days=2)


async def test_transfers_between_lines_are_one_chain(bus: BusLife) -> None:
    document = {
        "version": "chain-1",
        "offers": [{"name": "free", "kind": "free", "window_s": 7200}],
    }
    async with bus.city.pool.connection() as raw:
        await activate_rules(
            raw, document=json.dumps(document), activated_by="test", at=bus.clock.now
        )
    rider = await bus.life.person()
    await bus.take(
        bus.report(rider, "single", 1, line=FLAT), bus.report(rider, "single", 30, line="K2")
    )
    await bus.settle()
    chains = await bus.rows(
        "SELECT DISTINCT chain_id FROM scene_bus.journey WHERE user_id = %s", rider
    )
    assert len(chains) == 1
    report = await report_of(bus, ClearingRules(split=SplitRule.PRO_RATA))
    assert [line.transfer_fen for line in report.operators] == [0]
