"""Journeys made of one person's taps. Pure.

    open ──tap-off──▶ complete
      └─no tap-off──▶ incomplete ──▶ auto-completed | corrected
    any that is charged ──▶ refunded

A person's journeys are a function of the set of their taps and of the corrections made, so that
late, repeated and reordered uploads end in the same journeys. Every tap ends in exactly one state.

- Tapping on twice in a vehicle within the pass-back time is one fare.
- Tapping on elsewhere, or much later, leaves the earlier journey incomplete: the maximum fare.
- A tap-off in another vehicle, or without a tap-on, closes nothing and costs nothing: the tap-on
  may still be on its way. It is counted, and pairs once the tap-on arrives.
- A tap-off before its tap-on along the line (wrong direction set on the validator) leaves the
  journey incomplete.
- A vehicle that reaches its terminus taps off whoever did not (``TapKind.TERMINUS``).
- An incomplete journey is completed by itself where the next tap was made at a stop further along
  its line soon after: the rider must have got off there.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import ClassVar, Final, NamedTuple

from scenes.bus.leg_fares import Ride
from scenes.bus.taps import ClockRefusal, ClockRule, Tap, TapKind, happened_at


class JourneyState(StrEnum):
    """Where a journey stands."""

    OPEN = "open"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    AUTO_COMPLETED = "auto_completed"
    CORRECTED = "corrected"
    REFUNDED = "refunded"


class IncompleteReason(StrEnum):
    """Why a journey had no proper end."""

    NONE = ""
    ANOTHER_TAP_ON = "another_tap_on"
    ANOTHER_VEHICLE = "another_vehicle"
    WRONG_DIRECTION = "wrong_direction"
    TOO_LONG = "too_long"


class TapState(StrEnum):
    """The one state a tap ends in."""

    OPENED = "opened"
    CLOSED = "closed"
    SINGLE = "single"
    PASSED_BACK = "passed_back"
    UNMATCHED_OFF = "unmatched_off"
    CONFLICT = "conflict"
    CLOCK_AHEAD = "clock_ahead"
    TOO_LATE = "too_late"


_REFUSED: Final = {
    ClockRefusal.AHEAD: TapState.CLOCK_AHEAD,
    ClockRefusal.TOO_LATE: TapState.TOO_LATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyRules:
    """Times of the state machine.

    Attributes:
        pass_back_s: taps in one vehicle closer together than this are one, the bound included.
        journey_max_s: a journey without a tap-off ends after this; terminals close theirs at the
            terminus, so this is for those that did not.
        auto_complete_s: a next tap within this of the tap-on tells where the rider got off; 0
            switches auto-completion off.
    """

    pass_back_s: int = 60
    journey_max_s: int = 3 * 3600
    auto_complete_s: int = 2 * 3600
    clock: ClockRule = field(default_factory=ClockRule)


class Journey(NamedTuple):
    """One ride as far as it is known. ``journey_id`` is the id of the tap that began it."""

    journey_id: str
    state: JourneyState
    began: Tap
    began_at: datetime
    off_stop: str | None = None
    off_sequence: int | None = None
    ended_at: datetime | None = None
    reason: IncompleteReason = IncompleteReason.NONE

    @property
    def charged(self) -> bool:
        """Whether it costs anything: not while it is open, not once it was refunded."""
        return self.state not in (JourneyState.OPEN, JourneyState.REFUNDED)

    def ride(self, categories: frozenset[str] = frozenset()) -> Ride:
        """The ride to be priced; without an off-stop it costs the maximum fare."""
        return Ride(
            line_id=self.began.line_id,
            on_stop=self.began.stop,
            off_stop=self.off_stop,
            trip_id=self.began.trip_id,
            on_sequence=self.began.sequence,
            off_sequence=self.off_sequence,
            boarded_at=self.began_at,
            left_at=self.ended_at,
            categories=categories,
        )


class CorrectionKind(StrEnum):
    """What a citizen or an operator asks for."""

    EXIT = "exit"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """An accepted correction of one journey. ``off_stop`` stands with ``EXIT``."""

    journey_id: str
    kind: CorrectionKind
    made_by: str
    made_at: datetime
    off_stop: str | None = None

    def __post_init__(self) -> None:
        assert (self.kind is CorrectionKind.EXIT) == (self.off_stop is not None)


class JourneyStateError(Exception):
    """The journey's state does not allow this correction."""

    code: ClassVar[str] = "journey_state"
    retryable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyBook:
    """All journeys of a person, in order of boarding, and the state of every tap, by its id."""

    journeys: tuple[Journey, ...]
    tap_states: dict[str, TapState]


