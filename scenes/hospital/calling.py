"""Checking in and calling (签到、叫号), on the tables of the scene.

Runs in the caller's transaction. The schedule's row is the lock of its queue.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from scenes.hospital import queue
from scenes.hospital.errors import NobodyWaitsError
from scenes.hospital.registration_rows import in_state, read_registration, take_step, waiting_of
from scenes.hospital.registration_rules import RegistrationStep, after
from scenes.hospital.request import CallRequest
from scenes.hospital.tables import schedule


async def check_in(
    connection: AsyncConnection, row: Row[Any], *, priority: int, by: str, now: datetime
) -> None:
    """Here they are: a queue number. Raises ``RegistrationStateError``."""
    after(row.state, RegistrationStep.CHECK_IN)
    number = await connection.scalar(
        update(schedule)
        .where(schedule.c.schedule_id == row.schedule_id)
        .values(queue_no_last=schedule.c.queue_no_last + 1)
        .returning(schedule.c.queue_no_last)
    )
    assert number is not None
    await take_step(
        connection,
        row,
        RegistrationStep.CHECK_IN,
        by=by,
        now=now,
        queue_no=number,
        turn=number * queue.TURNS_APART,
        priority=priority,
    )


async def call_next(
    connection: AsyncConnection,
    caller: Caller,
    request: CallRequest,
    *,
    by: str,
    now: datetime,
) -> UUID:
    """Call the next of a schedule; who was called before is seen now, or passed over.

    Raises:
        NotFoundError: no such schedule.
        NobodyWaitsError: there is nobody to call; whoever was called before is done with.
    """
    merchant_id = await connection.scalar(
        select(schedule.c.merchant_id)
        .where(schedule.c.schedule_id == request.schedule_id)
        .with_for_update()
    )
    if merchant_id is None or caller.merchant_id not in (None, merchant_id):
        raise NotFoundError(field="schedule_id")
    waiting = await waiting_of(connection, request.schedule_id)
    for row in await in_state(connection, request.schedule_id, "called"):
        await _finish(connection, row, waiting, passed=request.before == "passed", by=by, now=now)
    following = queue.next_of(waiting)
    if following is None and request.before == "passed":
        following = queue.next_of(await waiting_of(connection, request.schedule_id))
    if following is None:
        raise NobodyWaitsError(field="schedule_id")
    row = await read_registration(connection, caller, following.registration_id, lock=True)
    await take_step(connection, row, RegistrationStep.CALL, by=by, now=now, calls=row.calls + 1)
    return following.registration_id


async def _finish(
    connection: AsyncConnection,
    row: Row[Any],
    waiting: Sequence[queue.Waiting],
    *,
    passed: bool,
    by: str,
    now: datetime,
) -> None:
    """Whoever was called: seen, or passed over and put behind the next few."""
    if not passed:
        await take_step(connection, row, RegistrationStep.SEE, by=by, now=now)
        return
    themselves = queue.Waiting(
        registration_id=row.registration_id,
        priority=row.priority,
        turn=row.turn,
        queue_no=row.queue_no,
    )
    turn = queue.turn_after_passing(themselves, waiting)
    await take_step(connection, row, RegistrationStep.PASS, by=by, now=now, turn=turn)
