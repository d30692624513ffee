"""What each operator gets of a day: fares, shares of transfers, less the fee. Pure.

    revenue = citizens' fares + subsidies ± shares of transfers − fee

Every split is by largest remainder, so that no fen is lost or made: what one operator gives another
gets, and the parts of a fee sum to the fee.

Source: Hamilton (largest remainder) apportionment, ADR 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PER_MILLION: Final = 1_000_000


class SplitRule(StrEnum):
    """Who gets what of a chain of transfers that several operators carried."""

    FIRST_PAYS = "first_pays"  # each keeps what was charged on its own rides
    PRO_RATA = "pro_rata"  # the chain's money in proportion to the full fares


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRide:
    """A ride of a chain: its operator, the fare before transfers, and the money it brought."""

    merchant_id: str
    full_fen: int
    money_fen: int


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
    """A tariff of fees: tiers by turnover, and bounds of the whole (``max_fen`` None: none).

    The first tier begins at 0; each is charged on its own slice of the turnover.
    """

    name: str
    tiers: tuple[FeeTier, ...]
    min_fen: int = 0
    max_fen: int | None = None

    def __post_init__(self) -> None:
        starts = [tier.from_fen for tier in self.tiers]
        assert starts
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert self.max_fen is None or 0 <= self.min_fen <= self.max_fen

    def fee_fen(self, turnover_fen: int) -> int:
        """The fee on a turnover, rounded down, never above the turnover itself."""
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


NO_FEE: Final = FeeRate(name="none", tiers=(FeeTier(from_fen=0, per_million=0),))


def apportion(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Share a total in proportion to weights, losing no fen.

    Args:
        total_fen: >= 0.
        weights: >= 0 each; all zero means equal weights.

    Returns:
        Shares that sum to the total; left-over fen go to the largest remainders, the earlier on a
        tie.
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


def chain_shares(rides: Sequence[ChainRide], rule: SplitRule) -> dict[str, int]:
    """What operators get beyond what was charged on their rides; the sum is zero."""
    moved: dict[str, int] = {ride.merchant_id: 0 for ride in rides}
    if rule is SplitRule.FIRST_PAYS:
        return moved
    total_fen = sum(ride.money_fen for ride in rides)
    shares = apportion(total_fen, [ride.full_fen for ride in rides])
    for ride, share in zip(rides, shares, strict=True):
        moved[ride.merchant_id] += share - ride.money_fen
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRevenue:
    """One operator's line of the clearing, all in fen."""

    merchant_id: str
    journeys: int
    citizen_fen: int
    subsidy_fen: int
    transfer_fen: int
    fee_fen: int

    @property
    def revenue_fen(self) -> int:
        """What the operator gets."""
        return self.citizen_fen + self.subsidy_fen + self.transfer_fen - self.fee_fen


def operator_revenues(
    taken: Mapping[str, tuple[int, int, int]],
    chains: Sequence[Sequence[ChainRide]],
    rule: SplitRule,
    rates: Mapping[str, FeeRate],
) -> list[OperatorRevenue]:
    """The operators' lines.

    Args:
        taken: by operator: journeys, citizens' fen, subsidies' fen.
        chains: rides of the chains that several operators carried.
        rule: how these are shared.
        rates: the fee of each operator, none where it has none.

    Returns:
        By operator; before fees they sum to what was taken.
    """
    moved = dict.fromkeys(taken, 0)
    for rides in chains:
        for merchant_id, fen in chain_shares(rides, rule).items():
            moved[merchant_id] += fen
    found = []
    for merchant_id, (journeys, citizen_fen, subsidy_fen) in sorted(taken.items()):
        gross_fen = citizen_fen + subsidy_fen + moved[merchant_id]
        found.append(
            OperatorRevenue(
                merchant_id=merchant_id,
                journeys=journeys,
                citizen_fen=citizen_fen,
                subsidy_fen=subsidy_fen,
                transfer_fen=moved[merchant_id],
                fee_fen=rates.get(merchant_id, NO_FEE).fee_fen(gross_fen),
            )
        )
    return found
