import os
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cardcore.ids import RandomBytes, new_id, new_ids, part_id

INSTANTS = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001  (hypothesis adds the zone)
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(INSTANTS, st.binary(min_size=8, max_size=8))
def test_an_id_is_a_version_7_uuid_with_room_for_parts(at: datetime, random: bytes) -> None:
    made = new_id(at, lambda _: random)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int & 0xFFFF == 0


@given(INSTANTS, st.binary(max_size=80))
def test_ids_made_together_are_those_made_one_by_one(at: datetime, random: bytes) -> None:
    count = len(random) // 8
    draws = [random[8 * place : 8 * place + 8] for place in range(count)]
    assert new_ids(at, lambda _: random, count) == [new_id(at, _drawing(one)) for one in draws]


def _drawing(random: bytes) -> RandomBytes:
    return lambda _: random


@given(INSTANTS, st.integers(min_value=1, max_value=10**9))
def test_later_ids_are_greater(at: datetime, later_ms: int) -> None:
    later = at + timedelta(milliseconds=later_ms)
    assert new_id(at, os.urandom) < new_id(later, os.urandom)


@given(st.lists(st.integers(1, 0xFFFF), unique=True, max_size=20))
def test_parts_are_distinct_and_lie_behind_their_whole(numbers: list[int]) -> None:
    """Why: a transfer's id must follow from its order's, and never meet another order's."""
    whole = new_id(datetime(2026, 1, 1, tzinfo=UTC), bytes)
    parts = {part_id(whole, number) for number in numbers}
    assert len(parts) == len(numbers)
    assert all(part.int >> 16 == whole.int >> 16 for part in parts)
