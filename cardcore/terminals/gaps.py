"""Which sequence numbers of a terminal are missing. Pure.

Records come in any order and more than once; a gap is reported and blocks nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

GAPS_MAX = 1024


@dataclass(frozen=True, slots=True)
class Chain:
    """Numbers seen: all up to ``highest_no`` but those in ``gaps`` (first, last; rising)."""

    highest_no: int
    gaps: tuple[tuple[int, int], ...] = ()

    def seen(self, numbers: Iterable[int]) -> "Chain":
        """The chain after these numbers."""
        highest, gaps = self.highest_no, list(self.gaps)
        for number in sorted(set(numbers)):
            if number > highest:
                if number > highest + 1:
                    gaps.append((highest + 1, number - 1))
                highest = number
            else:
                gaps = [part for gap in gaps for part in _without(gap, number)]
        # More holes than that are not counted one by one: the oldest become one.
        if len(gaps) > GAPS_MAX:
            old = gaps[: len(gaps) - GAPS_MAX + 1]
            gaps = [(old[0][0], old[-1][1]), *gaps[len(old) :]]
        return Chain(highest, tuple(gaps))


def _without(gap: tuple[int, int], number: int) -> list[tuple[int, int]]:
    first, last = gap
    if not first <= number <= last:
        return [gap]
    return [part for part in ((first, number - 1), (number + 1, last)) if part[0] <= part[1]]


Range = tuple[int, int]
"""First and last number, both in it."""


def missing_in(told: Range, gaps: Iterable[Range]) -> int:
    """How many numbers of a gap told earlier are missing still."""
    first, last = told
    return sum(max(min(last, end) - max(first, start) + 1, 0) for start, end in gaps)


def untold(gaps: Iterable[Range], told: Iterable[Range]) -> list[Range]:
    """What of the gaps lies in none that was told; rising."""
    rest = list(gaps)
    for first, last in told:
        rest = [
            part
            for start, end in rest
            for part in ((start, min(end, first - 1)), (max(start, last + 1), end))
            if part[0] <= part[1]
        ]
    return sorted(rest)
