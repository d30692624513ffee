"""Which passages of one plate at one car park make one stay. Pure.

Cameras send late, twice and out of order, and sometimes not at all. So a stay is never something
that is updated: it is what all passages known so far say, read in the order in which they happened.
The same passages in any order of arrival give the same stays (a property test says so), and every
passage ends in exactly one stay:

| passage | the car is | becomes |
|---|---|---|
| in | outside | the entry of a new stay |
| in | inside, its entry seen within a minute | the same entry, seen again |
| in | inside | the entry of a new stay; the one before ends without an exit |
| out | inside | the exit |
| out | outside, its exit seen within half an hour | the same exit, seen again |
| out | outside | a stay of its own, without an entry |
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

SEEN_AGAIN_WITHIN: Final = timedelta(seconds=60)
# A car may wait at the gate, or turn round and come again: that is no second exit.
LEAVING_AGAIN_WITHIN: Final = timedelta(minutes=30)


class Direction(StrEnum):
    """Which way a lane leads."""

    IN = "in"
    OUT = "out"


class StayState(StrEnum):
    """What is known of a stay: a closed list."""

    OPEN = "open"
    COMPLETE = "complete"
    ENTRY_MISSED = "entry_missed"
    EXIT_MISSED = "exit_missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One reading of a plate in a lane; ``at`` is when it happened, by the lane's clock."""

    passage_id: UUID
    direction: Direction
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One time a car was there; ``passages`` are all that belong to it, first to last."""

    entry: Passage | None
    exit: Passage | None
    state: StayState
    passages: tuple[Passage, ...]

    @property
    def first(self) -> Passage:
        """What it began with, as far as anybody saw. A stay is named by it."""
        return self.passages[0]

    @property
    def ended_at(self) -> datetime | None:
        """When the car was seen to leave."""
        return None if self.exit is None else self.exit.at


@dataclass(slots=True)
class _Fold:
    stays: list[Stay] = field(default_factory=list)
    here: list[Passage] = field(default_factory=list)

    def take(self, passage: Passage) -> None:
        if passage.direction is Direction.IN:
            if self.here and passage.at - self.here[0].at > SEEN_AGAIN_WITHIN:
                self.end(None)
            self.here.append(passage)
        elif self.here:
            self.here.append(passage)
            self.end(passage)
        elif self._has_just_left(passage):
            last = self.stays[-1]
            self.stays[-1] = Stay(
                entry=last.entry,
                exit=last.exit,
                state=last.state,
                passages=(*last.passages, passage),
            )
        else:
            self.stays.append(
                Stay(entry=None, exit=passage, state=StayState.ENTRY_MISSED, passages=(passage,))
            )

    def end(self, exit_: Passage | None, state: StayState = StayState.EXIT_MISSED) -> None:
        self.stays.append(
            Stay(
                entry=self.here[0],
                exit=exit_,
                state=state if exit_ is None else StayState.COMPLETE,
                passages=tuple(self.here),
            )
        )
        self.here = []

    def _has_just_left(self, passage: Passage) -> bool:
        last = self.stays[-1].exit if self.stays else None
        return last is not None and passage.at - last.at <= LEAVING_AGAIN_WITHIN


def stays_of(passages: Iterable[Passage]) -> Sequence[Stay]:
    """The stays that passages of one plate at one car park make.

    Args:
        passages: in any order, each once.

    Returns:
        Stays, earliest first; only the last can be open.
    """
    fold = _Fold()
    waiting = sorted(passages, key=lambda one: (one.at, one.passage_id), reverse=True)
    while waiting:
        # At one instant, what fits comes first: out where the car is inside, in where it is not.
        same = [one for one in waiting if one.at == waiting[-1].at]
        fitting = Direction.OUT if fold.here else Direction.IN
        chosen = next((one for one in reversed(same) if one.direction is fitting), same[-1])
        waiting.remove(chosen)
        fold.take(chosen)
    if fold.here:
        fold.end(None, StayState.OPEN)
    return fold.stays
