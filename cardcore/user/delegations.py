"""Delegations in the register: granting, revoking, reading."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import FundUnknownError, NotFoundError
from cardcore.user.delegation import ANY_FUND
from cardcore.user.life_events import Doing
from cardcore.user.people_request import GrantDelegationRequest
from cardcore.user.people_tables import delegation
from cardcore.user.people_views import DelegationView
from cardcore.user.personal_data import DataKey, Field

_d = delegation.c


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
    """Write a delegation down; returns its id.

    Raises:
        FundUnknownError: there is no such kind of fund.
    """
    kind = tables.fund_kind.c.kind
    if request.fund != ANY_FUND and not await connection.scalar(
        select(kind).where(kind == request.fund)
    ):
        raise FundUnknownError(field="fund")
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
            use=request.use.value,
            fund=request.fund,
            month_fen_max=request.month_fen_max,
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


def _view(row: Row[Any]) -> DelegationView:
    return DelegationView(
        delegation_id=row.delegation_id,
        user_id=row.user_id,
        payer_id=row.payer_id,
        kind=row.kind,
        scenes=row.scenes,
        use=row.use,
        fund=row.fund,
        order_fen_max=row.order_fen_max,
        day_fen_max=row.day_fen_max,
        month_fen_max=row.month_fen_max,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        revoked_at=row.revoked_at,
    )
