from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.calendar import LOCAL_ZONE, business_date


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-03-01T04:29:59.999999", date(2026, 2, 28)),
        ("2026-03-01T04:30:00", date(2026, 3, 1)),
        ("2026-03-01T00:00:00", date(2026, 2, 28)),
        ("2024-03-01T00:00:00", date(2024, 2, 29)),
        ("2026-01-01T03:00:00", date(2025, 12, 31)),
        ("2026-12-31T23:59:59.999", date(2026, 12, 31)),
    ],
)
def test_the_day_changes_at_the_cut_off(local: str, expected: date) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=LOCAL_ZONE)
    assert business_date(at) == expected


@given(
    st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2090, 1, 1)),  # noqa: DTZ001
    st.times(),
)
def test_the_zone_of_the_instant_does_not_matter(naive: datetime, cut_off: time) -> None:
    """Why: a host in another zone must close the same day."""
    at = naive.replace(tzinfo=UTC)
    assert business_date(at, cut_off) == business_date(at.astimezone(LOCAL_ZONE), cut_off)


@given(st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001
def test_days_never_run_backwards(naive: datetime) -> None:
    """Why: every entry must lie in exactly one bill."""
    at = naive.replace(tzinfo=UTC)
    assert business_date(at) <= business_date(at + timedelta(microseconds=1))
