"""Concession entitlements: class, evidence, validity, who granted them, who took them back.

A revoked entitlement leaves the table that the rules of every order read, and is kept as it was.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import NotFoundError
from cardcore.user.life_events import Doing
from cardcore.user.people_tables import entitlement_revocation
from cardcore.user.people_views import EntitlementView
from cardcore.user.personal_data import DataKey, Field
from cardcore.user.request import Entitlement

_held = tables.entitlement.c
_revoked = entitlement_revocation.c
_HELD: Final = [
    *(column for column in _held if column.name != "class"),
    _held["class"].label("concession"),
]
_REVOKED: Final = [
    *(column for column in _revoked if column.name != "class"),
    _revoked["class"].label("concession"),
]


async def concessions_on(connection: AsyncConnection, user_id: UUID, on: date) -> frozenset[str]:
    """Entitlement classes valid on a business date."""
    found = await connection.execute(
        select(_held["class"]).where(
            _held.user_id == user_id, _held.valid_from <= on, _held.valid_to >= on
        )
    )
    return frozenset(found.scalars())


async def grant_entitlements(
    connection: AsyncConnection,
    key: DataKey,
    user_id: UUID,
    entitlements: Sequence[Entitlement],
    *,
    granted_by: str,
    now: datetime,
) -> list[UUID]:
    """Write entitlements down; one that is there with the same class and days is not doubled.

    Returns:
        Their ids, in the order given.
    """
    known = {
        (row.concession, row.valid_from, row.valid_to): row.entitlement_id
        for row in await connection.execute(select(*_HELD).where(_held.user_id == user_id))
    }
    for one in entitlements:
        days = (one.concession, one.valid_from, one.valid_to)
        if days in known:
            continue
        known[days] = uuid4()
        await connection.execute(
            insert(tables.entitlement).values(
                {
                    "entitlement_id": known[days],
                    "user_id": user_id,
                    "class": one.concession,
                    "evidence_sealed": key.seal(Field.EVIDENCE, one.evidence),
                    "granted_by": granted_by,
                    "valid_from": one.valid_from,
                    "valid_to": one.valid_to,
                    "recorded_at": now,
                }
            )
        )
    return [known[one.concession, one.valid_from, one.valid_to] for one in entitlements]


async def revoke_entitlement(
    connection: AsyncConnection, entitlement_id: UUID, doing: Doing
) -> UUID:
    """Take an entitlement back, from this instant on.

    Returns:
        Whose it was.

    Raises:
        NotFoundError: there is none, or it was revoked before.
    """
    row = (
        await connection.execute(
            delete(tables.entitlement)
            .where(_held.entitlement_id == entitlement_id)
            .returning(*_HELD)
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError(field="entitlement_id")
    await connection.execute(
        insert(entitlement_revocation).values(
            {
                "entitlement_id": entitlement_id,
                "user_id": row.user_id,
                "class": row.concession,
                "evidence_sealed": row.evidence_sealed,
                "granted_by": row.granted_by,
                "valid_from": row.valid_from,
                "valid_to": row.valid_to,
                "granted_at": row.recorded_at,
                "reason": doing.reason,
                "client_id": doing.client_id,
                "operator": doing.operator,
                "recorded_at": doing.at,
            }
        )
    )
    user_id: UUID = row.user_id
    return user_id


async def read_entitlements(
    connection: AsyncConnection, user_ids: Sequence[UUID]
) -> list[EntitlementView]:
    """All entitlements a person has or had, oldest first."""
    held = await connection.execute(
        select(*_HELD)
        .where(_held.user_id.in_(user_ids))
        .order_by(_held.valid_from, _held.entitlement_id)
    )
    revoked = await connection.execute(
        select(*_REVOKED)
        .where(_revoked.user_id.in_(user_ids))
        .order_by(_revoked.recorded_at, _revoked.entitlement_id)
    )
    return [_view(row, revoked=False) for row in held] + [
        _view(row, revoked=True) for row in revoked
    ]


def _view(row: Row[Any], *, revoked: bool) -> EntitlementView:
    return EntitlementView(
        entitlement_id=row.entitlement_id,
        user_id=row.user_id,
        concession=row.concession,
        has_evidence=row.evidence_sealed is not None,
        granted_by=row.granted_by,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        revoked_at=row.recorded_at if revoked else None,
        revoke_reason=row.reason if revoked else None,
    )
