"""The journal of what was done to people's records: by whom, why, when. Only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.user.people_tables import person_event
from cardcore.user.people_views import LifeEventView
from cardcore.user.personal_data import DataKey, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Who does something, and why. ``note`` is free text and is sealed before it is written."""

    client_id: str
    reason: str
    at: datetime
    operator: str | None = None
    note: str | None = None


async def record_event(
    connection: AsyncConnection,
    doing: Doing,
    *,
    user_id: UUID,
    kind: str,
    key: DataKey | None,
    of: str | None = None,
) -> UUID:
    """Write down one event, and tell the outbox that something happened.

    Args:
        connection: the transaction of the event itself.
        doing: who and why.
        user_id: whose records.
        kind: what happened, such as ``freeze`` or ``credential_lost``.
        key: the person's key, for the note; without one the note is not kept.
        of: what of the person's it happened to: a fund's kind, a credential's or a user's id.

    Returns:
        The event's id.
    """
    event_id = uuid4()
    note = None
    if doing.note is not None and key is not None:
        note = key.seal(Field.NOTE, doing.note)
    await connection.execute(
        insert(person_event).values(
            event_id=event_id,
            user_id=user_id,
            kind=kind,
            object=of,
            reason=doing.reason,
            note_sealed=note,
            client_id=doing.client_id,
            operator=doing.operator,
            recorded_at=doing.at,
        )
    )
    payload: dict[str, Any] = {"user_id": str(user_id)}
    if of is not None:
        payload["object"] = of
    await connection.execute(
        insert(tables.outbox).values(
            topic=f"user.{kind}", subject_id=user_id, recorded_at=doing.at, payload=payload
        )
    )
    return event_id


async def read_event(connection: AsyncConnection, event_id: UUID) -> LifeEventView:
    """One event; it never changes."""
    row = (
        await connection.execute(select(person_event).where(person_event.c.event_id == event_id))
    ).one()
    return _view(row)


async def read_events(connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[LifeEventView]:
    """The journal of one person under all their ids, oldest first."""
    rows = await connection.execute(
        select(person_event)
        .where(person_event.c.user_id.in_(user_ids))
        .order_by(person_event.c.seq)
    )
    return [_view(row) for row in rows]


def _view(row: Row[Any]) -> LifeEventView:
    return LifeEventView(
        event_id=row.event_id,
        user_id=row.user_id,
        kind=row.kind,
        object=row.object,
        reason=row.reason,
        client_id=row.client_id,
        operator=row.operator,
        recorded_at=row.recorded_at,
    )
