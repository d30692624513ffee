"""When what is owed is asked for again, and when patience ends. Pure.

At the exit the purse paid what it could and the credit line the rest. The rest is collected from
the purse: when the citizen asks, and on this schedule, with a notice after each attempt that found
too little. After the last one, or when something has been owed for too long, the person is on the
grey list: their cars pay first, everywhere, until nothing is owed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

ATTEMPTS_AFTER: Final = (
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
)
OWED_MAX: Final = timedelta(days=14)


class DebtState(StrEnum):
    """How a person stands."""

    CLEAR = "clear"
    OWING = "owing"
    GREY = "grey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What is owed since when, how often it was asked for, and when the next time is.

    A clear one has no instants. On the grey list it is asked for daily: one never leaves it but by
    paying.
    """

    state: DebtState = DebtState.CLEAR
    owed_fen: int = 0
    since: datetime | None = None
    attempts: int = 0
    next_at: datetime | None = None


def after_charge(debt: Debt, owed_fen: int, at: datetime) -> Debt:
    """More, or the first, is owed: the schedule of what is owed already goes on."""
    if owed_fen <= 0:
        return Debt()
    if debt.state is DebtState.CLEAR:
        first = at + ATTEMPTS_AFTER[0]
        return Debt(state=DebtState.OWING, owed_fen=owed_fen, since=at, next_at=first)
    return Debt(
        state=debt.state,
        owed_fen=owed_fen,
        since=debt.since,
        attempts=debt.attempts,
        next_at=debt.next_at,
    )


def after_attempt(debt: Debt, owed_fen: int, at: datetime) -> Debt:
    """An attempt was made and left ``owed_fen``; 0 clears everything, the grey list too."""
    if owed_fen <= 0:
        return Debt()
    assert debt.since is not None
    attempts = debt.attempts + 1
    exhausted = attempts >= len(ATTEMPTS_AFTER) or at - debt.since >= OWED_MAX
    grey = debt.state is DebtState.GREY or exhausted
    wait = timedelta(days=1) if grey else ATTEMPTS_AFTER[attempts]
    return Debt(
        state=DebtState.GREY if grey else DebtState.OWING,
        owed_fen=owed_fen,
        since=debt.since,
        attempts=attempts,
        next_at=at + wait,
    )
