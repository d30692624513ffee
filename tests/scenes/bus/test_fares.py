"""The leg fare of GTFS v1 prices, on small feeds and on the real one."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.bus.fare_table import FareTable, LineConflictError
from scenes.bus.fares import SectionalFares
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import (
    FareBasis,
    FareUnknownError,
    LineUnknownError,
    Ride,
    StopUnknownError,
)
from scenes.bus.network import Feed
from scenes.bus.transfers import TransferRight
from tests.scenes.bus.feeds import CNY, JPY, minimal, real_files

FARES = "fare_id,price,currency_type,payment_method,transfers\n"
RULES = "fare_id,route_id,origin_id,destination_id,contains_id\n"
LOOP_TIMES = (
    "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,,,s1,1\nt1,,,s2,2\nt1,,,s3,3\nt1,,,s2,4\n"
)


def fares_of(**changed: str | None) -> SectionalFares:
    return SectionalFares(read_feed(minimal(**changed), CNY))


def pair(on_stop: str, off_stop: str | None, line_id: str = "L1") -> Ride:
    return Ride(line_id=line_id, on_stop=on_stop, off_stop=off_stop)


def loop_ride(on_stop: str, on_sequence: int, off_stop: str, off_sequence: int) -> Ride:
    return Ride(
        line_id="L1",
        on_stop=on_stop,
        off_stop=off_stop,
        on_sequence=on_sequence,
        off_sequence=off_sequence,
    )


@pytest.fixture(scope="module")
def real_feed(test_data: Path) -> Feed:
    return read_feed(real_files(test_data), JPY)


@pytest.fixture(scope="module")
def real_fares(real_feed: Feed) -> SectionalFares:
    return SectionalFares(real_feed)


@pytest.mark.parametrize(
    ("ride", "amount_fen", "basis", "rule_id"),
    [
        (pair("s1", "s2"), 100, FareBasis.SECTIONAL, "sectional:f1"),
        (pair("s1", "s3"), 200, FareBasis.SECTIONAL, "sectional:f2"),
        (pair("s3", "s1", "L2"), 350, FareBasis.FLAT, "flat:f3"),
        (pair("s3", None, "L2"), 350, FareBasis.FLAT, "flat:f3"),
        (pair("s2", None), 100, FareBasis.MAXIMUM_FROM_STOP, "maximum_from_stop:f1"),
        (pair("s1", None), 200, FareBasis.MAXIMUM_FROM_STOP, "maximum_from_stop:f2"),
        (pair("s3", "s1"), 200, FareBasis.MAXIMUM_OF_LINE, "maximum_of_line:f2"),
    ],
)
def test_a_ride_costs_what_the_rules_say(
    ride: Ride, amount_fen: int, basis: FareBasis, rule_id: str
) -> None:
    fares = fares_of()
    for _ in range(2):
        leg = fares.leg_fare(ride)
        assert (leg.amount_fen, leg.basis, leg.rule_id) == (amount_fen, basis, rule_id)


def test_a_fare_carries_the_transfer_it_publishes() -> None:
    fares = fares_of()
    right = TransferRight(count_max=None, window_s=3600)
    assert fares.leg_fare(pair("s3", "s1", "L2")).transfer_right == right
    assert fares.leg_fare(pair("s1", "s2")).transfer_right is None


def test_a_line_without_any_fare_costs_the_highest_of_the_network() -> None:
    fares = fares_of(fare_rules=RULES + "f3,L2,,,\nf1,L2,z1,z2,\nf2,L2,z1,z2,\n")
    leg = fares.leg_fare(pair("s1", "s2"))
    assert (leg.amount_fen, leg.basis) == (350, FareBasis.MAXIMUM_OF_NETWORK)


def test_a_network_without_any_fare_refuses() -> None:
    fares = fares_of(fare_attributes=FARES, fare_rules=RULES)
    with pytest.raises(FareUnknownError) as caught:
        fares.leg_fare(pair("s1", "s2"))
    assert (caught.value.code, caught.value.field) == ("fare_unknown", "business.details.line")


def test_unknown_names_are_refused_with_their_field() -> None:
    fares = fares_of()
    with pytest.raises(StopUnknownError) as on_stop:
        fares.leg_fare(pair("s9", "s2"))
    assert on_stop.value.field == "business.details.on_stop"
    with pytest.raises(StopUnknownError) as off_stop:
        fares.leg_fare(pair("s1", "s9"))
    assert (off_stop.value.code, off_stop.value.field) == (
        "stop_unknown",
        "business.details.off_stop",
    )


def test_of_several_matching_rules_the_rider_takes_the_cheapest() -> None:
    rules = RULES + "f3,,,,\nf2,L1,z1,,\nf1,,,z2,\n"
    fares = fares_of(fare_rules=rules)
    assert fares.leg_fare(pair("s1", "s2")).amount_fen == 100
    assert fares.leg_fare(pair("s1", "s3")).amount_fen == 200
    assert fares.leg_fare(pair("s2", "s3")).amount_fen == 350
    assert fares.leg_fare(pair("s1", None)).amount_fen == 200


def test_a_fare_without_rules_holds_everywhere() -> None:
    fares = fares_of(fare_attributes=FARES + "f1,1,CNY,0,0\n", fare_rules=None)
    assert fares.leg_fare(pair("s2", "s3")).basis is FareBasis.FLAT
    assert fares.leg_fare(pair("s1", None, "L2")).amount_fen == 100


def test_beside_fares_with_rules_a_fare_without_any_holds_nowhere() -> None:
    fares = fares_of(fare_rules=RULES + "f2,L1,z1,z2,\n")
    assert fares.leg_fare(pair("s1", "s2")).rule_id == "sectional:f2"
    assert fares.leg_fare(pair("s3", None, "L2")).rule_id == "maximum_of_network:f2"


@pytest.mark.parametrize(
    "rules", [None, RULES + "f1,,,,\nf2,,,,\n", RULES + "f1,,z1,,\nf2,,z3,,\n"]
)
def test_one_operators_fare_stays_on_its_own_lines(rules: str | None) -> None:
    fares = fares_of(
        agency="agency_id,agency_name,agency_timezone\nA,甲,Asia/Shanghai\nB,乙,Asia/Shanghai\n",
        routes="route_id,agency_id,route_short_name,route_type\nL1,A,1路,3\nL2,B,2路,3\n",
        fare_attributes=FARES.strip() + ",agency_id\nf1,1,CNY,0,0,A\nf2,2,CNY,0,0,B\n",
        fare_rules=rules,
    )
    assert fares.leg_fare(pair("s1", "s2", "L1")).amount_fen == 100
    assert fares.leg_fare(pair("s3", "s1", "L2")).amount_fen == 200


def test_a_stop_outside_all_zones_matches_no_zone_rule() -> None:
    stops = "stop_id,zone_id\ns1,z1\ns2,\ns3,z3\n"
    fares = fares_of(stops=stops, fare_rules=RULES + "f1,L1,z1,z3,\nf2,L1,,z3,\n")
    assert fares.leg_fare(pair("s1", "s2")).basis is FareBasis.MAXIMUM_FROM_STOP
    assert fares.leg_fare(pair("s2", "s3")).amount_fen == 200


def test_fares_by_zones_passed_hold_for_exactly_those_zones() -> None:
    rules = (
        RULES
        + "f1,L1,,,z1\nf1,L1,,,z2\nf2,,,,z1\nf2,,,,z2\nf2,,,,z3\nf3,L1,z2,z3,z2\nf3,L1,z2,z3,z3\n"
    )
    fares = fares_of(fare_rules=rules)
    assert fares.leg_fare(pair("s1", "s2")).amount_fen == 100
    assert fares.leg_fare(pair("s1", "s3")).amount_fen == 200
    assert fares.leg_fare(pair("s2", "s3")).amount_fen == 350
    assert fares.leg_fare(pair("s1", None)).basis is FareBasis.MAXIMUM_FROM_STOP
    assert fares.leg_fare(pair("s3", "s1", "L2")).basis is FareBasis.MAXIMUM_OF_NETWORK


def test_a_line_that_no_fare_by_zones_passed_names_is_priced_without_them() -> None:
    fares = fares_of(fare_rules=RULES + "f1,L1,,,z1\nf3,L2,,,\n")
    assert fares.leg_fare(pair("s3", "s1", "L2")).rule_id == "flat:f3"


def test_a_cheaper_fare_by_zones_passed_beats_a_fare_by_pair() -> None:
    fares = fares_of(fare_rules=RULES + "f2,L1,z1,z2,\nf1,L1,,,z1\nf1,L1,,,z2\nf3,L1,z1,z3,\n")
    assert fares.leg_fare(pair("s1", "s2")).rule_id == "sectional:f1"
    assert fares.leg_fare(pair("s1", "s3")).rule_id == "sectional:f3"


def test_on_a_loop_the_longer_way_costs_the_higher_of_the_two_prices() -> None:
    rules = RULES + "f2,L1,z1,z2,\nf1,L1,z1,z2,\n"  # dearer first: the order of rows says nothing
    fares = fares_of(stop_times=LOOP_TIMES, fare_rules=rules)
    assert fares.loop_prices == {("L1", 0, 1, 2): 100, ("L1", 0, 1, 4): 200}
    near, far = loop_ride("s1", 1, "s2", 2), loop_ride("s1", 1, "s2", 4)
    assert fares.leg_fare(near).rule_id == "sequence:f1"
    assert fares.leg_fare(far).rule_id == "sequence:f2"
    assert fares.leg_fare(pair("s1", None)).amount_fen == 200


def test_taps_of_a_loop_that_cannot_be_told_apart_pay_the_lower_price() -> None:
    rules = RULES + "f2,L1,z1,z2,\nf1,L1,z1,z2,\n"
    fares = fares_of(stop_times=LOOP_TIMES, fare_rules=rules)
    assert fares.leg_fare(pair("s1", "s2")).amount_fen == 100
    for wrong in (loop_ride("s1", 1, "s2", 9), loop_ride("s3", 1, "s2", 4)):
        assert fares.leg_fare(wrong).basis is not FareBasis.SEQUENCE


def test_the_trip_tells_which_pattern_of_the_line_was_ridden() -> None:
    times = LOOP_TIMES + "t3,,,s1,1\nt3,,,s3,2\nt3,,,s2,4\n"
    trips = "route_id,service_id,trip_id\nL1,day,t1\nL2,day,t2\nL1,day,t3\n"
    rules = RULES + "f2,L1,z1,z2,\nf1,L1,z1,z2,\n"
    fares = fares_of(stop_times=times, trips=trips, fare_rules=rules)
    far = loop_ride("s1", 1, "s2", 4)
    assert fares.leg_fare(far).amount_fen == 200
    on_t3 = Ride(
        line_id="L1", on_stop="s1", off_stop="s2", trip_id="t3", on_sequence=1, off_sequence=4
    )
    assert fares.leg_fare(on_t3).amount_fen == 100


@pytest.mark.parametrize(
    "attributes",
    [
        "f1,1,CNY,0,0\nf2,2,CNY,1,0\nf3,3,CNY,0,0\n",  # paid before boarding is another offer
        "f1,1,CNY,0,0\nf2,2,CNY,0,1\nf3,3,CNY,0,0\n",  # so is one with a transfer
    ],
)
def test_two_offers_of_different_kind_are_not_two_ways_round(attributes: str) -> None:
    rules = RULES + "f2,L1,z1,z2,\nf1,L1,z1,z2,\n"
    fares = fares_of(stop_times=LOOP_TIMES, fare_attributes=FARES + attributes, fare_rules=rules)
    assert fares.loop_prices == {}
    assert fares.leg_fare(loop_ride("s1", 1, "s2", 4)).amount_fen == 100


def test_every_published_fare_of_the_real_feed_is_reproduced(
    real_feed: Feed, real_fares: SectionalFares
) -> None:
    """How: every ride of every pattern is tapped; the prices asked are the prices published."""
    published: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for rule in real_feed.fare_rules:
        key = (rule.line_id, rule.origin_id, rule.destination_id)
        published[key].append(real_feed.fares[rule.fare_id].price_fen)
    asked: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    bases: Counter[FareBasis] = Counter()
    for line_id, patterns in real_feed.patterns.items():
        for pattern in patterns:
            for place, on in enumerate(pattern):
                for off in pattern[place + 1 :]:
                    leg = real_fares.leg_fare(
                        Ride(
                            line_id=line_id,
                            on_stop=on.stop_id,
                            off_stop=off.stop_id,
                            on_sequence=on.sequence,
                            off_sequence=off.sequence,
                        )
                    )
                    bases[leg.basis] += 1
                    if leg.basis in (FareBasis.SECTIONAL, FareBasis.SEQUENCE):
                        asked[line_id, on.stop_id, off.stop_id].append(leg.amount_fen)
    assert asked == published
    assert sum(map(len, asked.values())) == 64_977
    assert bases == {
        FareBasis.SECTIONAL: 64_283,
        FareBasis.SEQUENCE: 694,
        FareBasis.MAXIMUM_OF_NETWORK: 703,
    }


def test_the_347_double_keys_of_the_real_feed_are_told_apart_by_sequence(
    real_feed: Feed, real_fares: SectionalFares
) -> None:
    rows: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for rule in real_feed.fare_rules:
        key = (rule.line_id, rule.origin_id, rule.destination_id)
        rows[key].append(real_feed.fares[rule.fare_id].price_fen)
    double = {key: prices for key, prices in rows.items() if len(prices) > 1}
    assert len(double) == 347
    by_pair: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for (line_id, number, on_sequence, off_sequence), price in real_fares.loop_prices.items():
        stop_at = {visit.sequence: visit.stop_id for visit in real_feed.patterns[line_id][number]}
        key = (line_id, stop_at[on_sequence], stop_at[off_sequence])
        by_pair[key].append((off_sequence - on_sequence, price))
    assert by_pair.keys() == double.keys()
    for key, ways in by_pair.items():
        (near, low), (far, high) = sorted(ways)
        assert near < far
        assert low < high
        assert sorted(double[key]) == [low, high]


def test_the_703_pairs_without_a_fare_fall_to_the_maximum_fare(
    real_feed: Feed, real_fares: SectionalFares
) -> None:
    (pattern,) = real_feed.patterns["130400"]
    leg = real_fares.leg_fare(
        Ride(line_id="130400", on_stop=pattern[0].stop_id, off_stop=pattern[-1].stop_id)
    )
    assert leg.basis is FareBasis.MAXIMUM_OF_NETWORK
    assert leg.amount_fen == max(fare.price_fen for fare in real_feed.fares.values()) == 650


@given(data=st.data())
def test_a_fare_is_never_negative_nor_above_the_maximum(data: st.DataObject) -> None:
    """Why: whatever a validator tells, nobody pays more than the dearest published ride."""
    prices = data.draw(st.lists(st.integers(0, 5000), min_size=3, max_size=3))
    attributes = FARES + "".join(
        f"f{number},{fen / 100:.2f},CNY,0,0\n" for number, fen in enumerate(prices, start=1)
    )
    zone = st.sampled_from(["z1", "z2", "z3", ""])
    rows = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["f1", "f2", "f3"]),
                st.sampled_from(["L1", "L2", ""]),
                zone,
                zone,
                zone,
            ),
            max_size=6,
        )
    )
    times = data.draw(st.sampled_from([None, LOOP_TIMES]))
    changed = {"stop_times": times} if times else {}
    rules = RULES + "".join(",".join(row) + "\n" for row in rows)
    fares = fares_of(fare_attributes=attributes, fare_rules=rules, **changed)
    stop = st.sampled_from(["s1", "s2", "s3"])
    ride = Ride(
        line_id=data.draw(st.sampled_from(["L1", "L2"])),
        on_stop=data.draw(stop),
        off_stop=data.draw(st.none() | stop),
        on_sequence=data.draw(st.none() | st.integers(0, 5)),
        off_sequence=data.draw(st.none() | st.integers(0, 5)),
        trip_id=data.draw(st.sampled_from(["", "t1", "t9"])),
    )
    assert 0 <= fares.leg_fare(ride).amount_fen <= max(prices)


def test_a_table_finds_the_source_of_the_line() -> None:
    fares = fares_of()
    table = FareTable.of(7, [fares])
    assert table.activation_no == 7
    assert table.leg_fare(pair("s1", "s2")) == fares.leg_fare(pair("s1", "s2"))
    with pytest.raises(LineUnknownError) as caught:
        table.leg_fare(pair("s1", "s2", "L9"))
    assert (caught.value.code, caught.value.field) == ("line_unknown", "business.details.line")


def test_a_line_priced_by_two_sources_is_a_conflict() -> None:
    with pytest.raises(LineConflictError) as caught:
        FareTable.of(1, [fares_of(), fares_of()])
    assert caught.value.line_ids == ("L1", "L2")
