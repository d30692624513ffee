"""What each operator gets of a day: fares, shares of transfers, less the fee. Pure.

    revenue = citizens' fares + subsidies ± shares of transfers − fee

Every split is by largest remainder, so that no fen is lost or made: what one operator gives another
gets, and the parts of a fee sum to the fee.

Source: Hamilton (largest remainder) apportionment, ADR 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cardcore.settlement.fees import NO_FEE, FeeRate, apportion


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
