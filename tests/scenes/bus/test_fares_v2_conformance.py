"""Fares v2 from the files themselves: each row holds one sentence of the GTFS reference.

How: a small network (L1 of the network town, L2 of rural; s1 in the area core, s2 and s3 in outer)
gets the files of the row, and rides on it are priced as one journey.
"""

from datetime import UTC, datetime, timedelta

import pytest

from scenes.bus.fare_table import fares_of
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import Medium, Ride
from scenes.bus.product_fares import ProductFares
from tests.scenes.bus.feeds import CNY, PRODUCTS, with_products

START = datetime(2026, 5, 15, 0, tzinfo=UTC)  # Friday, 08:00 in Shanghai
CALENDAR = (
    "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
    "day,1,1,1,1,1,0,0,20260101,20261231\nrest,0,0,0,0,0,1,1,20260101,20261231\n"
)
LEGS = PRODUCTS["fare_leg_rules.txt"].splitlines()[0] + "\n"
RANKED = LEGS.replace("fare_product_id", "fare_product_id,rule_priority")
TRANSFERS = PRODUCTS["fare_transfer_rules.txt"].splitlines()[0] + "\n"
JOINS = PRODUCTS["fare_leg_join_rules.txt"]
FRAMES = PRODUCTS["timeframes.txt"]
PRICES = (
    "fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
    "two,,,2.00,CNY\nthree,,,3.00,CNY\nfive,,,5.00,CNY\nnine,,,9.00,CNY\none,,,1.00,CNY\n"
    "nothing,,,0.00,CNY\nback,,,-1.50,CNY\n"
)


def go(
    line: str = "L1", on: str = "s1", off: str | None = "s2", minute: int = 0, lasts: int = 10
) -> Ride:
    boarded_at = START + timedelta(minutes=minute)
    left_at = boarded_at + timedelta(minutes=lasts)
    return Ride(line_id=line, on_stop=on, off_stop=off, boarded_at=boarded_at, left_at=left_at)


def priced(**changed: str) -> ProductFares:
    base = {
        "fare_products": PRICES,
        "fare_leg_rules": LEGS,
        "fare_transfer_rules": TRANSFERS,
        "calendar": CALENDAR,
    }
    table = fares_of(read_feed(with_products(**(base | changed)), CNY))
    assert isinstance(table, ProductFares)
    return table


SAME = [go(), go("L1", "s2", "s3", 20), go("L1", "s3", "s1", 40), go("L1", "s1", "s2", 60)]
ACROSS = [go("L1", "s1", "s3"), go("L2", "s3", "s1", 20)]
GROUPS = LEGS + "t,town,,,,,three\nr,rural,,,,,two\n"


