"""Reading a feed: what is kept, and that every fault names its file, line and reason."""

import contextlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.bus.feed_rows import FAULTS_MAX, NOTICES_MAX, FeedFault, FeedInvalidError
from scenes.bus.gtfs import read_feed
from scenes.bus.network import PatternStop
from scenes.bus.service_days import Service
from tests.scenes.bus.feeds import CNY, JPY, MINIMAL, minimal, real_files, with_products

HEADER_TIMES = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
HEADER_FARES = "fare_id,price,currency_type,payment_method,transfers,transfer_duration\n"
HEADER_RULES = "fare_id,route_id,origin_id,destination_id,contains_id\n"
HEADER_STOPS = "stop_id,stop_name,stop_lat,stop_lon,zone_id\n"
HEADER_CALENDAR = MINIMAL["calendar.txt"].splitlines()[0] + "\n"
TIMEFRAMES = "timeframe_group_id,start_time,end_time,service_id\npeak,07:00:00,09:00:00,day\n"
LONG_TEXT = "x" * 20_000


def faults_of(files: dict[str, bytes]) -> list[FeedFault]:
    with pytest.raises(FeedInvalidError) as caught:
        read_feed(files, CNY)
    return list(caught.value.faults)


def replaced(file: str, old: str, new: str) -> dict[str, str]:
    assert old in MINIMAL[f"{file}.txt"]
    return {file: MINIMAL[f"{file}.txt"].replace(old, new)}


def test_the_minimal_feed_is_read() -> None:
    feed = read_feed(minimal(), CNY)
    assert feed.timezone == "Asia/Shanghai"
    assert feed.stops["s2"].name == "凫城"
    assert feed.zones == {"z1", "z2", "z3"}
    assert feed.lines["L1"].name == "1路"
    assert feed.patterns["L2"] == ((PatternStop(1, "s3"), PatternStop(2, "s1")),)
    assert feed.trips["t1"].starts_s == 7 * 3600
    assert feed.trips["t1"].ends_s == 7 * 3600 + 20 * 60
    assert feed.fares["f3"].price_fen == 350
    assert feed.fares["f3"].transfers is None
    assert feed.fares["f3"].transfer_duration_s == 3600
    assert len(feed.fare_rules) == 4
    assert feed.notices == ()


