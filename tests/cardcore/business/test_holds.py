"""Holds over the real books: several captures, release of the rest, expiry."""

import asyncio
import os

import pytest

from cardcore.business.holds import HoldExpiry
from cardcore.business.request import CaptureRequest, RefundRequest
from cardcore.business.views import OrderView
from cardcore.errors import CaptureExceedsError, OrderStateError
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life

DAY_S = 86_400


async def capture(
    life: Life, order: OrderView, key: str, amount_fen: int | None = None, *, final: bool = True
) -> OrderView:
    view, _ = await life.city.core.capture(
        VALIDATOR, order.order_id, CaptureRequest(amount_fen=amount_fen, final=final), key
    )
    return view


def expiry(life: Life) -> HoldExpiry:
    return HoldExpiry(life.city.engine, life.city.book, os.urandom)


async def topics(life: Life, order: OrderView) -> list[str]:
    async with life.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT topic FROM cardcore.outbox WHERE subject_id = %s ORDER BY seq",
            (order.order_id,),
        )
        return [row[0] for row in await found.fetchall()]


async def test_one_hold_is_captured_three_times_and_never_frees_what_it_keeps(life: Life) -> None:
    user_id = await life.person(balance_fen=FLAT_FARE_FEN)
    held = await life.hold(user_id)
    first = await capture(life, held, "c1", 30, final=False)
    assert (first.status, first.captured_fen) == ("part_captured", 30)
    assert await life.balance_fen(user_id) == 0
    second = await capture(life, held, "c2", 50, final=False)
    assert (second.status, second.captured_fen) == ("part_captured", 80)
    with pytest.raises(CaptureExceedsError) as refused:
        await capture(life, held, "c3", 21, final=False)
    assert refused.value.facts == {"held_fen": 20}
    third = await capture(life, held, "c4")
    assert (third.status, third.captured_fen) == ("captured", FLAT_FARE_FEN)
    assert await life.balance_fen(user_id) == 0
    assert await life.books_are_right()
    # Each capture's answer is its own, whatever came later.
    assert await capture(life, held, "c1", 30, final=False) == first
    assert await capture(life, held, "c2", 50, final=False) == second


async def test_capturing_all_leaves_nothing_held_although_more_was_announced(life: Life) -> None:
    held = await life.hold(await life.person())
    view = await capture(life, held, "c1", FLAT_FARE_FEN, final=False)
    assert view.status == "captured"


async def test_void_releases_the_rest_and_leaves_what_was_captured(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    await capture(life, held, "c1", 30, final=False)
    voided, _ = await life.city.core.void(VALIDATOR, held.order_id, "v1")
    assert (voided.status, voided.captured_fen) == ("captured", 30)
    assert await life.balance_fen(user_id) == 470
    refund, _ = await life.city.core.refund(
        CENTRE, held.order_id, RefundRequest(out_refund_no="R", reason="r"), "r"
    )
    assert refund.amount_fen == 30
    assert await life.balance_fen(user_id) == 500
    assert await life.books_are_right()


async def test_nothing_is_refunded_while_something_is_held(life: Life) -> None:
    held = await life.hold(await life.person())
    await capture(life, held, "c1", 30, final=False)
    with pytest.raises(OrderStateError):
        await life.city.core.refund(
            CENTRE, held.order_id, RefundRequest(out_refund_no="R", reason="r"), "r"
        )


async def test_a_concession_is_captured_after_the_citizens_share(life: Life) -> None:
    user_id = await life.person(balance_fen=500, concession="student")
    held = await life.hold(user_id)
    citizen_fen = held.citizen_fen
    assert 0 < citizen_fen < FLAT_FARE_FEN
    await capture(life, held, "c1", citizen_fen, final=False)
    await capture(life, held, "c2", 10, final=False)
    explained = await life.city.core.explain(CENTRE, held.order_id)
    assert [len(line.transfers) for line in explained.lines] == [2, 3]
    await capture(life, held, "c3")
    assert await life.balance_fen(user_id) == 500 - citizen_fen
    assert await life.books_are_right()


async def test_an_expired_hold_says_so_at_once_and_gives_its_money_back(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    assert held.hold_expires_at is not None
    assert (held.hold_expires_at - held.recorded_at).total_seconds() == DAY_S
    life.clock.advance(seconds=DAY_S)
    read = await life.city.core.read_order(CENTRE, held.order_id)
    assert read.status == "expired"
    with pytest.raises(OrderStateError) as refused:
        await capture(life, held, "c1")
    assert refused.value.facts == {"status": "expired"}
    assert await expiry(life).expire_due(life.clock.now) == 1
    assert await life.balance_fen(user_id) == 500
    assert await topics(life, held) == ["order.held", "order.expired"]
    assert await life.books_are_right()


async def test_what_the_ledger_has_released_by_itself_is_expired_all_the_same(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    life.clock.advance(seconds=DAY_S + 60)
    assert await life.city.book.expire_pending_transfers() == 1
    assert await life.balance_fen(user_id) == 500
    assert await expiry(life).expire_due(life.clock.now) == 1
    explained = await life.city.core.explain(CENTRE, held.order_id)
    assert explained.status == "expired"
    assert [len(line.transfers) for line in explained.lines] == [1]


async def test_the_rest_of_a_part_captured_hold_ends_when_the_hold_would_have(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    held = await life.hold(user_id)
    life.clock.advance(seconds=DAY_S - 10)
    await capture(life, held, "c1", 30, final=False)
    life.clock.advance(seconds=11)
    assert (await life.city.core.read_order(CENTRE, held.order_id)).status == "captured"
    assert await expiry(life).expire_due(life.clock.now) == 1
    assert await life.balance_fen(user_id) == 470
    assert await topics(life, held) == ["order.held", "order.part_captured", "order.captured"]
    assert await life.books_are_right()


async def test_two_workers_expire_a_hold_once(life: Life) -> None:
    for _ in range(3):
        await life.hold(await life.person())
    life.clock.advance(seconds=DAY_S)
    done = await asyncio.gather(*(expiry(life).expire_due(life.clock.now) for _ in range(3)))
    assert sum(done) == 3
    assert await expiry(life).expire_due(life.clock.now) == 0


async def test_a_holds_time_is_the_scenes_rule_in_force(life: Life) -> None:
    async with life.city.pool.connection() as connection:
        await connection.execute("UPDATE cardcore.hold_rule SET timeout_s = 90 WHERE scene = 'bus'")
        rules = life.city.core.rules
        assert await rules.refresh(connection)
        assert not await rules.refresh(connection)
    held = await life.hold(await life.person())
    assert held.hold_expires_at is not None
    assert (held.hold_expires_at - held.recorded_at).total_seconds() == 90
    assert rules.current.hold_timeout_s("retail") == 7 * DAY_S


async def test_the_same_capture_many_times_at_once_is_one_and_is_told_to_all(life: Life) -> None:
    """Why: who was second is refused by what the first has done, and must be told it is done."""
    user_id = await life.person(balance_fen=3 * FLAT_FARE_FEN)
    for number in range(3):
        held = await life.hold(user_id)
        answers = await asyncio.gather(*(capture(life, held, f"same-{number}") for _ in range(6)))
        assert all(one == answers[0] for one in answers)
        assert answers[0].captured_fen == FLAT_FARE_FEN
        assert await topics(life, held) == ["order.held", "order.captured"]
    assert await life.balance_fen(user_id) == 0
