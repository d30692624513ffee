"""Who is called next (叫号). Pure.

Priority before others; then by turn. A turn is the queue number, taken at check-in; who was called
and not there comes again after ``PASSED_BEHIND`` others, not at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

PASSED_BEHIND: Final = 3
TURNS_APART: Final = 1_000  # between two who have just come, so that others fit in


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody who is waiting: ``turn`` is where in the row, ``priority`` 1 before 0."""

    registration_id: UUID
    priority: int
    turn: int
    queue_no: int


def in_order(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Everybody, the next to be called first."""
    return sorted(waiting, key=lambda one: (-one.priority, one.turn, one.queue_no))


def next_of(waiting: Sequence[Waiting]) -> Waiting | None:
    """The next to be called; None where nobody waits."""
    return min(waiting, key=lambda one: (-one.priority, one.turn, one.queue_no), default=None)


def ahead_of(registration_id: UUID, waiting: Sequence[Waiting]) -> int | None:
    """How many are called before; None for somebody who does not wait."""
    for position, one in enumerate(in_order(waiting)):
        if one.registration_id == registration_id:
            return position
    return None


def turn_after_passing(passed: Waiting, waiting: Sequence[Waiting]) -> int:
    """The turn of somebody who was called and not there: behind the next few of their kind."""
    others = [
        one
        for one in in_order(waiting)
        if one.priority == passed.priority and one.registration_id != passed.registration_id
    ]
    if not others:
        return passed.turn
    return max(passed.turn, others[min(PASSED_BEHIND, len(others)) - 1].turn + 1)
