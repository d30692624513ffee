"""Cursors go through text unchanged, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.errors import RequestInvalidError
from cardcore.platform.cursors import after, read_cursor

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
