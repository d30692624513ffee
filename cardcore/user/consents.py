"""The consent ledger: what a person agreed to, with whom, until when, and what they took back.

Only ever added to: a withdrawal is a row of its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, any_, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import NotFoundError, PersonStateError
from cardcore.user.life_events import Doing
from cardcore.user.people_request import GrantConsentRequest
from cardcore.user.people_tables import consent, consent_withdrawal
from cardcore.user.people_views import ConsentView

_c = consent.c
_w = consent_withdrawal.c


async def grant_consent(
    connection: AsyncConnection,
    user_id: UUID,
    request: GrantConsentRequest,
    *,
    client_id: str,
    now: datetime,
) -> UUID:
    """Write a consent down; returns its id."""
    consent_id = uuid4()
    await connection.execute(
        insert(consent).values(
            consent_id=consent_id,
            user_id=user_id,
            purpose=request.purpose,
            recipient=request.recipient,
            scope=sorted(set(request.scope)),
            valid_from=request.valid_from,
            valid_to=request.valid_to,
            evidence=request.evidence,
            client_id=client_id,
            recorded_at=now,
        )
    )
    return consent_id


async def withdraw_consent(connection: AsyncConnection, consent_id: UUID, doing: Doing) -> UUID:
    """Write a withdrawal down.

    Returns:
        Whose consent it was.

    Raises:
        NotFoundError: there is no such consent.
        PersonStateError: it was withdrawn before.
    """
    user_id: UUID | None = (
        await connection.execute(select(_c.user_id).where(_c.consent_id == consent_id))
    ).scalar_one_or_none()
    if user_id is None:
        raise NotFoundError(field="consent_id")
    written = await connection.execute(
        upsert(consent_withdrawal)
        .values(consent_id=consent_id, client_id=doing.client_id, recorded_at=doing.at)
        .on_conflict_do_nothing()
        .returning(_w.consent_id)
    )
    if written.one_or_none() is None:
        raise PersonStateError(field="consent_id", status="withdrawn")
    return user_id


async def read_consents(connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[ConsentView]:
    """All consents a person has ever given, oldest first."""
    rows = await connection.execute(
        select(consent, _w.recorded_at.label("withdrawn_at"))
        .outerjoin(consent_withdrawal, _w.consent_id == _c.consent_id)
        .where(_c.user_id.in_(user_ids))
        .order_by(_c.recorded_at, _c.consent_id)
    )
    return [_view(row) for row in rows]


async def consented(
    connection: AsyncConnection,
    user_ids: Sequence[UUID],
    *,
    purpose: str,
    recipient: str,
    scope: str,
    at: datetime,
) -> bool:
    """Has the person agreed to this, at this instant? For whoever is about to pass data on."""
    found = await connection.execute(
        select(_c.consent_id)
        .outerjoin(consent_withdrawal, _w.consent_id == _c.consent_id)
        .where(
            _c.user_id.in_(user_ids),
            _c.purpose == purpose,
            _c.recipient == recipient,
            literal(scope) == any_(_c.scope),
            _c.valid_from <= at,
            _c.valid_to > at,
            (_w.recorded_at.is_(None)) | (_w.recorded_at > at),
        )
        .limit(1)
    )
    return found.one_or_none() is not None


def _view(row: Row[Any]) -> ConsentView:
    return ConsentView(
        consent_id=row.consent_id,
        user_id=row.user_id,
        purpose=row.purpose,
        recipient=row.recipient,
        scope=row.scope,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        evidence=row.evidence,
        recorded_at=row.recorded_at,
        withdrawn_at=row.withdrawn_at,
    )
