"""The tables guidance goes by, read from ``knowledge/*.tsv``. Pure.

Written for this project; ``sources.tsv`` names the public rules they follow. A table that names a
word, a fact or a specialty nobody knows is refused when it is read, with file and line.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from scenes.hospital.guidance.text import normalised

FACT_KINDS: Final = ("site", "feel", "sign", "mod", "skip")
WHO: Final = frozenset(
    [
        "under3m",
        "neonate",
        "infant",
        "toddler",
        "child",
        "adult",
        "elder",
        "female",
        "f",
        "male",
        "fertile",
        "pregnant",
    ]
)
# Facts that no word stands for: read from figures in the text.
MEASURED: Final = frozenset({"hot41", "bp_crisis"})
GAP_MAX: Final = 4  # characters a "*" in a word may stand for


class KnowledgeError(ValueError):
    """A table is wrong: which, where and how."""


class Urgency(StrEnum):
    """How soon somebody should be seen, in rising order of ``RANK``."""

    UNCLEAR = "unclear"
    ROUTINE = "routine"
    EMERGENCY = "emergency"
    CALL_120 = "call_120"


RANK: Final = {urgency: rank for rank, urgency in enumerate(Urgency)}


@dataclass(frozen=True, slots=True)
class Words:
    """Text a person may see, in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word stands for: a place, a feeling, a complaint, or nothing."""

    kind: str
    concept: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word with gaps. A statement without its ``head`` need not be searched."""

    head: str
    gapped: re.Pattern[str]
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Rule:
    """Holds where of each of ``when`` one fact is there, for ``who`` (None: everybody)."""

    when: tuple[frozenset[str], ...]
    who: str | None


@dataclass(frozen=True, slots=True)
class Flag:
    """A red flag: how urgent, what it says, what to do."""

    flag: str
    level: Urgency
    title: Words
    advice: Words
    source: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Points for specialties where its rule holds."""

    rule: Rule
    points: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Specialty:
    """A kind of department; of its points a part moves for children and in pregnancy."""

    specialty: str
    name: Words
    sex: str
    child: str
    child_percent: int
    pregnant: str
    pregnant_percent: int


@dataclass(frozen=True, slots=True)
class SymptomGroup:
    """A group of complaints that are counted together, the first that fits."""

    group: str
    name: Words
    rule: Rule


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All tables of one version. ``version`` names them, ``digest`` proves it."""

    version: str
    digest: str
    literals: Mapping[str, tuple[Meaning, ...]]
    patterns: tuple[Pattern, ...]
    parents: Mapping[str, str]
    cues: Mapping[str, tuple[str, ...]]  # longest first
    flags: tuple[Flag, ...]
    routes: tuple[Route, ...]
    specialties: Mapping[str, Specialty]
    groups: tuple[SymptomGroup, ...]
    word_length_max: int


def knowledge_of(tables: Mapping[str, str]) -> Knowledge:
    """Knowledge from the text of its tables, by file name.

    Raises:
        KnowledgeError: a table is wrong.
    """
    literals, patterns, parents = _words(tables["words.tsv"])
    concepts = _concepts(literals, patterns, parents)
    specialties = _specialties(tables["specialties.tsv"])
    joined = "".join(f"{name}\0{tables[name]}\0" for name in sorted(tables))
    return Knowledge(
        version=tables["VERSION"].strip(),
        digest=sha256(joined.encode()).hexdigest(),
        literals=literals,
        patterns=patterns,
        parents=parents,
        cues={
            cue: tuple(sorted(set(words.split()), key=lambda word: (-len(word), word)))
            for _, (cue, words, _) in _lines(tables, "cues.tsv")
        },
        flags=_flags(tables, concepts),
        routes=_routes(tables, concepts, specialties),
        specialties=specialties,
        groups=tuple(
            SymptomGroup(group, Words(zh, en), _rule(when, "", concepts, f"groups.tsv:{line}"))
            for line, (group, zh, en, when) in _lines(tables, "groups.tsv")
        ),
        word_length_max=max(map(len, literals)),
    )


@cache
def current() -> Knowledge:
    """The tables this program carries."""
    folder = files("scenes.hospital.guidance") / "knowledge"
    names = [entry.name for entry in folder.iterdir() if entry.name.endswith(("tsv", "VERSION"))]
    return knowledge_of({name: (folder / name).read_text(encoding="utf-8") for name in names})


def _lines(tables: Mapping[str, str], name: str) -> Iterable[tuple[int, list[str]]]:
    header, *lines = tables[name].splitlines()
    width = header.count("\t") + 1
    for number, line in enumerate(lines, start=2):
        fields = line.split("\t")
        fields += [""] * (width - len(fields))
        if len(fields) != width:
            raise KnowledgeError(f"{name}:{number}: {width} fields are expected")
        yield number, fields


