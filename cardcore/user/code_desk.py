"""The desk where codes are judged: handed in one by one, judged by all that have come meanwhile.

Who hands a code in goes on; the verdict is asked for when it is needed. So codes are judged while
their orders wait for a batch, and a batch seldom waits for codes.
"""

import asyncio
from collections.abc import Sequence

from cardcore.errors import CardcoreError
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.code_judging import CodeJudge, ShownCode, presented
from cardcore.user.presented import PresentedCode

Judging = asyncio.Future[PresentedCode | Exception]
"""A code that is being judged: what it says, or why not. Its result is an answer, never raised."""


class CodeDesk:
    """Has codes judged by the keys in force.

    Args:
        codes: whose ring it is.
        judge: who judges.
    """

    def __init__(self, codes: CitizenCodes, judge: CodeJudge) -> None:
        self._codes = codes
        self._judge = judge
        self._waiting: list[tuple[ShownCode, Judging]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, shown: ShownCode) -> Judging:
        """Have a scanned text judged by everything but its past use.

        The answer is the accepted code; ``CodeRefusedError`` with the stable reason; or another
        exception, which is a fault of ours.
        """
        loop = asyncio.get_running_loop()
        judging: Judging = loop.create_future()
        self._waiting.append((shown, judging))
        if len(self._waiting) == 1:
            loop.call_soon(self._start)
        return judging

    def _start(self) -> None:
        """Have all judged who came in this turn of the event loop."""
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._run(waiting), name="code-desk")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _run(self, waiting: Sequence[tuple[ShownCode, Judging]]) -> None:
        answers: list[PresentedCode | Exception]
        try:
            verdicts = await self._judge.judge([shown for shown, _ in waiting], self._codes.ring)
        except Exception as fault:  # noqa: BLE001  (told to everybody who waits, not swallowed)
            answers = [fault] * len(waiting)
        else:
            answers = []
            for verdict in verdicts:
                try:
                    answers.append(presented(verdict))
                except (CardcoreError, RuntimeError) as refusal:
                    answers.append(refusal)
        for (_, judging), answer in zip(waiting, answers, strict=True):
            if not judging.done():  # nobody waits any more
                judging.set_result(answer)
