"""Registrations as rows: read, taken a step, shown. Runs in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from scenes.hospital import queue
from scenes.hospital.registration_rules import (
    FREEING,
    RegistrationState,
    RegistrationStep,
    after,
)
from scenes.hospital.tables import bill, payment, registration, registration_event, slot
from scenes.hospital.views import RegistrationView

_WAITING: Final = ("checked_in", "passed")
# A payment that is under way keeps the place: it must not be given away between hold and capture.
UNDER_WAY: Final = (
    "holding",
    "held",
    "settling",
    "asking",
    "reversing",
    "settled",
    "cancelling",
    "releasing",
    "review",
)


async def read_registration(
    connection: AsyncConnection,
    caller: Caller,
    registration_id: UUID,
    *,
    lock: bool = False,
) -> Row[Any]:
    """A registration the caller may see. Raises ``NotFoundError``."""
    query = select(registration).where(registration.c.registration_id == registration_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if (
        row is None
        or caller.merchant_id not in (None, row.merchant_id)
        or caller.user_id not in (None, row.user_id)
    ):
        raise NotFoundError(field="registration_id")
    return row


async def take_step(
    connection: AsyncConnection,
    row: Row[Any],
    step: RegistrationStep,
    *,
    by: str,
    now: datetime,
    **changes: object,
) -> None:
    """Take a step of the table and write it down; a place that is given back is free.

    ``changes`` are further columns. Raises ``RegistrationStateError``.
    """
    state = after(row.state, step)
    await connection.execute(
        update(registration)
        .where(registration.c.registration_id == row.registration_id)
        .values(**changes, state=state.value, hold_ends_at=None, changed_at=now)
    )
    if state in FREEING:
        await connection.execute(
            update(slot)
            .where(slot.c.registration_id == row.registration_id)
            .values(registration_id=None)
        )
    await write_event(connection, row.registration_id, step.value, state, by, now)


async def write_event(
    connection: AsyncConnection,
    registration_id: UUID,
    step: str,
    state: RegistrationState,
    by: str,
    now: datetime,
) -> None:
    """Write a step down."""
    await connection.execute(
        insert(registration_event).values(
            registration_id=registration_id,
            step=step,
            state_after=state.value,
            done_by=by,
            recorded_at=now,
        )
    )


async def is_being_paid(connection: AsyncConnection, row: Row[Any]) -> bool:
    """Is its fee on the way?"""
    found = await connection.execute(
        select(payment.c.payment_id)
        .join(bill, bill.c.payment_id == payment.c.payment_id)
        .where(bill.c.bill_id == row.bill_id, payment.c.state.in_(UNDER_WAY))
    )
    return found.first() is not None


async def in_state(
    connection: AsyncConnection, schedule_id: UUID, state: str
) -> Sequence[Row[Any]]:
    """Registrations of a schedule in one state."""
    r = registration.c
    found = await connection.execute(
        select(registration).where(r.schedule_id == schedule_id, r.state == state)
    )
    return found.all()


async def waiting_of(connection: AsyncConnection, schedule_id: UUID) -> list[queue.Waiting]:
    """Who waits to be called, in no order."""
    rows: list[Row[Any]] = []
    for state in _WAITING:
        rows += await in_state(connection, schedule_id, state)
    return [
        queue.Waiting(
            registration_id=row.registration_id,
            priority=row.priority,
            turn=row.turn,
            queue_no=row.queue_no,
        )
        for row in rows
    ]


async def view_registration(connection: AsyncConnection, row: Row[Any]) -> RegistrationView:
    """A registration as it is shown, with how many are called before it."""
    ahead = None
    if row.state in _WAITING:
        waiting = await waiting_of(connection, row.schedule_id)
        ahead = queue.ahead_of(row.registration_id, waiting)
    return RegistrationView(
        registration_id=row.registration_id,
        merchant_id=row.merchant_id,
        schedule_id=row.schedule_id,
        dept_code=row.dept_code,
        visit_on=row.visit_on,
        session=row.session,
        slot_no=row.slot_no,
        slot_at=row.slot_at,
        state=row.state,
        fee_fen=row.fee_fen,
        hold_ends_at=row.hold_ends_at,
        queue_no=row.queue_no,
        ahead=ahead,
        recorded_at=row.recorded_at,
    )
