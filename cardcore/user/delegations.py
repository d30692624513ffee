"""Delegations in the register: granting, revoking, reading, and the facts orders ask for."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import NotFoundError
from cardcore.user.delegation import Delegation
from cardcore.user.life_events import Doing
from cardcore.user.people_request import GrantDelegationRequest
from cardcore.user.people_tables import delegation
from cardcore.user.people_views import DelegationView
from cardcore.user.personal_data import DataKey, Field

RawConnection = psycopg.AsyncConnection[Any]
_d = delegation.c

# One statement each, for all people of a batch of orders.
_OF_PEOPLE: Final = """
SELECT d.delegation_id, d.user_id, d.payer_id, d.kind, d.scenes, d.order_fen_max, d.day_fen_max,
       d.valid_from, d.valid_to, d.revoked_at, p.status = 'active'
  FROM cardcore.delegation d JOIN cardcore.person p ON p.user_id = d.payer_id
 WHERE d.user_id = ANY(%s) AND d.revoked_at IS NULL AND d.valid_to > %s
 ORDER BY d.recorded_at, d.delegation_id
"""
# What was asked counts, voids apart: a refund does not give a child its pocket money back.
_SPENT: Final = """
SELECT d.delegation_id, sum(l.amount_fen)::bigint
  FROM cardcore.delegation d
  JOIN cardcore.business_order o
    ON o.user_id = d.user_id AND o.business_on = %s AND o.status NOT IN ('voided', 'expired')
   AND o.scene = ANY(d.scenes)
  JOIN cardcore.order_line l ON l.order_id = o.order_id
  JOIN cardcore.fund f ON f.fund_id = l.debit_account_id AND f.user_id = d.payer_id
 WHERE d.delegation_id = ANY(%s) AND o.recorded_at >= d.valid_from
 GROUP BY d.delegation_id
"""


async def grant_delegation(
    connection: AsyncConnection,
    key: DataKey,
    user_id: UUID,
    payer_id: UUID,
    request: GrantDelegationRequest,
    *,
    client_id: str,
    now: datetime,
) -> UUID:
    """Write a delegation down; returns its id."""
    delegation_id = uuid4()
    evidence = None if request.evidence is None else key.seal(Field.EVIDENCE, request.evidence)
    await connection.execute(
        insert(delegation).values(
            delegation_id=delegation_id,
            user_id=user_id,
            payer_id=payer_id,
            kind=request.kind,
            scenes=sorted(set(request.scenes)),
            order_fen_max=request.order_fen_max,
            day_fen_max=request.day_fen_max,
            valid_from=request.valid_from,
            valid_to=request.valid_to,
            evidence_sealed=evidence,
            client_id=client_id,
            recorded_at=now,
        )
    )
    return delegation_id


async def revoke_delegation(connection: AsyncConnection, delegation_id: UUID, doing: Doing) -> UUID:
    """End a delegation now.

    Returns:
        For whom it was.

    Raises:
        NotFoundError: there is none, or it was revoked before.
    """
    user_id: UUID | None = (
        await connection.execute(
            update(delegation)
            .where(_d.delegation_id == delegation_id, _d.revoked_at.is_(None))
            .values(revoked_at=doing.at)
            .returning(_d.user_id)
        )
    ).scalar_one_or_none()
    if user_id is None:
        raise NotFoundError(field="delegation_id")
    return user_id


async def revoke_all(connection: AsyncConnection, user_id: UUID, *, now: datetime) -> None:
    """End every delegation to or from a person."""
    await connection.execute(
        update(delegation)
        .where(or_(_d.user_id == user_id, _d.payer_id == user_id), _d.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def read_delegations(
    connection: AsyncConnection, user_ids: Sequence[UUID]
) -> list[DelegationView]:
    """All delegations to and from a person, oldest first."""
    rows = await connection.execute(
        select(delegation)
        .where(or_(_d.user_id.in_(user_ids), _d.payer_id.in_(user_ids)))
        .order_by(_d.recorded_at, _d.delegation_id)
    )
    return [_view(row) for row in rows]


async def delegations_of(
    connection: RawConnection, user_ids: Sequence[UUID], now: datetime
) -> dict[UUID, list[Delegation]]:
    """Delegations that may pay for these people, by person, in the order they are tried."""
    found = await connection.execute(_OF_PEOPLE, (list(user_ids), now))
    known: dict[UUID, list[Delegation]] = {}
    for row in await found.fetchall():
        one = Delegation(
            delegation_id=row[0],
            user_id=row[1],
            payer_id=row[2],
            kind=row[3],
            scenes=frozenset(row[4]),
            order_fen_max=row[5],
            day_fen_max=row[6],
            valid_from=row[7],
            valid_to=row[8],
            revoked_at=row[9],
            payer_active=row[10],
        )
        known.setdefault(one.user_id, []).append(one)
    return known


async def spent_by(
    connection: RawConnection, delegation_ids: Sequence[UUID], business_on: date
) -> dict[UUID, int]:
    """By delegation, what the payer's funds gave for the person on a business day, in fen."""
    found = await connection.execute(_SPENT, (business_on, list(delegation_ids)))
    return {row[0]: row[1] for row in await found.fetchall()}


def _view(row: Row[Any]) -> DelegationView:
    return DelegationView(
        delegation_id=row.delegation_id,
        user_id=row.user_id,
        payer_id=row.payer_id,
        kind=row.kind,
        scenes=row.scenes,
        order_fen_max=row.order_fen_max,
        day_fen_max=row.day_fen_max,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        revoked_at=row.revoked_at,
    )
