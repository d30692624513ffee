"""The rules of registering (挂号): who may have which place, and what may become of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from scenes.hospital.errors import (
    CancelWindowError,
    RegistrationLimitError,
    RegistrationStateError,
    SlotUnavailableError,
)


class RegistrationState(StrEnum):
    """Where a registration stands."""

    HELD = "held"  # the place is kept for the time of paying
    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    CALLED = "called"
    PASSED = "passed"  # called, and not there
    SEEN = "seen"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    NO_SHOW = "no_show"


class RegistrationStep(StrEnum):
    """What happens to a registration."""

    CONFIRM = "confirm"
    CHECK_IN = "check_in"
    CALL = "call"
    PASS = "pass"  # noqa: S105  (a step, not a secret)
    SEE = "see"
    CANCEL = "cancel"
    LAPSE = "lapse"
    MISS = "miss"


S, T = RegistrationState, RegistrationStep
STEPS: Final[dict[tuple[RegistrationState, RegistrationStep], RegistrationState]] = {
    (S.HELD, T.CONFIRM): S.BOOKED,
    (S.HELD, T.CANCEL): S.CANCELLED,
    (S.HELD, T.LAPSE): S.LAPSED,
    (S.BOOKED, T.CHECK_IN): S.CHECKED_IN,
    (S.BOOKED, T.CANCEL): S.CANCELLED,
    (S.BOOKED, T.MISS): S.NO_SHOW,
    (S.CHECKED_IN, T.CALL): S.CALLED,
    (S.PASSED, T.CALL): S.CALLED,
    (S.PASSED, T.MISS): S.NO_SHOW,
    (S.CALLED, T.PASS): S.PASSED,
    (S.CALLED, T.SEE): S.SEEN,
}
# What gives the place back to others.
FREEING: Final = frozenset({S.CANCELLED, S.LAPSED})


def after(state: str, step: RegistrationStep) -> RegistrationState:
    """Where a step leads. Raises ``RegistrationStateError``."""
    found = STEPS.get((RegistrationState(state), step))
    if found is None:
        raise RegistrationStateError(field="registration_id", status=state)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One hospital's rules of registering.

    Attributes:
        hold_s: how long a place is kept for paying.
        cancel_before_s: until how long before its time a place may be given back.
        days_ahead: how many days ahead registration is open; 0: today alone.
        per_day_max: places of one person on one day.
        no_show_max: so many missed visits within ``no_show_days`` bar from further ones for
            ``blocked_days`` after the last.
    """

    hold_s: int
    cancel_before_s: int
    days_ahead: int
    per_day_max: int
    no_show_max: int
    no_show_days: int
    blocked_days: int


def check_open(
    rules: Rules, *, status: str, ends_at: datetime, visit_on: date, now: datetime, today: date
) -> None:
    """May anybody register on this schedule now?

    Raises:
        SlotUnavailableError: stopped, over, or not open yet; ``facts`` say which.
    """
    reason = None
    if status != "open":
        reason = "stopped"
    elif ends_at <= now:
        reason = "over"
    elif visit_on > today + timedelta(days=rules.days_ahead):
        reason = "not_open_yet"
    if reason is not None:
        raise SlotUnavailableError(field="schedule_id", reason=reason)


def check_person(
    rules: Rules, *, places_of_day: int, missed_on: Sequence[date], today: date
) -> None:
    """May this person have another place on that day?

    Args:
        rules: the hospital's.
        places_of_day: places the person has on the day of the visit, of any department.
        missed_on: days of visits the person missed, any order.
        today: local date.

    Raises:
        RegistrationLimitError: ``facts`` name the limit, and until when it stands.
    """
    if places_of_day >= rules.per_day_max:
        raise RegistrationLimitError(limit="per_day", limit_count=rules.per_day_max)
    until = blocked_until(rules, missed_on)
    if until is not None and today < until:
        raise RegistrationLimitError(
            limit="no_show", limit_count=rules.no_show_max, until=until.isoformat()
        )


def blocked_until(rules: Rules, missed_on: Sequence[date]) -> date | None:
    """First day on which somebody who missed these visits may register again; None: at once."""
    days = sorted(missed_on)
    until = None
    for index in range(rules.no_show_max - 1, len(days)):
        span = days[index] - days[index - rules.no_show_max + 1]
        if span <= timedelta(days=rules.no_show_days):
            until = days[index] + timedelta(days=rules.blocked_days + 1)
    return until


def check_cancel(rules: Rules, *, state: str, slot_at: datetime, now: datetime) -> None:
    """May the place be given back?

    Raises:
        RegistrationStateError: there is nothing to give back.
        CancelWindowError: it is too late; what is only held may always go.
    """
    after(state, RegistrationStep.CANCEL)
    until = slot_at - timedelta(seconds=rules.cancel_before_s)
    if state == RegistrationState.BOOKED and now > until:
        raise CancelWindowError(field="registration_id", until=until.isoformat())


def slot_times(starts_at: datetime, ends_at: datetime, count: int) -> list[datetime]:
    """Times of the places of a half day: equally apart, to whole minutes."""
    step_s = (ends_at - starts_at).total_seconds() / count
    return [starts_at + timedelta(minutes=int(step_s * number // 60)) for number in range(count)]


def walk_in_numbers(count: int, walk_in_count: int) -> frozenset[int]:
    """Which of the places 1 … ``count`` are for those without an appointment.

    Spread over the half day, so that nobody who comes early waits until its end.
    """
    return frozenset((number + 1) * count // walk_in_count for number in range(walk_in_count))
