"""The register of limits on orders: every version, and which of them judged an order.

A limit is numbered by the version of the rules it came with, an order by the version it was
decided by. So what judged an order is known for good, whatever the limits are today.
"""

from datetime import datetime
from typing import Final

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.business.limits import EVERY_SCENE, Measure
from cardcore.business.orders import OrderRecord
from cardcore.business.views import JudgedLimit
from cardcore.connections import RawConnection
from cardcore.errors import NotFoundError
from cardcore.model import Model

_r = tables.limit_rule.c
_JUDGED: Final = """
SELECT limit_id, version, subject, measure, period, period_s, limit_max, name_zh, name_en
  FROM (SELECT DISTINCT ON (limit_id) * FROM cardcore.limit_rule
         WHERE rules_version <= %s ORDER BY limit_id, version DESC) AS newest
 WHERE NOT retired AND scene IN (%s, %s) AND (measure = %s OR %s > 0)
 ORDER BY limit_id
"""


class LimitView(JudgedLimit):
    """One version of a limit; ``scene`` ``*`` is every scene. A retired one judges nothing."""

    scene: str
    retired: bool
    recorded_at: datetime


class LimitsView(Model):
    """Limits by id: the newest version of each, or all versions of one, oldest first."""

    limits: list[LimitView] = Field(max_length=10_000)


async def list_limits(connection: AsyncConnection) -> LimitsView:
    """The newest version of every limit, those retired included."""
    rows = await connection.execute(
        select(tables.limit_rule)
        .ext(distinct_on(_r.limit_id))
        .order_by(_r.limit_id, _r.version.desc())
    )
    return LimitsView(limits=[_view(dict(row)) for row in rows.mappings()])


async def limit_versions(connection: AsyncConnection, limit_id: str) -> LimitsView:
    """Every version of one limit, oldest first. Raises ``NotFoundError``."""
    rows = await connection.execute(
        select(tables.limit_rule).where(_r.limit_id == limit_id).order_by(_r.version)
    )
    limits = [_view(dict(row)) for row in rows.mappings()]
    if not limits:
        raise NotFoundError(field="limit_id")
    return LimitsView(limits=limits)


async def limits_of_order(raw: RawConnection, order: OrderRecord) -> list[JudgedLimit]:
    """The limits an order was held to; none for one that no limit judges (off-line records)."""
    if order.rules_version is None:
        return []
    found = await raw.execute(
        _JUDGED,
        (
            order.rules_version,
            EVERY_SCENE,
            order.scene,
            Measure.COUNT.value,
            order.citizen_fen,
        ),
    )
    names = tuple(JudgedLimit.model_fields)
    return [
        JudgedLimit.model_validate(dict(zip(names, row, strict=True)))
        for row in await found.fetchall()
    ]


def _view(row: dict[str, object]) -> LimitView:
    return LimitView.model_validate({name: row[name] for name in LimitView.model_fields})
