"""What breaks while records are taken in: one record's bug, two uploads at once, records late."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cardcore.terminals import record_judging
from cardcore.terminals.record_deciding import BatchDecider
from cardcore.terminals.record_judging import RecordKeys, judge_records
from cardcore.terminals.record_rows import RowsToWrite
from codes.validator_record import ValidatorRecord
from tests.cardcore.terminals.offline_bus import PLACE, Validator, cases, outcomes, phone_of
from tests.city_life import Life

BOOKED = ("booked", None)


def breaks_for(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, poison: object) -> None:  # noqa: ANN401
    """A bug in ``owner.name``: it raises whenever ``poison`` is among its arguments."""
    sound = getattr(owner, name)

    def buggy(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (whatever it takes)
        if poison in [getattr(one, "record_id", None) for one in arguments]:
            raise RuntimeError("a bug")
        if poison in [
            getattr(getattr(one, "record", None), "record_id", None) for one in arguments
        ]:
            raise RuntimeError("a bug")
        return sound(*arguments, **named)

    monkeypatch.setattr(owner, name, buggy)


async def five(bus: Validator, life: Life) -> list[ValidatorRecord]:
    phone = await phone_of(life, await life.person(balance_fen=1_000))
    records = []
    for _ in range(5):
        records.append(bus.record(await phone.code()))
        life.clock.advance(seconds=40)
    return records


async def test_a_bug_in_pricing_one_record_makes_it_wait_and_books_its_neighbours(
    bus: Validator, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = await five(bus, life)
    breaks_for(monkeypatch, BatchDecider, "_price_and_book", records[2].record_id)
    # Later ones first: alone, too, each is decided in the order of the chain.
    view = await bus.upload(*reversed(records))
    assert outcomes(view.results) == [BOOKED] * 2 + [("review", "fault")] + [BOOKED] * 2
    assert [one.index for one in view.results] == list(range(5))
    assert view.gaps == []
    assert await cases(life) == []
    assert await life.books_are_right()
    again = await bus.upload(*records)
    assert outcomes(again.results) == [("duplicate", None)] * 5


async def test_a_bug_in_keeping_one_record_leaves_its_bytes_in_quarantine(
    bus: Validator, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = await five(bus, life)
    breaks_for(monkeypatch, RowsToWrite, "add_record", records[4].record_id)
    view = await bus.upload(*records)
    assert outcomes(view.results) == [BOOKED] * 4 + [("rejected", "fault")]
    async with life.city.pool.connection() as raw:
        kept = await raw.execute("SELECT content FROM cardcore.record_quarantine")
        assert await kept.fetchall() == [(records[4].to_bytes(),)]


async def test_bugs_in_judging_stay_with_their_record(
    bus: Validator, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = await five(bus, life)
    breaks_for(monkeypatch, record_judging, "_judge_code", records[1].record_id)
    breaks_for(monkeypatch, record_judging, "_brief", records[3].record_id)
    view = await bus.upload(*records)
    assert [one.reason for one in view.results] == [None, "fault", None, "fault", None]
    assert [one.state for one in view.results] == [
        "booked",
        "review",
        "booked",
        "rejected",
        "booked",
    ]


async def test_a_place_the_database_cannot_keep_makes_only_its_record_wait(
    bus: Validator, life: Life
) -> None:
    records = await five(bus, life)
    phone = await phone_of(life, await life.person())
    odd = replace(bus, place=replace(PLACE, vehicle_id="V\0"), numbers=iter([6]))  # type: ignore[arg-type]
    odd.previous = records[-1].digest
    view = await bus.upload(*records, odd.record(await phone.code()))
    assert outcomes(view.results) == [BOOKED] * 5 + [("review", "fault")]


async def test_one_batch_on_two_connections_at_once_books_each_record_once(
    bus: Validator, life: Life
) -> None:
    records = await five(bus, life)
    views = await asyncio.gather(*(bus.upload(*records) for _ in range(3)))
    states = [[one.state for one in view.results] for view in views]
    assert sorted(states) == [["booked"] * 5, ["duplicate"] * 5, ["duplicate"] * 5]
    orders = {tuple(one.order_id for one in view.results) for view in views}
    assert len(orders) == 1
    async with life.city.pool.connection() as raw:
        counted = await raw.execute("SELECT count(*) FROM cardcore.business_order")
        assert await counted.fetchone() == (5,)
    assert await life.books_are_right()


async def test_records_that_arrive_after_later_ones_are_no_clock_that_ran_back(
    bus: Validator, life: Life
) -> None:
    records = await five(bus, life)
    late = await bus.upload(records[4], records[2])
    life.clock.advance(hours=1)
    early = await bus.upload(records[0], records[1], records[3])
    assert outcomes([*late.results, *early.results]) == [BOOKED] * 5


def test_judging_never_raises_for_what_a_terminal_sent() -> None:
    keys = RecordKeys(terminal_id="bus-V0001", keys={}, ring_json='{"keys":[]}')
    judged = judge_records([b"", b"noise", bytes(200)], keys)
    assert [one.fault for one in judged] == ["record_malformed"] * 3
