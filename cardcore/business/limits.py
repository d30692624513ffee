"""Limits on orders: what each rule counts, in which window, and when it stands against an order.

Pure. Windows are fixed, not sliding: a business day, a business month, or so many seconds counted
from the epoch. They begin and end at instants anybody can compute, so a refusal can say until
when; the price is that twice the limit may fall into one sliding window across a boundary.
A limit counts what was asked: a void, an expiry or a refund gives nothing back to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from cardcore.calendar import day_begins
from cardcore.errors import LimitExceededError
from cardcore.values import value

EVERY_SCENE: Final = "*"


class LimitSubject(StrEnum):
    """Whose orders a rule counts."""

    USER = "user"
    TERMINAL = "terminal"
    MERCHANT = "merchant"
    DELEGATION = "delegation"  # limits that a delegation carries itself, never a rule of the city


class Measure(StrEnum):
    """What it counts: fen of the citizen's share, or orders of any amount, records included."""

    AMOUNT = "amount"
    COUNT = "count"


class Period(StrEnum):
    """The window it counts in; ``order`` is one order alone."""

    ORDER = "order"
    DAY = "day"
    MONTH = "month"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """One version of one limit. ``limit_max`` in fen or in orders, by ``measure``."""

    limit_id: str
    version: int
    scene: str
    subject: LimitSubject
    measure: Measure
    period: Period
    period_s: int
    limit_max: int


@value
class Asking:
    """What one order asks for, as the limits see it. ``at`` is when it was received."""

    scene: str
    user_id: UUID
    terminal_id: str
    merchant_id: str
    citizen_fen: int
    at: datetime
    business_on: date
    delegation_id: UUID | None = None


CounterKey = tuple[str, str, datetime]


@value
class Use:
    """What one order takes of one limit in one window."""

    rule: LimitRule
    subject: str
    window_from: datetime
    until: datetime
    added: int

    @property
    def key(self) -> CounterKey:
        """Names the counter."""
        return (self.subject, self.rule.limit_id, self.window_from)


def uses_of(rules: Iterable[LimitRule], asking: Asking, cut_off: time) -> list[Use]:
    """What an order takes of every limit that counts over a window.

    Raises:
        LimitExceededError: it is beyond the limit of a single order.
    """
    uses = []
    for rule in rules:
        added = asking.citizen_fen if rule.measure is Measure.AMOUNT else 1
        if rule.scene not in (EVERY_SCENE, asking.scene) or not added:
            continue
        if rule.period is Period.ORDER:
            if added > rule.limit_max:
                raise _refusal(rule, used=0, added=added, until=None)
            continue
        window_from, until = window(rule, asking, cut_off)
        uses.append(
            Use(
                rule=rule,
                subject=subject_of(rule.subject, asking),
                window_from=window_from,
                until=until,
                added=added,
            )
        )
    return uses


def check(
    uses: Sequence[Use], used: Mapping[CounterKey, int], batch: Mapping[CounterKey, int]
) -> bool:
    """Do the limits let an order through?

    Args:
        uses: what it takes of each.
        used: what the books say was used of each.
        batch: what orders of the same batch take that are decided and not yet booked.

    Returns:
        False where only the batch stands against it: those may yet fail, so it is to be asked
        again when they are booked.

    Raises:
        LimitExceededError: the books stand against it.
    """
    free = True
    for use in uses:
        booked = used.get(use.key, 0)
        if booked + use.added > use.rule.limit_max:
            raise _refusal(use.rule, used=booked, added=use.added, until=use.until)
        if booked + batch.get(use.key, 0) + use.added > use.rule.limit_max:
            free = False
    return free


def subject_of(subject: LimitSubject, asking: Asking) -> str:
    """Whose counter it is."""
    names: dict[LimitSubject, UUID | str | None] = {
        LimitSubject.USER: asking.user_id,
        LimitSubject.TERMINAL: asking.terminal_id,
        LimitSubject.MERCHANT: asking.merchant_id,
        LimitSubject.DELEGATION: asking.delegation_id,
    }
    return f"{subject.value}:{names[subject]}"


def window(rule: LimitRule, asking: Asking, cut_off: time) -> tuple[datetime, datetime]:
    """First instant of the window an order falls into, and the first after it; UTC."""
    if rule.period is Period.SECONDS:
        second = int(asking.at.timestamp())
        start = datetime.fromtimestamp(second - second % rule.period_s, UTC)
        return start, start + timedelta(seconds=rule.period_s)
    day = asking.business_on
    if rule.period is Period.DAY:
        return day_begins(day, cut_off), day_begins(day + timedelta(days=1), cut_off)
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return day_begins(first, cut_off), day_begins(following, cut_off)


def _refusal(
    rule: LimitRule, *, used: int, added: int, until: datetime | None
) -> LimitExceededError:
    unit = "fen" if rule.measure is Measure.AMOUNT else "count"
    facts: dict[str, object] = {
        "limit": rule.limit_id,
        "limit_version": rule.version,
        f"limit_{unit}": rule.limit_max,
        f"used_{unit}": used,
        f"asked_{unit}": added,
    }
    if until is not None:
        facts["until"] = until.isoformat()
    refusal = LimitExceededError(field="business.amount_fen" if unit == "fen" else None)
    refusal.facts = facts
    return refusal
