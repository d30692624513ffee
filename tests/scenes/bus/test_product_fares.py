"""Fare products: which product a leg takes, what joins, what a transfer costs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.bus.fare_products import (
    UNLIMITED,
    DurationType,
    FareProduct,
    FareProducts,
    JoinRule,
    LegRule,
    MediumType,
    Timeframe,
    TransferRule,
    TransferType,
)
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import FareBasis, FareUnknownError, Medium, Ride, StopUnknownError
from scenes.bus.network import OnwardStops
from scenes.bus.product_fares import ProductFares
from scenes.bus.service_days import Service
from tests.scenes.bus.feeds import CNY, minimal

START = datetime(2026, 5, 15, 0, tzinfo=UTC)  # Friday, 08:00 in Shanghai
WORKDAYS = Service(
    weekdays=frozenset(range(5)), starts_on=date(2026, 1, 1), ends_on=date(2026, 12, 31)
)
PRICES = {"a": 300, "b": 200, "c": 500, "ab": 100, "free": 0, "rebate": -150, "huge": -9000}
AREAS = {
    "s1": frozenset({"core"}),
    "s2": frozenset({"outer"}),
    "s3": frozenset({"core", "edge"}),
    "s4": frozenset[str](),
}


def leg_rule(product_id: str, group: str = "", **fields: object) -> LegRule:
    values: dict[str, object] = {
        "leg_group_id": group,
        "network_id": "",
        "from_area_id": "",
        "to_area_id": "",
        "from_timeframe_id": "",
        "to_timeframe_id": "",
        "product_id": product_id,
        "priority": 0,
    }
    return LegRule(**(values | fields))  # type: ignore[arg-type]


def transfer(
    from_group: str,
    to_group: str,
    kind: TransferType = TransferType.FROM_LEG_PLUS_TRANSFER,
    product_id: str = "",
    *,
    count: int | None = None,
    limit: tuple[int, DurationType] | None = None,
) -> TransferRule:
    return TransferRule(
        from_group_id=from_group,
        to_group_id=to_group,
        count=count,
        limit_s=limit[0] if limit else None,
        duration_type=limit[1] if limit else None,
        transfer_type=kind,
        product_id=product_id,
    )


def fares(
    *rules: LegRule,
    uses_priority: bool = False,
    joins: tuple[JoinRule, ...] = (),
    transfers: tuple[TransferRule, ...] = (),
    products: Mapping[str, tuple[FareProduct, ...]] | None = None,
    default_category: str = "",
) -> ProductFares:
    flat = {
        product_id: (
            FareProduct(
                product_id=product_id,
                category_id="",
                medium=None,
                amount_fen=amount_fen,
                default=True,
            ),
        )
        for product_id, amount_fen in PRICES.items()
    }
    return ProductFares(
        FareProducts(
            has_default=bool(default_category),
            products={
                product_id: tuple(
                    replace(row, default=row.category_id in ("", default_category)) for row in rows
                )
                for product_id, rows in (products or flat).items()
            },
            leg_rules=rules,
            uses_priority=uses_priority,
            join_rules=joins,
            transfer_rules=transfers,
            timeframes={
                "peak": (Timeframe(starts_s=7 * 3600, ends_s=9 * 3600, service=WORKDAYS),),
            },
            areas_of_stop=AREAS,
            network_of_line={"A": "na", "B": "nb", "C": "nc", "X": ""},
            station_of_stop={"s1": "s1", "s2": "hub", "s3": "hub", "s4": "s4"},
            zone_of_stop={},
        ),
        "Asia/Shanghai",
        OnwardStops(read_feed(minimal(), CNY)),
    )


def ride(
    line_id: str = "A",
    on_stop: str = "s1",
    off_stop: str | None = "s2",
    minute: int = 0,
    lasts: int = 10,
) -> Ride:
    boarded_at = START + timedelta(minutes=minute)
    return Ride(
        line_id=line_id,
        on_stop=on_stop,
        off_stop=off_stop,
        boarded_at=boarded_at,
        left_at=boarded_at + timedelta(minutes=lasts),
    )


def journey_fen(priced: ProductFares, *rides: Ride) -> list[int]:
    return [leg.amount_fen for leg in priced.journey(rides)]


# ---- legs ------------------------------------------------------------------------------------


def test_without_priority_an_empty_network_means_those_nobody_named() -> None:
    priced = fares(leg_rule("a"), leg_rule("b", network_id="nb"))
    assert priced.leg_fare(ride("A")).amount_fen == 300
    assert priced.leg_fare(ride("B")).amount_fen == 200
    assert priced.leg_fare(ride("X")).amount_fen == 300
    assert priced.line_ids == {"A", "B", "C", "X"}


def test_without_priority_an_empty_area_means_those_nobody_named() -> None:
    priced = fares(leg_rule("a"), leg_rule("b", from_area_id="core", to_area_id="outer"))
    assert priced.leg_fare(ride("A", "s1", "s2")).amount_fen == 200
    assert priced.leg_fare(ride("A", "s2", "s4")).amount_fen == 300
    # Stop s3 lies in a named area and in one nobody named: it counts as named.
    assert priced.leg_fare(ride("A", "s3", "s2")).amount_fen == 200
    assert priced.leg_fare(ride("A", "s2", "s3")).rule_id == "product:a"


def test_with_priority_empty_matches_anything_and_the_highest_wins() -> None:
    rules = (leg_rule("b"), leg_rule("c", from_area_id="core", priority=1))
    priced = fares(*rules, uses_priority=True)
    assert priced.leg_fare(ride("A", "s1", "s2")).amount_fen == 500
    assert priced.leg_fare(ride("A", "s2", "s1")).amount_fen == 200


def test_among_rules_of_equal_standing_the_rider_takes_the_cheapest() -> None:
    assert fares(leg_rule("a"), leg_rule("b")).leg_fare(ride()).rule_id == "product:b"


@pytest.mark.parametrize(
    ("minute", "lasts", "expected"),
    [(0, 10, 500), (-60, 10, 500), (-61, 10, 300), (59, 10, 500), (60, 10, 300), (1440, 10, 300)],
)
def test_a_timeframe_holds_by_local_time_and_day_of_boarding(
    minute: int, lasts: int, expected: int
) -> None:
    rules = (leg_rule("a"), leg_rule("c", from_timeframe_id="peak", priority=1))
    priced = fares(*rules, uses_priority=True)
    assert priced.leg_fare(ride(minute=minute, lasts=lasts)).amount_fen == expected


def test_a_timeframe_at_the_end_looks_at_the_alighting() -> None:
    rules = (leg_rule("a"), leg_rule("c", to_timeframe_id="peak", priority=1))
    priced = fares(*rules, uses_priority=True)
    assert priced.leg_fare(ride(minute=55, lasts=4)).amount_fen == 500
    assert priced.leg_fare(ride(minute=55, lasts=5)).amount_fen == 300
    assert priced.leg_fare(Ride(line_id="A", on_stop="s1", off_stop="s2")).amount_fen == 300


def test_a_ride_without_a_tap_off_costs_the_highest_it_could_have_been() -> None:
    rules = (leg_rule("b", to_area_id="core"), leg_rule("c", to_area_id="outer"))
    leg = fares(*rules).leg_fare(ride(off_stop=None))
    assert (leg.amount_fen, leg.basis) == (500, FareBasis.MAXIMUM_FROM_STOP)
    flat = fares(leg_rule("a")).leg_fare(ride(off_stop=None))
    assert (flat.amount_fen, flat.basis) == (300, FareBasis.PRODUCT)


def test_a_leg_without_a_rule_costs_the_highest_of_its_line_else_of_the_network() -> None:
    rules = (
        leg_rule("b", network_id="na", from_area_id="edge"),
        leg_rule("a", network_id="na", from_area_id="edge", to_area_id="outer"),
        leg_rule("c", network_id="nb"),
    )
    of_line = fares(*rules).leg_fare(ride("A"))
    assert (of_line.amount_fen, of_line.basis) == (300, FareBasis.MAXIMUM_OF_LINE)
    of_network = fares(*rules).leg_fare(ride("C"))
    assert (of_network.amount_fen, of_network.basis) == (500, FareBasis.MAXIMUM_OF_NETWORK)


def test_a_feed_without_leg_rules_refuses_and_so_does_an_unknown_stop() -> None:
    with pytest.raises(FareUnknownError):
        fares().leg_fare(ride())
    with pytest.raises(StopUnknownError) as caught:
        fares(leg_rule("a")).leg_fare(ride(off_stop="s9"))
    assert caught.value.field == "business.details.off_stop"


def sold(category: str, medium: MediumType | None, amount_fen: int) -> FareProduct:
    return FareProduct(
        product_id="p",
        category_id=category,
        medium=medium,
        amount_fen=amount_fen,
        default=category == "",
    )


def test_price_depends_on_medium_and_category() -> None:
    rows = (
        sold("adult", MediumType.NONE, 300),
        sold("adult", MediumType.CARD, 250),
        sold("student", MediumType.APP, 100),
    )
    priced = fares(leg_rule("p"), products={"p": rows}, default_category="adult")
    assert priced.leg_fare(ride()).amount_fen == 250
    cash = Ride(line_id="A", on_stop="s1", off_stop="s2", medium=Medium.CASH)
    assert priced.leg_fare(cash).amount_fen == 300
    student = Ride(
        line_id="A", on_stop="s1", off_stop="s2", categories=frozenset({"student", "soldier"})
    )
    assert priced.leg_fare(student).category_fen == 100
    assert priced.leg_fare(student).amount_fen == 250
    assert priced.leg_fare(ride()).category_fen is None


def test_a_product_sold_by_other_media_only_is_taken_at_their_price() -> None:
    priced = fares(leg_rule("p"), products={"p": (sold("", MediumType.PAPER, 280),)})
    assert priced.leg_fare(ride()).amount_fen == 280


def test_where_no_category_is_the_default_an_unknown_rider_pays_the_highest() -> None:
    rows = (sold("child", None, 100), sold("grown", None, 200))
    assert fares(leg_rule("p"), products={"p": rows}).leg_fare(ride()).amount_fen == 200


def test_a_product_not_sold_to_the_rider_is_no_offer() -> None:
    rows = {
        "p": (sold("student", None, 100),),
        "q": (replace(sold("", None, 400), product_id="q"),),
    }
    priced = fares(leg_rule("p"), leg_rule("q"), products=rows, default_category="adult")
    assert priced.leg_fare(ride()).amount_fen == 400


def test_a_category_never_pays_less_by_a_product_that_is_not_for_this_leg() -> None:
    """Why: a student's underground ticket once made the bus cheaper, which sells none."""
    rows = {
        "p": (sold("adult", None, 300),),
        "q": tuple(
            replace(row, product_id="q")
            for row in (sold("adult", None, 250), sold("student", None, 150))
        ),
    }
    rules = (leg_rule("p", network_id="na"), leg_rule("q", network_id="nb"))
    priced = fares(*rules, products=rows, default_category="adult")
    student = ride("A")._replace(categories=frozenset({"student"}))
    assert priced.leg_fare(student).category_fen is None
    assert priced.leg_fare(student._replace(line_id="B")).category_fen == 150
    assert [leg.amount_fen for leg in priced.journey([student], "student")] == [300]


