"""Fees: tiers on their own slices, bounds, and no fen lost; which tariff counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.settlement.fees import (
    EVERY,
    NO_FEE,
    PER_MILLION,
    FeeRate,
    FeeTier,
    Turnover,
    apportion,
    fees_of,
    rate_of,
)

amounts = st.integers(min_value=0, max_value=10**12)


@st.composite
def rates(draw: st.DrawFn) -> FeeRate:
    starts = sorted(draw(st.sets(st.integers(1, 10**9), max_size=4)) | {0})
    tiers = tuple(
        FeeTier(from_fen=start, per_million=draw(st.integers(0, PER_MILLION))) for start in starts
    )
    min_fen = draw(st.integers(0, 10**6))
    max_fen = draw(st.none() | st.integers(min_fen, 10**9))
    return FeeRate(tiers=tiers, min_fen=min_fen, max_fen=max_fen)


TIERED = FeeRate(
    tiers=(FeeTier(from_fen=0, per_million=6_000), FeeTier(from_fen=100_000, per_million=3_000)),
    min_fen=100,
    max_fen=1_000,
)


@pytest.mark.parametrize(
    ("turnover_fen", "fee_fen"),
    [
        (0, 0),
        (-5, 0),
        (60, 60),  # the least fee, but never above the turnover
        (10_000, 100),  # 60, raised to the least
        (99_999, 599),  # 599.994 rounded down
        (100_000, 600),
        (100_333, 600),  # 600.999 rounded down once, over both slices
        (100_334, 601),
        (10**9, 1_000),  # the most
    ],
)
def test_a_fee_by_hand(turnover_fen: int, fee_fen: int) -> None:
    assert TIERED.fee_fen(turnover_fen) == fee_fen


@given(rate=rates(), turnover_fen=amounts)
def test_a_fee_lies_between_nothing_and_the_turnover(rate: FeeRate, turnover_fen: int) -> None:
    fee_fen = rate.fee_fen(turnover_fen)
    assert 0 <= fee_fen <= turnover_fen
    assert rate.max_fen is None or fee_fen <= rate.max_fen
    assert fee_fen >= min(rate.min_fen, turnover_fen)


@given(rate=rates(), one_fen=amounts, more_fen=amounts)
def test_more_turnover_never_costs_less(rate: FeeRate, one_fen: int, more_fen: int) -> None:
    assert rate.fee_fen(one_fen) <= rate.fee_fen(one_fen + more_fen)


@given(rate=rates(), turnover_fen=amounts)
def test_tiers_are_summed_exactly(rate: FeeRate, turnover_fen: int) -> None:
    """How: fen by fen is too slow; every slice by itself, with one rounding at the end."""
    unbounded = FeeRate(tiers=rate.tiers)
    starts = [tier.from_fen for tier in rate.tiers]
    ends = [*starts[1:], max(turnover_fen, starts[-1])]
    millionths = 0
    for tier, start, end in zip(rate.tiers, starts, ends, strict=True):
        if turnover_fen > start:
            millionths += (min(turnover_fen, end) - start) * tier.per_million
    assert unbounded.fee_fen(turnover_fen) == millionths // PER_MILLION


@given(total=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_shares_sum_to_the_whole_and_exceed_no_weight(total: int, weights: list[int]) -> None:
    total = min(total, sum(weights))
    shares = apportion(total, weights)
    assert sum(shares) == total
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
    for share, weight in zip(shares, weights, strict=True):
        assert weight == 0 or abs(share * sum(weights) - total * weight) < sum(weights)


def test_nothing_weighs_is_shared_equally() -> None:
    assert apportion(5, [0, 0, 0]) == [2, 2, 1]
    assert apportion(0, []) == []


def test_the_most_particular_tariff_counts() -> None:
    both, merchant, scene, every = (
        FeeRate(tiers=(FeeTier(from_fen=0, per_million=n),)) for n in (1, 2, 3, 4)
    )
    tariffs = {("M", "bus"): both, ("M", EVERY): merchant, (EVERY, "bus"): scene}
    assert rate_of(tariffs, "M", "bus") is both
    assert rate_of(tariffs, "M", "retail") is merchant
    assert rate_of(tariffs, "N", "bus") is scene
    assert rate_of(tariffs, "N", "retail") is NO_FEE
    assert rate_of(tariffs | {(EVERY, EVERY): every}, "N", "retail") is every


def test_a_fee_is_on_what_was_kept_and_is_not_paid_back() -> None:
    turned = [
        Turnover(merchant_id="M", scene="bus", taken_fen=100_000, returned_fen=50_000),
        Turnover(merchant_id="M", scene="retail", taken_fen=10, returned_fen=50_000),
    ]
    rate = FeeRate(tiers=(FeeTier(from_fen=0, per_million=10_000),))
    assert fees_of(turned, {(EVERY, EVERY): rate}) == [500, 0]
