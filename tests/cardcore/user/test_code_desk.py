"""The desk: who comes in one turn is judged together, each gets their own answer."""

import asyncio
from collections.abc import Sequence

import codes
from cardcore.errors import CodeRefusedError
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.code_desk import CodeDesk
from cardcore.user.code_judging import (
    AcceptedCode,
    FaultyCode,
    JudgeCodesHere,
    RefusedCode,
    ShownCode,
    Verdict,
)
from cardcore.user.presented import PresentedCode
from hsm_sim.interface import HSM
from tests.codes.city import RING

GOOD = AcceptedCode("S", b"token---", b"Skey", b"digest", 2000, 1_790_000_060)


class JudgeByText:
    """Says what the text asks for, and keeps what it was asked at once."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def judge(self, shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
        assert ring is RING
        self.asked.append([one.text for one in shown])
        await self.go.wait()
        if any(one.text == "broken" for one in shown):
            raise OSError("no judge")
        said = {
            "good": GOOD,
            "late": RefusedCode("code_expired", ""),
            "bug": FaultyCode("KeyError"),
        }
        return [said[one.text] for one in shown]


def desk_of(judge: JudgeByText | JudgeCodesHere) -> CodeDesk:
    hsm: HSM = None  # type: ignore[assignment]  # nothing is signed here
    ring = CitizenCodes(hsm=hsm, ring=RING, issuing=(), random_bytes=lambda _: b"")
    return CodeDesk(ring, judge)


def shown(text: str) -> ShownCode:
    return ShownCode(text, "bus", (), pays=True, at_s=1_790_000_000)


async def test_all_of_one_turn_are_one_batch_and_each_has_its_answer() -> None:
    judge = JudgeByText()
    desk = desk_of(judge)
    waiting = [desk.begin(shown(text)) for text in ("good", "late", "bug")]
    good, late, bug = [await one for one in waiting]
    later = await desk.begin(shown("good"))
    assert judge.asked == [["good", "late", "bug"], ["good"]]
    assert isinstance(good, PresentedCode)
    assert (good.token, good.replay_key, good.cap_fen) == (b"token---", b"Skey", 2000)
    assert isinstance(late, CodeRefusedError)
    assert late.reason == "code_expired"
    assert isinstance(bug, RuntimeError)
    assert later == good


async def test_the_next_turn_does_not_wait_for_the_one_under_way() -> None:
    judge = JudgeByText()
    desk = desk_of(judge)
    judge.go.clear()
    first = desk.begin(shown("good"))
    await asyncio.sleep(0)
    second = desk.begin(shown("late"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert judge.asked == [["good"], ["late"]]
    assert not first.done()
    judge.go.set()
    assert isinstance(await second, CodeRefusedError)
    assert isinstance(await first, PresentedCode)


async def test_a_judge_that_fails_is_told_to_all_who_wait_and_to_nobody_else() -> None:
    desk = desk_of(JudgeByText())
    waiting = [desk.begin(shown("good")), desk.begin(shown("broken"))]
    assert [str(await one) for one in waiting] == ["no judge"] * 2
    assert isinstance(await desk.begin(shown("good")), PresentedCode)


async def test_who_no_longer_waits_disturbs_nobody() -> None:
    desk = desk_of(JudgeByText())
    gone, there = desk.begin(shown("good")), desk.begin(shown("good"))
    gone.cancel()
    assert isinstance(await there, PresentedCode)


async def test_the_judge_at_hand_knows_what_is_no_code() -> None:
    answer = await desk_of(JudgeCodesHere()).begin(shown("M1:???"))
    assert isinstance(answer, CodeRefusedError)
    assert answer.reason == "code_invalid"