@pytest.mark.parametrize(
    ("changed", "rides", "expected"),
    [
        # -- fare_leg_rules: empty entries without rule_priority
        pytest.param(
            {"fare_leg_rules": LEGS + ",rural,,,,,five\n,,,,,,two\n"},
            [go("L1"), go("L2", "s3", "s1")],
            [200, 500],
            id="empty-network-is-every-network-not-listed",
        ),
        pytest.param(
            {"fare_leg_rules": LEGS + ",,core,outer,,,five\n,,,,,,two\n"},
            [go(on="s1", off="s2"), go(on="s2", off="s1", minute=30)],
            [500, 200],
            id="empty-area-is-every-area-not-listed",
        ),
        pytest.param(
            {"fare_leg_rules": LEGS + ",town,,,,,two\n,,core,outer,,,five\n"},
            [go("L1", "s1", "s2")],
            [500],
            id="a-listed-network-or-area-is-no-longer-matched-by-empty",
        ),
        # -- fare_leg_rules: rule_priority
        pytest.param(
            {"fare_leg_rules": RANKED + ",,,,,,two,\n,town,,,,,five,1\n,town,core,,,,three,2\n"},
            [go("L2", "s3", "s1"), go(on="s2", off="s3"), go()],
            [200, 500, 300],
            id="the-highest-priority-wins-and-empty-is-zero",
        ),
        pytest.param(
            {"fare_leg_rules": RANKED + ",,,,,,five,1\n,town,core,outer,,,two,0\n"},
            [go()],
            [500],
            id="with-priority-empty-matches-what-is-listed-too",
        ),
        pytest.param(
            {"fare_leg_rules": RANKED + ",,,,,,five,1\n,town,,,,,two,1\n"},
            [go()],
            [200],
            id="of-the-set-of-the-highest-the-rider-takes-the-cheapest",
        ),
        # -- timeframes
        pytest.param(
            {
                "timeframes": FRAMES + "peak,07:00:00,09:00:00,day\n",
                "fare_leg_rules": RANKED + ",,,,peak,,five,1\n,,,,,,two,0\n",
            },
            [go(minute=-61), go(minute=-60), go(minute=59), go(minute=60)],
            [200, 500, 500, 200],
            id="the-start-is-in-a-timeframe-and-the-end-is-not",
        ),
        pytest.param(
            {
                "timeframes": FRAMES + "peak,07:00:00,09:00:00,day\npeak,,,rest\n",
                "fare_leg_rules": RANKED + ",,,,peak,,five,1\n,,,,,,two,0\n",
            },
            [go(minute=120), go(minute=1440 + 120)],
            [200, 500],
            id="empty-times-are-the-whole-day-of-their-service",
        ),
        pytest.param(
            {
                "timeframes": FRAMES + "late,00:00:00,01:00:00,rest\n",
                "fare_leg_rules": RANKED + ",,,,,late,five,1\n,,,,,,two,0\n",
            },
            [go(minute=16 * 60 - 5, lasts=4), go(minute=16 * 60 - 5, lasts=5)],
            [200, 500],
            id="the-day-is-that-of-the-clock-at-the-alighting-not-of-the-service",
        ),
        pytest.param(
            {
                "stops": (
                    "stop_id,zone_id,location_type,parent_station,stop_timezone\n"
                    "hub,,1,,Asia/Tokyo\ns1,z1,0,hub,Europe/Paris\ns2,z2,0,,Asia/Tokyo\n"
                    "s3,z3,0,,\n"
                ),
                "timeframes": FRAMES + "peak,09:00:00,10:00:00,day\n",
                "fare_leg_rules": RANKED + ",,,,peak,,five,1\n,,,,,,two,0\n",
            },
            [go(on="s1"), go(on="s2", off="s3"), go("L2", "s3", "s1")],
            [500, 500, 200],
            id="the-clock-is-the-stations-else-the-stops-else-the-feeds",
        ),
        # -- areas
        pytest.param(
            {
                "stops": (
                    "stop_id,zone_id,location_type,parent_station\n"
                    "hub,,1,\ns1,z1,0,hub\ns2,z2,0,hub\ns3,z3,0,\n"
                ),
                "stop_areas": "area_id,stop_id\ncore,hub\nouter,s2\nouter,s3\n",
                "fare_leg_rules": LEGS + ",,core,,,,five\n,,outer,,,,two\n",
            },
            [go(on="s1"), go(on="s2", off="s3")],
            [500, 200],
            id="platforms-are-in-their-stations-areas-unless-assigned-to-others",
        ),
        # -- fare_transfer_rules: types, for two legs and for three
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,r,,,,0,one\n"},
            ACROSS,
            [300, 100],
            id="type-0-is-A-plus-AB",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,r,,,,1,back\n"},
            ACROSS,
            [300, 50],
            id="type-1-is-A-plus-AB-plus-B",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,r,,,,2,five\n"},
            ACROSS,
            [300, 200],
            id="type-2-is-AB-alone",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,r,,,,0,\n"},
            ACROSS,
            [300, 0],
            id="an-empty-product-costs-nothing",
        ),
        pytest.param(
            {
                "fare_leg_rules": GROUPS,
                "fare_transfer_rules": TRANSFERS + "t,r,,,,2,five\nr,t,,,,2,one\n",
            },
            [*ACROSS, go("L1", "s1", "s2", 40)],
            [300, 200, 100],
            id="type-2-after-a-transfer-is-S-plus-BC",
        ),
        pytest.param(
            {
                "fare_leg_rules": GROUPS,
                "fare_transfer_rules": TRANSFERS + "t,r,,,,0,one\nr,t,,,,1,one\n",
            },
            [*ACROSS, go("L1", "s1", "s2", 40)],
            [300, 100, 400],
            id="type-1-after-a-transfer-is-S-plus-BC-plus-C",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "r,t,,,,0,one\n"},
            ACROSS,
            [300, 200],
            id="a-rule-does-not-hold-in-the-other-direction",
        ),
        # -- fare_transfer_rules: empty groups
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + ",r,,,,0,one\n"},
            ACROSS,
            [300, 100],
            id="an-empty-group-is-every-group-not-listed",
        ),
        pytest.param(
            {
                "fare_leg_rules": GROUPS,
                "fare_transfer_rules": TRANSFERS + ",r,,,,0,one\nt,t,1,,,0,nothing\n",
            },
            ACROSS,
            [300, 200],
            id="a-listed-group-is-no-longer-matched-by-empty",
        ),
        # -- fare_transfer_rules: count and duration
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,t,2,,,0,one\n"},
            SAME,
            [300, 100, 100, 300],
            id="a-count-bounds-the-transfers-in-a-row",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,t,-1,,,0,\n"},
            SAME,
            [300, 0, 0, 0],
            id="minus-one-is-no-limit",
        ),
        pytest.param(
            {
                "fare_leg_rules": GROUPS,
                "fare_transfer_rules": TRANSFERS + "t,t,-1,,,0,one\nt,t,1,,,0,nothing\n",
            },
            SAME,
            [300, 0, 100, 100],
            id="the-smallest-count-that-covers-the-transfer-is-selected",
        ),
        *(
            pytest.param(
                {
                    "fare_leg_rules": GROUPS,
                    "fare_transfer_rules": TRANSFERS + f"t,t,-1,{limit},{kind},0,\n",
                },
                SAME[:2],
                [300, 0 if within else 300],
                id=f"duration-type-{kind}-of-{limit}-seconds",
            )
            for kind, limit, within in (
                (0, 1800, True),  # from the first departure to the last arrival: 30 minutes
                (0, 1799, False),
                (1, 1200, True),  # to the last departure: 20
                (1, 1199, False),
                (2, 600, True),  # from the first arrival to the last departure: 10
                (2, 599, False),
                (3, 1200, True),  # to the last arrival: 20
                (3, 1199, False),
            )
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_transfer_rules": TRANSFERS + "t,t,-1,2400,1,0,\n"},
            SAME,
            [300, 0, 0, 300],
            id="a-duration-matched-again-counts-from-the-first-leg",
        ),
        # -- fare_leg_join_rules
        pytest.param(
            {
                "fare_leg_rules": LEGS + ",town,core,core,,,nine\n,town,,,,,three\n",
                "fare_leg_join_rules": JOINS + "town,town,,\n",
            },
            [go(on="s1", off="s2"), go("L1", "s2", "s1", 20)],
            [900, 0],
            id="joined-legs-are-one-from-the-first-departure-to-the-last-arrival",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_leg_join_rules": JOINS + "town,town,,\n"},
            [go(on="s1", off="s2"), go("L1", "s3", "s1", 20)],
            [300, 300],
            id="a-join-asks-for-the-same-station",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_leg_join_rules": JOINS + "town,town,s2,s3\n"},
            [go(on="s1", off="s2"), go("L1", "s3", "s1", 20)],
            [300, 0],
            id="unless-the-two-stops-are-named",
        ),
        pytest.param(
            {"fare_leg_rules": GROUPS, "fare_leg_join_rules": JOINS + "town,town,,\n"},
            [go(on="s1", off="s2"), go("L1", "s2", "s3", 20), go("L1", "s3", "s1", 40)],
            [300, 0, 0],
            id="joins-in-a-row-are-one-leg",
        ),
    ],
)
def test_a_journey_costs_what_the_reference_says(
    changed: dict[str, str], rides: list[Ride], expected: list[int]
) -> None:
    assert [leg.amount_fen for leg in priced(**changed).journey(rides)] == expected


