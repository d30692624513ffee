from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.limits import (
    Asking,
    LimitRule,
    LimitSubject,
    Measure,
    Period,
    check,
    uses_of,
    window,
)
from cardcore.calendar import business_date
from cardcore.errors import LimitExceededError

CUT_OFF = time(4, 30)
AT = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
ASKING = Asking(
    scene="retail",
    user_id=UUID(int=7),
    terminal_id="T1",
    merchant_id="M1",
    citizen_fen=500,
    at=AT,
    business_on=date(2026, 6, 1),
)
DAY = LimitRule(
    limit_id="day",
    version=3,
    scene="retail",
    subject=LimitSubject.USER,
    measure=Measure.AMOUNT,
    period=Period.DAY,
    period_s=0,
    limit_max=1_000,
)
RUSH = replace(DAY, limit_id="rush", measure=Measure.COUNT, period=Period.SECONDS, period_s=300)


@given(
    at=st.datetimes(
        datetime(2024, 1, 1),  # noqa: DTZ001  (the zone comes beside it)
        datetime(2030, 1, 1),  # noqa: DTZ001  (likewise)
        timezones=st.just(UTC),
    ),
    rule=st.sampled_from(
        [DAY, replace(DAY, period=Period.MONTH), RUSH, replace(RUSH, period_s=86_400)]
    ),
)
def test_every_instant_lies_in_its_window_and_the_next_begins_where_it_ends(
    at: datetime, rule: LimitRule
) -> None:
    """Why: an instant in no window is not counted, one in two is refused for another's sake."""

    def of(instant: datetime) -> tuple[datetime, datetime]:
        on = business_date(instant, CUT_OFF)
        return window(rule, replace(ASKING, at=instant, business_on=on), CUT_OFF)

    first, until = of(at)
    assert first <= at < until
    assert of(until)[0] == until
    assert of(until - timedelta(microseconds=1)) == (first, until)


@given(st.lists(st.integers(1, 600), max_size=12))
def test_what_passes_never_sums_to_more_than_the_limit(amounts: list[int]) -> None:
    used: dict[tuple[str, str, datetime], int] = {}
    for fen in amounts:
        uses = uses_of([DAY], replace(ASKING, citizen_fen=fen), CUT_OFF)
        key = uses[0].key
        if used.get(key, 0) + fen > DAY.limit_max:
            with pytest.raises(LimitExceededError) as refused:
                check(uses, used, {})
            assert refused.value.facts["used_fen"] == used.get(key, 0)
            continue
        assert check(uses, used, {})
        used[key] = used.get(key, 0) + fen
    assert sum(used.values()) <= DAY.limit_max


def test_a_refusal_names_the_limit_its_version_and_until_when() -> None:
    (use,) = uses_of([DAY], ASKING, CUT_OFF)
    with pytest.raises(LimitExceededError) as refused:
        check([use], {use.key: 501}, {})
    assert refused.value.facts == {
        "limit": "day",
        "limit_version": 3,
        "limit_fen": 1_000,
        "used_fen": 501,
        "asked_fen": 500,
        "until": "2026-06-01T20:30:00+00:00",
    }


def test_what_only_the_batch_stands_against_is_to_be_asked_again() -> None:
    (use,) = uses_of([DAY], ASKING, CUT_OFF)
    assert check([use], {}, {use.key: 500})
    assert not check([use], {}, {use.key: 501})


def test_one_order_has_a_limit_of_its_own_that_counts_nothing() -> None:
    single = replace(DAY, period=Period.ORDER, limit_max=499)
    with pytest.raises(LimitExceededError) as refused:
        uses_of([single], ASKING, CUT_OFF)
    assert "until" not in refused.value.facts
    assert uses_of([replace(single, limit_max=500)], ASKING, CUT_OFF) == []


def test_a_rule_counts_its_own_scene_and_free_orders_only_by_number() -> None:
    assert uses_of([replace(DAY, scene="bus")], ASKING, CUT_OFF) == []
    assert len(uses_of([replace(DAY, scene="*")], ASKING, CUT_OFF)) == 1
    free = replace(ASKING, citizen_fen=0)
    assert [use.rule.limit_id for use in uses_of([DAY, RUSH], free, CUT_OFF)] == ["rush"]


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (LimitSubject.USER, f"user:{UUID(int=7)}"),
        (LimitSubject.TERMINAL, "terminal:T1"),
        (LimitSubject.MERCHANT, "merchant:M1"),
    ],
)
def test_whose_counter_it_is(subject: LimitSubject, name: str) -> None:
    (use,) = uses_of([replace(DAY, subject=subject)], ASKING, CUT_OFF)
    assert use.subject == name
