"""What a text says: complaints, where they are, what is denied, what is over. Pure.

Words are found by longest match from the tables; a word inside a longer one means nothing of its
own. A feeling belongs to the place named before it. "No" denies the complaint right behind it,
across fillers and lists, never beyond the end of a statement: when in doubt a complaint stands.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from scenes.hospital.guidance.knowledge import Knowledge, Meaning
from scenes.hospital.guidance.text import Clause, clauses_of, normalised

PLACE_BEFORE_MAX: Final = 10  # characters between a place and what is felt there
PLACE_AFTER_MAX: Final = 3
SHOWN_MAX: Final = 14  # characters of the citizen's own words in a reason
_DEGREES: Final = re.compile(r"(3[5-9]|4[0-3])(?:\s*[.度点]\s*([0-9]))?\s*(?:多)?\s*(?:度|℃|°|c)?")
_ABOUT_HEAT: Final = re.compile(r"烧|热|体温|度|℃|烫|温度")
_PRESSURE: Final = re.compile(r"(1[0-9]{2}|2[0-9]{2})\s*/\s*([5-9][0-9]|1[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Reading:
    """Facts, each with the words that told it; ``over`` are those of another time."""

    facts: Mapping[str, str]
    over: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    meaning: Meaning
    denied: bool = False

    @property
    def site(self) -> str | None:
        """The place it names, if it names one."""
        if self.meaning.kind == "site":
            return self.meaning.concept
        place, dot, _ = self.meaning.concept.partition(".")
        return place if dot else None


def read(knowledge: Knowledge, text: str) -> Reading:
    """The facts of a text."""
    whole = normalised(text)
    about_heat = _ABOUT_HEAT.search(whole) is not None
    facts: dict[str, str] = {}
    over: dict[str, str] = {}
    before: list[str] = []
    for clause in clauses_of(whole):
        found = _judged(knowledge, clause.text, _found(knowledge, clause.text))
        told = {
            **dict(_measured(clause.text, found, about_heat=about_heat)),
            **dict(_told(knowledge, clause, found, before)),
        }
        into = over if _is_over(knowledge, clause.text) else facts
        for fact, words in told.items():
            into.setdefault(fact, words)
        here = [one.site for one in found if one.site is not None and not one.denied]
        before = here or ([] if found else before)
    return Reading(
        facts=facts, over={fact: words for fact, words in over.items() if fact not in facts}
    )


def _found(knowledge: Knowledge, text: str) -> list[_Found]:
    """All words of a statement that lie in no longer one, in order."""
    spans: list[tuple[int, int, tuple[Meaning, ...]]] = []
    for start in range(len(text)):
        longest = min(knowledge.word_length_max, len(text) - start)
        for length in range(longest, 0, -1):
            meanings = knowledge.literals.get(text[start : start + length])
            if meanings is not None:
                spans.append((start, start + length, meanings))
    spans = [span for span in spans if not _is_denial(knowledge, text, span, spans)]
    masks = [
        (start, end)
        for start, end, meanings in spans
        if any(meaning.kind != "mod" for meaning in meanings)
    ]
    found = [
        _Found(start, end, meaning)
        for start, end, meanings in spans
        if not any(
            other <= start and end <= until and (start, end) != (other, until)
            for other, until in masks
        )
        for meaning in meanings
        if meaning.kind != "skip"
    ]
    for pattern in knowledge.patterns:
        if pattern.head in text:
            spans_of = pattern.gapped.finditer(text)
            found += [_Found(*match.span(), pattern.meaning) for match in spans_of]
    return sorted(found, key=lambda one: (one.start, one.end, one.meaning.concept))


def _is_denial(
    knowledge: Knowledge,
    text: str,
    span: tuple[int, int, tuple[Meaning, ...]],
    spans: Sequence[tuple[int, int, tuple[Meaning, ...]]],
) -> bool:
    """没有呼吸困难 denies trouble breathing; it does not say that there is no breath (没有呼吸)."""
    start, end, _ = span
    for cue in knowledge.cues["no"]:
        if text.startswith(cue, start) and start + len(cue) < end:
            behind = start + len(cue)
            return any(other == behind and until > end for other, until, _ in spans)
    return False


# -- what is denied, what is over ------------------------------------------------------------------


def _judged(knowledge: Knowledge, text: str, found: Sequence[_Found]) -> list[_Found]:
    judged: list[_Found] = []
    for one in found:
        denied = (
            _denied_before(knowledge, text[: one.start])
            or _gone_after(knowledge, text[one.end :])
            or any(
                other.denied
                and (
                    other.start <= one.start <= other.end
                    or text[other.end : one.start] in knowledge.cues["also"]
                )
                for other in judged
            )
        )
        judged.append(replace(one, denied=denied))
    return judged


def _denied_before(knowledge: Knowledge, before: str) -> bool:
    """Does a "no" stand right before, with nothing but fillers between?"""
    cues, directly = knowledge.cues, True
    while True:
        for cue in (*cues["no"], *(cues["not"] if directly else ())):
            if before.endswith(cue):
                return not any(
                    before.endswith(word) and len(word) > len(cue) for word in cues["undone"]
                )
        filler = next((word for word in cues["filler"] if before.endswith(word)), None)
        if filler is None:
            return False
        before, directly = before.removesuffix(filler), False


def _gone_after(knowledge: Knowledge, after: str) -> bool:
    """Does the statement end by saying that it is gone?"""
    for word in ("都", "也", "倒是", "现在"):
        after = after.removeprefix(word)
    if after.startswith(knowledge.cues["not_gone"]):
        return False
    return any(
        after.startswith(word) and after[len(word) :] in ("", "了", "的")
        for word in knowledge.cues["gone"]
    )


def _is_over(knowledge: Knowledge, text: str) -> bool:
    def has(cue: str) -> bool:
        return any(word in text for word in knowledge.cues[cue])

    return has("past") and not has("now")


# -- facts -----------------------------------------------------------------------------------------


def _told(
    knowledge: Knowledge, clause: Clause, found: Sequence[_Found], before: Sequence[str]
) -> Iterator[tuple[str, str]]:
    text = clause.text
    for one in found:
        if one.denied:
            continue
        words = text[one.start : one.end]
        if one.meaning.kind in ("sign", "mod"):
            yield one.meaning.concept, words
        elif one.meaning.kind == "site":
            for site in _with_parents(knowledge, one.meaning.concept):
                yield f"at.{site}", words
        else:
            yield f"any.{one.meaning.concept}", words
            for site, start, end in _places(found, one, before):
                shown = text[start:end]
                for place in _with_parents(knowledge, site):
                    yield f"{place}.{one.meaning.concept}", shown[:SHOWN_MAX]


def _places(
    found: Sequence[_Found], feel: _Found, before: Sequence[str]
) -> Iterator[tuple[str, int, int]]:
    """Where something is felt: the places before it in a row, else behind it, else those before."""
    sites = [one for one in found if one.site is not None and not one.denied]
    ahead = [one for one in sites if one.end <= feel.start]
    nearest = ahead[-1] if ahead else None
    if nearest is not None and feel.start - nearest.end <= PLACE_BEFORE_MAX:
        chain = [nearest]
        for earlier, later in reversed(list(pairwise(ahead))):
            if later is not chain[-1] or later.start - earlier.end > 2:
                break
            chain.append(earlier)
        for one in chain:
            assert one.site is not None
            yield one.site, one.start, feel.end
        return
    behind = [one for one in sites if 0 <= one.start - feel.end <= PLACE_AFTER_MAX]
    if behind:
        assert behind[0].site is not None
        yield behind[0].site, feel.start, behind[0].end
    elif not sites:
        for site in before:
            yield site, feel.start, feel.end


def _with_parents(knowledge: Knowledge, site: str) -> Iterator[str]:
    place: str | None = site
    while place is not None:
        yield place
        place = knowledge.parents.get(place)


def _measured(text: str, found: Sequence[_Found], *, about_heat: bool) -> Iterator[tuple[str, str]]:
    """Facts from figures: temperature in degrees Celsius, blood pressure in mmHg."""

    def denied(start: int) -> bool:
        return any(one.denied and one.start <= start <= one.end for one in found)

    for match in _DEGREES.finditer(text) if about_heat else ():
        before, after = text[max(match.start() - 1, 0) : match.start()], text[match.end() :]
        if before.isdigit() or before in (".", "/") or after[:1].isdigit() or denied(match.start()):
            continue
        tenths = int(match[1]) * 10 + int(match[2] or 0)
        yield from ((fact, match[0]) for fact, least in _HEAT if tenths >= least)
    for match in _PRESSURE.finditer(text):
        upper, lower = int(match[1]), int(match[2])
        if upper >= 140 or lower >= 90:
            yield "bp_high", match[0]
        if upper >= 180 or lower >= 110:
            yield "bp_crisis", match[0]


_HEAT: Final = (("fever", 373), ("high_fever", 390), ("hot41", 405))
