"""Invitations in the register: written, found by their code, accepted once, withdrawn."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import InvitationRefusedError, LimitExceededError, NotFoundError
from cardcore.spoken_code import spoken_digest
from cardcore.user.invitation_request import InviteRequest
from cardcore.user.invitation_rules import OPEN_FOR, OPEN_MAX
from cardcore.user.invitation_views import InvitationView
from cardcore.user.people_tables import delegation_invitation

_i = delegation_invitation.c


async def write_invitation(
    connection: AsyncConnection,
    *,
    invitation_id: UUID,
    inviter_id: UUID,
    request: InviteRequest,
    code: str,
    now: datetime,
) -> None:
    """Write an invitation down. The inviter's own row is locked, so none slips past the limit.

    Raises:
        LimitExceededError: ``family_invitations``, where too many are open.
    """
    open_now = await connection.scalar(
        select(func.count())
        .select_from(delegation_invitation)
        .where(_i.inviter_id == inviter_id, *_open(now))
    )
    if open_now is not None and open_now >= OPEN_MAX:
        raise LimitExceededError(limit="family_invitations", most=OPEN_MAX)
    await connection.execute(
        insert(delegation_invitation).values(
            invitation_id=invitation_id,
            code_digest=spoken_digest(code),
            inviter_id=inviter_id,
            inviter_pays=request.inviter_pays,
            kind=request.kind,
            scenes=sorted(set(request.scenes)),
            use=request.use.value,
            order_fen_max=request.order_fen_max,
            day_fen_max=request.day_fen_max,
            month_fen_max=request.month_fen_max,
            valid_to=request.valid_to,
            made_at=now,
            expires_at=min(now + OPEN_FOR, request.valid_to),
        )
    )


async def open_invitation(
    connection: AsyncConnection, code: str, *, now: datetime, lock: bool = False
) -> Row[Any]:
    """The open invitation a code means. Raises ``InvitationRefusedError``."""
    asked = select(delegation_invitation).where(_i.code_digest == spoken_digest(code), *_open(now))
    row = (await connection.execute(asked.with_for_update() if lock else asked)).one_or_none()
    if row is None:
        raise InvitationRefusedError(field="code")
    return row


async def accept_invitation(
    connection: AsyncConnection, invitation_id: UUID, delegation_id: UUID, *, now: datetime
) -> None:
    """Say which delegation it has become. The row is locked by ``open_invitation``."""
    await connection.execute(
        update(delegation_invitation)
        .where(_i.invitation_id == invitation_id)
        .values(accepted_at=now, delegation_id=delegation_id)
    )


async def withdraw_invitation(
    connection: AsyncConnection, invitation_id: UUID, inviter_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Take an open invitation of these ids back; one that is no longer open stays as it is.

    Raises:
        NotFoundError: it is not theirs.
    """
    theirs = (_i.invitation_id == invitation_id, _i.inviter_id.in_(inviter_ids))
    known = await connection.scalar(select(_i.invitation_id).where(*theirs).with_for_update())
    if known is None:
        raise NotFoundError(field="invitation_id")
    await connection.execute(
        update(delegation_invitation).where(*theirs, *_open(now)).values(withdrawn_at=now)
    )


async def read_invitations(
    connection: AsyncConnection, inviter_ids: Sequence[UUID], *, now: datetime, limit: int = 20
) -> list[InvitationView]:
    """The newest invitations of a person."""
    rows = await connection.execute(
        select(delegation_invitation)
        .where(_i.inviter_id.in_(inviter_ids))
        .order_by(_i.made_at.desc(), _i.invitation_id)
        .limit(limit)
    )
    return [InvitationView(**shown(row, now=now)) for row in rows]


def shown(row: Row[Any], *, now: datetime) -> dict[str, Any]:
    """What anybody who may see an invitation sees of it."""
    return {
        "invitation_id": row.invitation_id,
        "inviter_pays": row.inviter_pays,
        "kind": row.kind,
        "scenes": row.scenes,
        "use": row.use,
        "order_fen_max": row.order_fen_max,
        "day_fen_max": row.day_fen_max,
        "month_fen_max": row.month_fen_max,
        "valid_to": row.valid_to,
        "expires_at": row.expires_at,
        "state": _state(row, now),
    }


def _state(row: Row[Any], now: datetime) -> str:
    if row.accepted_at is not None:
        return "accepted"
    if row.withdrawn_at is not None:
        return "withdrawn"
    return "open" if now < row.expires_at else "expired"


def _open(now: datetime) -> tuple[Any, ...]:
    return (_i.accepted_at.is_(None), _i.withdrawn_at.is_(None), _i.expires_at > now)
