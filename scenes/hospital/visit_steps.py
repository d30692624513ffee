"""What is known of a visit, and where its steps are. Runs in the caller's transaction."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.calendar import LOCAL_ZONE
from cardcore.errors import NotFoundError
from scenes.hospital.guidance_tables import place, visit_step
from scenes.hospital.guidance_views import NextStepView, PlaceView
from scenes.hospital.next_steps import PLACE_OF, WORDS, Standing, Step, steps_of
from scenes.hospital.registration_rows import view_registration
from scenes.hospital.report_tables import report
from scenes.hospital.tables import bill, bill_line, department, registration, visit

WAITING_GOOD_FOR: Final = timedelta(minutes=30)
_p, _v, _r = place.c, visit.c, registration.c


async def put_place(connection: AsyncConnection, values: dict[str, object]) -> None:
    """A place, new or changed. Raises ``NotFoundError``: no such department."""
    written = insert(place).values(values)
    changed = written.on_conflict_do_update(
        index_elements=["merchant_id", "place_code"],
        set_={name: written.excluded[name] for name in values},
    )
    try:
        async with connection.begin_nested():
            await connection.execute(changed)
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.ForeignKeyViolation):
            raise NotFoundError(field="dept_code") from broken
        raise


async def places_of(
    connection: AsyncConnection, merchant_id: str, now: datetime
) -> list[PlaceView]:
    """Places of a hospital; how many wait only where it was said lately."""
    rows = await connection.execute(
        select(place).where(_p.merchant_id == merchant_id).order_by(_p.place_code)
    )
    return [
        PlaceView(
            **{
                name: row._mapping[name]  # noqa: SLF001  (SQLAlchemy's documented name)
                for name in PlaceView.model_fields
                if name != "waiting"
            },
            waiting=row.waiting if now - row.recorded_at <= WAITING_GOOD_FOR else None,
        )
        for row in rows
    ]


async def mark_done(connection: AsyncConnection, visit_id: UUID, step: str, now: datetime) -> None:
    """A step of a visit is done; the same again changes nothing."""
    written = insert(visit_step).values(visit_id=visit_id, step=step, done_at=now)
    await connection.execute(written.on_conflict_do_nothing())


async def registration_of(
    connection: AsyncConnection, found: Row[Any], on: date
) -> Row[Any] | None:
    """The registration a visit belongs to: of the same person, department and day."""
    rows = await connection.execute(
        select(registration)
        .where(
            _r.merchant_id == found.merchant_id,
            _r.user_id == found.user_id,
            _r.dept_code == found.dept_code,
            _r.visit_on == on,
        )
        .order_by(_r.registration_id.desc())
        .limit(1)
    )
    return rows.one_or_none()


async def next_steps(
    connection: AsyncConnection,
    of: Row[Any],
    registered: Row[Any] | None,
    *,
    on: date,
    now: datetime,
) -> list[NextStepView]:
    """What is left for the person, department and hospital of ``of`` on a day, next first."""
    standing = await _standing(connection, of, registered, on)
    shown = None if registered is None else await view_registration(connection, registered)
    places = await places_of(connection, of.merchant_id, now)
    consulting = await _department_place(connection, of)
    steps = []
    for step in steps_of(standing):
        waits = shown is not None and step in (Step.WAIT, Step.CONSULT)
        where = _place_for(step, of.dept_code, places)
        if where is None and step in (Step.WAIT, Step.CONSULT, Step.CHECK_IN):
            where = consulting
        zh, en = WORDS[step]
        steps.append(
            NextStepView(
                step=step.value,
                title_zh=zh,
                title_en=en,
                place=where,
                queue_no=shown.queue_no if waits and shown is not None else None,
                ahead=shown.ahead
                if waits and shown is not None
                else (None if where is None else where.waiting),
            )
        )
    return steps


async def _standing(
    connection: AsyncConnection, of: Row[Any], registered: Row[Any] | None, on: date
) -> Standing:
    start = datetime.combine(on, time(), LOCAL_ZONE)
    ids = (
        await connection.scalars(
            select(_v.visit_id).where(
                _v.merchant_id == of.merchant_id,
                _v.user_id == of.user_id,
                _v.dept_code == of.dept_code,
                _v.kind == "outpatient",
                _v.recorded_at >= start,
                _v.recorded_at < start + timedelta(days=1),
            )
        )
    ).all()
    fee = None if registered is None else registered.bill_id
    bills = (
        await connection.execute(
            select(bill.c.bill_id, bill.c.state).where(bill.c.visit_id.in_(ids))
        )
    ).all()
    billed = [row for row in bills if row.bill_id != fee]
    paid = [row.bill_id for row in billed if row.state == "paid"]
    lines = await connection.scalars(
        select(bill_line.c.item_code).where(
            bill_line.c.bill_id.in_(paid), bill_line.c.amount_fen > bill_line.c.returned_fen
        )
    )
    kinds = await connection.scalars(
        select(report.c.kind).where(report.c.visit_id.in_(ids), report.c.withdrawn_at.is_(None))
    )
    done = await connection.scalars(select(visit_step.c.step).where(visit_step.c.visit_id.in_(ids)))
    return Standing(
        registration=None if registered is None else registered.state,
        open_bill=any(row.state == "open" for row in billed),
        paid_items=frozenset(lines),
        reported=frozenset(kinds),
        done=frozenset(done),
    )


async def _department_place(connection: AsyncConnection, of: Row[Any]) -> PlaceView | None:
    """The department itself, where the hospital has said no more of it."""
    d = department.c
    row = (
        await connection.execute(
            select(department).where(d.merchant_id == of.merchant_id, d.dept_code == of.dept_code)
        )
    ).one_or_none()
    if row is None:
        return None
    return PlaceView(
        place_code=row.dept_code,
        step="consult",
        dept_code=row.dept_code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        floor_zh=row.place,
        floor_en=row.place_en or row.place,
        window_no=None,
        waiting=None,
    )


def _place_for(step: Step, dept_code: str, places: Sequence[PlaceView]) -> PlaceView | None:
    """The department's own place for a step, else one of all departments; the shortest row."""
    name = PLACE_OF.get(step, step.value)
    fitting = [one for one in places if one.step == name and one.dept_code in (None, dept_code)]
    return min(
        fitting,
        key=lambda one: (
            one.dept_code is None,
            one.waiting is None,
            one.waiting or 0,
            one.place_code,
        ),
        default=None,
    )
