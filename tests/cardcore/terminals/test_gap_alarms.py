"""Records that have not arrived: noticed, an alarm with an age, filled or accepted."""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters import demo_city
from cardcore import tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, NotFoundError
from cardcore.platform.errors import RecordDecidedError
from cardcore.platform.record_gaps import ALARM_AFTER, GapsPage, GapView, GapWatch
from cardcore.platform.request import ForPurpose
from cardcore.terminals.gaps import missing_in, untold
from tests.cardcore.terminals.offline_bus import Validator, phone_of
from tests.city_life import VALIDATOR, Life

CENTRE = Caller(
    client_id="operator:li.na",
    merchant_id=None,
    scopes=frozenset({Scope.TERMINALS_READ.value, Scope.TERMINALS_WRITE.value}),
)


def merchant(merchant_id: str) -> Caller:
    return Caller(client_id="office", merchant_id=merchant_id, scopes=CENTRE.scopes)


class Alarms:
    """The worker's rounds, and what the list says after them."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._watch = GapWatch(life.city.engine, os.urandom)

    async def round(self, after: timedelta = timedelta(0)) -> int:
        self._life.clock.now += after
        return await self._watch.watch(self._life.clock.now)

    async def listed(self, state: str = "open", caller: Caller = CENTRE) -> list[GapView]:
        page = GapsPage.model_validate({"state": state})
        return (await self._life.city.core.platform.record_gaps.gaps(caller, page)).gaps

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        async with transaction(self._life.city.engine) as (connection, _):
            rows = await connection.execute(
                select(tables.outbox.c.topic, tables.outbox.c.payload)
                .where(tables.outbox.c.topic.like("terminal.record_gap%"))
                .order_by(tables.outbox.c.seq)
            )
            return [(row.topic, row.payload) for row in rows]


async def test_a_gap_becomes_an_alarm_and_ends_when_its_last_record_has_come(
    bus: Validator, life: Life
) -> None:
    alarms = Alarms(life)
    phone = await phone_of(life, await life.person(balance_fen=2_000))
    records = [bus.record(await phone.code()) for _ in range(6)]
    await bus.upload(records[0], records[5])
    assert await alarms.round() == 1
    assert await alarms.listed() == []
    (noticed,) = await alarms.listed("noticed")
    assert (noticed.first_no, noticed.last_no, noticed.missing) == (2, 5, 4)
    assert await alarms.round(timedelta(minutes=5)) == 0
    assert await alarms.told() == []  # out of order is no alarm
    await bus.upload(records[2])
    assert await alarms.round(ALARM_AFTER) == 1
    (alarm,) = await alarms.listed(caller=merchant(demo_city.BUS_MERCHANT))
    assert (alarm.gap_id, alarm.missing, alarm.age_s) == (noticed.gap_id, 3, 20 * 60)
    ((topic, payload),) = await alarms.told()
    assert topic == "terminal.record_gap"
    assert payload == {
        "terminal_id": demo_city.BUS_TERMINAL,
        "merchant_id": demo_city.BUS_MERCHANT,
        "first_no": 2,
        "last_no": 5,
        "missing": 3,
    }
    await bus.upload(records[1], records[3], records[4])
    assert await alarms.round(timedelta(hours=1)) == 1
    assert await alarms.listed() == []
    (filled,) = await alarms.listed("filled")
    assert (filled.missing, filled.age_s) == (0, 80 * 60)
    assert [one[0] for one in await alarms.told()] == [topic, "terminal.record_gap_filled"]
    assert await alarms.round() == 0


async def test_a_gap_that_was_given_up_is_no_alarm_and_a_new_one_is(
    bus: Validator, life: Life
) -> None:
    alarms = Alarms(life)
    phone = await phone_of(life, await life.person(balance_fen=2_000))
    records = [bus.record(await phone.code()) for _ in range(6)]
    await bus.upload(records[0], records[2])
    await alarms.round()
    await alarms.round(ALARM_AFTER)
    (alarm,) = await alarms.listed()
    gaps = life.city.core.platform.record_gaps
    with pytest.raises(ForbiddenError):
        await gaps.accept(merchant(demo_city.BUS_MERCHANT), alarm.gap_id, ForPurpose(purpose="x"))
    given_up = await gaps.accept(CENTRE, alarm.gap_id, ForPurpose(purpose="终端烧毁"))
    assert (given_up.state, given_up.ended_by) == ("accepted", CENTRE.client_id)
    with pytest.raises(RecordDecidedError):
        await gaps.accept(CENTRE, alarm.gap_id, ForPurpose(purpose="again"))
    with pytest.raises(NotFoundError):
        await gaps.accept(CENTRE, uuid4(), ForPurpose(purpose="x"))
    await bus.upload(records[5])
    assert await alarms.round(timedelta(hours=1)) == 1
    (noticed,) = await alarms.listed("noticed")
    assert (noticed.first_no, noticed.last_no) == (4, 5)


async def test_a_merchant_sees_its_own_terminals_and_a_terminal_none(
    bus: Validator, life: Life
) -> None:
    alarms = Alarms(life)
    phone = await phone_of(life, await life.person(balance_fen=2_000))
    records = [bus.record(await phone.code()) for _ in range(3)]
    await bus.upload(records[0], records[2])
    await alarms.round()
    assert len(await alarms.listed("noticed", merchant(demo_city.BUS_MERCHANT))) == 1
    assert await alarms.listed("noticed", merchant(demo_city.GATE_MERCHANT)) == []
    with pytest.raises(ForbiddenError):
        await alarms.listed("noticed", VALIDATOR)


RANGES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 5)).map(lambda one: (one[0], one[0] + one[1])),
    max_size=6,
)


def numbers(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(gaps=RANGES, told=RANGES)
def test_what_is_untold_is_what_lies_in_no_told_gap(
    gaps: list[tuple[int, int]], told: list[tuple[int, int]]
) -> None:
    """Why: a number told twice would raise two alarms, one told never would raise none."""
    assert numbers(untold(gaps, told)) == numbers(gaps) - numbers(told)


@given(told=st.tuples(st.integers(1, 30), st.integers(0, 9)), seen=st.sets(st.integers(1, 40)))
def test_what_is_missing_of_a_gap_is_counted_number_by_number(
    told: tuple[int, int], seen: set[int]
) -> None:
    gap = (told[0], told[0] + told[1])
    holes = [(number, number) for number in range(1, 41) if number not in seen]
    assert missing_in(gap, holes) == len(numbers([gap]) - seen)
