"""Kinds of funds as they are told: regime, source in law, limits."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.fund_tables import fund_regime
from cardcore.account.views import FundKindsView, FundKindView


async def read_kinds(connection: AsyncConnection) -> FundKindsView:
    """All kinds, by name."""
    kind, regime = tables.fund_kind, fund_regime
    rows = await connection.execute(
        select(
            kind,
            regime.c.nature,
            regime.c.redeemable,
            regime.c.source,
            regime.c.name_zh.label("regime_zh"),
            regime.c.name_en.label("regime_en"),
        )
        .join(regime, regime.c.regime == kind.c.regime)
        .order_by(kind.c.kind)
    )
    return FundKindsView(
        kinds=[
            FundKindView(
                fund=row.kind,
                name_zh=row.name_zh,
                name_en=row.name_en,
                regime=row.regime,
                regime_zh=row.regime_zh,
                regime_en=row.regime_en,
                source=row.source,
                nature=row.nature,
                unit=row.unit,
                level_min=row.level_min,
                redeemable=row.redeemable,
                balance_max=0 if row.nature == "credit" else row.balance_fen_max,
                credit_fen_max=row.credit_fen_max,
                topup_fen_max=row.topup_fen_max,
                topup_day_fen_max=row.topup_day_fen_max,
                withdrawal_fen_max=row.withdrawal_fen_max,
                withdrawal_day_fen_max=row.withdrawal_day_fen_max,
            )
            for row in rows
        ]
    )