def test_the_real_feed_has_the_figures_of_its_description(test_data: Path) -> None:
    feed = read_feed(real_files(test_data), JPY)
    counted = (len(feed.stops), len(feed.lines), len(feed.trips), len(feed.fares))
    assert counted == (717, 78, 706, 46)
    assert len(feed.fare_rules) == 64_977
    visits = sum(len(feed.patterns[trip.line_id][trip.pattern_no]) for trip in feed.trips.values())
    assert visits == 26_408


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # (files changed, (file, line, field, reason))
        ({"stops": None}, ("stops.txt", 0, "", "file_missing")),
        ({"calendar": None}, ("calendar.txt", 0, "", "file_missing")),
        ({"fare_attributes": None}, ("fare_attributes.txt", 0, "", "file_missing")),
        ({"routes": ""}, ("routes.txt", 1, "", "empty_file")),
        ({"routes": "route,route_type\n"}, ("routes.txt", 1, "route_id", "column_missing")),
        (
            {"routes": "route_id,route_type,route_id\n"},
            ("routes.txt", 1, "route_id", "column_twice"),
        ),
        ({"stops": "stop_id,stop_name\ns1\n"}, ("stops.txt", 2, "", "field_count")),
        ({"stops": 'stop_id,stop_name\ns1,"a"b\n'}, ("stops.txt", 2, "", "bad_quoting")),
        ({"stops": 'stop_id,stop_name\ns1,"a\n'}, ("stops.txt", 2, "", "bad_quoting")),
        (
            {"stops": f"stop_id,stop_name\ns1,{LONG_TEXT}\n"},
            ("stops.txt", 2, "stop_name", "too_long"),
        ),
        ({"stops": "stop_id\ns1\n\0\n"}, ("stops.txt", 3, "", "bad_encoding")),
        ({"stops": "stop_id,stop_name\n,x\n"}, ("stops.txt", 2, "stop_id", "value_missing")),
        (replaced("stops", "s3,徐庄", "s2,徐庄"), ("stops.txt", 4, "stop_id", "duplicate")),
        (
            replaced("stops", "35.1,117.4,z1", "95,117.4,z1"),
            ("stops.txt", 2, "stop_lat", "out_of_range"),
        ),
        (
            replaced("stops", "35.1,117.4,z1", "N,117.4,z1"),
            ("stops.txt", 2, "stop_lat", "not_a_number"),
        ),
        (replaced("routes", "2路,3", "2路,bus"), ("routes.txt", 3, "route_type", "not_a_number")),
        (replaced("routes", "L2,A", "L1,A"), ("routes.txt", 3, "route_id", "duplicate")),
        (replaced("trips", "L2,day", "L9,day"), ("trips.txt", 3, "route_id", "unknown_reference")),
        (replaced("trips", "day,t2", "day,t1"), ("trips.txt", 3, "trip_id", "duplicate")),
        (
            replaced("stop_times", "08:10:00,s1,2", "08:10:00,s9,2"),
            ("stop_times.txt", 6, "stop_id", "unknown_reference"),
        ),
        (
            replaced("stop_times", "t2,08:00:00,08:00:00,s3,1", "t9,08:00:00,08:00:00,s3,1"),
            ("stop_times.txt", 5, "trip_id", "unknown_reference"),
        ),
        (
            replaced("stop_times", "07:10:00,s2,2", "07:10:00,s2,1"),
            ("stop_times.txt", 3, "stop_sequence", "duplicate"),
        ),
        (
            replaced("stop_times", "07:10:00,s2,2", "07:10:00,s2,-2"),
            ("stop_times.txt", 3, "stop_sequence", "negative"),
        ),
        (
            replaced("stop_times", "t1,07:10:00", "t1,-07:10:00"),
            ("stop_times.txt", 3, "arrival_time", "negative"),
        ),
        (
            replaced("stop_times", "t1,07:10:00", "t1,07:61:00"),
            ("stop_times.txt", 3, "arrival_time", "not_a_time"),
        ),
        (
            replaced("calendar", "20260101", "20260230"),
            ("calendar.txt", 2, "start_date", "not_a_date"),
        ),
        (
            replaced("calendar", "20260101", "2026-1-1"),
            ("calendar.txt", 2, "start_date", "not_a_date"),
        ),
        (replaced("calendar", "20260101", ""), ("calendar.txt", 2, "start_date", "value_missing")),
        (replaced("calendar", "day,1,", "day,2,"), ("calendar.txt", 2, "monday", "out_of_range")),
        (
            {"calendar": f"{MINIMAL['calendar.txt']}day,1,1,1,1,1,0,0,20260101,20261231\n"},
            ("calendar.txt", 3, "service_id", "duplicate"),
        ),
        (
            replaced("fare_attributes", "2.00", "two"),
            ("fare_attributes.txt", 3, "price", "not_a_number"),
        ),
        (
            replaced("fare_attributes", "2.00", ""),
            ("fare_attributes.txt", 3, "price", "value_missing"),
        ),
        (
            replaced("fare_attributes", "2.00", "-2"),
            ("fare_attributes.txt", 3, "price", "negative"),
        ),
        (
            replaced("fare_attributes", "2.00", "2e3"),
            ("fare_attributes.txt", 3, "price", "not_a_number"),
        ),
        (
            replaced("fare_attributes", "2.00", "NaN"),
            ("fare_attributes.txt", 3, "price", "not_a_number"),
        ),
        (
            replaced("fare_attributes", "2.00", "2.005"),
            ("fare_attributes.txt", 3, "price", "fraction_of_minor_unit"),
        ),
        (
            replaced("fare_attributes", "2.00", "999999999"),
            ("fare_attributes.txt", 3, "price", "out_of_range"),
        ),
        (
            replaced("fare_attributes", "2.00,CNY", "2.00,XAU"),
            ("fare_attributes.txt", 3, "currency_type", "currency_unknown"),
        ),
        (
            replaced("fare_attributes", "f2,2.00", "f1,2.00"),
            ("fare_attributes.txt", 3, "fare_id", "duplicate"),
        ),
        (
            replaced("agency", "Asia/Shanghai", "Asia/Shantou"),
            ("agency.txt", 2, "agency_timezone", "time_zone_unknown"),
        ),
        (
            {"stops": "stop_id,zone_id,stop_timezone\ns1,z1,../etc\ns2,z2,\ns3,z3,Asia\n"},
            ("stops.txt", 2, "stop_timezone", "time_zone_unknown"),
        ),
        (
            replaced("fare_attributes", "2.00,CNY,0", "2.00,CNY,7"),
            ("fare_attributes.txt", 3, "payment_method", "out_of_range"),
        ),
        (
            replaced("fare_rules", "f2,L1", "f9,L1"),
            ("fare_rules.txt", 3, "fare_id", "unknown_reference"),
        ),
        (
            replaced("fare_rules", "f2,L1", "f2,L9"),
            ("fare_rules.txt", 3, "route_id", "unknown_reference"),
        ),
        (
            replaced("fare_rules", "f2,L1,z1,z3", "f2,L1,z9,z3"),
            ("fare_rules.txt", 3, "origin_id", "unknown_reference"),
        ),
    ],
)
def test_a_fault_names_file_line_field_and_reason(
    changed: dict[str, str | None], expected: tuple[str, int, str, str]
) -> None:
    faults = faults_of(minimal(**changed))
    first = faults[0]
    assert (first.file, first.line, first.field, first.reason) == expected
    assert str(first).startswith(first.file)


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    files = minimal()
    files["stops.txt"] = MINIMAL["stops.txt"].encode("gb18030")
    first = faults_of(files)[0]
    assert (first.file, first.line, first.reason) == ("stops.txt", 2, "bad_encoding")


