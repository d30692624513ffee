"""What published feeds are like: odd forms that are read, and lenient reading of loose ends."""

import pytest

from scenes.bus.feed_rows import FeedInvalidError
from scenes.bus.gtfs import read_feed
from scenes.bus.network import Feed
from tests.scenes.bus.feeds import CNY, MINIMAL, PRODUCTS, minimal, with_products

PLAIN = read_feed(minimal(), CNY)


def with_ends(text: str, end: str) -> str:
    return text.replace("\n", end)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({name: with_ends(text, "\r\n") for name, text in MINIMAL.items()}, id="crlf"),
        pytest.param({name: with_ends(text, "\r") for name, text in MINIMAL.items()}, id="cr"),
        pytest.param({name: f"\ufeff{text}" for name, text in MINIMAL.items()}, id="bom"),
        pytest.param({name: text.rstrip() for name, text in MINIMAL.items()}, id="no-last-end"),
        pytest.param(
            {name: with_ends(text, "\n\n \n") for name, text in MINIMAL.items()}, id="blank-lines"
        ),
        pytest.param(
            {name: text + "," * text.splitlines()[0].count(",") for name, text in MINIMAL.items()},
            id="line-of-commas",
        ),
        pytest.param(
            {
                name: "\n".join(
                    line if place == 0 else f"{line},"
                    for place, line in enumerate(text.splitlines())
                )
                for name, text in MINIMAL.items()
            },
            id="comma-after-the-last-field",
        ),
        pytest.param(
            {
                name: "\n".join(
                    ", ".join(f'"{value}"' for value in line.split(","))
                    for line in text.splitlines()
                )
                for name, text in MINIMAL.items()
            },
            id="all-quoted-with-spaces",
        ),
        pytest.param(
            {
                name: "\n".join(
                    ",".join(["unheard_of" if place == 0 else "x", *line.split(",")[::-1]])
                    for place, line in enumerate(text.splitlines())
                )
                for name, text in MINIMAL.items()
            },
            id="other-order-and-an-extra-column",
        ),
        pytest.param(
            {
                "shapes.txt": "not a shape\n",
                "feed_info.txt": "\udcff",
                "translations.txt": "",
                "agency_jp.txt": "x",
            },
            id="files-nobody-asked-for",
        ),
    ],
)
def test_an_odd_form_says_the_same(changed: dict[str, str]) -> None:
    files = minimal() | {
        name: text.encode("utf-8", "surrogateescape") for name, text in changed.items()
    }
    assert read_feed(files, CNY) == PLAIN


@pytest.mark.parametrize(
    ("written", "fen"),
    [("2", 200), ("2.", 200), (".5", 50), ("2.5", 250), ("02.50", 250), ("2.500000000", 250)],
)
def test_a_price_may_be_written_in_many_ways(written: str, fen: int) -> None:
    fares = MINIMAL["fare_attributes.txt"].replace("2.00", written)
    assert read_feed(minimal(fare_attributes=fares), CNY).fares["f2"].price_fen == fen


@pytest.mark.parametrize("written", ["-.1276", "+35.1", "5.15e1", "35", "35.", "  35.1"])
def test_a_coordinate_may_be_written_in_many_ways(written: str) -> None:
    stops = MINIMAL["stops.txt"].replace("35.1", written)
    assert read_feed(minimal(stops=stops), CNY).stops == PLAIN.stops


def test_times_run_past_midnight_and_may_be_missing_between_timepoints() -> None:
    times = (
        "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
        "t1,23:50:00,23:50:00,s1,1\nt1,,,s2,20\nt1,25:10:00,25:10:00,s3,300\n"
    )
    feed = read_feed(minimal(stop_times=times), CNY)
    assert (feed.trips["t1"].starts_s, feed.trips["t1"].ends_s) == (85_800, 90_600)
    assert feed.notices == ()


@pytest.mark.parametrize(
    ("code", "worth", "fen"), [("EUR", 780, 1560), ("JPY", 5, 10), ("USD", 1, 2)]
)
def test_the_import_says_what_a_foreign_unit_is_worth(code: str, worth: int, fen: int) -> None:
    fares = MINIMAL["fare_attributes.txt"].replace("CNY", code)
    feed = read_feed(minimal(fare_attributes=fares.replace("3.50", "3.00")), {code: worth})
    assert feed.fares["f2"].price_fen == fen


def test_a_feed_of_exceptions_alone_needs_no_calendar() -> None:
    dates = "service_id,date,exception_type\nday,20260104,1\n"
    assert read_feed(minimal(calendar=None, calendar_dates=dates), CNY).services.keys() == {"day"}


def test_operators_without_identifiers_and_of_two_time_zones_are_read() -> None:
    agency = "agency_name,agency_timezone\n公交,Asia/Shanghai\n城乡,Asia/Urumqi\n"
    feed = read_feed(minimal(agency=agency, routes="route_id,route_type\nL1,3\nL2,701\n"), CNY)
    assert feed.timezone == "Asia/Shanghai"
    assert [(notice.line, notice.reason) for notice in feed.notices] == [(3, "time_zones")]


def test_a_fare_that_does_not_say_how_it_is_paid_is_paid_on_board() -> None:
    fares = MINIMAL["fare_attributes.txt"].replace("f2,2.00,CNY,0", "f2,2.00,CNY,")
    feed = read_feed(minimal(fare_attributes=fares), CNY)
    assert not feed.fares["f2"].prepaid
    assert [(notice.line, notice.field) for notice in feed.notices] == [(3, "payment_method")]


