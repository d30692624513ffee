"""Caps: the most a citizen pays for riding in a day and in a week. Pure.

Caps look at the citizen's share after concessions. A day is a business day, a week runs from Monday
to Sunday of business days. Daily caps come first; weekly caps count what the daily ones left. What
a cap takes off is relief: a line of its own, borne by whom the cap names.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from cardcore.business.quote import Payer


class Period(StrEnum):
    """What a cap runs over, in the order caps are applied."""

    DAY = "day"
    WEEK = "week"

    def starts_on(self, on: date) -> date:
        """First business day of the period a business day lies in."""
        return on if self is Period.DAY else on - timedelta(days=on.weekday())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One cap of the city.

    Attributes:
        name: stable, goes onto the charge.
        payer: who bears the relief; the merchant is the operator forgoing it.
        lines: lines it counts and relieves; None for all.
        concessions: classes it is granted to; None for everyone.
        valid_from, valid_to: business dates, both included; None for no bound.
    """

    name: str
    period: Period
    cap_fen: int
    payer: Payer = Payer.MERCHANT
    lines: frozenset[str] | None = None
    concessions: frozenset[str] | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def __post_init__(self) -> None:
        assert self.cap_fen >= 0
        assert self.payer is not Payer.CITIZEN

    def holds(self, on: date, line_id: str, classes: Collection[str]) -> bool:
        """Whether a ride counts towards this cap."""
        return (
            (self.lines is None or line_id in self.lines)
            and (self.concessions is None or not self.concessions.isdisjoint(classes))
            and (self.valid_from is None or self.valid_from <= on)
            and (self.valid_to is None or on <= self.valid_to)
        )


class CapRide(NamedTuple):
    """A ride as caps see it: the citizen's share after concession."""

    line_id: str
    business_on: date
    classes: frozenset[str]
    citizen_fen: int


class Relief(NamedTuple):
    """What one cap takes off one ride, > 0."""

    cap: Cap
    amount_fen: int


def apply_caps(rides: Sequence[CapRide], caps: Sequence[Cap]) -> list[tuple[Relief, ...]]:
    """Reliefs of each ride.

    Args:
        rides: one person's rides in order of boarding; they must begin at the start of a week,
            or a weekly cap would not see what was paid before.
        caps: caps in force; within a period they apply in this order.

    Returns:
        Reliefs per ride; together never more than its citizen's share.
    """
    return apply_own_caps([(ride, caps) for ride in rides])


def apply_own_caps(rides: Sequence[tuple[CapRide, Sequence[Cap]]]) -> list[tuple[Relief, ...]]:
    """As ``apply_caps``, each ride with the caps in force when it was ridden.

    Caps of one name are one cap, however its amount changed in between.
    """
    paid_fen: dict[tuple[str, date], int] = defaultdict(int)
    found: list[tuple[Relief, ...]] = []
    for ride, caps in rides:
        if not caps:
            found.append(())
            continue
        ordered = sorted(caps, key=lambda cap: cap.period is Period.WEEK)
        left_fen = ride.citizen_fen
        reliefs: list[Relief] = []
        held = [cap for cap in ordered if cap.holds(ride.business_on, ride.line_id, ride.classes)]
        for cap in held:
            room_fen = max(cap.cap_fen - paid_fen[_key(cap, ride)], 0)
            if left_fen > room_fen:
                reliefs.append(Relief(cap, left_fen - room_fen))
                left_fen = room_fen
        for cap in held:
            paid_fen[_key(cap, ride)] += left_fen
        found.append(tuple(reliefs))
    return found


def _key(cap: Cap, ride: CapRide) -> tuple[str, date]:
    return cap.name, cap.period.starts_on(ride.business_on)
