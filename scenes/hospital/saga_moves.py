"""Moving payments and refunds from state to state, each step a row.

A move is one update that names the version it moves from: of two who would move the same payment
only one does, the other is overtaken and reads anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scenes.hospital.payment_states import (
    FINAL,
    REFUND_FINAL,
    REFUND_STEPS,
    REFUND_UNDOING,
    STEPS,
    UNDOING,
    PaymentState,
    RefundState,
)
from scenes.hospital.payment_store import Payment, Refund
from scenes.hospital.tables import payment, refund, saga_step

# Whoever moves a payment has this long for the next step before the worker takes it for lost.
PATIENCE: Final = timedelta(seconds=30)
WAIT_FIRST: Final = timedelta(seconds=5)
WAIT_MAX: Final = timedelta(minutes=10)


class OvertakenError(Exception):
    """Somebody else has moved it meanwhile: read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step: where to, with what changed and what is to be remembered of it."""

    to: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)


async def move_payment(
    connection: AsyncConnection, found: Payment, move: Move, *, now: datetime
) -> None:
    """Take a step of the table, write it down, and say until when the next is expected.

    Raises:
        OvertakenError: somebody else was first.
    """
    to = PaymentState(move.to)
    assert to in STEPS[found.state], (found.state, to)
    if to in UNDOING:
        move = replace(move, changes={**move.changes, "undoing": True})
    waits = to in FINAL or to is PaymentState.REVIEW
    await _move(
        connection,
        payment,
        payment.c.payment_id,
        (found.payment_id, found.version),
        move,
        now=now,
        due_at=None if waits else now + PATIENCE,
    )


async def move_refund(
    connection: AsyncConnection, found: Refund, move: Move, *, now: datetime
) -> None:
    """As ``move_payment``."""
    to = RefundState(move.to)
    assert to in REFUND_STEPS[found.state], (found.state, to)
    if to in REFUND_UNDOING:
        move = replace(move, changes={**move.changes, "undoing": True})
    waits = to in REFUND_FINAL or to is RefundState.REVIEW
    await _move(
        connection,
        refund,
        refund.c.refund_id,
        (found.refund_id, found.version),
        move,
        now=now,
        due_at=None if waits else now + PATIENCE,
    )


async def put_off_payment(connection: AsyncConnection, found: Payment, *, now: datetime) -> None:
    """Nothing came of the step: wait longer each time."""
    await _put_off(connection, payment, payment.c.payment_id, found.payment_id, found, now)


async def put_off_refund(connection: AsyncConnection, found: Refund, *, now: datetime) -> None:
    """As ``put_off_payment``."""
    await _put_off(connection, refund, refund.c.refund_id, found.refund_id, found, now)


async def require_unmoved(connection: AsyncConnection, found: Refund) -> None:
    """What is read of the refund after this is as old as ``found``, and stays so.

    Raises:
        OvertakenError: somebody else has moved it.
    """
    r = refund.c
    still = await connection.execute(
        select(r.version)
        .where(r.refund_id == found.refund_id, r.version == found.version)
        .with_for_update()
    )
    if still.first() is None:
        raise OvertakenError


async def note_said(connection: AsyncConnection, found: Refund, *, now: datetime) -> bool:
    """Something is about to be said for the first time; False where it was said before.

    That is told by the attempts of the first step alone: who comes back from a review has said it.
    """
    if found.version > 1:
        return False
    r = refund.c
    noted = await connection.execute(
        update(refund)
        .where(r.refund_id == found.refund_id, r.version == found.version, r.attempts == 0)
        .values(attempts=1, due_at=now + PATIENCE)
    )
    return noted.rowcount == 1


async def write_first_step(
    connection: AsyncConnection,
    subject_id: UUID,
    state: str,
    note: Mapping[str, Any],
    now: datetime,
) -> None:
    """The step that made it."""
    await connection.execute(
        insert(saga_step).values(
            subject_id=subject_id, version=1, state=state, note=dict(note), recorded_at=now
        )
    )


async def _move(
    connection: AsyncConnection,
    table: Table,
    identity: Any,  # noqa: ANN401  (a column of the table)
    at: tuple[UUID, int],
    move: Move,
    *,
    now: datetime,
    due_at: datetime | None,
) -> None:
    subject_id, version = at
    moved = await connection.execute(
        update(table)
        .where(identity == subject_id, table.c.version == version)
        .values(
            **move.changes,
            state=str(move.to),
            version=version + 1,
            due_at=due_at,
            attempts=0,
            changed_at=now,
        )
    )
    if moved.rowcount != 1:
        raise OvertakenError
    await connection.execute(
        insert(saga_step).values(
            subject_id=subject_id,
            version=version + 1,
            state=str(move.to),
            note=dict(move.note),
            recorded_at=now,
        )
    )


async def _put_off(
    connection: AsyncConnection,
    table: Table,
    identity: Any,  # noqa: ANN401  (a column of the table)
    subject_id: UUID,
    found: Payment | Refund,
    now: datetime,
) -> None:
    wait = min(WAIT_FIRST * 2 ** min(found.attempts, 10), WAIT_MAX)
    await connection.execute(
        update(table)
        .where(identity == subject_id, table.c.version == found.version)
        .values(due_at=now + wait, attempts=found.attempts + 1)
    )
