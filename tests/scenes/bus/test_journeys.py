"""Journeys: a function of the taps, whatever the order they arrived in."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.gtfs import read_feed
from scenes.bus.journeys import (
    Correction,
    CorrectionKind,
    IncompleteReason,
    Journey,
    JourneyBook,
    JourneyRules,
    JourneyState,
    JourneyStateError,
    TapState,
    build_journeys,
    check_correction,
)
from scenes.bus.leg_fares import FareBasis
from scenes.bus.taps import ClockRefusal, ClockRule, Tap, TapKind, happened_at
from tests.scenes.bus.feeds import JPY, real_files

START = datetime(2026, 5, 15, 0, tzinfo=UTC)
LATER = START + timedelta(days=2)
RULES = JourneyRules()
PATTERN = ("s1", "s2", "s3", "s4")


def tap(
    counter: int,
    kind: str,
    minute: float,
    stop: str = "s1",
    *,
    vehicle: str = "v1",
    line: str = "L1",
    sequence: int | None = None,
    uploaded_after_min: float = 0,
    clock_error_min: float = 0,
) -> Tap:
    """A tap that happened at ``minute``; its terminal's clock runs ``clock_error_min`` ahead."""
    happened = START + timedelta(minutes=minute)
    error = timedelta(minutes=clock_error_min)
    received = happened + timedelta(minutes=uploaded_after_min)
    return Tap(
        tap_id=f"{vehicle}-{counter}",
        kind=TapKind(kind),
        terminal_id=f"T-{vehicle}",
        terminal_counter=counter,
        line_id=line,
        vehicle_id=vehicle,
        stop=stop,
        sequence=sequence,
        tapped_at=happened + error,
        sent_at=received + error if uploaded_after_min or clock_error_min else None,
        received_at=received,
    )


def stops_after(began: Tap) -> Sequence[str]:
    return PATTERN[PATTERN.index(began.stop) + 1 :] if began.stop in PATTERN else ()


def build(
    *taps: Tap, corrections: Sequence[Correction] = (), as_of: datetime = LATER
) -> JourneyBook:
    return build_journeys(taps, RULES, as_of, stops_after=stops_after, corrections=corrections)


def summary(book: JourneyBook) -> list[tuple[str, str | None, str]]:
    return [(one.state.value, one.off_stop, one.reason.value) for one in book.journeys]


@pytest.mark.parametrize(
    ("taps", "journeys", "states"),
    [
        # a tap-on and a tap-off
        (
            [tap(1, "on", 0), tap(2, "off", 20, "s3")],
            [("complete", "s3", "")],
            ["opened", "closed"],
        ),
        # one tap on a flat line is the whole ride
        ([tap(1, "single", 0)], [("complete", None, "")], ["single"]),
        # held to the validator twice, getting on and getting off
        (
            [tap(1, "on", 0), tap(2, "on", 1), tap(3, "off", 20, "s3"), tap(4, "off", 20.5, "s3")],
            [("complete", "s3", "")],
            ["opened", "passed_back", "closed", "passed_back"],
        ),
        # the time of passing back runs from the first tap
        (
            [tap(1, "single", 0), tap(2, "single", 0.9), tap(3, "single", 1.1)],
            [("complete", None, ""), ("complete", None, "")],
            ["single", "passed_back", "single"],
        ),
        # on and on again in another vehicle, at a stop the first one does not reach
        (
            [
                tap(1, "on", 0),
                tap(1, "on", 30, "x9", vehicle="v2"),
                tap(2, "off", 50, "x8", vehicle="v2"),
            ],
            [("incomplete", None, "another_tap_on"), ("complete", "x8", "")],
            ["opened", "opened", "closed"],
        ),
        # the same, at a stop the first one does reach: the rider got off there
        (
            [
                tap(1, "on", 0),
                tap(1, "on", 30, "s3", vehicle="v2"),
                tap(2, "off", 50, "x8", vehicle="v2"),
            ],
            [("auto_completed", "s3", "another_tap_on"), ("complete", "x8", "")],
            ["opened", "opened", "closed"],
        ),
        # much later is no evidence
        (
            [tap(1, "on", 0), tap(1, "single", 121, "s3", vehicle="v2")],
            [("incomplete", None, "another_tap_on"), ("complete", None, "")],
            ["opened", "single"],
        ),
        # a tap-off without a tap-on
        ([tap(1, "off", 0, "s3")], [], ["unmatched_off"]),
        # a tap-off in another vehicle
        (
            [tap(1, "on", 0), tap(1, "off", 20, "x9", vehicle="v2")],
            [("incomplete", None, "another_vehicle")],
            ["opened", "unmatched_off"],
        ),
        # the validator was set to the other direction
        (
            [tap(1, "on", 0, "s3", sequence=3), tap(2, "off", 20, "s1", sequence=1)],
            [("incomplete", None, "wrong_direction")],
            ["opened", "closed"],
        ),
        # nobody tapped off before the journey's time was over
        (
            [tap(1, "on", 0), tap(2, "off", 181, "s3")],
            [("incomplete", None, "too_long")],
            ["opened", "unmatched_off"],
        ),
    ],
)
def test_taps_make_journeys(
    taps: list[Tap], journeys: list[tuple[str, str | None, str]], states: list[str]
) -> None:
    book = build(*taps)
    assert summary(book) == journeys
    assert [book.tap_states[one.tap_id].value for one in taps] == states


