"""Weeks priced and booked: the books end the same however taps arrive, and nothing is edited."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.wiring import City
from scenes.bus import journey_store
from scenes.bus.service import activate_rules
from scenes.bus.tap_intake import Taken
from tests.city_life import Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import (
    BUREAU,
    CITIZEN,
    FLAT,
    SECTIONAL,
    STOPS,
    BusLife,
    settling_of,
)


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


async def test_a_ride_with_both_taps_is_charged_once(bus: BusLife) -> None:
    rider = await bus.life.person()
    on = bus.report(rider, "on", 0)
    off = bus.report(rider, "off", 30, "SN01")
    assert await bus.take(on, off) == [Taken.TAKEN, Taken.TAKEN]
    await bus.settle()
    assert await bus.journeys(rider) == [("complete", "SN01", 300, 0, 0)]
    assert await bus.booked(rider) == {CITIZEN: 300}
    assert await bus.balance(rider) == 10_000 - 300
    assert await bus.states() == {on.tap.tap_id: "opened", off.tap.tap_id: "closed"}
    assert await bus.settle() == 0
    await bus.take(on, off)  # a repeat is no news
    assert await bus.settle() == 0


async def test_a_late_tap_off_gives_the_maximum_fare_back(bus: BusLife) -> None:
    rider = await bus.life.person()
    on, off = bus.report(rider, "on", 0), bus.report(rider, "off", 30, "SN01", late_min=600)
    await bus.take(on)
    await bus.settle()
    assert await bus.journeys(rider) == [("incomplete", None, 600, 0, 0)]
    assert await bus.balance(rider) == 10_000 - 600
    await bus.take(off)
    await bus.settle()
    assert await bus.journeys(rider) == [("complete", "SN01", 300, 0, 0)]
    assert await bus.booked(rider) == {CITIZEN: 300}
    assert await bus.orders_say(rider) == {CITIZEN: 300}
    assert await bus.balance(rider) == 10_000 - 300
    amounts = await bus.rows("SELECT amount_fen FROM scene_bus.charge_entry ORDER BY entry_no")
    assert amounts == [(600,), (-300,)]


async def test_a_journey_that_is_read_as_before_is_not_written_again(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    before = await bus.rows("SELECT journey_id, ctid::text FROM scene_bus.journey")
    await bus.take(bus.report(rider, "single", 300, line=FLAT))
    assert await bus.settle() == 1
    after = await bus.rows("SELECT journey_id, ctid::text FROM scene_bus.journey")
    assert len(after) == 2
    assert set(before) < set(after)


async def test_more_weeks_than_a_round_takes_are_all_priced(bus: BusLife) -> None:
    riders = [await bus.life.person() for _ in range(5)]
    await bus.take(*(bus.report(rider, "single", 0, line=FLAT) for rider in riders))
    small = settling_of(bus.city, weeks_max=1)
    assert await small.settle_due(bus.clock.now + timedelta(days=1)) == 5
    assert [await bus.booked(rider) for rider in riders] == [{CITIZEN: 100}] * 5


async def test_a_free_ride_is_the_bureaus_whole_fare(bus: BusLife) -> None:
    rider = await bus.life.person(concession="senior_65")
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    assert await bus.booked(rider) == {BUREAU: 100}
    assert await bus.balance(rider) == 10_000


async def test_money_that_does_not_reach_becomes_arrears(bus: BusLife) -> None:
    rider = await bus.life.person(balance_fen=250)
    await bus.take(bus.report(rider, "on", 0), bus.report(rider, "off", 30, "SN01"))
    await bus.settle()
    assert await bus.balance(rider) == 0
    assert await bus.rows("SELECT user_id, amount_fen FROM cardcore.arrears") == [(rider, 50)]


async def test_a_charge_beyond_the_limit_waits_and_is_booked_once_money_is_there(
    bus: BusLife,
) -> None:
    rider = await bus.life.person(balance_fen=0)
    await bus.rows("UPDATE cardcore.offline_limit SET arrears_fen_max = 0 RETURNING 1")
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    assert await bus.booked(rider) == {}
    assert [row[0] for row in await bus.journeys(rider)] == ["complete"]
    await bus.life.top_up(rider, 1_000)
    await bus.settle(after_min=25 * 60)
    assert await bus.booked(rider) == {CITIZEN: 100}


async def test_a_merged_person_is_charged_as_the_survivor_and_a_stranger_waits(
    bus: BusLife,
) -> None:
    nobody = UUID(int=1 << 64)
    await bus.take(bus.report(nobody, "single", 0, line=FLAT))
    await bus.settle()
    assert await bus.booked(nobody) == {}
    [[waiting]] = await bus.rows("SELECT count(*) FROM scene_bus.due_week")
    assert waiting == 1


async def test_an_unknown_line_holds_up_nobody(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(
        bus.report(rider, "single", 0, line="999"), bus.report(rider, "single", 60, line=FLAT)
    )
    await bus.settle()
    assert [row[0] for row in await bus.journeys(rider)] == ["unpriced", "complete"]
    assert await bus.booked(rider) == {CITIZEN: 100}


async def test_an_open_journey_costs_nothing_until_its_time_is_over(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "on", 0))
    await bus.settle(after_min=60)
    assert await bus.journeys(rider) == [("open", None, 0, 0, 0)]
    assert await bus.booked(rider) == {}
    await bus.settle(after_min=3 * 60 + 1)
    assert await bus.journeys(rider) == [("incomplete", None, 600, 0, 0)]


async def test_the_vehicle_closes_open_journeys_at_its_terminus(bus: BusLife) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "on", 0), bus.report(rider, "terminus", 80, "CT01"))
    await bus.settle()
    assert await bus.journeys(rider) == [("auto_completed", "CT01", 400, 0, 0)]


async def test_a_second_record_of_a_counter_is_a_conflict_whichever_comes_first(
    bus: BusLife,
) -> None:
    one, other = await bus.life.person(), await bus.life.person()
    for first, second in ((0, 1), (1, 0)):
        counter = next(bus.counters)
        taps = [
            bus.report(rider, "single", minute, line=FLAT, terminal_counter=counter)
            for rider, minute in ((one, 10 * counter), (other, 10 * counter + 5))
        ]
        await bus.take(taps[first])
        await bus.settle()
        await bus.take(taps[second])
        await bus.settle()
        states = await bus.states()
        assert [states[tap.tap.tap_id] for tap in taps] == ["single", "conflict"]
    assert await bus.booked(one) == {CITIZEN: 200}
    assert await bus.booked(other) == {}


RULES = {
    "version": "test-1",
    "concessions": [
        {
            "concession": "student",
            "citizen_per_mille": 500,
            "name_zh": "学生",
            "name_en": "student",
            "payer": "finance_bureau",
        }
    ],
    "offers": [{"name": "hour", "kind": "amount_off", "window_s": 3600, "amount_off_fen": 100}],
    "caps": [
        {"name": "day", "period": "day", "cap_fen": 700, "payer": "merchant"},
        {"name": "week", "period": "week", "cap_fen": 1500, "payer": "finance_bureau"},
    ],
}


@dataclass(frozen=True)
class Telling:
    """A person's taps, and how they reach us: in which uploads, with what in between."""

    taps: tuple[tuple[str, int, str, str], ...]
    order: tuple[int, ...]
    priced_after: frozenset[int]


