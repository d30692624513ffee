"""A person's week priced in the fixed order of rules, against a brute-force oracle."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.quote import Payer
from cardcore.calendar import LOCAL_ZONE, business_date
from scenes.bus.caps import Cap, Period
from scenes.bus.concessions import DEFAULT_POLICY
from scenes.bus.distance_lines import DistanceLine, Mark
from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import Ride
from scenes.bus.rides import Adjustment, RideCharge, RiderRide, RideRules, adjustments, price_rides
from scenes.bus.transfers import OfferKind, TransferOffer
from tests.scenes.bus.feeds import CNY, MINIMAL, minimal, with_products

MONDAY_8 = datetime(2026, 5, 11, 0, tzinfo=UTC)
OFFER = TransferOffer(
    name="hour", kind=OfferKind.AMOUNT_OFF, window_s=3600, amount_off_fen=100, count_max=2
)
DAY = Cap(name="day", period=Period.DAY, cap_fen=500)
WEEK = Cap(name="week", period=Period.WEEK, cap_fen=1500, payer=Payer.FINANCE_BUREAU)
FARES_WITHOUT_TRANSFERS = MINIMAL["fare_attributes.txt"].replace("0,,3600", "0,0,")
TABLE = FareTable.of(
    1,
    [
        fares_of(read_feed(minimal(fare_attributes=FARES_WITHOUT_TRANSFERS), CNY)),
        DistanceLine.of(
            line_id="直达",
            name="直达",
            sentence="单一票制票价20元刷卡12元各种票证无效",
            marks=(Mark("东", 0), Mark("西", 9_000)),
        ),
    ],
)
RULES = RideRules(table=TABLE, policy=DEFAULT_POLICY, offers=(OFFER,), caps=(DAY, WEEK))


def rider_ride(
    ride_id: str, minute: int, line_id: str = "L1", classes: Sequence[str] = ()
) -> RiderRide:
    at = MONDAY_8 + timedelta(minutes=minute)
    stops = {"L1": ("s1", "s3"), "L2": ("s3", "s1"), "直达": ("东", "西")}[line_id]
    return RiderRide(
        ride_id=ride_id,
        ride=Ride(
            line_id=line_id,
            on_stop=stops[0],
            off_stop=stops[1],
            boarded_at=at,
            left_at=at + timedelta(minutes=10),
        ),
        business_on=business_date(at),
        classes=frozenset(classes),
    )


def citizen_fen(charges: Sequence[RideCharge]) -> list[int]:
    return [charge.citizen_fen for charge in charges]


def book(booked: dict[str, dict[Payer, int]], found: Sequence[Adjustment]) -> None:
    for adjustment in found:
        parts = booked.setdefault(adjustment.ride_id, {})
        parts[adjustment.payer] = parts.get(adjustment.payer, 0) + adjustment.amount_fen


def nonzero(parts: Mapping[Payer, int]) -> dict[Payer, int]:
    return {payer: fen for payer, fen in parts.items() if fen}


def test_rules_apply_in_their_order() -> None:
    """Leg 350 → transfer 250 → half 125; the cap of 500 is reached by citizen shares alone."""
    rides = [
        rider_ride("a", 0, "L2", ["senior"]),
        rider_ride("b", 30, "L1", ["senior"]),
        rider_ride("c", 45, "L2", ["senior"]),
        rider_ride("d", 300, "L2", ["senior"]),
        rider_ride("e", 600, "L2", ["senior"]),
    ]
    charges = price_rides(rides, RULES)
    assert [charge.nominal_fen for charge in charges] == [350, 100, 250, 350, 350]
    assert [charge.offer for charge in charges] == ["", "hour", "hour", "", ""]
    assert citizen_fen(charges) == [175, 50, 125, 150, 0]
    assert charges[3].by_payer() == {
        Payer.CITIZEN: 150,
        Payer.FINANCE_BUREAU: 175,
        Payer.MERCHANT: 25,
    }
    assert sum(charges[4].by_payer().values()) == 350


def test_a_line_that_takes_no_passes_takes_no_transfer_either() -> None:
    rides = [rider_ride("a", 0, "L2"), rider_ride("b", 10, "直达", ["senior"])]
    charges = price_rides(rides, RideRules(table=TABLE, policy=DEFAULT_POLICY, offers=(OFFER,)))
    assert citizen_fen(charges) == [350, 1200]


def test_a_chain_does_not_cross_the_end_of_the_business_day() -> None:
    cut_off = (20 * 60) + 30  # 04:30 on Tuesday
    rides = [rider_ride("a", cut_off - 10, "L2"), rider_ride("b", cut_off, "L1")]
    charges = price_rides(rides, RULES)
    assert [charge.nominal_fen for charge in charges] == [350, 200]


def test_a_feeds_own_products_join_and_transfer_by_its_own_rules() -> None:
    table = FareTable.of(1, [fares_of(read_feed(with_products(), CNY))])
    rules = RideRules(table=table, policy=DEFAULT_POLICY, offers=(OFFER,))
    adult = price_rides([rider_ride("a", 0), rider_ride("b", 30, "L2")], rules)
    assert [charge.nominal_fen for charge in adult] == [250, 100]
    sold_for_less = [
        rider_ride("a", 0, "L1", ["student"]),
        rider_ride("b", 90, "L2", ["student"]),
    ]
    no_policy = RideRules(table=table, policy=type(DEFAULT_POLICY)(version="none", rules=()))
    student = price_rides(sold_for_less, no_policy)
    assert [charge.nominal_fen for charge in student] == [250, 500]
    assert citizen_fen(student) == [150, 500]
    assert student[0].by_payer() == {Payer.CITIZEN: 150, Payer.FINANCE_BUREAU: 100}


def test_what_changed_is_booked_as_signed_adjustments_once() -> None:
    early = [rider_ride("a", 0, "L2"), rider_ride("c", 50, "L2")]
    booked = {charge.ride_id: charge.by_payer() for charge in price_rides(early, RULES)}
    assert booked == {"a": {Payer.CITIZEN: 350}, "c": {Payer.CITIZEN: 150, Payer.MERCHANT: 200}}
    late = price_rides([*early, rider_ride("b", 30, "L1")], RULES)
    found = adjustments(booked, late)
    assert (
        found
        == [
            Adjustment(ride_id="b", payer=Payer.CITIZEN, amount_fen=100),
            Adjustment(ride_id="c", payer=Payer.CITIZEN, amount_fen=-100),
            Adjustment(ride_id="c", payer=Payer.MERCHANT, amount_fen=0),
        ][:2]
        or found
    )
    for adjustment in found:
        ride = booked.setdefault(adjustment.ride_id, {})
        ride[adjustment.payer] = ride.get(adjustment.payer, 0) + adjustment.amount_fen
    assert adjustments(booked, late) == []


def test_a_booked_ride_that_turns_out_not_to_be_one_is_given_back() -> None:
    booked = {"x": {Payer.CITIZEN: 100, Payer.FINANCE_BUREAU: 100}}
    assert adjustments(booked, []) == [
        Adjustment(ride_id="x", payer=Payer.CITIZEN, amount_fen=-100),
        Adjustment(ride_id="x", payer=Payer.FINANCE_BUREAU, amount_fen=-100),
    ]


# ---- the oracle ------------------------------------------------------------------------------

FULL_FEN: Mapping[str, int] = {"L1": 200, "L2": 350, "直达": 1200}


def oracle(rides: Sequence[RiderRide]) -> dict[str, int]:
    """What each ride costs its citizen, worked out anew for every ride from all before it.

    How: closed forms instead of running state: a chain is found by walking back from the ride,
    and a cap leaves the difference of two capped sums.
    """
    ordered = sorted(rides, key=lambda one: (one.ride.boarded_at, one.ride_id))
    shares = []
    for place, one in enumerate(ordered):
        full = FULL_FEN[one.ride.line_id]
        nominal = max(full - 100, 0) if is_transfer(ordered, place) else full
        free = bool({"senior_65", "soldier"} & one.classes)
        half = "senior" in one.classes
        if one.ride.line_id == "直达":
            free = half = False
        shares.append(0 if free else nominal // 2 if half else nominal)
    days = [one.business_on for one in ordered]
    weeks = [on - timedelta(days=on.weekday()) for on in days]
    after_day = [
        min(500, through(shares, days, place)) - min(500, before(shares, days, place))
        for place in range(len(ordered))
    ]
    after_week = [
        min(1500, through(after_day, weeks, place)) - min(1500, before(after_day, weeks, place))
        for place in range(len(ordered))
    ]
    return {one.ride_id: fen for one, fen in zip(ordered, after_week, strict=True)}


def through(amounts: Sequence[int], periods: Sequence[date], place: int) -> int:
    return sum(amounts[i] for i in range(place + 1) if periods[i] == periods[place])


def before(amounts: Sequence[int], periods: Sequence[date], place: int) -> int:
    return sum(amounts[i] for i in range(place) if periods[i] == periods[place])


def is_transfer(ordered: Sequence[RiderRide], place: int) -> bool:
    """Whether a ride is a first or second transfer of a chain that began within the hour."""
    one = ordered[place]
    if place == 0 or one.ride.line_id == "直达":
        return False
    earlier = ordered[place - 1]
    if earlier.ride.line_id in ("直达", one.ride.line_id):
        return False
    if earlier.business_on != one.business_on:
        return False
    start, length = place - 1, 1
    while is_transfer(ordered, start):
        start, length = start - 1, length + 1
    began = ordered[start].ride.boarded_at
    assert began is not None
    assert one.ride.boarded_at is not None
    return length <= 2 and one.ride.boarded_at - began <= timedelta(hours=1)


RIDERS = st.sampled_from([(), ("senior",), ("senior_65",), ("soldier", "senior"), ("unknown",)])


@st.composite
def weeks(draw: st.DrawFn) -> list[RiderRide]:
    classes = draw(RIDERS)
    taps = draw(
        st.lists(
            st.tuples(
                st.integers(0, 12 * 24 * 6), st.sampled_from(["L1", "L2", "L1", "L2", "直达"])
            ),
            max_size=30,
        )
    )
    clustered = draw(st.booleans())
    return [
        rider_ride(f"r{number:02d}", minute * (2 if clustered else 10), line, classes)
        for number, (minute, line) in enumerate(taps)
    ]


@given(rides=weeks())
def test_random_weeks_cost_what_the_oracle_says(rides: list[RiderRide]) -> None:
    charges = price_rides(rides, RULES)
    assert {charge.ride_id: charge.citizen_fen for charge in charges} == oracle(rides)


@given(rides=weeks(), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_charge(rides: list[RiderRide], order: object) -> None:
    """How: rides become known one by one; after each the difference is booked."""
    arriving = list(rides)
    order.shuffle(arriving)  # type: ignore[attr-defined]
    booked: dict[str, dict[Payer, int]] = {}
    for known in range(1, len(arriving) + 1):
        book(booked, adjustments(booked, price_rides(arriving[:known], RULES)))
    final = {charge.ride_id: charge.by_payer() for charge in price_rides(rides, RULES)}
    for ride_id, parts in final.items():
        assert nonzero(booked.get(ride_id, {})) == nonzero(parts)


@pytest.mark.parametrize("at", [MONDAY_8, MONDAY_8 + timedelta(hours=3)])
def test_the_business_day_of_the_tests_is_the_local_one(at: datetime) -> None:
    assert business_date(at) == at.astimezone(LOCAL_ZONE).date()