def test_a_journey_is_open_until_its_time_is_over() -> None:
    (journey,) = build(tap(1, "on", 0), as_of=START + timedelta(hours=3)).journeys
    assert (journey.state, journey.charged) == (JourneyState.OPEN, False)
    (journey,) = build(tap(1, "on", 0), as_of=START + timedelta(hours=3, seconds=1)).journeys
    assert (journey.state, journey.charged) == (JourneyState.INCOMPLETE, True)
    assert journey.reason is IncompleteReason.TOO_LONG


def test_a_late_tap_off_completes_what_had_been_incomplete() -> None:
    on, off = tap(1, "on", 0), tap(2, "off", 20, "s3", uploaded_after_min=900)
    assert summary(build(on)) == [("incomplete", None, "too_long")]
    assert summary(build(on, off)) == [("complete", "s3", "")]


def test_the_ride_of_a_journey_is_what_was_tapped() -> None:
    (journey,) = build(tap(1, "on", 0, sequence=1), tap(2, "off", 20, "s3", sequence=3)).journeys
    ride = journey.ride(frozenset({"student"}))
    assert (ride.line_id, ride.on_stop, ride.off_stop) == ("L1", "s1", "s3")
    assert (ride.on_sequence, ride.off_sequence) == (1, 3)
    assert (ride.boarded_at, ride.left_at) == (START, START + timedelta(minutes=20))
    assert ride.categories == {"student"}


def test_a_tap_uploaded_twice_is_one_tap() -> None:
    once = tap(1, "single", 0)
    again = tap(1, "single", 0, uploaded_after_min=60)
    assert summary(build(once, again)) == [("complete", None, "")]


def test_two_records_of_one_counter_are_a_conflict_for_a_person_to_decide() -> None:
    first = tap(1, "single", 0)
    cloned = Tap(
        tap_id="w-forged",
        kind=TapKind.SINGLE,
        terminal_id=first.terminal_id,
        terminal_counter=1,
        line_id="L1",
        vehicle_id="v1",
        stop="s2",
        tapped_at=START + timedelta(minutes=10),
        received_at=START + timedelta(minutes=10),
    )
    for taps in ([first, cloned], [cloned, first]):
        book = build(*taps)
        assert len(book.journeys) == 1
        assert book.tap_states == {"v1-1": TapState.SINGLE, "w-forged": TapState.CONFLICT}


# ---- clocks ----------------------------------------------------------------------------------


def test_a_wrong_clock_is_corrected_by_its_error_at_upload() -> None:
    for error_min in (-525_600, -90, 90, 525_600):
        wrong = tap(1, "single", 0, uploaded_after_min=30, clock_error_min=error_min)
        assert happened_at(wrong, ClockRule()) == START


def test_a_small_difference_is_the_networks() -> None:
    assert happened_at(tap(1, "on", 0, clock_error_min=0.5), ClockRule()) == START + timedelta(
        seconds=30
    )


def test_a_tap_that_cannot_be_placed_goes_to_review() -> None:
    ahead = Tap(
        tap_id="a",
        kind=TapKind.SINGLE,
        terminal_id="T",
        terminal_counter=1,
        line_id="L1",
        vehicle_id="v1",
        stop="s1",
        tapped_at=START + timedelta(minutes=5),
        received_at=START,
    )
    late = tap(2, "single", 0, uploaded_after_min=7 * 24 * 60 + 1)
    assert happened_at(ahead, ClockRule()) is ClockRefusal.AHEAD
    assert happened_at(late, ClockRule()) is ClockRefusal.TOO_LATE
    book = build(ahead, late)
    assert book.journeys == ()
    assert set(book.tap_states.values()) == {TapState.CLOCK_AHEAD, TapState.TOO_LATE}


# ---- corrections -----------------------------------------------------------------------------


def correction(kind: str, minute: int, off_stop: str | None = None) -> Correction:
    return Correction(
        journey_id="v1-1",
        kind=CorrectionKind(kind),
        made_by="citizen",
        made_at=LATER + timedelta(minutes=minute),
        off_stop=off_stop,
    )


def test_the_last_claimed_exit_holds() -> None:
    claims = [correction("exit", 2, "s4"), correction("exit", 1, "s2")]
    assert summary(build(tap(1, "on", 0), corrections=claims)) == [("corrected", "s4", "too_long")]


def test_a_tap_off_that_arrives_after_a_claim_says_more_than_the_claim() -> None:
    taps = [tap(1, "on", 0), tap(2, "off", 20, "s3", uploaded_after_min=900)]
    assert summary(build(*taps, corrections=[correction("exit", 1, "s2")])) == [
        ("complete", "s3", "")
    ]


