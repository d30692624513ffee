"""A process beside that judges codes: same verdicts as here, and nobody waits for a dead one."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapters.code_judges import ALONE_MAX, CODES_MAX, CompanionJudge
from cardcore.user.code_judging import (
    AcceptedCode,
    FaultyCode,
    RefusedCode,
    ShownCode,
    judge_codes,
    presented,
)
from codes import Algorithm, KeyRing
from codes.suites import make_private_key
from tests.codes.city import ALGORITHMS, NOW_S, RING, code_s, signer_of

UP_WITHIN_S = 30


@contextmanager
def companion() -> Iterator[CompanionJudge]:
    judge = CompanionJudge()
    try:
        yield judge
    finally:
        judge.close()


def shown(text: str, *, scene: str = "bus", at_s: int = NOW_S) -> ShownCode:
    return ShownCode(text, scene, ("V0001", "bus-company"), pays=True, at_s=at_s)


@pytest.fixture
def batch() -> list[ShownCode]:
    """Of each kind: good ones of three suites, forged, of another scene, too late, no code."""
    forger = signer_of(make_private_key(Algorithm.ES256))
    return [
        *(shown(code_s(algorithm)) for algorithm in ALGORITHMS),
        *(shown(code_s()) for _ in range(ALONE_MAX)),
        shown(code_s(sign=forger)),
        shown(code_s(), scene="hospital"),
        shown(code_s(), at_s=NOW_S + 3600),
        shown("M1:not a code"),
        shown("😀" * 9),
        shown("M1:" + "0" * 4_000),
    ]


async def up(judge: CompanionJudge, batch: list[ShownCode]) -> int:
    """Have it started, and wait until it answers."""
    await judge.judge(batch, RING)
    async with asyncio.timeout(UP_WITHIN_S):
        await judge.up.wait()
    assert judge.process_id is not None
    return judge.process_id


async def test_it_says_what_would_be_said_here(batch: list[ShownCode]) -> None:
    with companion() as judge:
        before = await judge.judge(batch, RING)
        await up(judge, batch)
        beside = await judge.judge(batch, RING)
    assert before == beside == judge_codes(batch, RING)
    assert {type(one) for one in beside} == {AcceptedCode, RefusedCode}
    assert {one.reason for one in beside if isinstance(one, RefusedCode)} == {
        "code_invalid",
        "scene_not_allowed",
        "code_expired",
    }


async def test_batches_asked_at_once_get_their_own_answers(batch: list[ShownCode]) -> None:
    batches = [batch, [*reversed(batch)], batch[2:], batch * (CODES_MAX // 4)]
    with companion() as judge:
        await up(judge, batch)
        answers = await asyncio.gather(*(judge.judge(batch, RING) for batch in batches))
    assert list(answers) == [judge_codes(batch, RING) for batch in batches]


async def test_it_judges_by_the_ring_it_is_given(batch: list[ShownCode]) -> None:
    with companion() as judge:
        await up(judge, batch)
        assert isinstance((await judge.judge(batch, RING))[0], AcceptedCode)
        nobody = await judge.judge(batch, KeyRing([]))
        assert not [one for one in nobody if isinstance(one, AcceptedCode)]
        assert await judge.judge(batch, RING) == judge_codes(batch, RING)


async def test_few_codes_need_no_process(batch: list[ShownCode]) -> None:
    with companion() as judge:
        few = batch[:ALONE_MAX]
        assert await judge.judge(few, RING) == judge_codes(few, RING)
        assert judge._process is None


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
async def test_a_process_that_has_died_or_hangs_costs_no_verdict(
    fate: signal.Signals, batch: list[ShownCode]
) -> None:
    with companion() as judge:
        first = await up(judge, batch)
        os.kill(first, fate)
        answers = await asyncio.gather(*(judge.judge(batch, RING) for _ in range(3)))
        assert list(answers) == [judge_codes(batch, RING)] * 3
        assert judge.process_id is None
        judge._start_from_s = 0.0  # the time between two starts has passed
        assert await up(judge, batch) != first
        assert await judge.judge(batch, RING) == judge_codes(batch, RING)


async def test_it_ends_with_whoever_asks_it(batch: list[ShownCode]) -> None:
    with companion() as judge:
        process_id = await up(judge, batch)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_a_fault_of_ours_is_told_to_its_own_order() -> None:
    verdicts = judge_codes([shown(code_s()), shown(code_s(), at_s=None)], RING)  # type: ignore[arg-type]
    assert isinstance(verdicts[0], AcceptedCode)
    assert verdicts[1] == FaultyCode("AttributeError")
    with pytest.raises(RuntimeError, match="AttributeError"):
        presented(verdicts[1])