@st.composite
def tellings(draw: st.DrawFn) -> Telling:
    minutes = draw(
        st.lists(st.integers(0, 9 * 24 * 60), min_size=1, max_size=12, unique=True).map(sorted)
    )
    taps = tuple(
        (
            draw(st.sampled_from(["on", "off", "on", "off", "single", "terminus"])),
            minute,
            draw(st.sampled_from([FLAT, SECTIONAL, SECTIONAL])),
            draw(st.sampled_from(STOPS)),
        )
        for minute in minutes
    )
    places = st.sampled_from(range(len(taps)))
    repeats = draw(st.lists(places, max_size=4))
    order = draw(st.permutations([*range(len(taps)), *repeats]))
    priced = draw(st.frozensets(st.sampled_from(range(len(order)))))
    return Telling(taps=taps, order=tuple(order), priced_after=priced)


async def test_any_order_of_arrival_gives_the_same_final_charges(bus: BusLife) -> None:
    """Why: late taps that never became a charge, and one drained queue charged twice over."""
    async with bus.city.pool.connection() as raw:
        await activate_rules(raw, document=json.dumps(RULES), activated_by="test", at=bus.clock.now)
    loop = asyncio.get_running_loop()
    examples = 0

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(telling=tellings())
    def arrives(telling: Telling) -> None:
        nonlocal examples
        examples += 1
        asyncio.run_coroutine_threadsafe(_arrive(bus, telling), loop).result()

    await asyncio.to_thread(arrives)
    assert examples


