"""The bundled network is a sound feed, and all of it can be ridden and priced."""

from adapters.demo_feed import MINOR_PER_UNIT, feed_files, line_files
from scenes.bus.fare_table import FareTable
from scenes.bus.fares import SectionalFares
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import FareBasis, Ride
from scenes.bus.service import read_distance_lines


def test_every_ride_of_the_demo_feed_has_a_published_fare() -> None:
    feed = read_feed(feed_files(), MINOR_PER_UNIT)
    assert feed.notices == ()
    assert set(feed.lines) == {"K1", "K2", "101", "102"}
    fares = SectionalFares(feed)
    bases = set()
    for line_id, patterns in feed.patterns.items():
        for pattern in patterns:
            for place, on in enumerate(pattern):
                for off in pattern[place + 1 :]:
                    ride = Ride(line_id=line_id, on_stop=on.stop_id, off_stop=off.stop_id)
                    bases.add(fares.leg_fare(ride).basis)
    assert bases == {FareBasis.FLAT, FareBasis.SECTIONAL}


def test_the_demo_lines_price_by_distance_and_by_medium() -> None:
    lines = read_distance_lines(line_files())
    table = FareTable.of(1, lines.values())
    tour = Ride(
        line_id="旅游快线(山亭汽车站-抱犊崮景区)", on_stop="山亭汽车站", off_stop="抱犊崮景区"
    )
    direct = Ride(line_id="城际直达(山亭汽车站-枣庄站)", on_stop="山亭汽车站", off_stop="枣庄站")
    assert table.leg_fare(tour).amount_fen == 600
    assert table.leg_fare(direct).amount_fen == 800
    assert not table.leg_fare(direct).concessions_allowed
