"""The fares a bus terminal carries: the same prices as the server's, or none at all."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import demo_feed
from scenes.bus.fare_table import FareTable, fares_of
from scenes.bus.fares_part import FareBook, FaresPartError, read_fares_part, write_fares_part
from scenes.bus.gtfs import read_feed
from scenes.bus.leg_fares import FareRefusedError, LineUnknownError
from scenes.bus.network import Feed
from scenes.bus.rule_set import DEFAULT_RULES
from scenes.bus.service import read_distance_lines
from tests.scenes.bus.feeds import minimal, with_products

AT = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
LINES = read_distance_lines(demo_feed.line_files())


def feed_of(files: dict[str, bytes]) -> Feed:
    return read_feed(files, demo_feed.MINOR_PER_UNIT)


FEEDS = {
    "demo": feed_of(demo_feed.feed_files()),
    "minimal": feed_of(minimal()),
    "products": feed_of(with_products()),
}


@pytest.mark.parametrize("name", FEEDS)
def test_a_terminal_asks_for_what_the_server_asks_for(name: str) -> None:
    feed = FEEDS[name]
    lines = LINES.values() if name == "demo" else ()
    carried = read_fares_part(write_fares_part(7, [feed], lines, DEFAULT_RULES))
    table = FareTable.of(7, [fares_of(feed), *lines])
    server = FareBook(table, DEFAULT_RULES.policy)
    priced = 0
    stops = [*feed.stops, *(mark.stop for line in lines for mark in line.marks)]
    for line_id in table.by_line:
        for stop_id in stops:
            for concession in ("", "senior", "senior_65"):
                try:
                    expected = server.fare(line_id, stop_id, AT, concession)
                except FareRefusedError as refused:
                    with pytest.raises(type(refused)):
                        carried.fare(line_id, stop_id, AT, concession)
                    continue
                assert carried.fare(line_id, stop_id, AT, concession) == expected
                priced += 1
    assert priced > 0


def test_a_concession_lowers_the_citizens_part_alone() -> None:
    book = read_fares_part(write_fares_part(7, [FEEDS["demo"]], (), DEFAULT_RULES))
    plain, senior = (book.fare("K1", "SC01", AT, concession) for concession in ("", "senior"))
    assert (plain.citizen_fen, plain.nominal_fen) == (100, 100)
    assert (senior.citizen_fen, senior.nominal_fen) == (50, 100)
    assert plain.rule_version == senior.rule_version == 7


def test_the_same_fares_are_the_same_bytes() -> None:
    """Why: a package with unchanged content must keep its name."""
    parts = [
        write_fares_part(1, [feed_of(with_products())], reversed(LINES.values()), DEFAULT_RULES),
        write_fares_part(1, [FEEDS["products"]], LINES.values(), DEFAULT_RULES),
    ]
    assert parts[0] == parts[1]


def test_a_line_nobody_knows_is_refused() -> None:
    book = read_fares_part(write_fares_part(1, (), (), DEFAULT_RULES))
    with pytest.raises(LineUnknownError):
        book.fare("K1", "SC01", AT)


@pytest.mark.parametrize("changes", [{"format": 1}, {"feeds": [{}]}, {"lines": [{}]}, {"rules": 1}])
def test_a_part_of_another_form_is_refused(changes: dict[str, object]) -> None:
    document = json.loads(write_fares_part(1, (), (), DEFAULT_RULES)) | changes
    with pytest.raises(FaresPartError):
        read_fares_part(json.dumps(document).encode())


@given(st.binary(max_size=64) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 100_000]))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FaresPartError):
        read_fares_part(data)