CATEGORIES = "rider_category_id,rider_category_name,is_default_fare_category\n"
SOLD = "fare_product_id,rider_category_id,fare_media_id,amount,currency\n"


@pytest.mark.parametrize(
    ("products", "category", "medium", "expected"),
    [
        pytest.param("p,,,4.00,CNY\n", "pupil", Medium.CARD, 400, id="empty-category-is-any"),
        pytest.param(
            "p,grown,,4.00,CNY\np,pupil,,1.00,CNY\n", "", Medium.CARD, 400, id="the-default"
        ),
        pytest.param(
            "p,grown,,4.00,CNY\np,pupil,,1.00,CNY\n", "pupil", Medium.CARD, 100, id="a-category"
        ),
        pytest.param(
            "p,guest,,6.00,CNY\np,pupil,,1.00,CNY\n", "", Medium.CARD, 600, id="default-by-product"
        ),
        pytest.param(
            "p,,cash,4.00,CNY\np,,card,3.00,CNY\n", "", Medium.CARD, 300, id="by-medium-card"
        ),
        pytest.param(
            "p,,cash,4.00,CNY\np,,card,3.00,CNY\n", "", Medium.CASH, 400, id="by-medium-cash"
        ),
        pytest.param(
            "p,,,4.00,CNY\np,,card,3.00,CNY\n", "", Medium.CASH, 400, id="empty-medium-is-any"
        ),
    ],
)
def test_a_product_costs_by_category_and_medium(
    products: str, category: str, medium: Medium, expected: int
) -> None:
    fares = priced(
        rider_categories=CATEGORIES + "grown,成人,1\nguest,游客,1\npupil,学生,\n",
        fare_products=SOLD + products,
        fare_leg_rules=LEGS + ",,,,,,p\n",
    )
    ride = go()._replace(medium=medium)
    assert [leg.amount_fen for leg in fares.journey([ride], category)] == [expected]


def test_a_product_has_one_default_category() -> None:
    with pytest.raises(Exception, match="default_twice"):
        priced(
            rider_categories=CATEGORIES + "grown,成人,1\nguest,游客,1\n",
            fare_products=SOLD + "p,grown,,4.00,CNY\np,guest,,6.00,CNY\n",
            fare_leg_rules=LEGS + ",,,,,,p\n",
        )


def test_a_network_may_stand_on_the_line_itself() -> None:
    routes = "route_id,route_type,network_id\nL1,3,city\nL2,3,\n"
    fares = priced(
        routes=routes,
        networks="network_id\n",
        route_networks="network_id,route_id\n",
        fare_leg_rules=LEGS + ",city,,,,,five\n,,,,,,two\n",
    )
    assert [leg.amount_fen for leg in fares.journey([go(), go("L2", "s3", "s1")])] == [500, 200]