StopsAfter = Callable[[Tap], Collection[str]]


def build_journeys(
    taps: Sequence[Tap],
    rules: JourneyRules,
    as_of: datetime,
    *,
    stops_after: StopsAfter = lambda _: (),
    corrections: Sequence[Correction] = (),
) -> JourneyBook:
    """Journeys of one person.

    Args:
        taps: all that is known, in any order, repeats included.
        rules: times.
        as_of: until when journeys may still be open.
        stops_after: stops of a tap's line that come after it (``FareTable.stops_after``); none
            where that is not known.
        corrections: accepted ones, in any order.

    Returns:
        The journeys, and one state for every tap id.
    """
    states: dict[str, TapState] = {}
    timed = _timed(taps, rules.clock, states)
    machine = _Machine(rules, states)
    for at, tap in timed:
        machine.take(tap, at)
    machine.close_if_too_long(as_of)
    journeys = [
        _auto_completed(journey, timed, rules, stops_after)
        if journey.state is JourneyState.INCOMPLETE
        else journey
        for journey in machine.journeys()
    ]
    if corrections:
        journeys = [_corrected(journey, corrections) for journey in journeys]
    return JourneyBook(journeys=tuple(journeys), tap_states=states)


def check_correction(journey: Journey, kind: CorrectionKind) -> None:
    """Raise ``JourneyStateError`` unless the journey may be corrected so.

    An exit is corrected where nobody tapped off; a refund gives back what was charged.
    """
    allowed = _takes_exit(journey) if kind is CorrectionKind.EXIT else journey.charged
    if not allowed:
        raise JourneyStateError(f"a journey that is {journey.state} takes no {kind}")


@dataclass(slots=True)
class _Machine:
    """The state machine over taps in order of time."""

    rules: JourneyRules
    states: dict[str, TapState]
    _done: list[Journey]
    _open: Journey | None
    _last: tuple[Tap, datetime] | None
    _journey_max: timedelta
    _pass_back: timedelta

    def __init__(self, rules: JourneyRules, states: dict[str, TapState]) -> None:
        self.rules = rules
        self.states = states
        self._done = []
        self._open = None
        self._last = None
        self._journey_max = timedelta(seconds=rules.journey_max_s)
        self._pass_back = timedelta(seconds=rules.pass_back_s)

    def journeys(self) -> list[Journey]:
        return [*self._done, self._open] if self._open else list(self._done)

    def take(self, tap: Tap, at: datetime) -> None:
        if self._is_pass_back(tap, at):
            self.states[tap.tap_id] = TapState.PASSED_BACK
            return
        self.close_if_too_long(at)
        if tap.kind in (TapKind.OFF, TapKind.TERMINUS):
            self.states[tap.tap_id] = self._take_off(tap, at)
        else:
            self._close(IncompleteReason.ANOTHER_TAP_ON)
            if tap.kind is TapKind.ON:
                self._open = _begun(tap, at, JourneyState.OPEN)
                self.states[tap.tap_id] = TapState.OPENED
            else:
                self._done.append(_ridden(tap, at))
                self.states[tap.tap_id] = TapState.SINGLE
        self._last = (tap, at)

    def close_if_too_long(self, at: datetime) -> None:
        journey = self._open
        if journey is not None and at - journey.began_at > self._journey_max:
            self._close(IncompleteReason.TOO_LONG)

    def _take_off(self, tap: Tap, at: datetime) -> TapState:
        journey = self._open
        if journey is None:
            return TapState.UNMATCHED_OFF
        began = journey.began
        if (tap.vehicle_id, tap.line_id) != (began.vehicle_id, began.line_id):
            self._close(IncompleteReason.ANOTHER_VEHICLE)
            return TapState.UNMATCHED_OFF
        if (
            tap.sequence is not None
            and began.sequence is not None
            and tap.trip_id == began.trip_id
            and tap.sequence < began.sequence
        ):
            self._close(IncompleteReason.WRONG_DIRECTION)
            return TapState.CLOSED
        self._open = None
        at_terminus = tap.kind is TapKind.TERMINUS
        self._done.append(
            journey._replace(
                state=JourneyState.AUTO_COMPLETED if at_terminus else JourneyState.COMPLETE,
                off_stop=tap.stop,
                off_sequence=tap.sequence,
                ended_at=at,
            )
        )
        return TapState.CLOSED

    def _close(self, reason: IncompleteReason) -> None:
        if self._open is not None:
            self._done.append(self._open._replace(state=JourneyState.INCOMPLETE, reason=reason))
            self._open = None

    def _is_pass_back(self, tap: Tap, at: datetime) -> bool:
        """The same thing done again in the same vehicle a moment later."""
        if self._last is None:
            return False
        last, last_at = self._last
        return (
            (tap.kind, tap.vehicle_id, tap.line_id) == (last.kind, last.vehicle_id, last.line_id)
            and self.states[last.tap_id] is not TapState.UNMATCHED_OFF
            and at - last_at <= self._pass_back
        )