def test_a_refund_ends_a_journey_and_nothing_changes_it_after() -> None:
    corrections = [correction("refund", 1), correction("refund", 2), correction("exit", 3, "s2")]
    (journey,) = build(tap(1, "on", 0), corrections=corrections).journeys
    assert (journey.state, journey.charged) == (JourneyState.REFUNDED, False)


def test_a_correction_of_another_journey_does_not_touch_this_one() -> None:
    (journey,) = build(tap(9, "single", 0), corrections=[correction("refund", 1)]).journeys
    assert journey.state is JourneyState.COMPLETE


@pytest.mark.parametrize(
    ("taps", "kind", "allowed"),
    [
        ([tap(1, "on", 0)], CorrectionKind.EXIT, True),
        ([tap(1, "on", 0)], CorrectionKind.REFUND, True),
        ([tap(1, "on", 0), tap(2, "off", 20, "s3")], CorrectionKind.EXIT, False),
        ([tap(1, "on", 0), tap(2, "off", 20, "s3")], CorrectionKind.REFUND, True),
        ([tap(1, "on", 0), tap(1, "on", 30, "s3", vehicle="v2")], CorrectionKind.EXIT, True),
    ],
)
def test_a_correction_is_allowed_by_state(
    taps: list[Tap], kind: CorrectionKind, *, allowed: bool
) -> None:
    journey = build(*taps).journeys[0]
    if allowed:
        check_correction(journey, kind)
    else:
        with pytest.raises(JourneyStateError):
            check_correction(journey, kind)


def test_an_open_or_refunded_journey_cannot_be_refunded() -> None:
    (journey,) = build(tap(1, "on", 0), as_of=START).journeys
    with pytest.raises(JourneyStateError):
        check_correction(journey, CorrectionKind.REFUND)


def test_taps_on_the_real_feed_ask_every_published_fare(test_data: Path) -> None:
    """How: each ride of each pattern is tapped on and off, made a journey, and priced."""
    feed = read_feed(real_files(test_data), JPY)
    table = FareTable.of(1, [fares_of(feed)])
    published = Counter(
        (rule.line_id, rule.origin_id, rule.destination_id, feed.fares[rule.fare_id].price_fen)
        for rule in feed.fare_rules
    )
    asked: Counter[tuple[str, str, str, int]] = Counter()
    for line_id, patterns in feed.patterns.items():
        for place, boarding in enumerate(patterns[0]):
            for alighting in patterns[0][place + 1 :]:
                book = build(
                    tap(1, "on", 0, boarding.stop_id, line=line_id, sequence=boarding.sequence),
                    tap(2, "off", 9, alighting.stop_id, line=line_id, sequence=alighting.sequence),
                )
                leg = table.leg_fare(book.journeys[0].ride())
                if leg.basis is not FareBasis.MAXIMUM_OF_NETWORK:
                    asked[line_id, boarding.stop_id, alighting.stop_id, leg.amount_fen] += 1
    assert asked == published
    assert asked.total() == 64_977


# ---- laws ------------------------------------------------------------------------------------

TAPS = st.lists(
    st.builds(
        tap,
        counter=st.integers(1, 40),
        kind=st.sampled_from(["on", "off", "single"]),
        minute=st.integers(0, 400),
        stop=st.sampled_from(PATTERN),
        vehicle=st.sampled_from(["v1", "v2", "v3"]),
        sequence=st.none() | st.integers(1, 4),
        uploaded_after_min=st.sampled_from([0, 5, 600]),
        clock_error_min=st.sampled_from([0, 0, 45, -90]),
    ),
    max_size=20,
    unique_by=lambda one: one.tap_id,
)


@given(taps=TAPS, seed=st.integers(0, 1_000_000))
def test_any_order_of_arrival_and_any_repeats_make_the_same_journeys(
    taps: list[Tap], seed: int
) -> None:
    """Why: an offline bus uploads hours later; nobody may pay for the order of uploads."""
    shuffled = [*taps, *taps[::2]]
    Random(seed).shuffle(shuffled)
    assert build(*shuffled) == build(*taps)


@given(taps=TAPS)
def test_every_tap_ends_in_one_state_and_begins_or_ends_at_most_one_journey(
    taps: list[Tap],
) -> None:
    book = build(*taps)
    assert book.tap_states.keys() == {one.tap_id for one in taps}
    began = [journey.journey_id for journey in book.journeys]
    assert len(began) == len(set(began))
    assert set(began) == {
        tap_id
        for tap_id, state in book.tap_states.items()
        if state in (TapState.OPENED, TapState.SINGLE)
    }
    closed = sum(state is TapState.CLOSED for state in book.tap_states.values())
    assert closed == sum(ended_by_tap(journey) for journey in book.journeys)
    assert all(journey.state is not JourneyState.OPEN for journey in book.journeys)


def ended_by_tap(journey: Journey) -> bool:
    if journey.reason is IncompleteReason.WRONG_DIRECTION:
        return True
    return journey.state is JourneyState.COMPLETE and journey.began.kind is TapKind.ON
