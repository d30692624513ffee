"""One person's week: from their taps to priced journeys and what is still to be booked. Pure.

Everything is a function of what is known of the person in that week: taps, corrections, classes.
Asked again with the same it answers the same; asked with one more tap it answers what the books
should say, and the difference to what they say is booked as signed entries.

A journey belongs to the week of the business date it began on. Taps a few hours around the week are
looked at too, since a journey may end after its week and the rider may have been let on before it.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from cardcore.business.quote import Payer
from cardcore.calendar import CUT_OFF_DEFAULT, business_date, day_begins
from scenes.bus.caps import Period
from scenes.bus.journeys import Correction, Journey, JourneyRules, TapState, build_journeys
from scenes.bus.leg_fares import FareRefusedError
from scenes.bus.rides import Adjustment, RideCharge, RiderRide, RulesInForce, price_rides
from scenes.bus.taps import Tap

# Longer than any journey: what lies further off cannot change how a tap is read.
WEEK_MARGIN: Final = timedelta(hours=4)

ClassesOn = Callable[[date], frozenset[str]]
Booked = Mapping[str, Mapping[Payer, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonWeek:
    """What is known of one person around one week.

    Attributes:
        week_on: its Monday.
        taps: those around the week, in any order, repeats and conflicts left out or not.
        corrections: accepted ones.
        classes_on: entitlement classes of a business date.
        booked: by journey and payer, the sum of the entries of this week.
    """

    week_on: date
    taps: Sequence[Tap]
    corrections: Sequence[Correction] = ()
    classes_on: ClassesOn = field(default=lambda _: frozenset[str]())
    booked: Booked = field(default_factory=dict)


class PricedJourney(NamedTuple):
    """A journey with its price.

    ``charge`` is None where nothing is charged: open, refunded, or ``unpriced``, which names why
    no price is known. ``money`` is what moves of it, by who pays. ``chain_id`` is the journey its
    chain of transfers began with.
    """

    journey: Journey
    business_on: date
    charge: RideCharge | None
    money: Mapping[Payer, int]
    chain_id: str
    unpriced: str = ""


class PricedWeek(NamedTuple):
    """The week as it should stand.

    ``tap_states`` is right for taps of the week itself; the hours around it are seen in part.
    """

    journeys: tuple[PricedJourney, ...]
    tap_states: dict[str, TapState]
    adjustments: tuple[Adjustment, ...]


def week_of(at: datetime, cut_off: time = CUT_OFF_DEFAULT) -> date:
    """Monday of the week an instant's business date lies in."""
    return Period.WEEK.starts_on(business_date(at, cut_off))


def weeks_touched(at: datetime, cut_off: time = CUT_OFF_DEFAULT) -> set[date]:
    """Weeks in whose pricing a tap at this instant takes part."""
    return {week_of(at + shift, cut_off) for shift in (-WEEK_MARGIN, timedelta(), WEEK_MARGIN)}


class WeekFinder:
    """``weeks_touched`` of many taps: the calendar is asked once for taps of the same week."""

    def __init__(self, cut_off: time) -> None:
        self._cut_off = cut_off
        self._begins = self._ends = datetime.min.replace(tzinfo=UTC)
        self._weeks: tuple[date, ...] = ()

    def touched(self, at: datetime) -> Collection[date]:
        """Weeks in whose pricing a tap at this instant takes part."""
        if self._begins <= at < self._ends:
            return self._weeks
        weeks = tuple(weeks_touched(at, self._cut_off))
        if len(weeks) == 1:  # far from where weeks meet: the answer of all around it
            begins, ends = week_bounds(weeks[0], self._cut_off)
            self._begins, self._ends = begins + WEEK_MARGIN, ends - WEEK_MARGIN
            self._weeks = weeks
        return weeks


def week_bounds(week_on: date, cut_off: time = CUT_OFF_DEFAULT) -> tuple[datetime, datetime]:
    """First instant of a week and of the next."""
    begins = _days_begin(week_on, cut_off)
    return begins[0], begins[-1]


