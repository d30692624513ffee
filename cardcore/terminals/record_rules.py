"""Where a record goes: booked, or before a person with one stable reason. Pure.

The order of the questions is that of ``docs/terminals.md``. Nothing that a terminal accepted is
dropped: what cannot be charged is kept with the reason and whose loss it is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cardcore.terminals.record_facts import Holder
from cardcore.terminals.record_judging import CodeFacts

STALE_AFTER: Final = timedelta(days=7)
SKEW_MAX: Final = timedelta(seconds=30)
_ENDED_CARD: Final = frozenset({"card_lost", "card_inactive"})


class State(StrEnum):
    """What became of a record: a closed list."""

    BOOKED = "booked"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    REVIEW = "review"


class Liability(StrEnum):
    """Whose loss it is while a record is not charged."""

    CITIZEN = "citizen"
    MERCHANT = "merchant"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a record waits for a person: a stable reason, and whose loss it is until then."""

    reason: str
    liability: Liability = Liability.MERCHANT


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTimes:
    """The instants a record is judged by.

    ``latest_before`` is the greatest instant among the terminal's records with lower numbers.
    """

    occurred_at: datetime
    received_at: datetime
    enrolled_at: datetime
    revoked_at: datetime | None
    latest_before: datetime | None

    @property
    def clock_jumped(self) -> bool:
        """The sequence says later, the clock says earlier; or it says the future."""
        if self.occurred_at > self.received_at + SKEW_MAX:
            return True
        return self.latest_before is not None and self.occurred_at < self.latest_before - SKEW_MAX


def doubt_of_times(times: RecordTimes) -> Doubt | None:
    """What is wrong with when it was, the clock apart."""
    if times.revoked_at is not None and times.occurred_at >= times.revoked_at:
        return Doubt(reason="terminal_revoked")
    if times.occurred_at < times.enrolled_at - SKEW_MAX:
        return Doubt(reason="before_enrolment")
    if times.received_at - times.occurred_at > STALE_AFTER:
        return Doubt(reason="stale", liability=Liability.CITIZEN)
    return None


def doubt_of_evidence(fault: str) -> Doubt:
    """What is wrong with what was shown: a stable reason of ``codes.errors`` or of cards.

    A card that was reported lost, or ended, before the tap was as real as any other to the
    terminal, and its holder has done what they could.
    """
    is_ended_card = fault in _ENDED_CARD
    return Doubt(reason=fault, liability=Liability.ISSUER if is_ended_card else Liability.MERCHANT)


def doubt_of_holder(holder: Holder | None, occurred_at: datetime) -> Doubt | None:
    """What is wrong with whose code it was.

    A terminal whose list could not know yet has done nothing wrong, and neither has a citizen who
    has reported the loss: then it is the issuer's loss.
    """
    if holder is None:
        return Doubt(reason="user_unknown", liability=Liability.ISSUER)
    if holder.barred and (holder.barred_at is None or occurred_at >= holder.barred_at):
        return Doubt(reason="user_frozen", liability=Liability.ISSUER)
    return None


def doubt_of_limits(
    code: CodeFacts, holder: Holder, *, amount_fen: int, used_fen: int
) -> Doubt | None:
    """What is wrong with how much: per use, and summed over every terminal that took it."""
    if amount_fen > code.cap_fen:
        return Doubt(reason="over_limit")
    cap_fen = holder.cumulative_cap_fen
    if code.code_class == "D" and cap_fen is not None and used_fen + amount_fen > cap_fen:
        return Doubt(reason="over_limit", liability=Liability.ISSUER)
    return None
