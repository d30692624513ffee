"""The row of batches alone, without orders and database."""

import asyncio

import pytest

from cardcore.business.order_turns import Turns


async def test_a_batch_is_decided_while_the_one_before_is_written() -> None:
    turns = Turns()
    with turns.entered({"a"}) as first, turns.entered({"b"}) as second:
        async with turns.deciding(first):
            pass
        async with turns.deciding(second):
            assert not first.ended.is_set()
            assert second.earlier == (first,)
            assert first.earlier == ()


async def test_only_one_decides_at_a_time() -> None:
    turns = Turns()
    decided: list[str] = []

    async def decide(name: str) -> None:
        with turns.entered({name}) as turn:
            async with turns.deciding(turn):
                decided.append(f"{name} begins")
                await asyncio.sleep(0)
                decided.append(f"{name} ends")

    await asyncio.gather(decide("a"), decide("b"))
    assert decided == ["a begins", "a ends", "b begins", "b ends"]


async def test_what_was_claimed_while_a_batch_read_may_be_overlooked() -> None:
    turns = Turns()
    with turns.entered({"a", "b"}) as writing:
        with turns.entered({"b"}) as reading, turns.entered({"c"}) as other:
            async with turns.deciding(writing):
                pass
            assert reading.overlooks
            assert not other.overlooks
        with turns.entered({"a"}) as late:
            assert late.overlooks, "it is not written yet"
    assert reading.overlooks, "what was read then does not know better now"
    with turns.entered({"a"}) as afterwards:
        assert not afterwards.overlooks


async def test_a_batch_is_told_what_became_of_those_before() -> None:
    turns = Turns()
    told: list[bool] = []

    async def follow(name: str) -> None:
        with turns.entered({name}) as turn:
            async with turns.deciding(turn):
                pass
            told.append(await turn.earlier_written())

    async def lead(*, fails: bool) -> None:
        with turns.entered({"leader"}) as turn:
            async with turns.deciding(turn):
                follower = asyncio.ensure_future(follow("follower"))
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            assert not follower.done()
            followers.append(follower)
            if fails:
                raise ConnectionError

    followers: list[asyncio.Future[None]] = []
    await lead(fails=False)
    with pytest.raises(ConnectionError):
        await lead(fails=True)
    await asyncio.gather(*followers)
    assert told == [True, False]