def _words(
    text: str,
) -> tuple[dict[str, tuple[Meaning, ...]], tuple[Pattern, ...], dict[str, str]]:
    literals: dict[str, tuple[Meaning, ...]] = {}
    patterns: list[Pattern] = []
    parents: dict[str, str] = {}
    for line, (kind, concept, words) in _lines({"words.tsv": text}, "words.tsv"):
        name, _, parent = concept.partition("<")
        if kind not in FACT_KINDS:
            raise KnowledgeError(f"words.tsv:{line}: no such kind {kind!r}")
        if parent:
            parents[name] = parent
        meaning = Meaning(kind=kind, concept=name)
        for word in words.split():
            if word != normalised(word):
                raise KnowledgeError(f"words.tsv:{line}: {word!r} is not in its normal form")
            if "*" in word:
                patterns.append(_pattern(word, meaning))
                continue
            others = literals.get(word, ())
            if any((kind == "skip") != (other.kind == "skip") for other in others):
                raise KnowledgeError(f"words.tsv:{line}: {word!r} both means something and nothing")
            if meaning not in others:
                literals[word] = (*others, meaning)
    return literals, tuple(patterns), parents


def _pattern(word: str, meaning: Meaning) -> Pattern:
    parts = word.split("*")
    gapped = f".{{0,{GAP_MAX}}}?".join(re.escape(part) for part in parts)
    return Pattern(head=parts[0], gapped=re.compile(gapped), meaning=meaning)


def _concepts(
    literals: Mapping[str, tuple[Meaning, ...]],
    patterns: Iterable[Pattern],
    parents: Mapping[str, str],
) -> frozenset[str]:
    """Every fact that a text can give."""
    meanings = [one for several in literals.values() for one in several]
    meanings += [pattern.meaning for pattern in patterns]
    of_kind: dict[str, set[str]] = {kind: set() for kind in FACT_KINDS}
    for meaning in meanings:
        of_kind[meaning.kind].add(meaning.concept)
    signs = of_kind["sign"] | of_kind["mod"]
    sites = (
        of_kind["site"] | set(parents.values()) | {one.split(".")[0] for one in signs if "." in one}
    )
    feels = of_kind["feel"]
    composed = {f"{site}.{feel}" for site in (*sites, "any") for feel in feels}
    return frozenset(signs | composed | {f"at.{site}" for site in sites} | MEASURED)


def _rule(when: str, who: str, concepts: frozenset[str], where: str) -> Rule:
    parts = tuple(frozenset(part.split("|")) for part in when.split())
    unknown = frozenset().union(*parts) - concepts
    if unknown or not parts:
        raise KnowledgeError(f"{where}: no such fact: {', '.join(sorted(unknown))}")
    if who and who not in WHO:
        raise KnowledgeError(f"{where}: no such person: {who}")
    return Rule(when=parts, who=who or None)


def _flags(tables: Mapping[str, str], concepts: frozenset[str]) -> tuple[Flag, ...]:
    advice = {name: Words(zh, en) for _, (name, zh, en) in _lines(tables, "advice.tsv")}
    sources = {name for _, (name, _, _) in _lines(tables, "sources.tsv")}
    rules: dict[str, list[Rule]] = {}
    for line, (flag, when, who) in _lines(tables, "flag_rules.tsv"):
        rule = _rule(when, who, concepts, f"flag_rules.tsv:{line}")
        rules.setdefault(flag, []).append(rule)
    flags = []
    for line, (flag, level, doing, zh, en, source) in _lines(tables, "flags.tsv"):
        if doing not in advice or source not in sources or flag not in rules:
            raise KnowledgeError(f"flags.tsv:{line}: no such advice or source, or no rule")
        held_by = tuple(rules.pop(flag))
        flags.append(Flag(flag, Urgency(level), Words(zh, en), advice[doing], source, held_by))
    if rules:
        raise KnowledgeError(f"flag_rules.tsv: no such flag: {', '.join(sorted(rules))}")
    return tuple(flags)


def _routes(
    tables: Mapping[str, str], concepts: frozenset[str], specialties: Mapping[str, Specialty]
) -> tuple[Route, ...]:
    routes = []
    for line, (when, who, to) in _lines(tables, "routes.tsv"):
        where = f"routes.tsv:{line}"
        points = {
            name: int(number) for name, _, number in (one.partition("=") for one in to.split())
        }
        if not points or points.keys() - specialties.keys():
            raise KnowledgeError(f"{where}: no such specialty: {to}")
        routes.append(Route(_rule(when, who, concepts, where), points))
    return tuple(routes)


def _specialties(text: str) -> dict[str, Specialty]:
    found: dict[str, Specialty] = {}
    for _, (name, zh, en, sex, child, child_part, pregnant, pregnant_part) in _lines(
        {"specialties.tsv": text}, "specialties.tsv"
    ):
        found[name] = Specialty(
            name, Words(zh, en), sex, child, int(child_part), pregnant, int(pregnant_part)
        )
    for one in found.values():
        if {one.child, one.pregnant} - found.keys() - {"-"}:
            raise KnowledgeError(f"specialties.tsv: {one.specialty} passes on to nobody")
    return found