# ---- products that price nothing ---------------------------------------------------------------


def test_products_no_leg_needs_leave_the_older_fares_in_force() -> None:
    header = PRODUCTS["fare_leg_rules.txt"].splitlines()[0] + "\n"
    files = with_products(fare_leg_rules=header, fare_transfer_rules=None)
    feed = read_feed(files, CNY)
    assert feed.products is None
    assert [notice.reason for notice in feed.notices] == ["products_unused"]
    del files["fare_attributes.txt"], files["fare_rules.txt"]
    with pytest.raises(FeedInvalidError, match="products_unused"):
        read_feed(files, CNY)


# ---- changes between lines ----------------------------------------------------------------------

CHANGES_HEADER = PRODUCTS["fare_transfer_rules.txt"].splitlines()[0]


@pytest.mark.parametrize(
    "line",
    [
        "t,t,-1,,,0,",
        "t,t,1,3600,0,0,",
        "t,t,2,3600,3,1,change",
        "t,r,,60,2,2,",
        ",,,,,0,",
        "t,,,,,0,",
        ",r,,,,1,rebate",
    ],
)
def test_a_change_may_be_described_in_many_ways(line: str) -> None:
    feed = read_feed(with_products(fare_transfer_rules=f"{CHANGES_HEADER}\n{line}\n"), CNY)
    assert feed.products is not None
    assert len(feed.products.transfer_rules) == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("t,t,0,,,0,", ("transfer_count", "out_of_range")),
        ("t,t,,,,0,", ("transfer_count", "value_missing")),
        ("t,r,1,,,0,", ("transfer_count", "not_allowed")),
        ("t,r,,60,,0,", ("duration_limit_type", "value_missing")),
        ("t,r,,,1,0,", ("duration_limit", "value_missing")),
        ("t,r,,60,4,0,", ("duration_limit_type", "out_of_range")),
        ("x,r,,,,0,", ("from_leg_group_id", "unknown_reference")),
    ],
)
def test_a_faulty_change_is_one_fault_that_names_its_field(
    line: str, fault: tuple[str, str]
) -> None:
    with pytest.raises(FeedInvalidError) as caught:
        read_feed(with_products(fare_transfer_rules=f"{CHANGES_HEADER}\n\n{line}\n"), CNY)
    (found,) = caught.value.faults
    assert (found.file, found.line) == ("fare_transfer_rules.txt", 3)
    assert (found.field, found.reason) == fault


# ---- lenient reading ---------------------------------------------------------------------------

LOOSE_ENDS = {
    "stop_times": MINIMAL["stop_times.txt"] + "t9,08:00:00,08:00:00,s1,1\nt2,,,s9,3\n",
    "trips": MINIMAL["trips.txt"] + "L9,day,t3\nL1,day,t1\n",
    "fare_rules": MINIMAL["fare_rules.txt"] + "f9,L1,z1,z2,\nf1,L9,,,\nf1,L1,z9,z1,\n",
    "fare_attributes": MINIMAL["fare_attributes.txt"] + "f1,9.00,CNY,0,0,\n",
}


def lenient(**changed: str | None) -> Feed:
    return read_feed(minimal(**changed), CNY, lenient=True)


def test_loose_ends_refuse_a_feed_unless_it_is_read_leniently() -> None:
    with pytest.raises(FeedInvalidError) as caught:
        read_feed(minimal(**LOOSE_ENDS), CNY)
    feed = lenient(**LOOSE_ENDS)
    assert feed.fares == PLAIN.fares
    assert feed.fare_rules == PLAIN.fare_rules
    assert feed.trips == PLAIN.trips
    assert feed.patterns == PLAIN.patterns
    places = [(notice.file, notice.line) for notice in feed.notices]
    assert places == [(fault.file, fault.line) for fault in caught.value.faults]
    assert all("left out" in notice.text for notice in feed.notices)


def test_what_refers_to_a_record_left_out_is_left_out_too() -> None:
    twice = MINIMAL["stops.txt"] + "s4,水泉,35,117,z4\n"
    rules = MINIMAL["fare_rules.txt"] + "f4,L1,z1,z4,\n"
    fares = MINIMAL["fare_attributes.txt"].replace("\n", ",agency_id\n", 1)
    fares = fares.replace(",\n", ",,\n").replace("3600\n", "3600,\n") + "f4,9,CNY,0,0,,Z\n"
    feed = lenient(stops=twice, fare_rules=rules, fare_attributes=fares)
    assert "f4" not in feed.fares
    assert feed.fare_rules == PLAIN.fare_rules
    (notice,) = feed.notices
    assert (notice.file, notice.field) == ("fare_attributes.txt", "agency_id")


def test_a_value_that_cannot_be_read_refuses_a_lenient_reading_too() -> None:
    """Why: a price that is not a number could have been any."""
    with pytest.raises(FeedInvalidError):
        lenient(fare_attributes=MINIMAL["fare_attributes.txt"].replace("2.00", "two"))


def test_products_read_leniently_come_back_from_their_files_alone() -> None:
    rules = PRODUCTS["fare_leg_rules.txt"] + "x,ghost,,,,,single\ny,,,,,,ghost\n"
    areas = PRODUCTS["stop_areas.txt"] + "core,s9\nghost,s1\n"
    feed = read_feed(with_products(fare_leg_rules=rules, stop_areas=areas), CNY, lenient=True)
    assert feed.products == read_feed(with_products(), CNY).products
    assert len(feed.notices) == 4
