"""Shares of revenue: no fen lost or made by any split, fees within their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.settlement.fees import NO_FEE, FeeRate, FeeTier, apportion
from scenes.bus.operator_revenue import ChainRide, SplitRule, chain_shares, operator_revenues

fen = st.integers(0, 10_000)
rides = st.lists(
    st.builds(ChainRide, merchant_id=st.sampled_from("abc"), full_fen=fen, money_fen=fen),
    min_size=1,
    max_size=6,
)
rates = st.builds(
    lambda starts, parts, least, more: FeeRate(
        tiers=tuple(
            FeeTier(from_fen=start, per_million=part)
            for start, part in zip([0, *sorted(starts)], parts, strict=False)
        ),
        min_fen=least,
        max_fen=least + more,
    ),
    st.sets(st.integers(1, 50_000), max_size=3),
    st.lists(st.integers(0, 1_000_000), min_size=4, max_size=4),
    st.integers(0, 500),
    st.integers(0, 5_000),
)


@given(total=fen, weights=st.lists(fen, min_size=1, max_size=8))
def test_apportioning_loses_no_fen_and_is_fair_to_a_fen(total: int, weights: list[int]) -> None:
    shares = apportion(total, weights)
    assert sum(shares) == total
    if any(weights):
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - total * weight / sum(weights)) < 1


@given(chain=rides, rule=st.sampled_from(SplitRule))
def test_what_one_operator_gives_another_gets(chain: list[ChainRide], rule: SplitRule) -> None:
    assert sum(chain_shares(chain, rule).values()) == 0


@given(rate=rates, turnover=st.integers(-100, 100_000))
def test_a_fee_is_never_above_the_turnover_nor_its_bound(rate: FeeRate, turnover: int) -> None:
    fee_fen = rate.fee_fen(turnover)
    assert 0 <= fee_fen <= max(turnover, 0)
    assert rate.max_fen is not None
    assert fee_fen <= rate.max_fen


@pytest.mark.parametrize(
    ("turnover_fen", "fee_fen"),
    [(0, 0), (5, 5), (1_000, 10), (100_000, 600), (200_000, 900), (10_000_000, 5_000)],
)
def test_each_tier_is_charged_on_its_own_slice(turnover_fen: int, fee_fen: int) -> None:
    rate = FeeRate(
        tiers=(
            FeeTier(from_fen=0, per_million=6_000),
            FeeTier(from_fen=100_000, per_million=3_000),
        ),
        min_fen=10,
        max_fen=5_000,
    )
    assert rate.fee_fen(turnover_fen) == fee_fen


def test_a_discounted_transfer_is_shared_by_the_full_fares() -> None:
    chain = [
        ChainRide(merchant_id="north", full_fen=200, money_fen=200),
        ChainRide(merchant_id="south", full_fen=200, money_fen=100),
    ]
    assert chain_shares(chain, SplitRule.FIRST_PAYS) == {"north": 0, "south": 0}
    assert chain_shares(chain, SplitRule.PRO_RATA) == {"north": -50, "south": 50}


@given(chain=rides)
def test_before_fees_operators_together_get_what_was_taken(chain: list[ChainRide]) -> None:
    taken: dict[str, tuple[int, int, int]] = {}
    for ride in chain:
        count, citizen, subsidy = taken.get(ride.merchant_id, (0, 0, 0))
        taken[ride.merchant_id] = (count + 1, citizen + ride.money_fen, subsidy)
    lines = operator_revenues(taken, [chain], SplitRule.PRO_RATA, {"a": NO_FEE})
    assert sum(line.revenue_fen for line in lines) == sum(ride.money_fen for ride in chain)
