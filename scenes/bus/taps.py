"""Taps as validators report them, and at what time they really happened. Pure values and rules.

A tap is known by its terminal and the terminal's own counter, given when it was made: the same tap
uploaded twice is one tap. A terminal whose clock is wrong says so by the time it sends its upload:
the difference to our clock at receipt is taken off every tap of that upload.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple


class TapKind(StrEnum):
    """What a validator was set to when the card or code was read."""

    ON = "on"
    OFF = "off"
    SINGLE = "single"  # one tap is the whole ride
    TERMINUS = "terminus"  # the vehicle reached its terminus with this rider not tapped off


class Tap(NamedTuple):
    """One reading.

    Attributes:
        tap_id: of the record, made at tap time; the same tap uploaded again has the same.
        terminal_id, terminal_counter: who read it, and its how manieth reading it was; None where
            the core has seen to it already that it was read once (an order).
        tapped_at: by the terminal's clock; all instants are aware.
        sent_at: by the terminal's clock, when this upload left it; None while online.
        received_at: by our clock.
        stop, sequence: where; sequence None where the validator does not know it.
        off_stop, off_sequence: where the ride ended, of a single tap that tells it too.
    """

    tap_id: str
    kind: TapKind
    terminal_id: str
    terminal_counter: int | None
    line_id: str
    vehicle_id: str
    stop: str
    tapped_at: datetime
    received_at: datetime
    sent_at: datetime | None = None
    trip_id: str = ""
    sequence: int | None = None
    off_stop: str | None = None
    off_sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRule:
    """How far a terminal's clock may be off before it is corrected, and how late a tap may come.

    ``skew_s``: differences up to this are the network's, not the clock's. ``late_s``: a tap older
    than this at receipt goes to a person to look at, with everything that makes it up.
    """

    skew_s: int = 30
    late_s: int = 7 * 86_400

    @property
    def skew(self) -> timedelta:
        """``skew_s``, to be taken off instants."""
        return _duration(self.skew_s)

    @property
    def late(self) -> timedelta:
        """``late_s``, to be taken off instants."""
        return _duration(self.late_s)


@cache
def _duration(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


class ClockRefusal(StrEnum):
    """Why a tap cannot be placed in time; it goes to review and is not charged."""

    AHEAD = "ahead"
    TOO_LATE = "too_late"


def happened_at(tap: Tap, rule: ClockRule) -> datetime | ClockRefusal:
    """When a tap really happened, or why that cannot be said.

    The clock's error is what the terminal thought the time was when it sent, against when we
    received. Without a sending time the tap is taken at its word, if that is possible at all.
    """
    skew = rule.skew
    at = tap.tapped_at
    if tap.sent_at is not None:
        error = tap.received_at - tap.sent_at
        if abs(error) > skew:
            at += error
    if at > tap.received_at + skew:
        return ClockRefusal.AHEAD
    if tap.received_at - at > rule.late:
        return ClockRefusal.TOO_LATE
    return at
