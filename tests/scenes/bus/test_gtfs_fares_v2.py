"""Reading the newer fares: every fault has its place, and what is kept is what was written."""

from datetime import UTC, datetime

import pytest

from scenes.bus.fare_products import MediumType, TransferType
from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.feed_rows import FeedInvalidError
from scenes.bus.feed_store import Connection
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import Ride
from scenes.bus.service import import_feed, load_fare_table
from tests.scenes.bus.feeds import CNY, PRODUCTS, with_products

NOW = datetime(2026, 5, 15, tzinfo=UTC)


def test_the_newer_fares_are_read_and_take_precedence() -> None:
    feed = read_feed(with_products(), CNY)
    products = feed.products
    assert products is not None
    assert products.has_default
    assert [row.default for row in products.products["single"]] == [True, True, False]
    assert not products.uses_priority
    assert [row.amount_fen for row in products.products["single"]] == [300, 250, 150]
    assert products.products["single"][1].medium is MediumType.CARD
    assert products.areas_of_stop["s1"] == {"core"}
    assert products.areas_of_stop["s2"] == {"outer"}
    assert products.areas_of_stop["s3"] == {"outer"}
    assert products.network_of_line == {"L1": "town", "L2": "rural"}
    assert products.station_of_stop["s1"] == "s1"
    assert products.transfer_rules[0].transfer_type is TransferType.FROM_LEG_PLUS_TRANSFER
    table = FareTable.of(1, [fares_of(feed)])
    ride = Ride(line_id="L1", on_stop="s1", off_stop="s2", boarded_at=NOW, left_at=NOW)
    assert table.leg_fare(ride).amount_fen == 250


def test_a_platform_takes_the_areas_of_its_station_unless_it_has_its_own() -> None:
    stops = (
        "stop_id,zone_id,location_type,parent_station\n"
        "hub,,1,\ns1,z1,0,hub\ns2,z2,0,hub\ns3,z3,0,\n"
    )
    products = read_feed(
        with_products(stops=stops, stop_areas="area_id,stop_id\ncore,hub\nouter,s2\n"), CNY
    ).products
    assert products is not None
    assert products.areas_of_stop["s1"] == {"core"}
    assert products.areas_of_stop["s2"] == {"outer"}
    assert products.areas_of_stop["s3"] == frozenset()
    assert products.station_of_stop["s2"] == "hub"


HEADERS = {name: text.splitlines()[0] + "\n" for name, text in PRODUCTS.items()}