NETWORK_OF = {"A": "na", "B": "nb", "C": "nc", "X": ""}
LEG_RULES = st.lists(
    st.builds(
        leg_rule,
        st.sampled_from(["a", "b", "c"]),
        network_id=st.sampled_from(["", "na", "nb"]),
        from_area_id=st.sampled_from(["", "core", "outer"]),
        to_area_id=st.sampled_from(["", "core", "outer"]),
        priority=st.integers(0, 2),
    ),
    min_size=1,
    max_size=6,
)


@given(
    rules=LEG_RULES,
    uses_priority=st.booleans(),
    line_id=st.sampled_from("ABCX"),
    stops=st.tuples(st.sampled_from(sorted(AREAS)), st.sampled_from(sorted(AREAS))),
)
def test_the_rules_found_are_those_the_reference_describes(
    rules: list[LegRule],
    uses_priority: bool,
    line_id: str,
    stops: tuple[str, str],
) -> None:
    """How: every rule is held against the wording of the reference, one by one."""

    def holds(value: str, present: set[str], listed: set[str]) -> bool:
        if value:
            return value in present
        return uses_priority or not present & listed

    matching = [
        rule
        for rule in rules
        if holds(rule.network_id, {NETWORK_OF[line_id]} - {""}, {r.network_id for r in rules})
        and holds(rule.from_area_id, set(AREAS[stops[0]]), {r.from_area_id for r in rules})
        and holds(rule.to_area_id, set(AREAS[stops[1]]), {r.to_area_id for r in rules})
    ]
    if uses_priority:
        matching = [r for r in matching if r.priority == max(m.priority for m in matching)]
    leg = fares(*rules, uses_priority=uses_priority).leg_fare(ride(line_id, *stops))
    if matching:
        assert leg.amount_fen == min(PRICES[rule.product_id] for rule in matching)
    else:
        assert leg.basis in (FareBasis.MAXIMUM_OF_LINE, FareBasis.MAXIMUM_OF_NETWORK)