@lru_cache(maxsize=64)
def _days_begin(week_on: date, cut_off: time) -> tuple[datetime, ...]:
    """First instants of a week's business dates and of the next week's first."""
    return tuple(day_begins(week_on + timedelta(days=day), cut_off) for day in range(8))


def price_week(
    known: PersonWeek,
    rules: RulesInForce,
    journey_rules: JourneyRules,
    as_of: datetime,
    *,
    cut_off: time = CUT_OFF_DEFAULT,
) -> PricedWeek:
    """Price a person's week.

    Args:
        known: the person's taps and corrections, and what was booked before.
        rules: prices and rules by instant.
        journey_rules: times of the state machine.
        as_of: until when journeys may still be open.
        cut_off: when the next business date begins.
    """
    days_begin = _days_begin(known.week_on, cut_off)
    begins, ends = days_begin[0], days_begin[-1]
    book = build_journeys(
        known.taps,
        journey_rules,
        as_of,
        stops_after=lambda tap: rules.at(tap.tapped_at).table.stops_after(
            tap.line_id, tap.stop, tap.sequence
        ),
        corrections=known.corrections,
    )
    mine = [one for one in book.journeys if begins <= one.began_at < ends]
    days = {
        one.journey_id: known.week_on + timedelta(days=bisect_right(days_begin, one.began_at) - 1)
        for one in mine
    }
    rides = [
        RiderRide(
            ride_id=one.journey_id,
            ride=one.ride(classes),
            business_on=days[one.journey_id],
            classes=classes,
        )
        for one in mine
        if one.charged
        for classes in (known.classes_on(days[one.journey_id]),)
    ]
    refused: dict[str, str] = {}
    try:
        charges = price_rides(rides, rules)
    except FareRefusedError:
        refused = _refused(rides, rules)
        charges = price_rides([one for one in rides if one.ride_id not in refused], rules)
    by_ride = {charge.ride_id: charge for charge in charges}
    money = {charge.ride_id: money_of(charge) for charge in charges}
    chains = _chains(charges)
    journeys = tuple(
        PricedJourney(
            journey=one,
            business_on=days[one.journey_id],
            charge=by_ride.get(one.journey_id),
            money=money.get(one.journey_id, _NO_MONEY),
            chain_id=chains.get(one.journey_id, one.journey_id),
            unpriced=refused.get(one.journey_id, ""),
        )
        for one in mine
    )
    return PricedWeek(
        journeys=journeys,
        tap_states=book.tap_states,
        adjustments=tuple(_still_to_book(known.booked, money)),
    )


def money_of(charge: RideCharge) -> dict[Payer, int]:
    """What moves: what the operator forgoes under a cap is nobody's payment."""
    return {
        payer: fen
        for payer, fen in charge.by_payer().items()
        if fen and payer is not Payer.MERCHANT
    }


_NO_MONEY: Final[Mapping[Payer, int]] = MappingProxyType({})


def _still_to_book(booked: Booked, due: Booked) -> list[Adjustment]:
    found = []
    for ride_id in sorted(due.keys() | booked.keys()):
        wanted, had = due.get(ride_id, _NO_MONEY), booked.get(ride_id, _NO_MONEY)
        if wanted == had:
            continue
        for payer in Payer if had else wanted:
            amount_fen = wanted.get(payer, 0) - had.get(payer, 0)
            if amount_fen:
                found.append(Adjustment(ride_id=ride_id, payer=payer, amount_fen=amount_fen))
    return found


def _refused(rides: Sequence[RiderRide], rules: RulesInForce) -> dict[str, str]:
    """Rides nobody can price, with the reason: they wait, and do not hold up the others."""
    found = {}
    for one in rides:
        try:
            price_rides([one], rules)
        except FareRefusedError as error:
            found[one.ride_id] = error.code
    return found


def _chains(charges: Sequence[RideCharge]) -> dict[str, str]:
    """By ride, the ride its chain of transfers began with: one with an offer follows another."""
    chains: dict[str, str] = {}
    head = ""
    for charge in charges:
        if not charge.offer:
            head = charge.ride_id
        chains[charge.ride_id] = head or charge.ride_id
    return chains