@pytest.mark.parametrize(
    ("file", "rows", "line", "field", "reason"),
    [
        ("networks", "n1,x\nn1,y\n", 3, "network_id", "duplicate"),
        ("route_networks", "ghost,L1\n", 2, "network_id", "unknown_reference"),
        ("route_networks", "town,L9\n", 2, "route_id", "unknown_reference"),
        ("route_networks", "town,L1\ntown,L1\n", 3, "route_id", "duplicate"),
        ("areas", "a\na\n", 3, "area_id", "duplicate"),
        ("stop_areas", "nowhere,s1\n", 2, "area_id", "unknown_reference"),
        ("stop_areas", "core,s9\n", 2, "stop_id", "unknown_reference"),
        ("timeframes", "peak,07:00:00,09:00:00,never\n", 2, "service_id", "unknown_reference"),
        ("timeframes", "peak,07:00:00,,day\n", 2, "end_time", "value_missing"),
        ("timeframes", "peak,09:00:00,07:00:00,day\n", 2, "end_time", "out_of_range"),
        ("timeframes", "peak,07:00:00,25:00:00,day\n", 2, "end_time", "out_of_range"),
        (
            "timeframes",
            "peak,07:00:00,09:00:00,day\npeak,08:00:00,10:00:00,day\n",
            3,
            "start_time",
            "overlap",
        ),
        ("rider_categories", "a,A,2\n", 2, "is_default_fare_category", "out_of_range"),
        ("rider_categories", "a,A,0\na,A,0\n", 3, "rider_category_id", "duplicate"),
        ("fare_media", "card,卡,9\n", 2, "fare_media_type", "out_of_range"),
        ("fare_media", "card,卡,2\ncard,卡,2\n", 3, "fare_media_id", "duplicate"),
        ("fare_products", "p,P,ghost,,1,CNY\n", 2, "rider_category_id", "unknown_reference"),
        ("fare_products", "p,P,,ghost,1,CNY\n", 2, "fare_media_id", "unknown_reference"),
        ("fare_products", "p,P,,,1,CNY\np,P,,,2,CNY\n", 3, "fare_product_id", "duplicate"),
        ("fare_products", "p,P,,,one,CNY\n", 2, "amount", "not_a_number"),
        ("fare_products", "p,P,,,1,XAU\n", 2, "currency", "currency_unknown"),
        ("fare_leg_rules", "g,ghost,,,,,single\n", 2, "network_id", "unknown_reference"),
        ("fare_leg_rules", "g,,ghost,,,,single\n", 2, "from_area_id", "unknown_reference"),
        ("fare_leg_rules", "g,,,ghost,,,single\n", 2, "to_area_id", "unknown_reference"),
        (
            "fare_leg_rules",
            "g,,,,ghost,,single\n",
            2,
            "from_timeframe_group_id",
            "unknown_reference",
        ),
        ("fare_leg_rules", "g,,,,,ghost,single\n", 2, "to_timeframe_group_id", "unknown_reference"),
        ("fare_leg_rules", "g,,,,,,ghost\n", 2, "fare_product_id", "unknown_reference"),
        ("fare_leg_join_rules", "town,,,\n", 2, "to_network_id", "value_missing"),
        ("fare_leg_join_rules", "town,ghost,,\n", 2, "to_network_id", "unknown_reference"),
        ("fare_leg_join_rules", "town,town,s1,\n", 2, "to_stop_id", "value_missing"),
        ("fare_leg_join_rules", "town,town,s1,s9\n", 2, "to_stop_id", "unknown_reference"),
        ("fare_transfer_rules", "ghost,t,,,,0,\n", 2, "from_leg_group_id", "unknown_reference"),
        ("fare_transfer_rules", "t,r,1,,,0,\n", 2, "transfer_count", "not_allowed"),
        ("fare_transfer_rules", "t,t,0,,,0,\n", 2, "transfer_count", "out_of_range"),
        ("fare_transfer_rules", "t,t,,,,0,\n", 2, "transfer_count", "value_missing"),
        ("fare_transfer_rules", "t,r,,60,,0,\n", 2, "duration_limit_type", "value_missing"),
        ("fare_transfer_rules", "t,r,,60,7,0,\n", 2, "duration_limit_type", "out_of_range"),
        ("fare_transfer_rules", "t,r,,,,3,\n", 2, "fare_transfer_type", "out_of_range"),
        ("fare_transfer_rules", "t,r,,,,0,ghost\n", 2, "fare_product_id", "unknown_reference"),
    ],
)
def test_a_fault_in_the_newer_fares_names_file_line_field_and_reason(
    file: str, rows: str, line: int, field: str, reason: str
) -> None:
    with pytest.raises(FeedInvalidError) as caught:
        read_feed(with_products(**{file: HEADERS[f"{file}.txt"] + rows}), CNY)
    places = [
        (fault.line, fault.field, fault.reason)
        for fault in caught.value.faults
        if fault.file == f"{file}.txt"
    ]
    assert places[0] == (line, field, reason)


def test_timeframes_of_one_group_and_join_rules_are_kept() -> None:
    rows = "peak,07:00:00,09:00:00,day\npeak,17:00:00,19:00:00,day\noff,,,day\n"
    joins = HEADERS["fare_leg_join_rules.txt"] + "town,rural,,\n,,s1,s2\n"
    feed = with_products(timeframes=HEADERS["timeframes.txt"] + rows, fare_leg_join_rules=joins)
    products = read_feed(feed, CNY).products
    assert products is not None
    assert [frame.starts_s for frame in products.timeframes["peak"]] == [25_200, 61_200]
    assert (products.timeframes["off"][0].starts_s, products.timeframes["off"][0].ends_s) == (
        0,
        86_400,
    )
    assert [rule.to_stop_id for rule in products.join_rules] == ["", "s2"]


def test_a_transfer_between_any_groups_needs_no_count() -> None:
    rules = HEADERS["fare_transfer_rules.txt"] + ",,,,,0,\n,,-1,,,0,\n"
    products = read_feed(with_products(fare_transfer_rules=rules), CNY).products
    assert products is not None
    assert [rule.count for rule in products.transfer_rules] == [None, -1]


async def test_the_newer_fares_survive_storing_and_loading(connection: Connection) -> None:
    imported = await import_feed(
        connection,
        source="demo",
        files=with_products(),
        minor_per_unit=CNY,
        imported_by="op-1",
        at=NOW,
    )
    rules = {change.line_id for change in imported.differences.price_changes}
    assert {"network:town", "network:rural"} <= rules
    table = await load_fare_table(connection)
    ride = Ride(line_id="L1", on_stop="s1", off_stop="s2", boarded_at=NOW, left_at=NOW)
    assert table.leg_fare(ride).amount_fen == 250