def test_byte_order_mark_quotes_crlf_blank_lines_and_spaces_are_read() -> None:
    files = minimal()
    files["stops.txt"] = (
        '\ufeffstop_id, stop_name ,zone_id\r\n"s1","城头, ""东""\n口",z1\r\n'
        "\r\ns2 ,凫城,z2\r\ns3,徐庄,z3\r\n"
    ).encode()
    feed = read_feed(files, CNY)
    assert feed.stops["s1"].name == '城头, "东"\n口'
    assert feed.stops["s2"].zone_id == "z2"


def test_columns_without_a_name_and_old_line_ends_do_not_matter() -> None:
    text = "stop_id,zone_id,,\rs1,z1,,\rs2,z2,,\rs3,z3,,\r"
    assert read_feed(minimal(stops=text), CNY).zones == {"z1", "z2", "z3"}


def test_a_fault_after_a_quoted_line_break_still_names_the_line_of_the_file() -> None:
    text = 'stop_id,stop_name,zone_id\ns1,"a\nb",z1\ns2,c,z2\ns2,d,z3\n'
    first = faults_of(minimal(stops=text))[0]
    assert (first.line, first.reason) == (5, "duplicate")


def test_all_faults_are_collected_in_one_reading() -> None:
    files = minimal(
        fare_attributes=HEADER_FARES + "f1,x,CNY,0,0,\nf2,-1,CNY,0,0,\nf3,1,CNY,0,0,\n",
        fare_rules=HEADER_RULES + "f3,L9,,,\n",
    )
    places = [(fault.file, fault.line) for fault in faults_of(files)]
    assert places == [
        ("fare_attributes.txt", 2),
        ("fare_attributes.txt", 3),
        ("fare_rules.txt", 2),
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stops", "s1,城头,35.1", "s1,城头,north"),
        ("routes", "1路,3", "1路,bus"),
        ("trips", "L1,day,t1", "L9,day,t1"),
        ("fare_attributes", "f1,1.00", "f1,one"),
        ("calendar", "day,1", "day,7"),
    ],
)
def test_what_refers_to_a_faulty_record_is_not_at_fault_itself(
    file: str, old: str, new: str
) -> None:
    """Why: one bad stop would bury its own fault under those of all its visits."""
    (fault,) = faults_of(with_products(timeframes=TIMEFRAMES, **replaced(file, old, new)))
    assert fault.file == f"{file}.txt"


