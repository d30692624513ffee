"""Codes become presented codes, or reasons why not: the judge's verdicts in the core's words."""

from collections.abc import Sequence

from cardcore.errors import CardcoreError
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.code_judging import CodeJudge, ShownCode, presented
from cardcore.user.presented import PresentedCode


class CodeDesk:
    """Has codes judged by the keys in force.

    Args:
        codes: whose ring it is.
        judge: who judges.
    """

    def __init__(self, codes: CitizenCodes, judge: CodeJudge) -> None:
        self._codes = codes
        self._judge = judge

    async def accept(self, shown: Sequence[ShownCode]) -> list[PresentedCode | Exception]:
        """Judge scanned texts by everything but their past use; one answer each, in order.

        ``CodeRefusedError``: with the stable reason; ``RuntimeError``: a fault of ours.
        """
        if not shown:
            return []
        answers: list[PresentedCode | Exception] = []
        for verdict in await self._judge.judge(shown, self._codes.ring):
            try:
                answers.append(presented(verdict))
            except (CardcoreError, RuntimeError) as refusal:
                answers.append(refusal)
        return answers
