"""Caps: what a day and a week may cost at most."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.quote import Payer
from scenes.bus.caps import Cap, CapRide, Period, apply_caps

MONDAY = date(2026, 5, 11)
DAILY = Cap(name="day", period=Period.DAY, cap_fen=500)
WEEKLY = Cap(name="week", period=Period.WEEK, cap_fen=1200, payer=Payer.FINANCE_BUREAU)


def ride(day: int, citizen_fen: int = 200, line_id: str = "1", *classes: str) -> CapRide:
    return CapRide(
        line_id=line_id,
        business_on=MONDAY + timedelta(days=day),
        classes=frozenset(classes),
        citizen_fen=citizen_fen,
    )


def paid_fen(rides: list[CapRide], *caps: Cap) -> list[int]:
    return [
        one.citizen_fen - sum(relief.amount_fen for relief in reliefs)
        for one, reliefs in zip(rides, apply_caps(rides, caps), strict=True)
    ]


def test_a_day_costs_no_more_than_its_cap() -> None:
    assert paid_fen([ride(0)] * 4 + [ride(1)], DAILY) == [200, 200, 100, 0, 200]


def test_a_week_runs_from_monday_to_sunday_and_counts_what_the_days_left() -> None:
    rides = [ride(day, 600) for day in range(8)]
    assert paid_fen(rides, WEEKLY, DAILY) == [500, 500, 200, 0, 0, 0, 0, 500]
    reliefs = apply_caps(rides, [WEEKLY, DAILY])[2]
    assert [(relief.cap.name, relief.amount_fen) for relief in reliefs] == [
        ("day", 100),
        ("week", 300),
    ]


def test_a_cap_counts_its_own_lines_only() -> None:
    cap = Cap(name="c", period=Period.DAY, cap_fen=300, lines=frozenset({"1"}))
    rides = [ride(0), ride(0, 200, "2"), ride(0), ride(0, 200, "2")]
    assert paid_fen(rides, cap) == [200, 200, 100, 200]


def test_a_cap_is_granted_to_its_classes_only() -> None:
    cap = Cap(name="c", period=Period.DAY, cap_fen=300, concessions=frozenset({"student"}))
    assert paid_fen([ride(0), ride(0)], cap) == [200, 200]
    student = ride(0, 200, "1", "student")
    assert paid_fen([student, student], cap) == [200, 100]


@pytest.mark.parametrize(("day", "expected"), [(0, 200), (1, 0), (2, 0), (3, 200)])
def test_a_cap_holds_on_its_days(day: int, expected: int) -> None:
    cap = Cap(
        name="c",
        period=Period.DAY,
        cap_fen=0,
        valid_from=MONDAY + timedelta(days=1),
        valid_to=MONDAY + timedelta(days=2),
    )
    assert paid_fen([ride(day)], cap) == [expected]


CAPS = st.lists(
    st.builds(
        Cap,
        name=st.uuids().map(str),
        period=st.sampled_from(Period),
        cap_fen=st.integers(0, 2000),
        lines=st.none() | st.just(frozenset({"1"})),
        concessions=st.none() | st.just(frozenset({"student"})),
    ),
    max_size=3,
)


@given(
    fares=st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 900), st.sampled_from("12")), max_size=25
    ),
    caps=CAPS,
)
def test_no_period_costs_more_than_any_cap_that_holds(
    fares: list[tuple[int, int, str]], caps: list[Cap]
) -> None:
    rides = [ride(day, fen, line) for day, fen, line in sorted(fares)]
    paid = paid_fen(rides, *caps)
    assert all(0 <= fen <= one.citizen_fen for fen, one in zip(paid, rides, strict=True))
    for cap in caps:
        spent: dict[date, int] = {}
        for one, fen in zip(rides, paid, strict=True):
            if cap.holds(one.business_on, one.line_id, one.classes):
                start = cap.period.starts_on(one.business_on)
                spent[start] = spent.get(start, 0) + fen
        assert all(fen <= cap.cap_fen for fen in spent.values())
