"""What settling costs a merchant: tariffs by scene and merchant, as data. Pure.

A fee is of one merchant, one scene and one window, on what was taken there less what was given
back. It is rounded down once, so no fen is lost: what is not fee is the merchant's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PER_MILLION: Final = 1_000_000
EVERY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTier:
    """From this turnover on, so many millionths of what lies above it."""

    from_fen: int
    per_million: int

    def __post_init__(self) -> None:
        assert self.from_fen >= 0
        assert 0 <= self.per_million <= PER_MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRate:
    """A tariff: tiers, each on its own slice of the turnover, and bounds of the whole.

    The first tier begins at 0. ``max_fen`` None: no upper bound.
    """

    tiers: tuple[FeeTier, ...]
    min_fen: int = 0
    max_fen: int | None = None

    def __post_init__(self) -> None:
        starts = [tier.from_fen for tier in self.tiers]
        assert starts
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert self.min_fen >= 0
        assert self.max_fen is None or self.min_fen <= self.max_fen

    def fee_fen(self, turnover_fen: int) -> int:
        """The fee on a turnover: rounded down, never above the turnover, none where it is none."""
        if turnover_fen <= 0:
            return 0
        ends = [*(tier.from_fen for tier in self.tiers[1:]), turnover_fen]
        millionths = sum(
            max(min(end, turnover_fen) - tier.from_fen, 0) * tier.per_million
            for tier, end in zip(self.tiers, ends, strict=True)
        )
        fee_fen = max(millionths // PER_MILLION, self.min_fen)
        if self.max_fen is not None:
            fee_fen = min(fee_fen, self.max_fen)
        return min(fee_fen, turnover_fen)


NO_FEE: Final = FeeRate(tiers=(FeeTier(from_fen=0, per_million=0),))
Rates = Mapping[tuple[str, str], FeeRate]
"""By merchant and scene, either of them ``*`` for every one."""


def rate_of(rates: Rates, merchant_id: str, scene: str) -> FeeRate:
    """The most particular tariff: merchant and scene, merchant, scene, everybody; else no fee."""
    for key in ((merchant_id, scene), (merchant_id, EVERY), (EVERY, scene), (EVERY, EVERY)):
        if key in rates:
            return rates[key]
    return NO_FEE


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover:
    """What a merchant took and gave back in one scene and window, in fen, both >= 0."""

    merchant_id: str
    scene: str
    taken_fen: int
    returned_fen: int

    @property
    def base_fen(self) -> int:
        """What the fee is on: never below zero, a fee is not paid back."""
        return max(self.taken_fen - self.returned_fen, 0)


def fees_of(turnovers: Iterable[Turnover], rates: Rates) -> list[int]:
    """The fee of each turnover, in the same order."""
    return [rate_of(rates, one.merchant_id, one.scene).fee_fen(one.base_fen) for one in turnovers]


def apportion(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Share a total in proportion to weights, losing no fen.

    Args:
        total_fen: >= 0.
        weights: >= 0 each; all zero means equal weights.

    Returns:
        Shares that sum to the total, none above its weight where the total is not above their sum;
        fen left over go one each to the largest remainders, the earlier on a tie.

    Source: Hamilton (largest remainder) apportionment, ADR 2.
    """
    assert total_fen >= 0
    if not weights:
        assert total_fen == 0
        return []
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    shares = [total_fen * weight // whole for weight in weights]
    order = sorted(
        range(len(weights)), key=lambda place: (-(total_fen * weights[place] % whole), place)
    )
    for place in order[: total_fen - sum(shares)]:
        shares[place] += 1
    return shares
