"""Who may pass which door when. Pure: the same rule runs at a gate without a connection.

Access = relation + time + door. The credential itself was checked before by the core. A door
belongs to groups (a whole community, one building, the bicycle shed); a grant ties a person to a
group for some days and hours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from typing import Final
from uuid import UUID

EVERY_WEEKDAY: Final = frozenset(range(7))


class Relation(StrEnum):
    """What a person is to the place."""

    RESIDENT = "resident"
    TENANT = "tenant"
    FAMILY = "family"
    CARER = "carer"
    STAFF = "staff"
    VISITOR = "visitor"
    COURIER = "courier"


class Decision(StrEnum):
    """The gate's answer: open, or the one reason why not, checked in this order."""

    OPEN = "open"
    DOOR_UNKNOWN = "door_unknown"
    NO_RELATION = "no_relation"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside_hours"
    PASS_USED_UP = "pass_used_up"  # noqa: S105  (a reason, not a password)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassUses:
    """How often a visitor's pass may be used, and how often the server knows that it was."""

    uses_max: int
    used: int = 0

    @property
    def are_up(self) -> bool:
        """No use is left for certain; a gate that knows of more uses counts those."""
        return self.used >= self.uses_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One person's right to one door group.

    ``valid_from`` and ``valid_to`` are local dates, both included. ``starts`` and ``ends`` are
    local times, the end not included; ``starts`` after ``ends`` runs over midnight and then
    belongs to the day it started; both None is the whole day.
    """

    door_group: str
    relation: Relation
    valid_from: date
    valid_to: date
    weekdays: frozenset[int] = EVERY_WEEKDAY
    starts: time | None = None
    ends: time | None = None

    def __post_init__(self) -> None:
        assert self.valid_from <= self.valid_to
        assert (self.starts is None) == (self.ends is None)

    def hours_allow(self, on: date, at: time) -> bool:
        """Whether weekday and hours allow passing."""
        if self.starts is None or self.ends is None:
            return on.weekday() in self.weekdays
        if self.starts <= self.ends:
            return on.weekday() in self.weekdays and self.starts <= at < self.ends
        if at >= self.starts:
            return on.weekday() in self.weekdays
        return (on.weekday() - 1) % 7 in self.weekdays and at < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessBook:
    """Doors and grants as a gate knows them. Immutable; a change is a new book.

    Attributes:
        groups_of_door: door to the groups it belongs to.
        grants_of_user: user to all grants, valid or not, so that a refusal can say why.
        uses_of_user: visitors whose pass is good for a number of uses; others have no limit.
    """

    groups_of_door: Mapping[str, frozenset[str]] = field(default_factory=dict)
    grants_of_user: Mapping[UUID, Sequence[Grant]] = field(default_factory=dict)
    uses_of_user: Mapping[UUID, PassUses] = field(default_factory=dict)

    def decide(self, user_id: UUID, door: str, on: date, at: time) -> Decision:
        """Whether a person may pass.

        Args:
            user_id: the person.
            door: the door's name.
            on: local date of the passage.
            at: local time of the passage.

        Returns:
            ``OPEN`` when any grant allows it, else the reason of the grant that came nearest.
        """
        groups = self.groups_of_door.get(door)
        if groups is None:
            return Decision.DOOR_UNKNOWN
        grants = [
            grant for grant in self.grants_of_user.get(user_id, ()) if grant.door_group in groups
        ]
        answer = nearest(_answer(grant, on, at) for grant in grants)
        uses = self.uses_of_user.get(user_id)
        if answer is Decision.OPEN and uses is not None and uses.are_up:
            return Decision.PASS_USED_UP
        return answer


def nearest(answers: Iterable[Decision]) -> Decision:
    """The most favourable of the grants' answers; no grant at all is ``NO_RELATION``."""
    order = (
        Decision.OPEN,
        Decision.OUTSIDE_HOURS,
        Decision.NOT_YET_VALID,
        Decision.EXPIRED,
        Decision.NO_RELATION,
    )
    return min(answers, key=order.index, default=Decision.NO_RELATION)


def _answer(grant: Grant, on: date, at: time) -> Decision:
    if on < grant.valid_from:
        return Decision.NOT_YET_VALID
    if on > grant.valid_to:
        return Decision.EXPIRED
    return Decision.OPEN if grant.hours_allow(on, at) else Decision.OUTSIDE_HOURS
