"""Schedules: half days of a doctor or a department, with their places.

Runs in the caller's transaction.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Select, func, insert, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.errors import NotFoundError
from scenes.hospital.errors import ScheduleExistsError
from scenes.hospital.registration_rules import slot_times, walk_in_numbers
from scenes.hospital.request import ScheduleRequest, SchedulesQuery
from scenes.hospital.tables import schedule, slot
from scenes.hospital.views import ScheduleView


async def plan(
    connection: AsyncConnection,
    schedule_id: UUID,
    merchant_id: str,
    request: ScheduleRequest,
    now: datetime,
) -> None:
    """Make a schedule with its places. Raises ``ScheduleExistsError``, ``NotFoundError``."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(schedule).values(
                    schedule_id=schedule_id,
                    merchant_id=merchant_id,
                    recorded_at=now,
                    **request.model_dump(),
                )
            )
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            raise ScheduleExistsError(field="visit_on") from broken
        if isinstance(broken.orig, pg_errors.ForeignKeyViolation):
            raise NotFoundError(field="dept_code") from broken
        raise
    times = slot_times(request.starts_at, request.ends_at, request.slot_count)
    walk_in = walk_in_numbers(request.slot_count, request.walk_in_count)
    await connection.execute(
        insert(slot),
        [
            {
                "schedule_id": schedule_id,
                "slot_no": number,
                "starts_at": at,
                "walk_in": number in walk_in,
            }
            for number, at in enumerate(times, start=1)
        ],
    )


async def schedules_of_day(
    connection: AsyncConnection, merchant_id: str, query: SchedulesQuery
) -> list[ScheduleView]:
    """Schedules of a day with what is free of them."""
    wanted = _schedules().where(
        schedule.c.merchant_id == merchant_id, schedule.c.visit_on == query.visit_on
    )
    if query.dept_code is not None:
        wanted = wanted.where(schedule.c.dept_code == query.dept_code)
    rows = await connection.execute(wanted.order_by(schedule.c.starts_at, schedule.c.dept_code))
    return [ScheduleView.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001


async def schedule_view(connection: AsyncConnection, schedule_id: UUID) -> ScheduleView:
    """One schedule."""
    row = (
        await connection.execute(_schedules().where(schedule.c.schedule_id == schedule_id))
    ).one()
    return ScheduleView.model_validate(dict(row._mapping))  # noqa: SLF001  (public name)


def _schedules() -> Select[Any]:
    free = (
        select(
            func.count().filter(~slot.c.walk_in).label("free_count"),
            func.count().filter(slot.c.walk_in).label("free_walk_in_count"),
        )
        .where(slot.c.schedule_id == schedule.c.schedule_id, slot.c.registration_id.is_(None))
        .lateral("free")
    )
    names = [name for name in ScheduleView.model_fields if not name.startswith("free_")]
    return select(
        *(schedule.c[name] for name in names), free.c.free_count, free.c.free_walk_in_count
    ).select_from(schedule.join(free, true()))
