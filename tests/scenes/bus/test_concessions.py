"""Concessions: who bears which part of a fare, on which day and at which hour."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.quote import Payer
from scenes.bus.concessions import (
    DEFAULT_POLICY,
    ConcessionPolicy,
    ConcessionRule,
    HoursWindow,
)

FRIDAY = date(2026, 5, 15)
SATURDAY = date(2026, 5, 16)
NOON = time(12)
CLASSES = [rule.concession for rule in DEFAULT_POLICY.rules]


@pytest.mark.parametrize(
    ("classes", "citizen_fen", "subsidy_fen", "concession"),
    [
        ((), 200, 0, None),
        (("unheard_of",), 200, 0, None),
        (("senior",), 100, 100, "senior"),
        (("student",), 100, 100, "student"),
        (("senior_65",), 0, 200, "senior_65"),
        (("disabled",), 0, 200, "disabled"),
        (("soldier",), 0, 200, "soldier"),
        (("blood_donor",), 0, 200, "blood_donor"),
        (("student", "blood_donor"), 0, 200, "blood_donor"),
        (("student", "senior"), 100, 100, "senior"),
    ],
)
def test_the_class_that_leaves_the_citizen_least_counts_alone(
    classes: tuple[str, ...], citizen_fen: int, subsidy_fen: int, concession: str | None
) -> None:
    shares = DEFAULT_POLICY.share(200, classes, FRIDAY, NOON)
    assert (shares.citizen_fen, shares.subsidy_fen) == (citizen_fen, subsidy_fen)
    assert (shares.rule and shares.rule.concession) == concession


def test_half_a_fen_is_rounded_down_for_the_citizen() -> None:
    shares = DEFAULT_POLICY.share(175, ["senior"], FRIDAY, NOON)
    assert (shares.citizen_fen, shares.subsidy_fen) == (87, 88)


@pytest.mark.parametrize(
    ("on", "at", "citizen_fen"),
    [
        (date(2026, 4, 30), NOON, 200),
        (date(2026, 5, 1), NOON, 0),
        (date(2026, 5, 31), NOON, 0),
        (date(2026, 6, 1), NOON, 200),
        (FRIDAY, time(6, 59), 0),
        (FRIDAY, time(7), 200),
        (FRIDAY, time(8, 59, 59), 200),
        (FRIDAY, time(9), 0),
        (SATURDAY, time(8), 0),
    ],
)
def test_a_rule_holds_on_its_days_and_outside_its_peak_hours(
    on: date, at: time, citizen_fen: int
) -> None:
    policy = ConcessionPolicy(
        version="t",
        rules=(
            ConcessionRule(
                concession="senior",
                citizen_per_mille=0,
                name_zh="老年人",
                name_en="senior",
                valid_from=date(2026, 5, 1),
                valid_to=date(2026, 5, 31),
                workdays_excluded=(HoursWindow(time(7), time(9)),),
            ),
        ),
    )
    assert policy.share(200, {"senior"}, on, at).citizen_fen == citizen_fen


RULES = st.builds(
    ConcessionRule,
    concession=st.sampled_from(["a", "b", "c"]),
    citizen_per_mille=st.integers(0, 1000),
    name_zh=st.just("优惠"),
    name_en=st.just("concession"),
    payer=st.sampled_from([payer for payer in Payer if payer is not Payer.CITIZEN]),
    valid_from=st.none() | st.dates(),
    valid_to=st.none() | st.dates(),
    workdays_excluded=st.just(()) | st.just((HoursWindow(time(7), time(9)),)),
)


@given(
    nominal_fen=st.integers(0, 10_000_000),
    rules=st.lists(RULES, max_size=5),
    classes=st.sets(st.sampled_from(["a", "b", "c", "d"])),
    on=st.dates(),
    at=st.times(),
)
def test_shares_sum_to_the_fare_and_a_concession_never_raises_it(
    nominal_fen: int, rules: list[ConcessionRule], classes: set[str], on: date, at: time
) -> None:
    """Why: a fen lost between the two shares is a fen nobody pays the operator."""
    policy = ConcessionPolicy(version="t", rules=tuple(rules))
    shares = policy.share(nominal_fen, classes, on, at)
    assert shares.citizen_fen + shares.subsidy_fen == nominal_fen
    assert 0 <= shares.citizen_fen <= nominal_fen
    fewer = policy.share(nominal_fen, set(list(classes)[:1]), on, at)
    assert shares.citizen_fen <= fewer.citizen_fen
