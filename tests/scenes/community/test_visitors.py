"""What a host may pass on: never more than the host has."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scenes.community.access import AccessBook, Decision, Grant, Relation
from scenes.community.visitors import (
    DAYS_MAX,
    Refusal,
    Visit,
    grants_of,
    hosted_groups,
    judge,
)
from tests.scenes.community.test_access_part import COURIER, RESIDENT

TODAY = date(2026, 6, 1)
OWN = Grant(
    door_group="b1",
    relation=Relation.RESIDENT,
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 6, 5),
)
VISIT = Visit(door_groups=("b1",), valid_from=TODAY, valid_to=TODAY)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"valid_from": TODAY - timedelta(days=3)}, None),
        (
            {"valid_from": TODAY - timedelta(days=3), "valid_to": TODAY - timedelta(days=1)},
            Refusal.IN_THE_PAST,
        ),
        ({"valid_to": TODAY + timedelta(days=DAYS_MAX)}, Refusal.TOO_LONG),
        ({"door_groups": ("b1", "b2")}, Refusal.NOT_YOUR_DOOR),
        ({"valid_to": TODAY + timedelta(days=5)}, Refusal.BEYOND_YOUR_RIGHT),
    ],
)
def test_a_visit_is_judged_in_the_order_of_the_questions(
    changes: dict[str, object], expected: Refusal | None
) -> None:
    assert judge(replace(VISIT, **changes), [OWN], today=TODAY) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("relation", list(Relation))
def test_only_who_lives_there_lets_somebody_in(relation: Relation) -> None:
    answer = judge(VISIT, [replace(OWN, relation=relation)], today=TODAY)
    hosts = {Relation.RESIDENT, Relation.TENANT, Relation.FAMILY}
    assert (answer is None) == (relation in hosts)
    assert hosted_groups([replace(OWN, relation=relation)], today=TODAY) == (
        ["b1"] if relation in hosts else []
    )


@pytest.mark.parametrize(
    ("own", "asked", "fits"),
    [
        ((None, None), (None, None), True),
        ((None, None), (time(8), time(9)), True),
        ((time(6), time(22)), (None, None), False),
        ((time(6), time(22)), (time(6), time(22)), True),
        ((time(6), time(22)), (time(8), time(9)), True),
        ((time(6), time(22)), (time(5), time(9)), False),
        ((time(6), time(22)), (time(8), time(23)), False),
        ((time(6), time(22)), (time(20), time(7)), False),
        ((time(22), time(6)), (time(22), time(6)), True),
        ((time(22), time(6)), (time(23), time(5)), False),
    ],
)
def test_the_hours_of_a_visit_lie_inside_the_host_s_own(
    own: tuple[time | None, time | None], asked: tuple[time | None, time | None], *, fits: bool
) -> None:
    right = replace(OWN, starts=own[0], ends=own[1])
    visit = replace(VISIT, starts=asked[0], ends=asked[1])
    assert (judge(visit, [right], today=TODAY) is None) == fits


days = st.dates(TODAY - timedelta(days=9), TODAY + timedelta(days=9))
hours = st.none() | st.tuples(st.times(), st.times())


@example(
    window=[date(2026, 5, 23), date(2026, 6, 1)],
    visit_hours=(time(22), time(2)),
    own_hours=None,
    weekdays=frozenset({6}),
    on=date(2026, 5, 25),
    at=time(1),
)
@given(
    window=st.tuples(days, days).map(sorted),
    visit_hours=hours,
    own_hours=hours,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    on=days,
    at=st.times(),
)
def test_a_visitor_never_passes_where_and_when_the_host_could_not(
    window: list[date],
    visit_hours: tuple[time, time] | None,
    own_hours: tuple[time, time] | None,
    weekdays: frozenset[int],
    on: date,
    at: time,
) -> None:
    """Why: a pass that opens more than its giver may open is a way round the building's rules."""
    starts, ends = visit_hours or (None, None)
    visit = Visit(
        door_groups=("b1",), valid_from=window[0], valid_to=window[1], starts=starts, ends=ends
    )
    own_starts, own_ends = own_hours or (None, None)
    right = replace(OWN, starts=own_starts, ends=own_ends, weekdays=weekdays)
    if judge(visit, [right], today=TODAY) is not None:
        return
    book = AccessBook(
        groups_of_door={"N01": frozenset({"b1"})},
        grants_of_user={RESIDENT: (right,), COURIER: tuple(grants_of(visit, [right]))},
    )
    if book.decide(COURIER, "N01", on, at) is Decision.OPEN:
        assert book.decide(RESIDENT, "N01", on, at) is Decision.OPEN