# ---- joins -----------------------------------------------------------------------------------


def join(
    from_network: str = "", to_network: str = "", from_stop: str = "", to_stop: str = ""
) -> JoinRule:
    return JoinRule(
        from_network_id=from_network,
        to_network_id=to_network,
        from_stop_id=from_stop,
        to_stop_id=to_stop,
    )


def test_joined_rides_are_one_leg_and_only_the_first_costs() -> None:
    rules = (
        leg_rule("c", from_area_id="core", to_area_id="core"),
        leg_rule("a"),
        leg_rule("b", from_area_id="core"),
    )
    priced = fares(*rules, joins=(join("na", "nb"),))
    assert journey_fen(priced, ride("A", "s1", "s2"), ride("B", "s3", "s1", 20)) == [500, 0]


@pytest.mark.parametrize(
    ("rule", "earlier", "later"),
    [
        (join("na", "nb"), ride("A", "s1", "s2"), ride("A", "s3", "s1", 20)),
        (join("na", "nb"), ride("B", "s1", "s2"), ride("B", "s3", "s1", 20)),
        (join("na", "nb"), ride("A", "s1", "s2"), ride("B", "s4", "s1", 20)),
        (join("na", "nb"), ride("A", "s1", None), ride("B", "s3", "s1", 20)),
        (join("", "", "s2", "s4"), ride("A", "s1", "s2"), ride("B", "s3", "s1", 20)),
        (join("", "", "s1", "s3"), ride("A", "s1", "s2"), ride("B", "s3", "s1", 20)),
    ],
)
def test_rides_that_fit_no_join_rule_stay_apart(rule: JoinRule, earlier: Ride, later: Ride) -> None:
    priced = fares(leg_rule("a"), joins=(rule,))
    assert journey_fen(priced, earlier, later) == [300, 300]


