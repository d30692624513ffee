"""What a host may give to a visitor: whom they may let in, where, for how long, how often. Pure.

A host passes on no more than they have: doors of their own, inside the days and hours of their own
right, on the same weekdays; and the visitor's right is a visitor's, which lets in nobody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Final

from scenes.community.access import EVERY_WEEKDAY, Grant, Relation

DAYS_MAX: Final = 7
USES_MAX: Final = 20
OPEN_PASSES_MAX: Final = 10
# Staff, carers and couriers are let in for their work; they let in nobody else.
HOSTING: Final = frozenset({Relation.RESIDENT, Relation.TENANT, Relation.FAMILY})


class Purpose(StrEnum):
    """What a visit is for: all that is kept of a visitor."""

    GUEST = "guest"
    REPAIR = "repair"
    DELIVERY = "delivery"
    CARE = "care"
    OTHER = "other"


class Refusal(StrEnum):
    """Why a pass is not given, in the order of the questions."""

    IN_THE_PAST = "in_the_past"
    TOO_LONG = "too_long"
    NOT_YOUR_DOOR = "not_your_door"
    BEYOND_YOUR_RIGHT = "beyond_your_right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a host asks for. Dates are local, both included; hours as in ``access.Grant``."""

    door_groups: tuple[str, ...]
    valid_from: date
    valid_to: date
    starts: time | None = None
    ends: time | None = None

    def __post_init__(self) -> None:
        assert self.door_groups
        assert self.valid_from <= self.valid_to
        assert (self.starts is None) == (self.ends is None)


def judge(visit: Visit, rights: Sequence[Grant], *, today: date) -> Refusal | None:
    """Why a host with these rights may not give this visit; None = they may."""
    if visit.valid_to < today:
        return Refusal.IN_THE_PAST
    if visit.valid_to >= today + timedelta(days=DAYS_MAX):
        return Refusal.TOO_LONG
    for group in visit.door_groups:
        own = [right for right in rights if right.door_group == group and right.relation in HOSTING]
        if not own:
            return Refusal.NOT_YOUR_DOOR
        if not any(_covers(right, visit) for right in own):
            return Refusal.BEYOND_YOUR_RIGHT
    return None


def grants_of(visit: Visit, rights: Sequence[Grant]) -> list[Grant]:
    """The visitor's grants, one for each group of doors. ``judge`` has let the visit through."""
    return [_grant(visit, group, rights) for group in visit.door_groups]


def _covers(right: Grant, visit: Visit) -> bool:
    is_within_days = right.valid_from <= visit.valid_from and visit.valid_to <= right.valid_to
    return is_within_days and _hours_fit(right, visit)


def _hours_fit(right: Grant, visit: Visit) -> bool:
    """Do the visit's hours lie inside the right's?

    Hours over midnight fit only themselves, or a right to every hour of every day: their small
    hours are on a day that the right may not have.
    """
    if right.starts is None or right.ends is None:
        over_midnight = (
            visit.starts is not None and visit.ends is not None and visit.starts > visit.ends
        )
        return not over_midnight or right.weekdays == EVERY_WEEKDAY
    if visit.starts is None or visit.ends is None:
        return False
    if (right.starts, right.ends) == (visit.starts, visit.ends):
        return True
    is_plain = right.starts <= right.ends and visit.starts <= visit.ends
    return is_plain and right.starts <= visit.starts and visit.ends <= right.ends


def _grant(visit: Visit, group: str, rights: Sequence[Grant]) -> Grant:
    own = next(
        right
        for right in rights
        if right.door_group == group and right.relation in HOSTING and _covers(right, visit)
    )
    return Grant(
        door_group=group,
        relation=Relation.VISITOR,
        valid_from=visit.valid_from,
        valid_to=visit.valid_to,
        weekdays=own.weekdays,
        starts=visit.starts,
        ends=visit.ends,
    )


def hosted_groups(rights: Sequence[Grant], *, today: date) -> list[str]:
    """The groups of doors a host may let somebody through today, sorted."""
    return sorted(
        {
            right.door_group
            for right in rights
            if right.relation in HOSTING and right.valid_from <= today <= right.valid_to
        }
    )
