"""Cursors go through text unchanged, and nothing else is one."""

import contextlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.errors import RequestInvalidError
from cardcore.platform.cursors import after, id_of, instant_of, read_cursor

KEYS = st.tuples(st.text(max_size=20), st.integers(-(2**62), 2**62))


@given(KEYS)
def test_a_cursor_leads_back_to_its_key(key: tuple[str, int]) -> None:
    assert read_cursor(after(key), ("", 0)) == key


def test_without_a_cursor_the_list_begins() -> None:
    assert read_cursor(None, ("", 0)) == ("", 0)


@pytest.mark.parametrize(
    "cursor",
    ["A", "AAAA", after((1,)), after(("a", "b")), after((1, "a")), after(("a", 1, 2)), "e30"],
)
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str) -> None:
    with pytest.raises(RequestInvalidError):
        read_cursor(cursor, ("", 0))


@given(st.uuids(), st.datetimes(timezones=st.just(UTC)))
def test_ids_and_instants_come_back_out_of_a_cursor(one: UUID, at: datetime) -> None:
    found = read_cursor(after((one.hex, at.isoformat())), ("", ""))
    assert (id_of(found[0]), instant_of(found[1])) == (one, at)


@given(st.text(max_size=40) | st.integers())
def test_a_made_up_key_is_refused_or_read_and_never_an_error_of_ours(key: str | int) -> None:
    for read in (id_of, instant_of):
        with contextlib.suppress(RequestInvalidError):
            read(key)


@pytest.mark.parametrize("key", ["", "2026-06-01T00:00:00", "x", 7])
def test_an_instant_without_its_offset_is_none(key: str | int) -> None:
    with pytest.raises(RequestInvalidError):
        instant_of(key)
