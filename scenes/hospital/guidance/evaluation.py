"""How good guidance is, on labelled cases. Pure.

A case names the specialties that are right, any of them; ``emergency!`` asks for a red flag,
``unclear`` for no recommendation. Who reads cases and then writes words makes figures too good.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scenes.hospital.guidance.knowledge import RANK, Knowledge, Urgency
from scenes.hospital.guidance.triage import Advice, Patient, advise

RED: Final = "emergency!"
UNCLEAR: Final = "unclear"
_AGE: Final = re.compile(r"([0-9]+)([md]?)")
_PER_YEAR: Final = {"": 1, "m": 12, "d": 365}


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody says, and where they belong."""

    text: str
    patient: Patient
    expected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over a set of cases.

    ``first`` and ``among_three`` of ``ranked`` cases that name a specialty; ``flagged`` of ``red``
    ones; ``flagged_wrongly`` of the ``calm`` ones, for which no flag is right.
    """

    cases: int
    ranked: int
    first: int
    among_three: int
    red: int
    flagged: int
    calm: int
    flagged_wrongly: int

    @property
    def top_1(self) -> float:
        """Share of cases whose first recommendation is right."""
        return self.first / self.ranked

    @property
    def top_3(self) -> float:
        """Share of cases with a right one among the first three."""
        return self.among_three / self.ranked

    @property
    def red_recall(self) -> float:
        """Share of emergencies that were seen."""
        return self.flagged / self.red

    @property
    def red_precision(self) -> float:
        """Share of raised flags that were right."""
        return self.flagged / (self.flagged + self.flagged_wrongly)


def cases_of(text: str) -> list[Case]:
    """The cases of a table with a header. Raises ``ValueError`` for a line that is none."""
    cases = []
    for number, line in enumerate(text.splitlines()[1:], start=2):
        said, age, sex, pregnant, expected = line.split("\t")
        match = _AGE.fullmatch(age)
        if match is None:
            raise ValueError(f"line {number}: {age!r} is no age")
        years = int(match[1]) / _PER_YEAR[match[2]]
        patient = Patient(age=years, sex=sex or None, pregnant=pregnant == "y")
        cases.append(Case(said, patient, frozenset(expected.split("|"))))
    return cases


def is_red(advice: Advice) -> bool:
    """Was a red flag raised?"""
    return RANK[advice.urgency] >= RANK[Urgency.EMERGENCY]


def wanted_ranks(advice: Advice) -> Sequence[str]:
    """What is recommended, in order; ``unclear`` where nothing is."""
    return [one.specialty.specialty for one in advice.ranked] or [UNCLEAR]


def figures_of(knowledge: Knowledge, cases: Iterable[Case]) -> Figures:
    """Count over the cases."""
    judged = [(case, advise(knowledge, case.text, case.patient)) for case in cases]
    named = [
        (case.expected, wanted_ranks(advice)) for case, advice in judged if case.expected != {RED}
    ]
    red = [is_red(advice) for case, advice in judged if case.expected == {RED}]
    calm = [is_red(advice) for case, advice in judged if RED not in case.expected]
    return Figures(
        cases=len(judged),
        ranked=len(named),
        first=sum(ranks[0] in expected for expected, ranks in named),
        among_three=sum(bool(expected & set(ranks[:3])) for expected, ranks in named),
        red=len(red),
        flagged=sum(red),
        calm=len(calm),
        flagged_wrongly=sum(calm),
    )