def test_stations_and_named_stops_join_across_networks() -> None:
    priced = fares(leg_rule("a"), joins=(join("", "", "hub", "s4"), join("nb", "nc")))
    rides = (ride("A", "s1", "s2"), ride("B", "s4", "s3", 20), ride("C", "s2", "s1", 40))
    assert journey_fen(priced, *rides) == [300, 0, 0]


def test_joined_rides_of_two_networks_match_no_rule_of_one_network() -> None:
    rules = (leg_rule("b", network_id="na"), leg_rule("a"))
    priced = fares(*rules, joins=(join("na", "nb"),))
    assert journey_fen(priced, ride("A", "s1", "s2"), ride("B", "s3", "s1", 20)) == [300, 0]


# ---- transfers -------------------------------------------------------------------------------

GROUPS = (
    leg_rule("a", "ga", network_id="na"),
    leg_rule("b", "gb", network_id="nb"),
    leg_rule("c", network_id="nc"),
)
A_THEN_B = (ride("A"), ride("B", "s2", "s1", 20))


@pytest.mark.parametrize(
    ("kind", "product_id", "charges"),
    [
        (TransferType.FROM_LEG_PLUS_TRANSFER, "ab", [300, 100]),
        (TransferType.FROM_LEG_PLUS_TRANSFER, "", [300, 0]),
        (TransferType.FROM_LEG_PLUS_TRANSFER, "rebate", [150, 0]),
        (TransferType.BOTH_LEGS_PLUS_TRANSFER, "ab", [300, 300]),
        (TransferType.BOTH_LEGS_PLUS_TRANSFER, "rebate", [300, 50]),
        (TransferType.BOTH_LEGS_PLUS_TRANSFER, "huge", [0, 0]),
        (TransferType.TRANSFER_ALONE, "ab", [100, 0]),
        (TransferType.TRANSFER_ALONE, "c", [300, 200]),
        (TransferType.TRANSFER_ALONE, "", [0, 0]),
    ],
)
def test_a_transfer_is_charged_by_its_type(
    kind: TransferType, product_id: str, charges: list[int]
) -> None:
    priced = fares(*GROUPS, transfers=(transfer("ga", "gb", kind, product_id),))
    assert journey_fen(priced, *A_THEN_B) == charges
    assert journey_fen(priced, *reversed(A_THEN_B)) == [200, 300]


