"""Where a result is good, and until when: a table, and what must hold whatever the dates are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.hospital.report_rules import (
    REASON_WORDS,
    Mark,
    Marked,
    Reason,
    Standing,
    area_of,
    covers,
    reason_is_due,
    standing_of,
    valid_until,
)

NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
SHANTING, TENGZHOU, JINAN, BEIJING = "370406", "370481", "370102", "110101"


@pytest.mark.parametrize(
    ("mark", "examined_in", "read_in", "holds"),
    [
        (Mark.NATIONAL, SHANTING, BEIJING, True),
        (Mark.NATIONAL, None, None, True),
        (Mark.PROVINCE, SHANTING, JINAN, True),
        (Mark.PROVINCE, SHANTING, BEIJING, False),
        (Mark.PROVINCE, None, JINAN, False),
        (Mark.CITY, SHANTING, TENGZHOU, True),
        (Mark.CITY, SHANTING, JINAN, False),
        (Mark.CITY, SHANTING, None, False),
        (Mark.NONE, SHANTING, SHANTING, False),
    ],
)
def test_a_mark_holds_within_its_area(
    mark: Mark, examined_in: str | None, read_in: str | None, *, holds: bool
) -> None:
    assert covers(mark, examined_in, read_in) is holds


@pytest.mark.parametrize(
    ("code", "area"),
    [("H37040600001", SHANTING), (None, None), ("370406", None), ("H37040600001\n", None)],
)
def test_the_area_stands_in_the_number_with_the_insurer(code: str | None, area: str | None) -> None:
    assert area_of(code) == area


@given(st.sampled_from(Mark), st.integers(1, 3650), st.integers(-400, 4000))
def test_what_is_recognisable_is_marked_and_in_time(mark: Mark, days: int, later: int) -> None:
    report = Marked(mark=mark, area=SHANTING, valid_until=valid_until(NOON, days))
    now = NOON + timedelta(days=later)
    standing = standing_of(report, read_in=TENGZHOU, now=now)
    assert (standing is Standing.RECOGNISABLE) == (mark is not Mark.NONE and later < days)
    elsewhere = standing_of(report, read_in=BEIJING, now=now)
    assert elsewhere is not Standing.RECOGNISABLE or mark is Mark.NATIONAL


def test_only_what_could_be_recognised_needs_a_reason_not_to_be() -> None:
    due = {
        (standing, recognised)
        for standing in Standing
        for recognised in (True, False)
        if reason_is_due(standing, recognised=recognised)
    }
    assert due == {(Standing.RECOGNISABLE, False)}


def test_every_reason_has_words_in_both_languages() -> None:
    assert set(REASON_WORDS) == set(Reason)
    assert all(zh and en for zh, en in REASON_WORDS.values())
