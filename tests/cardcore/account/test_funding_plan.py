from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.account.funding_plan import AUTO, FundBalance, split_over_funds
from cardcore.errors import FundUnknownError, InsufficientBalanceError

PLAN = ("transit", "purse", "points")


def fund(kind: str, available_fen: int) -> FundBalance:
    return FundBalance(
        fund_id=UUID(int=PLAN.index(kind) + 1), kind=kind, available_fen=available_fen
    )


FUNDS = st.lists(
    st.builds(fund, st.sampled_from(PLAN), st.integers(-100, 10_000)),
    unique_by=lambda one: one.kind,
)


@given(st.integers(0, 20_000), FUNDS)
def test_shares_sum_to_the_amount_and_stay_within_each_fund(
    amount_fen: int, funds: list[FundBalance]
) -> None:
    """Why: a lost fen here is an order that does not balance."""
    available = {one.kind: max(one.available_fen, 0) for one in funds}
    try:
        shares = split_over_funds(amount_fen, AUTO, PLAN, funds)
    except InsufficientBalanceError:
        assert sum(available.values()) < amount_fen
        return
    assert sum(share.amount_fen for share in shares) == amount_fen
    assert all(0 < share.amount_fen <= available[share.kind] for share in shares)


@given(st.integers(1, 20_000), FUNDS)
def test_a_later_fund_pays_only_when_the_earlier_is_empty(
    amount_fen: int, funds: list[FundBalance]
) -> None:
    available = {one.kind: max(one.available_fen, 0) for one in funds}
    try:
        shares = split_over_funds(amount_fen, AUTO, PLAN, funds)
    except InsufficientBalanceError:
        return
    for share in shares[:-1]:
        assert share.amount_fen == available[share.kind]
    kinds = [share.kind for share in shares]
    assert kinds == sorted(kinds, key=PLAN.index)


def test_a_named_fund_pays_alone() -> None:
    shares = split_over_funds(500, "purse", PLAN, [fund("transit", 900), fund("purse", 900)])
    assert [(share.kind, share.amount_fen) for share in shares] == [("purse", 500)]


def test_a_named_fund_that_is_short_is_not_helped_by_another() -> None:
    with pytest.raises(InsufficientBalanceError) as refused:
        split_over_funds(500, "transit", PLAN, [fund("transit", 499), fund("purse", 900)])
    assert refused.value.facts == {"needed_fen": 500, "available_fen": 499}


@pytest.mark.parametrize("wanted", ["campus", "points"])
def test_a_fund_outside_the_plan_or_not_owned_is_refused(wanted: str) -> None:
    with pytest.raises(FundUnknownError):
        split_over_funds(1, wanted, PLAN, [fund("transit", 9)])