def test_collecting_stops_at_its_bound_and_says_so() -> None:
    rules = HEADER_RULES + "f1,L9,,,\n" * (FAULTS_MAX + 5)
    with pytest.raises(FeedInvalidError) as caught:
        read_feed(minimal(fare_rules=rules), CNY)
    assert caught.value.truncated
    assert len(caught.value.faults) == FAULTS_MAX
    assert "or more" in str(caught.value)


def test_blemishes_that_touch_no_fare_are_noted_and_not_refused() -> None:
    files = minimal(
        stops=HEADER_STOPS.strip() + ",parent_station\ns1,a,,,z1,nowhere\ns2,b,,,z2,\ns3,c,,,z3,\n",
        trips="route_id,service_id,trip_id\nL1,night,t1\nL2,day,t2\n",
        stop_times=MINIMAL["stop_times.txt"].replace("07:20:00,07:20:00", "06:00:00,06:00:00"),
    )
    feed = read_feed(files, CNY)
    assert [(notice.file, notice.line, notice.reason) for notice in feed.notices] == [
        ("stops.txt", 2, "unknown_reference"),
        ("stop_times.txt", 4, "time_backwards"),
        ("stop_times.txt", 4, "time_backwards"),
        ("trips.txt", 2, "unknown_reference"),
    ]


def test_an_operator_nobody_names_is_a_notice_on_a_line_and_a_fault_on_a_fare() -> None:
    routes = "route_id,agency_id,route_type\nL1,Z,3\nL2,A,3\n"
    (notice,) = read_feed(minimal(routes=routes), CNY).notices
    assert (notice.file, notice.line, notice.field) == ("routes.txt", 2, "agency_id")
    fares = HEADER_FARES.strip() + ",agency_id\nf1,1,CNY,0,0,,A\nf2,1,CNY,0,0,,Z\nf3,1,CNY,0,0,,\n"
    (fault,) = faults_of(minimal(fare_attributes=fares))
    assert (fault.line, fault.field, fault.reason) == (3, "agency_id", "unknown_reference")


def test_notices_have_a_bound() -> None:
    stops = "stop_id,zone_id,parent_station\n" + "".join(
        f"s{number},z{number},nowhere\n" for number in range(1, NOTICES_MAX + 9)
    )
    assert len(read_feed(minimal(stops=stops), CNY).notices) == NOTICES_MAX


def test_on_demand_rows_without_a_stop_are_left_out() -> None:
    header = HEADER_TIMES.strip() + ",location_id\n"
    rows = "t1,07:00:00,07:00:00,s1,1,\nt1,,,,2,area\nt1,07:20:00,07:20:00,s3,3,\n"
    feed = read_feed(minimal(stop_times=header + rows), CNY)
    assert feed.patterns["L1"] == ((PatternStop(1, "s1"), PatternStop(3, "s3")),)
    assert feed.trips["t2"].starts_s is None


def test_a_service_runs_by_weekday_bounds_and_exceptions() -> None:
    dates = "service_id,date,exception_type\nday,20260103,1\nday,20260105,2\nextra,20260104,1\n"
    services = read_feed(minimal(calendar_dates=dates), CNY).services
    assert not services["day"].runs_on(date(2025, 12, 31))
    assert services["day"].runs_on(date(2026, 1, 2))
    assert services["day"].runs_on(date(2026, 1, 3))
    assert not services["day"].runs_on(date(2026, 1, 5))
    assert not services["day"].runs_on(date(2026, 1, 10))
    assert services["extra"].runs_on(date(2026, 1, 4))
    assert not Service().runs_on(date(2026, 1, 4))


@given(noise=st.binary(max_size=200), file=st.sampled_from(sorted(MINIMAL)))
def test_hostile_bytes_are_read_or_refused_and_nothing_else(noise: bytes, file: str) -> None:
    """Why: an import runs on whatever an operator uploads; a crash would name no line."""
    files = minimal()
    files[file] += noise
    with contextlib.suppress(FeedInvalidError):
        assert read_feed(files, CNY).lines.keys() >= {"L1", "L2"}
