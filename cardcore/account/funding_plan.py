"""Which funds a scene may draw on, and splitting a citizen's share over them. Pure.

A scene's plan is a list of steps, first to last. A step is a kind of fund, or ``subsidy``: all
earmarked subsidies that are good for this purchase, so that money that ends is spent before money
that stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from cardcore.errors import FundUnknownError, InsufficientBalanceError
from cardcore.values import value

AUTO = "auto"
SUBSIDY: Final = "subsidy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What the money of one earmarked subsidy may be spent on; ``kind`` is its kind of fund.

    No ``merchants`` means any merchant of the scenes. Both dates are business dates, inclusive.
    """

    kind: str
    payer: str
    scenes: frozenset[str]
    merchants: frozenset[str]
    valid_from: date
    valid_to: date

    def pays_for(self, scene: str, merchant_id: str, on: date) -> bool:
        """May it pay this merchant of this scene on this business date?"""
        return (
            scene in self.scenes
            and (not self.merchants or merchant_id in self.merchants)
            and self.valid_from <= on <= self.valid_to
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPolicy:
    """All plans and programmes as they stood at one version. Version 0 knows nothing."""

    version: int = 0
    plans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    programmes: Sequence[Programme] = ()

    def kinds(self, scene: str, merchant_id: str, on: date) -> tuple[str, ...]:
        """Kinds of funds that may pay, first to last; subsidies that end first come first."""
        steps = self.plans.get(scene, ())
        if SUBSIDY not in steps:
            return tuple(steps)
        good = [one for one in self.programmes if one.pays_for(scene, merchant_id, on)]
        good.sort(key=lambda one: (one.valid_to, one.kind))
        kinds: list[str] = []
        for step in steps:
            kinds += [one.kind for one in good] if step == SUBSIDY else [step]
        return tuple(kinds)


@value
class FundBalance:
    """One fund and what may be spent from it now: posted, less what is held."""

    fund_id: UUID
    kind: str
    available_fen: int


@value
class FundShare:
    """What one fund gives."""

    fund_id: UUID
    kind: str
    amount_fen: int


def split_over_funds(
    amount_fen: int, wanted: str, plan: Sequence[str], funds: Sequence[FundBalance]
) -> list[FundShare]:
    """Draw ``amount_fen`` from the funds of the plan, in its order.

    Args:
        amount_fen: the citizen's share, ≥ 0; nothing is drawn for 0.
        wanted: one fund's kind, or ``auto`` for the whole plan.
        plan: kinds the scene may draw on, first to last.
        funds: the user's active funds.

    Returns:
        Shares that sum to ``amount_fen``, none of them zero.

    Raises:
        FundUnknownError: the wanted fund is not in the plan, or the user does not have it.
        InsufficientBalanceError: the allowed funds together hold less.
    """
    if wanted != AUTO and wanted not in plan:
        raise FundUnknownError(f"this scene may not draw on {wanted!r}", field="account.fund")
    by_kind = {fund.kind: fund for fund in funds}
    kinds = plan if wanted == AUTO else (wanted,)
    if wanted != AUTO and wanted not in by_kind:
        raise FundUnknownError(f"the user has no fund {wanted!r}", field="account.fund")
    shares: list[FundShare] = []
    missing_fen = amount_fen
    for kind in kinds:
        fund = by_kind.get(kind)
        if fund is None or missing_fen == 0:
            continue
        drawn_fen = min(missing_fen, max(fund.available_fen, 0))
        if drawn_fen:
            shares.append(FundShare(fund_id=fund.fund_id, kind=kind, amount_fen=drawn_fen))
            missing_fen -= drawn_fen
    if missing_fen:
        raise InsufficientBalanceError(
            field="account.fund",
            needed_fen=amount_fen,
            available_fen=amount_fen - missing_fen,
        )
    return shares
