"""Splitting a citizen's share over the funds a scene may draw on, first to last. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cardcore.errors import FundUnknownError, InsufficientBalanceError

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class FundBalance:
    """One fund and what may be spent from it now: posted, less what is held."""

    fund_id: UUID
    kind: str
    available_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
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
