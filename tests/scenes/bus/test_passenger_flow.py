"""Passengers as numbers: what kiosks are told, and that nobody can be found in it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.demo_city import BUS_MERCHANT
from adapters.settings import Settings
from adapters.wiring import City
from adapters.worker import make_deliveries
from cardcore import tables
from cardcore.books import transaction
from cardcore.caller import Scope
from cardcore.errors import ForbiddenError
from cardcore.platform.request import NewWebhookEndpoint
from scenes.bus.flow_service import FlowQuery, FlowService, FlowView
from scenes.bus.flow_telling import TOPIC, FlowTelling
from scenes.bus.passenger_flow import StopCount, flows_of, passenger_event
from tests.city_life import BUS_OFFICE, CENTRE, Life
from tests.conftest import CityClock
from tests.scenes.bus.bus_life import BusLife, settling_of

DAWN = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def bus(city: City, city_clock: CityClock) -> BusLife:
    return BusLife(city, city_clock, settling_of(city), Life(city, city_clock))


def count(minute: int, boarded: int, alighted: int | None, vehicle: str = "V1") -> StopCount:
    return StopCount(
        line="1",
        trip="T",
        vehicle=vehicle,
        stop=f"S{minute}",
        minute=DAWN + timedelta(minutes=minute),
        boarded=boarded,
        alighted=alighted,
    )


@pytest.mark.parametrize(
    ("counts", "loads"),
    [
        ([], []),
        ([(0, 3, None), (1, 2, 1), (2, 0, 4)], [3, 4, 0]),
        ([(0, 3, None), (1, 2, None)], [None, None]),  # nobody taps off: nothing is known
        ([(0, 1, None), (1, 0, 5), (2, 2, 0)], [1, 0, 2]),  # more got off than had tapped on
    ],
)
def test_the_load_is_what_is_known_of_it(
    counts: list[tuple[int, int, int | None]], loads: list[int | None]
) -> None:
    assert [flow.load_estimate for flow in flows_of(count(*one) for one in counts)] == loads


@given(
    st.lists(
        st.builds(
            count,
            st.integers(0, 30),
            st.integers(0, 9),
            st.none() | st.integers(0, 9),
            st.sampled_from(["V1", "V2"]),
        ),
        unique_by=lambda one: (one.vehicle, one.minute),
    ).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one)))
)
def test_the_same_counts_are_the_same_events(
    pair: tuple[list[StopCount], list[StopCount]],
) -> None:
    first, second = ([passenger_event(flow) for flow in flows_of(one)] for one in pair)
    assert first == second
    assert len({event["id"] for event in first}) == len(first)


async def asked(bus: BusLife, since: datetime) -> FlowView:
    flow = FlowService(bus.city.engine, bus.clock)
    return await flow.passenger_flow(CENTRE, FlowQuery(since=since))


async def test_a_kiosk_is_told_how_many_and_never_who(bus: BusLife) -> None:
    people = [await bus.life.person() for _ in range(3)]
    since = bus.clock.now - timedelta(minutes=1)
    reports = [bus.report(who, "on", 0) for who in people]
    reports += [bus.report(people[0], "off", 6, "SN01"), bus.report(people[1], "off", 12, "CT01")]
    await bus.take(*reports)
    bus.clock.advance(minutes=20)
    view = await asked(bus, since)
    told = [
        (
            event["data"]["stop"],
            event["data"]["boarded"],
            event["data"]["alighted"],
            event["data"]["load_estimate"],
        )
        for event in view.events
    ]
    assert told == [("SC01", 3, None, 3), ("SN01", 0, 1, 2), ("CT01", 0, 1, 1)]
    assert {event["type"] for event in view.events} == {"cardcore.bus.passengers"}
    # No id, no pseudonym, no token of anybody, and no tap by which somebody could be found.
    written = view.model_dump_json() + json.dumps(view.events)
    for who in people:
        assert str(who) not in written
        assert who.hex not in written
        for merchant in ("kiosk", "shanting-bus"):
            assert bus.city.core._pseudonym(merchant, who) not in written
    assert not any(report.tap.tap_id in written for report in reports)
    assert (await asked(bus, view.next_since)).events == []


async def test_a_late_tap_tells_its_minute_again_with_the_higher_sequence(bus: BusLife) -> None:
    people = [await bus.life.person() for _ in range(2)]
    since = bus.clock.now - timedelta(minutes=1)
    await bus.take(bus.report(people[0], "on", 0))
    bus.clock.advance(minutes=1)
    (before,) = (await asked(bus, since)).events
    since = bus.clock.now
    await bus.take(bus.report(people[1], "on", -1, late_min=5))
    bus.clock.advance(minutes=10)
    (after,) = (await asked(bus, since)).events
    assert (before["subject"], before["time"]) == (after["subject"], after["time"])
    assert after["data"]["boarded"] == 2
    assert before["id"] != after["id"]
    assert before["sequence"] < after["sequence"]


async def test_the_feed_is_not_a_merchants(bus: BusLife) -> None:
    flow = FlowService(bus.city.engine, bus.clock)
    with pytest.raises(ForbiddenError):
        await flow.passenger_flow(BUS_OFFICE, FlowQuery(since=bus.clock.now))


async def outbox(bus: BusLife) -> list[dict[str, Any]]:
    async with transaction(bus.city.engine) as (connection, _):
        rows = await connection.execute(
            select(tables.outbox.c.payload)
            .where(tables.outbox.c.topic == TOPIC)
            .order_by(tables.outbox.c.seq)
        )
        return list(rows.scalars())


async def test_counts_are_pushed_once_and_again_where_a_late_tap_changes_them(
    bus: BusLife,
) -> None:
    telling = FlowTelling(bus.city.engine, streams=True)
    people = [await bus.life.person() for _ in range(2)]
    await bus.take(bus.report(people[0], "on", 0))
    bus.clock.advance(minutes=1)
    assert await telling.tell_due(bus.clock.now) == 1
    assert await telling.tell_due(bus.clock.now) == 0
    await bus.take(bus.report(people[1], "on", -1, late_min=5))
    bus.clock.advance(minutes=10)
    assert await telling.tell_due(bus.clock.now) == 1
    (first, second) = await outbox(bus)
    assert (first["boarded"], second["boarded"]) == (1, 2)
    assert first["minute"] == second["minute"]
    view = await asked(bus, bus.clock.now - timedelta(hours=1))
    assert second["count_id"] in {event["id"] for event in view.events}
    assert second["merchant_id"] == BUS_MERCHANT
    written = json.dumps([first, second])
    assert not any(who.hex in written or str(who) in written for who in people)


async def test_where_nobody_listens_nothing_is_written(bus: BusLife) -> None:
    await bus.take(bus.report(await bus.life.person(), "on", 0))
    bus.clock.advance(minutes=1)
    telling = FlowTelling(bus.city.engine, streams=False)
    assert await telling.tell_due(bus.clock.now) == 0
    endpoint = NewWebhookEndpoint(
        merchant_id=BUS_MERCHANT, url="https://hooks.example/", topics=[TOPIC]
    )
    centre = replace(CENTRE, scopes=CENTRE.scopes | {Scope.WEBHOOKS_WRITE.value})
    await bus.city.core.platform.webhooks.register(centre, endpoint)
    assert await telling.tell_due(bus.clock.now) == 1
    deliveries = make_deliveries(bus.city.engine, bus.city.hsm, Settings())
    while await deliveries.relay(bus.clock.now):
        pass
    async with bus.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT v.payload FROM cardcore.webhook_event v"
            " JOIN cardcore.webhook_delivery USING (event_id) WHERE topic = %s",
            (TOPIC,),
        )
        rows = await found.fetchall()
    assert [row[0]["boarded"] for row in rows] == [1]
