"""Who looked at whose personal data, and what for: a log that is only ever added to.

Whatever opens sealed data takes an ``Access`` and leaves a row in the transaction of the look;
citizens read the rows about themselves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.user.people_tables import data_access
from cardcore.user.people_views import DataAccessView
from cardcore.user.personal_data import Field


class Purpose(StrEnum):
    """Why personal data was looked at. Closed: a purpose that is not here is no purpose."""

    REGISTRATION = "registration"
    SERVICE = "service"
    COMPLAINT = "complaint"
    PAYOUT = "payout"
    LEGAL_ORDER = "legal_order"
    AUDIT = "audit"
    TREATMENT = "treatment"
    EMERGENCY = "emergency"


PURPOSE_WORDS: Final[dict[Purpose, tuple[str, str]]] = {
    Purpose.REGISTRATION: ("登记或变更身份信息", "registering or changing personal data"),
    Purpose.SERVICE: ("办理业务时以脱敏形式查看", "seen masked while serving"),
    Purpose.COMPLAINT: ("处理投诉", "handling a complaint"),
    Purpose.PAYOUT: ("退还余额", "paying out a balance"),
    Purpose.LEGAL_ORDER: ("依法协助调查", "assisting an authority as the law demands"),
    Purpose.AUDIT: ("审计", "audit"),
    Purpose.TREATMENT: ("诊疗中经本人同意调阅", "read for a treatment, as the person agreed"),
    Purpose.EMERGENCY: ("紧急救治调阅", "read in an emergency, without being asked"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is about to look, and what for.

    ``client_id`` is the system that asks, ``operator`` the person at its counter where it named
    one. ``in_clear``: the asker gets the data itself, not its masked form.
    """

    client_id: str
    purpose: Purpose
    at: datetime
    operator: str | None = None
    in_clear: bool = False


async def note_access(
    connection: AsyncConnection, access: Access, user_id: UUID, fields: Iterable[Field]
) -> None:
    """Write one look down."""
    await connection.execute(
        insert(data_access).values(
            recorded_at=access.at,
            user_id=user_id,
            client_id=access.client_id,
            operator=access.operator,
            purpose=access.purpose.value,
            fields=sorted(field.value for field in fields),
            in_clear=access.in_clear,
        )
    )


async def read_accesses(
    connection: AsyncConnection, user_ids: Sequence[UUID], *, before_seq: int | None, limit: int
) -> list[DataAccessView]:
    """Looks at a person's data, newest first; ``before_seq`` goes on after a page."""
    asked = (
        select(data_access)
        .where(data_access.c.user_id.in_(user_ids))
        .order_by(data_access.c.seq.desc())
        .limit(limit)
    )
    if before_seq is not None:
        asked = asked.where(data_access.c.seq < before_seq)
    views = []
    for row in await connection.execute(asked):
        purpose_zh, purpose_en = PURPOSE_WORDS[Purpose(row.purpose)]
        views.append(
            DataAccessView(
                seq=row.seq,
                recorded_at=row.recorded_at,
                client_id=row.client_id,
                operator=row.operator,
                purpose=row.purpose,
                purpose_zh=purpose_zh,
                purpose_en=purpose_en,
                fields=row.fields,
                in_clear=row.in_clear,
            )
        )
    return views