@pytest.mark.parametrize(
    ("first", "second", "total"),
    [
        (TransferType.FROM_LEG_PLUS_TRANSFER, TransferType.FROM_LEG_PLUS_TRANSFER, 300 + 100 + 100),
        (
            TransferType.BOTH_LEGS_PLUS_TRANSFER,
            TransferType.BOTH_LEGS_PLUS_TRANSFER,
            300 + 100 + 200 + 100 + 300,
        ),
        (TransferType.TRANSFER_ALONE, TransferType.TRANSFER_ALONE, 100 + 100),
        (TransferType.TRANSFER_ALONE, TransferType.BOTH_LEGS_PLUS_TRANSFER, 100 + 100 + 300),
    ],
)
def test_a_second_transfer_adds_to_the_total_of_the_first(
    first: TransferType, second: TransferType, total: int
) -> None:
    rules = (transfer("ga", "gb", first, "ab"), transfer("gb", "ga", second, "ab"))
    priced = fares(*GROUPS, transfers=rules)
    assert sum(journey_fen(priced, *A_THEN_B, ride("A", "s1", "s2", 40))) == total


def test_transfers_of_one_group_are_counted_and_the_smallest_fitting_count_rules() -> None:
    rules = (
        transfer("ga", "ga", product_id="b", count=UNLIMITED),
        transfer("ga", "ga", product_id="ab", count=2),
        transfer("ga", "ga", count=1),
    )
    priced = fares(*GROUPS, transfers=rules)
    rides = [ride("A", minute=20 * number) for number in range(5)]
    assert journey_fen(priced, *rides) == [300, 0, 100, 200, 200]
    bounded = fares(*GROUPS, transfers=rules[2:])
    assert journey_fen(bounded, *rides) == [300, 0, 300, 0, 300]


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [
        (DurationType.DEPARTURE_TO_ARRIVAL, 30),
        (DurationType.DEPARTURE_TO_DEPARTURE, 20),
        (DurationType.ARRIVAL_TO_DEPARTURE, 10),
        (DurationType.ARRIVAL_TO_ARRIVAL, 20),
    ],
)
def test_the_time_limit_runs_between_the_validations_its_type_names(
    kind: DurationType, minutes: int
) -> None:
    for limit_s, charge in ((minutes * 60, 0), (minutes * 60 - 1, 200)):
        rules = (transfer("ga", "gb", limit=(limit_s, kind)),)
        assert journey_fen(fares(*GROUPS, transfers=rules), *A_THEN_B) == [300, charge]


def test_the_time_limit_of_one_group_runs_from_its_first_leg() -> None:
    limit = (1800, DurationType.DEPARTURE_TO_DEPARTURE)
    priced = fares(*GROUPS, transfers=(transfer("ga", "ga", count=UNLIMITED, limit=limit),))
    rides = [ride("A", minute=20 * number) for number in range(4)]
    assert journey_fen(priced, *rides) == [300, 0, 300, 0]


def test_a_transfer_that_cannot_be_timed_is_none() -> None:
    limit = (1800, DurationType.DEPARTURE_TO_DEPARTURE)
    priced = fares(*GROUPS, transfers=(transfer("ga", "gb", limit=limit),))
    untimed = Ride(line_id="B", on_stop="s2", off_stop="s1")
    assert journey_fen(priced, ride("A"), untimed) == [300, 200]


def test_empty_groups_stand_for_those_nobody_named_and_never_for_no_group() -> None:
    rules = (transfer("ga", "", product_id="ab"), transfer("", "ga", product_id="free"))
    priced = fares(*GROUPS, transfers=rules)
    assert journey_fen(priced, *A_THEN_B) == [300, 100]
    assert journey_fen(priced, ride("A"), ride("A", minute=20)) == [300, 300]
    assert journey_fen(priced, ride("B"), ride("A", minute=20)) == [200, 0]
    assert journey_fen(priced, ride("C"), ride("A", minute=20)) == [500, 300]


@given(
    lines=st.lists(st.sampled_from("ABC"), min_size=1, max_size=6),
    rules=st.lists(
        st.builds(
            transfer,
            st.sampled_from(["ga", "gb", ""]),
            st.sampled_from(["ga", "gb", ""]),
            st.sampled_from(TransferType),
            st.sampled_from(["", *PRICES]),
            count=st.sampled_from([None, UNLIMITED, 1, 2]),
        ),
        max_size=4,
    ),
)
def test_no_ride_of_a_journey_costs_less_than_nothing(
    lines: list[str], rules: list[TransferRule]
) -> None:
    """Why: a negative ride would pay riders for riding."""
    priced = fares(*GROUPS, transfers=tuple(rules))
    rides = [ride(line_id, minute=20 * place) for place, line_id in enumerate(lines)]
    charges = journey_fen(priced, *rides)
    assert len(charges) == len(rides)
    assert min(charges) >= 0
