from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.dispute_errors import DisputeStateError
from cardcore.business.dispute_states import (
    STEPS,
    UNDECIDED,
    Bearer,
    DisputeMoney,
    DisputeStatus,
    DisputeStep,
    step,
)


@dataclass
class Purses:
    """Whose money is where, beside the pure rules: merchant, citizen, dispute account."""

    merchant_fen: int
    citizen_fen: int
    account_fen: int = 0
    seen: list[DisputeStatus] = field(default_factory=list)

    def recover(self, money: DisputeMoney) -> DisputeMoney:
        if money.bearer is Bearer.MERCHANT:
            fen = min(money.owed_fen, self.merchant_fen)
            self.merchant_fen -= fen
        else:
            fen = min(money.owed_fen, self.citizen_fen)
            self.citizen_fen -= fen
        self.account_fen += fen
        return money.recover(fen)


@given(
    amount_fen=st.integers(1, 10_000),
    merchant_fen=st.integers(0, 20_000),
    citizen_fen=st.integers(0, 20_000),
    steps=st.lists(st.sampled_from(DisputeStep), max_size=12),
)
def test_no_walk_leaves_the_table_and_no_fen_is_made_or_lost(
    amount_fen: int, merchant_fen: int, citizen_fen: int, steps: list[DisputeStep]
) -> None:
    """Why: an advance nobody owes is a hole in what custody must cover."""
    purses = Purses(merchant_fen=merchant_fen, citizen_fen=citizen_fen)
    status, money = DisputeStatus.OPEN, DisputeMoney(amount_fen=amount_fen)
    for taken in steps:
        try:
            then, after, credit_fen = step(status, money, taken)
        except DisputeStateError:
            assert (status, taken) not in STEPS or money.credited_fen
            continue
        assert STEPS[status, taken] is then
        purses.account_fen -= credit_fen
        purses.citizen_fen += credit_fen
        status, money = then, purses.recover(after)
        assert purses.account_fen == money.recovered_fen - money.credited_fen
    total_fen = purses.merchant_fen + purses.citizen_fen + purses.account_fen
    assert total_fen == merchant_fen + citizen_fen
    if status is DisputeStatus.FOR_CITIZEN:
        assert purses.citizen_fen == citizen_fen + amount_fen
        assert money.bearer is Bearer.MERCHANT
    elif status not in UNDECIDED:
        assert purses.merchant_fen == merchant_fen
        assert purses.citizen_fen == citizen_fen + money.owed_fen
    if money.owed_fen:
        assert 0 in (purses.merchant_fen, purses.citizen_fen)


def test_a_citizen_is_credited_once() -> None:
    money = DisputeMoney(amount_fen=10)
    _, money, credit_fen = step(DisputeStatus.OPEN, money, DisputeStep.CREDIT)
    assert credit_fen == 10
    with pytest.raises(DisputeStateError):
        step(DisputeStatus.OPEN, money, DisputeStep.CREDIT)
    _, _, credit_fen = step(DisputeStatus.OPEN, money, DisputeStep.ACCEPT)
    assert credit_fen == 0


@pytest.mark.parametrize("status", DisputeStatus)
def test_decided_is_final_and_undecided_always_comes_to_an_end_by_time(
    status: DisputeStatus,
) -> None:
    ways_out = {taken for before, taken in STEPS if before is status}
    if status in UNDECIDED:
        assert ways_out & {DisputeStep.RESPONSE_OVERDUE, DisputeStep.DECISION_OVERDUE}
    else:
        assert not ways_out