def _timed(
    taps: Sequence[Tap], clock: ClockRule, states: dict[str, TapState]
) -> list[tuple[datetime, Tap]]:
    """Each tap once, at the time it happened, in order; the others get their state here."""
    first: dict[tuple[str, int | str], Tap] = {}
    # Ids are made at the tap and rise with time: whichever record of a counter arrives first, the
    # one that was made first stands.
    for tap in sorted(taps, key=_BY_ID):
        counter = tap.terminal_counter
        name = (tap.terminal_id, tap.tap_id if counter is None else counter)
        known = first.setdefault(name, tap)
        if known.tap_id != tap.tap_id:
            # One counter, two records: a cloned terminal or a reset counter. A person decides.
            states[tap.tap_id] = TapState.CONFLICT
    timed: list[tuple[datetime, Tap]] = []
    for tap in first.values():
        at = happened_at(tap, clock)
        if isinstance(at, datetime):
            timed.append((at, tap))
        else:
            states[tap.tap_id] = _REFUSED[at]
    return sorted(timed, key=_order_of_events)


_BY_ID: Final = attrgetter("tap_id", "received_at")


def _order_of_events(one: tuple[datetime, Tap]) -> tuple[datetime, str, int, str]:
    at, tap = one
    return at, tap.terminal_id, tap.terminal_counter or 0, tap.tap_id


def _ridden(tap: Tap, at: datetime) -> Journey:
    """A ride that one tap tells of."""
    whole = _begun(tap, at, JourneyState.COMPLETE)
    if tap.off_stop is None:
        return whole
    return whole._replace(off_stop=tap.off_stop, off_sequence=tap.off_sequence, ended_at=at)


def _begun(tap: Tap, at: datetime, state: JourneyState) -> Journey:
    return Journey(journey_id=tap.tap_id, state=state, began=tap, began_at=at)


def _auto_completed(
    journey: Journey,
    timed: Sequence[tuple[datetime, Tap]],
    rules: JourneyRules,
    stops_after: StopsAfter,
) -> Journey:
    """The journey completed by the person's next tap, where that tells where they got off."""
    limit = journey.began_at + timedelta(seconds=rules.auto_complete_s)
    following = next(
        (
            (at, tap)
            for at, tap in timed
            if at > journey.began_at and tap.vehicle_id != journey.began.vehicle_id
        ),
        None,
    )
    if following is None or following[0] > limit:
        return journey
    at, tap = following
    if tap.stop not in stops_after(journey.began):
        return journey
    return journey._replace(state=JourneyState.AUTO_COMPLETED, off_stop=tap.stop, ended_at=at)


def _takes_exit(journey: Journey) -> bool:
    return journey.state in (
        JourneyState.INCOMPLETE,
        JourneyState.AUTO_COMPLETED,
        JourneyState.CORRECTED,
    )


def _corrected(journey: Journey, corrections: Sequence[Correction]) -> Journey:
    """Corrections applied in the order they were made.

    One that no longer fits is moot: the missing tap-off arrived, and says more than a claim.
    """
    mine = [one for one in corrections if one.journey_id == journey.journey_id]
    for correction in sorted(mine, key=lambda one: (one.made_at, one.made_by)):
        if correction.kind is CorrectionKind.REFUND:
            if journey.charged:
                journey = journey._replace(state=JourneyState.REFUNDED)
        elif _takes_exit(journey):
            journey = journey._replace(state=JourneyState.CORRECTED, off_stop=correction.off_stop)
    return journey