async def _arrive(bus: BusLife, telling: Telling) -> None:
    rider = await bus.life.person(balance_fen=5_000, concession="student")
    twin = await bus.life.person(balance_fen=5_000, concession="student")
    start = bus.clock.now
    after = start + timedelta(days=10)
    taps = [
        bus.report(rider, kind, minute, stop, line=line, late_min=4_000)
        for kind, minute, line, stop in telling.taps
    ]
    for number, place in enumerate(telling.order):
        await bus.take(taps[place])
        if number in telling.priced_after:
            await bus.settling.settle_due(after)
    await bus.settling.settle_due(after)
    at_once = [
        bus.report(twin, kind, minute, stop, line=line, late_min=4_000)
        for kind, minute, line, stop in telling.taps
    ]
    await bus.take(*at_once)
    await bus.settling.settle_due(after)
    assert await bus.journeys(rider) == await bus.journeys(twin)
    # What is booked, what the orders say and what left the fund are one figure, however it came.
    booked = await bus.booked(rider)
    assert booked == await bus.booked(twin)
    assert booked == await bus.orders_say(rider)
    assert await bus.balance(rider) == 5_000 - booked.get(CITIZEN, 0)
    [[due_citizen, due_bureau]] = await bus.rows(
        "SELECT coalesce(sum(citizen_fen), 0)::bigint, coalesce(sum(subsidy_fen), 0)::bigint"
        " FROM scene_bus.journey WHERE user_id = %s",
        rider,
    )
    assert {CITIZEN: due_citizen, BUREAU: due_bureau} == {CITIZEN: 0, BUREAU: 0} | booked
    # Every tap is in exactly one state, and none is left unread.
    states = await bus.states()
    assert [states[tap.tap.tap_id] for tap in taps] == [states[tap.tap.tap_id] for tap in at_once]
    assert "new" not in {states[tap.tap.tap_id] for tap in taps}


async def test_two_workers_at_once_book_each_ride_once(bus: BusLife) -> None:
    """Why: payables of operators are everybody's, so the ledger makes one of them try again."""
    riders = [await bus.life.person() for _ in range(12)]
    for rider in riders:
        await bus.take(bus.report(rider, "single", 0, line=FLAT))
    after = bus.clock.now + timedelta(hours=1)
    others = [settling_of(bus.city, weeks_max=2) for _ in range(3)]
    done = await asyncio.gather(*(other.settle_due(after) for other in others))
    assert sum(done) == len(riders)
    assert [await bus.booked(rider) for rider in riders] == [{CITIZEN: 100}] * len(riders)
    [[orders]] = await bus.rows("SELECT count(*) FROM cardcore.business_order")
    assert orders == len(riders)


async def test_a_round_that_is_cut_off_has_done_nothing(
    bus: BusLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    rider = await bus.life.person()
    await bus.take(bus.report(rider, "single", 0, line=FLAT))

    async def dies(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(journey_store, "write_entries", dies)
        with pytest.raises(ConnectionResetError):
            await bus.settle()
    assert await bus.balance(rider) == 10_000
    assert await bus.journeys(rider) == []
    await bus.settle()
    assert await bus.booked(rider) == {CITIZEN: 100}
    assert await bus.balance(rider) == 10_000 - 100
