"""Where a vehicle goes on to, whatever prices its line."""

from scenes.bus.distance_lines import DistanceLine, Mark
from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.gtfs import read_feed
from tests.scenes.bus.feeds import CNY, minimal, with_products

LOOP = DistanceLine.of(
    line_id="环线",
    name="环线",
    sentence="票价2元",
    marks=(Mark("东", 0), Mark("南", 2_000), Mark("东", 4_000)),
)


def test_stops_after_a_visit_are_those_of_the_pattern() -> None:
    for files in (minimal(), with_products()):
        table = FareTable.of(1, [fares_of(read_feed(files, CNY)), LOOP])
        assert table.stops_after("L1", "s1", None) == {"s2", "s3"}
        assert table.stops_after("L1", "s2", 2) == {"s3"}
        assert table.stops_after("L1", "s2", 9) == frozenset()
        assert table.stops_after("L1", "s9", None) == frozenset()
        assert table.stops_after("L9", "s1", None) == frozenset()
        assert table.stops_after("环线", "东", None) == {"南", "东"}
        assert table.stops_after("环线", "东", 3) == frozenset()
        assert table.stops_after("环线", "北", None) == frozenset()
    assert LOOP.stops_after("L1", "东", None) == frozenset()


def test_another_platform_of_the_station_counts_as_the_stop() -> None:
    stops = (
        "stop_id,zone_id,location_type,parent_station\n"
        "hub,,1,\ns1,z1,0,\ns2,z2,0,hub\ns3,z3,0,\ns4,z2,0,hub\n"
    )
    table = FareTable.of(1, [fares_of(read_feed(minimal(stops=stops), CNY))])
    assert table.stops_after("L1", "s1", None) == {"s2", "s3", "s4"}
