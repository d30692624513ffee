"""A person's week as a pure function of what is known of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.quote import Payer
from scenes.bus.caps import Cap, Period
from scenes.bus.concessions import DEFAULT_POLICY
from scenes.bus.journeys import JourneyRules, JourneyState
from scenes.bus.rides import RideRules, RuleHistory
from scenes.bus.taps import Tap, TapKind
from scenes.bus.week_pricing import (
    PersonWeek,
    PricedWeek,
    money_of,
    price_week,
    week_of,
    weeks_touched,
)
from tests.scenes.bus.test_rides import RULES, TABLE

MONDAY = date(2026, 5, 11)
BEGINS = datetime(2026, 5, 10, 20, 30, tzinfo=UTC)  # 04:30 in China
LATER = BEGINS + timedelta(days=9)
PLAIN = RideRules(table=TABLE, policy=DEFAULT_POLICY)


def tap(number: int, kind: str, at: datetime, stop: str = "s1", line: str = "L1") -> Tap:
    return Tap(
        tap_id=f"t{number:03}",
        kind=TapKind(kind),
        terminal_id="T",
        terminal_counter=number,
        line_id=line,
        vehicle_id="v",
        stop=stop,
        tapped_at=at,
        received_at=at,
    )


def priced(
    taps: Sequence[Tap],
    rules: RideRules | RuleHistory = PLAIN,
    booked: dict[str, dict[Payer, int]] | None = None,
    week_on: date = MONDAY,
) -> PricedWeek:
    known = PersonWeek(week_on=week_on, taps=taps, booked=booked or {})
    return price_week(known, rules, JourneyRules(), LATER)


@pytest.mark.parametrize(
    ("hours", "weeks"),
    [
        (-5, {date(2026, 5, 4)}),
        (-1, {date(2026, 5, 4), MONDAY}),
        (1, {date(2026, 5, 4), MONDAY}),
        (5, {MONDAY}),
    ],
)
def test_a_tap_touches_the_weeks_it_can_change(hours: int, weeks: set[date]) -> None:
    assert weeks_touched(BEGINS + timedelta(hours=hours)) == weeks


def test_a_journey_belongs_to_the_week_it_began_in() -> None:
    taps = [
        tap(1, "on", BEGINS - timedelta(minutes=20)),
        tap(2, "off", BEGINS + timedelta(minutes=20), "s3"),
    ]
    before, after = priced(taps, week_on=date(2026, 5, 4)), priced(taps)
    assert [one.journey.state for one in before.journeys] == [JourneyState.COMPLETE]
    assert after.journeys == ()
    assert week_of(taps[0].tapped_at) == date(2026, 5, 4)


def test_each_ride_is_priced_by_the_rules_in_force_when_it_was_boarded() -> None:
    noon = BEGINS + timedelta(hours=8)
    capped = replace(PLAIN, caps=(Cap(name="day", period=Period.DAY, cap_fen=100),))
    history = RuleHistory(since=(BEGINS, noon), rules=(PLAIN, capped))
    taps = [
        tap(1, "on", noon - timedelta(hours=2)),
        tap(2, "off", noon - timedelta(hours=1), "s3"),
        tap(3, "on", noon + timedelta(hours=1)),
        tap(4, "off", noon + timedelta(hours=2), "s3"),
    ]
    morning, evening = (one.charge for one in priced(taps, history).journeys)
    assert morning is not None
    assert evening is not None
    assert morning.citizen_fen == morning.nominal_fen > 0
    # The cap counts from when it came into force; the operator forgoes what it takes off.
    assert evening.citizen_fen == 100
    assert Payer.MERCHANT not in money_of(evening)


def test_before_the_first_rules_those_hold() -> None:
    history = RuleHistory(since=(LATER,), rules=(PLAIN,))
    assert history.at(BEGINS) is PLAIN


kinds = st.sampled_from(["on", "off", "single", "terminus"])
weeks = st.lists(
    st.tuples(kinds, st.integers(0, 7 * 24 * 60 - 1), st.sampled_from(["s1", "s3", "s9"])),
    max_size=14,
    unique_by=lambda one: one[1],
)


@given(events=weeks)
def test_booking_what_is_to_be_booked_leaves_nothing_to_book(
    events: list[tuple[str, int, str]],
) -> None:
    """Why: a duty that runs every few seconds must find nothing to do when nothing happened."""
    taps = [
        tap(number, kind, BEGINS + timedelta(minutes=minute), stop)
        for number, (kind, minute, stop) in enumerate(events)
    ]
    found = priced(taps, RULES)
    booked: dict[str, dict[Payer, int]] = {}
    for one in found.adjustments:
        booked.setdefault(one.ride_id, {})[one.payer] = one.amount_fen
    assert priced(taps, RULES, booked).adjustments == ()
    # And whatever was booked for rides that are no more goes back to the fen.
    nothing = priced([], RULES, booked)
    assert sum(one.amount_fen for one in nothing.adjustments) == -sum(
        fen for parts in booked.values() for fen in parts.values()
    )


@given(events=weeks)
def test_what_nobody_can_price_holds_up_nobody(events: list[tuple[str, int, str]]) -> None:
    taps = [
        tap(number, kind, BEGINS + timedelta(minutes=minute), stop)
        for number, (kind, minute, stop) in enumerate(events)
    ]
    for one in priced(taps).journeys:
        assert (one.charge is None) == bool(one.unpriced or not one.journey.charged)
        assert bool(one.unpriced) == (
            one.journey.charged and "s9" in (one.journey.began.stop, one.journey.off_stop)
        )
