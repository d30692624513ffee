"""Tables of the two rules about paying afterwards: may this car, and when is it asked again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.parking.debits import OWED_MAX, Debt, DebtState, after_attempt, after_charge
from scenes.parking.exits import ExitFacts, Gate, Reason, decide_exit

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TRUSTED = {"due_fen": 500, "bound": True, "active": True, "proven": True, "contract": True}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"due_fen": 0}, Reason.NOTHING_DUE),
        ({"due_fen": -100, "bound": False}, Reason.NOTHING_DUE),
        ({}, Reason.ON_ACCOUNT),
        ({"bound": False}, Reason.UNBOUND),
        ({"active": False, "proven": False}, Reason.PLATE_BARRED),
        ({"proven": False, "flagged": True}, Reason.UNPROVEN),
        ({"flagged": True, "contract": False}, Reason.PLATE_FLAGGED),
        ({"contract": False, "grey_listed": True}, Reason.NO_CONTRACT),
        ({"grey_listed": True}, Reason.GREY_LISTED),
    ],
)
def test_the_first_reason_that_applies_is_told(changes: dict[str, int], reason: Reason) -> None:
    gate, told = decide_exit(ExitFacts(**(TRUSTED | changes)))  # type: ignore[arg-type]
    assert told is reason
    opens = {Reason.NOTHING_DUE, Reason.ON_ACCOUNT}
    assert gate is (Gate.OPEN if reason in opens else Gate.PAY_FIRST)


@given(st.builds(ExitFacts, due_fen=st.integers(1, 9999)))
def test_a_plate_alone_never_costs_anybody_money(facts: ExitFacts) -> None:
    """Why: anybody can screw a stranger's plate to a car."""
    if decide_exit(facts)[1] is Reason.ON_ACCOUNT:
        assert facts.bound
        assert facts.proven
        assert facts.contract
        assert not facts.flagged


def test_what_is_owed_is_asked_for_four_times_and_then_the_list_is_grey() -> None:
    debt, waits = after_charge(Debt(), 500, NOW), []
    at = NOW
    while debt.state is DebtState.OWING:
        assert debt.next_at is not None
        waits.append(debt.next_at - at)
        at = debt.next_at
        debt = after_attempt(debt, 500, at)
    assert waits == [timedelta(hours=1), *(timedelta(days=days) for days in (1, 3, 7))]
    assert debt == Debt(
        state=DebtState.GREY,
        owed_fen=500,
        since=NOW,
        attempts=4,
        next_at=at + timedelta(days=1),
    )


def test_whoever_owes_for_too_long_is_grey_whatever_the_count() -> None:
    """Why: small new charges must not buy patience for an old debt."""
    debt = after_charge(after_charge(Debt(), 500, NOW), 700, NOW + timedelta(days=13))
    assert debt.since == NOW
    assert after_attempt(debt, 700, NOW + OWED_MAX).state is DebtState.GREY


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 900), st.integers(1, 90)), max_size=20))
def test_the_grey_list_is_left_only_by_paying_everything(
    steps: list[tuple[bool, int, int]],
) -> None:
    debt, at = Debt(), NOW
    for charged, owed_fen, hours in steps:
        at += timedelta(hours=hours)
        before = debt
        if charged or debt.state is DebtState.CLEAR:
            debt = after_charge(debt, owed_fen, at)
        else:
            debt = after_attempt(debt, owed_fen, at)
        assert (debt.state is DebtState.CLEAR) == (owed_fen == 0)
        assert (debt.next_at is None) == (owed_fen == 0)
        if before.state is DebtState.GREY and owed_fen:
            assert debt.state is DebtState.GREY
