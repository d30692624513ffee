"""What an approved proposal does to limits: of funds, of orders, of how long holds last.

Each change is a version: of the funding policy or of the rules orders are decided by. Running
servers see the number rise with the next batch they decide.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.fund_tables import fund_regime
from cardcore.account.funding_policy import next_version
from cardcore.business.limits import EVERY_SCENE
from cardcore.business.scene_tables import scene
from cardcore.platform.errors import ProposalImpossibleError
from cardcore.platform.request import SetFundLimit, SetHoldTime, SetOrderLimit

_PER_DAY: Final = (
    ("topup_fen_max", "topup_day_fen_max"),
    ("withdrawal_fen_max", "withdrawal_day_fen_max"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """By whose decision something is changed, why and when."""

    proposal_id: UUID
    decided_by: str
    purpose: str
    now: datetime


async def set_fund_limit(
    connection: AsyncConnection, content: SetFundLimit, change: Change
) -> None:
    """Change the limits of a kind of fund; what is not named stays.

    Raises:
        ProposalImpossibleError: no such kind, the law allows less, a limit that this kind does not
            have, or one top-up could be larger than a day's.
    """
    kind = tables.fund_kind
    found = await connection.execute(
        select(kind, fund_regime.c.nature, fund_regime.c.balance_fen_max.label("allowed_fen"))
        .join(fund_regime, fund_regime.c.regime == kind.c.regime)
        .where(kind.c.kind == content.fund)
        .with_for_update(of=kind)
    )
    row = found.one_or_none()
    if row is None:
        raise ProposalImpossibleError("there is no such kind of fund", field="fund")
    limits = content.model_dump(exclude={"kind", "fund"}, exclude_none=True)
    _require_fit(row, limits)
    await next_version(
        connection,
        f"limit:{content.fund}",
        client_id=change.decided_by,
        reason=f"{change.purpose} (proposal {change.proposal_id})",
        now=change.now,
    )
    await connection.execute(update(kind).where(kind.c.kind == content.fund).values(**limits))


def _require_fit(row: Row[Any], limits: dict[str, int]) -> None:
    balance_fen = limits.get("balance_fen_max", 0)
    if row.allowed_fen is not None and balance_fen > row.allowed_fen:
        raise ProposalImpossibleError(
            "the law allows less", field="balance_fen_max", limit_fen=row.allowed_fen
        )
    not_its_own = "balance_fen_max" if row.nature == "credit" else "credit_fen_max"
    if not_its_own in limits:
        raise ProposalImpossibleError("this kind of fund has no such limit", field=not_its_own)
    for once, day in _PER_DAY:
        at_once, in_a_day = (limits.get(name, getattr(row, name)) for name in (once, day))
        if at_once is not None and in_a_day is not None and at_once > in_a_day:
            raise ProposalImpossibleError("one is more than a whole day's", field=once)


async def set_order_limit(
    connection: AsyncConnection, content: SetOrderLimit, change: Change
) -> None:
    """Write the next version of a limit on orders."""
    rule = tables.limit_rule
    version = await connection.scalar(
        select(func.max(rule.c.version)).where(rule.c.limit_id == content.limit_id)
    )
    await connection.execute(
        insert(rule).values(
            version=(version or 0) + 1,
            recorded_at=change.now,
            **content.model_dump(mode="json", exclude={"kind"}),
        )
    )


async def set_hold_time(
    connection: AsyncConnection, content: SetHoldTime, scenes: AbstractSet[str]
) -> None:
    """Say how long holds of a scene last; those that stand keep the time they were given.

    Args:
        connection: the transaction of the approval.
        content: what was proposed.
        scenes: the scenes that have Python of their own.

    Raises:
        ProposalImpossibleError: no such scene.
    """
    rule, named = tables.hold_rule, content.scene
    if named not in {EVERY_SCENE, *scenes}:
        known = await connection.scalar(select(scene.c.scene).where(scene.c.scene == named))
        if known is None:
            raise ProposalImpossibleError("there is no such scene", field="scene")
    await connection.execute(
        upsert(rule)
        .values(scene=named, timeout_s=content.timeout_s)
        .on_conflict_do_update(index_elements=["scene"], set_={"timeout_s": content.timeout_s})
    )
