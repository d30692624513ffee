"""Red flags first, then departments in order, each with the words that led there. Pure.

Rules only ever add: a further complaint can raise a flag and never takes one away, so whatever
else somebody says, urgency does not fall. Nothing here names a disease as a finding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scenes.hospital.guidance.knowledge import (
    RANK,
    Flag,
    Knowledge,
    Rule,
    Specialty,
    SymptomGroup,
    Urgency,
)
from scenes.hospital.guidance.reading import Reading, read

RANKED_MAX: Final = 5
OVER_PERCENT: Final = 50  # what a complaint of another time weighs
CHILD_BELOW: Final = 14.0  # years: paediatrics ends at the fourteenth birthday
ELDER_FROM: Final = 65.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom it is about; None where nobody said. ``age`` in years, an infant's as a fraction."""

    age: float | None = None
    sex: str | None = None
    pregnant: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """A red flag and the words that raised it."""

    flag: Flag
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A specialty, its points, and the words that led there."""

    specialty: Specialty
    points: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What guidance says; ``version`` of the tables it went by."""

    version: str
    urgency: Urgency
    raised: tuple[Raised, ...]
    ranked: tuple[Ranked, ...]
    group: SymptomGroup | None


def advise(knowledge: Knowledge, text: str, patient: Patient) -> Advice:
    """What to do about ``text``. The same text, patient and tables give the same advice."""
    reading = read(knowledge, text)
    who = kinds_of(patient, reading.facts)
    raised = _raised(knowledge, reading.facts, who)
    ranked = _ranked(knowledge, reading, who, patient, raised)
    urgency = max((one.flag.level for one in raised), key=RANK.__getitem__, default=None)
    if urgency is None:
        urgency = Urgency.ROUTINE if ranked else Urgency.UNCLEAR
    group = next(
        (one for one in knowledge.groups if _words(one.rule, reading.facts, who) is not None), None
    )
    return Advice(knowledge.version, urgency, raised, ranked, group)


def kinds_of(patient: Patient, facts: Mapping[str, str]) -> frozenset[str]:
    """Which rules for some people only concern this one.

    Where nobody gave an age, a child is whoever is spoken of as one; an adult is also somebody of
    unknown age, so that no red flag is lost.
    """
    age, kinds = patient.age, set()
    child = age < CHILD_BELOW if age is not None else "child_word" in facts
    kinds.add("child" if child else "adult")
    if age is None:
        kinds.add("adult")
    else:
        for kind, below in (
            ("under3m", 0.25),
            ("neonate", 0.08),
            ("infant", 1.0),
            ("toddler", 6.0),
        ):
            if age < below:
                kinds.add(kind)
        if age >= ELDER_FROM:
            kinds.add("elder")
    if age is None and child:
        kinds.add("toddler")
    if patient.sex != "m":
        kinds |= {"f", "female"}
        if age is None or 10 <= age < 56:
            kinds.add("fertile")
        if patient.pregnant:
            kinds.add("pregnant")
    if patient.sex != "f":
        kinds.add("male")
    return frozenset(kinds)


def _words(rule: Rule, facts: Mapping[str, str], who: frozenset[str]) -> tuple[str, ...] | None:
    """The words that make a rule hold; None where it does not."""
    if rule.who is not None and rule.who not in who:
        return None
    words: list[str] = []
    for part in rule.when:
        told = next((facts[fact] for fact in facts if fact in part), None)
        if told is None:
            return None
        words.append(told)
    return tuple(dict.fromkeys(words))


def _raised(
    knowledge: Knowledge, facts: Mapping[str, str], who: frozenset[str]
) -> tuple[Raised, ...]:
    raised = []
    for flag in knowledge.flags:
        words = next(
            (found for rule in flag.rules if (found := _words(rule, facts, who)) is not None), None
        )
        if words is not None:
            raised.append(Raised(flag, words))
    return tuple(sorted(raised, key=lambda one: -RANK[one.flag.level]))


def _ranked(
    knowledge: Knowledge,
    reading: Reading,
    who: frozenset[str],
    patient: Patient,
    raised: Sequence[Raised],
) -> tuple[Ranked, ...]:
    points: dict[str, int] = {}
    words: dict[str, dict[str, None]] = {}
    for flag in raised:
        words.setdefault("emergency", {}).update(dict.fromkeys(flag.words))
    everything = {**reading.over, **reading.facts}
    for route in knowledge.routes:
        percent, told = 100, _words(route.rule, reading.facts, who)
        if told is None:
            percent, told = OVER_PERCENT, _words(route.rule, everything, who)
        if told is None:
            continue
        for name, number in route.points.items():
            specialty = knowledge.specialties[name]
            if specialty.sex and patient.sex not in (None, specialty.sex):
                continue
            for target, share in _shares(specialty, who, reading.facts, patient):
                points[target] = points.get(target, 0) + number * share * percent // 100
                words.setdefault(target, {}).update(dict.fromkeys(told))
    order = sorted(points, key=lambda name: (-points[name], name))
    if raised:
        order = ["emergency", *(name for name in order if name != "emergency")]
    return tuple(
        Ranked(knowledge.specialties[name], points.get(name, 0), _longest(words[name]))
        for name in order[:RANKED_MAX]
        if name == "emergency" or points[name] > 0
    )


def _longest(words: Mapping[str, None]) -> tuple[str, ...]:
    """Words without those that stand in a longer one of them."""
    return tuple(
        word for word in words if not any(word != other and word in other for other in words)
    )


def _shares(
    specialty: Specialty, who: frozenset[str], facts: Mapping[str, str], patient: Patient
) -> Sequence[tuple[str, int]]:
    """Who gets the points, in percent: children and the pregnant have their own departments."""
    target, percent = "-", 0
    if "child" in who:
        target, percent = specialty.child, specialty.child_percent
    elif "pregnant" in who or ("pregnant" in facts and patient.sex != "m"):
        target, percent = specialty.pregnant, specialty.pregnant_percent
    if target == "-" or not percent:
        return ((specialty.specialty, 100),)
    kept = ((specialty.specialty, 100 - percent),) if percent < 100 else ()
    return ((target, percent), *kept)
