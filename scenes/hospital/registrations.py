"""Registering, checking in and calling, on the tables of the scene.

Every call runs in the caller's transaction. Two counters that want the last place do not wait for
each other: each takes a free row that nobody has locked.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, Select, and_, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.calendar import LOCAL_ZONE
from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from cardcore.ids import RandomBytes, new_id
from scenes.hospital import queue
from scenes.hospital.errors import (
    BillConflictError,
    NobodyWaitsError,
    RegisteredAlreadyError,
    ScheduleExistsError,
    SlotUnavailableError,
)
from scenes.hospital.registration_rules import (
    FREEING,
    RegistrationState,
    RegistrationStep,
    Rules,
    after,
    check_cancel,
    check_open,
    check_person,
    slot_times,
    walk_in_numbers,
)
from scenes.hospital.request import CallRequest, ScheduleRequest, SchedulesQuery
from scenes.hospital.tables import (
    bill,
    payment,
    registration,
    registration_event,
    schedule,
    slot,
)
from scenes.hospital.views import RegistrationView, ScheduleView

ENDED_PER_ROUND_MAX = 500
_LIVE = ("held", "booked", "checked_in", "called", "passed", "seen")
_WAITING = ("checked_in", "passed")
# A payment that is under way keeps the place: it must not be given away between hold and capture.
_UNDER_WAY = (
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


def local_day(at: datetime) -> date:
    """The calendar day of an instant: hospitals open by the calendar, not by the cut-off."""
    return at.astimezone(LOCAL_ZONE).date()


class Registrations:
    """Schedules, places, and who has one."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

    # -- schedules ---------------------------------------------------------------------------------

    async def plan(
        self, connection: AsyncConnection, merchant_id: str, request: ScheduleRequest, now: datetime
    ) -> UUID:
        """Make a schedule with its places. Raises ``ScheduleExistsError``, ``NotFoundError``."""
        schedule_id = new_id(now, self._random_bytes)
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
        return schedule_id

    async def schedules(
        self, connection: AsyncConnection, merchant_id: str, query: SchedulesQuery
    ) -> list[ScheduleView]:
        """Schedules of a day with what is free of them."""
        wanted = _schedules().where(
            schedule.c.merchant_id == merchant_id, schedule.c.visit_on == query.visit_on
        )
        if query.dept_code is not None:
            wanted = wanted.where(schedule.c.dept_code == query.dept_code)
        rows = await connection.execute(wanted.order_by(schedule.c.starts_at, schedule.c.dept_code))
        return [ScheduleView.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001

    async def schedule_view(self, connection: AsyncConnection, schedule_id: UUID) -> ScheduleView:
        """One schedule."""
        row = (
            await connection.execute(_schedules().where(schedule.c.schedule_id == schedule_id))
        ).one()
        return ScheduleView.model_validate(dict(row._mapping))  # noqa: SLF001  (public name)

    # -- places ------------------------------------------------------------------------------------

    async def take(
        self,
        connection: AsyncConnection,
        rules: Rules,
        *,
        schedule_id: UUID,
        merchant_id: str,
        user_id: UUID,
        walk_in: bool,
        by: str,
        now: datetime,
    ) -> UUID:
        """Keep a place for a person: held where it costs something, booked where it does not.

        Raises:
            NotFoundError: no such schedule of this hospital.
            SlotUnavailableError, RegistrationLimitError, RegisteredAlreadyError: see there.
        """
        found = (
            await connection.execute(
                select(schedule).where(
                    schedule.c.schedule_id == schedule_id, schedule.c.merchant_id == merchant_id
                )
            )
        ).one_or_none()
        if found is None:
            raise NotFoundError(field="schedule_id")
        today = local_day(now)
        check_open(
            rules,
            status=found.status,
            ends_at=found.ends_at,
            visit_on=found.visit_on,
            now=now,
            today=today,
        )
        await self._check_person(connection, rules, user_id, found.visit_on, today)
        place = await self._free_place(connection, found, walk_in=walk_in, now=now)
        registration_id = new_id(now, self._random_bytes)
        state = RegistrationState.HELD if found.fee_fen else RegistrationState.BOOKED
        try:
            async with connection.begin_nested():
                await connection.execute(
                    insert(registration).values(
                        registration_id=registration_id,
                        merchant_id=merchant_id,
                        schedule_id=schedule_id,
                        slot_no=place.slot_no,
                        user_id=user_id,
                        dept_code=found.dept_code,
                        visit_on=found.visit_on,
                        session=found.session,
                        walk_in=walk_in,
                        state=state.value,
                        fee_fen=found.fee_fen,
                        slot_at=place.starts_at,
                        hold_ends_at=(
                            now + timedelta(seconds=rules.hold_s)
                            if state is RegistrationState.HELD
                            else None
                        ),
                        recorded_at=now,
                        changed_at=now,
                    )
                )
        except IntegrityError as broken:
            if isinstance(broken.orig, pg_errors.UniqueViolation):
                raise RegisteredAlreadyError(field="schedule_id") from broken
            raise
        await connection.execute(
            update(slot)
            .where(slot.c.schedule_id == schedule_id, slot.c.slot_no == place.slot_no)
            .values(registration_id=registration_id)
        )
        await _write_event(connection, registration_id, "take", state, by, now)
        return registration_id

    async def read(
        self,
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

    async def cancel(
        self,
        connection: AsyncConnection,
        rules: Rules,
        row: Row[Any],
        *,
        by: str,
        now: datetime,
    ) -> None:
        """Give a place back. The row is locked. Raises as ``check_cancel``."""
        check_cancel(rules, state=row.state, slot_at=row.slot_at, now=now)
        if row.state == RegistrationState.HELD and await _is_being_paid(connection, row):
            raise BillConflictError("the fee is being paid", field="registration_id")
        await self._step(connection, row, RegistrationStep.CANCEL, by=by, now=now)

    async def check_in(
        self, connection: AsyncConnection, row: Row[Any], *, priority: int, by: str, now: datetime
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
        await self._step(
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
        self,
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
        waiting = await self._waiting(connection, request.schedule_id)
        for row in await self._in_state(connection, request.schedule_id, "called"):
            await self._finish(
                connection, row, waiting, passed=request.before == "passed", by=by, now=now
            )
        following = queue.next_of(waiting)
        if following is None and request.before == "passed":
            following = queue.next_of(await self._waiting(connection, request.schedule_id))
        if following is None:
            raise NobodyWaitsError(field="schedule_id")
        row = await self.read(connection, caller, following.registration_id, lock=True)
        await self._step(
            connection, row, RegistrationStep.CALL, by=by, now=now, calls=row.calls + 1
        )
        return following.registration_id

    async def end_due(self, connection: AsyncConnection, now: datetime) -> int:
        """Places nobody paid for lapse; booked ones nobody came for were missed. How many."""
        r, ended = registration.c, 0
        being_paid = (
            select(bill.c.bill_id)
            .join(payment, payment.c.payment_id == bill.c.payment_id)
            .where(bill.c.bill_id == r.bill_id, payment.c.state.in_(_UNDER_WAY))
        )
        lapsing = and_(r.state == "held", r.hold_ends_at <= now, ~being_paid.exists())
        over = select(schedule.c.schedule_id).where(
            schedule.c.schedule_id == r.schedule_id, schedule.c.ends_at <= now
        )
        missing = and_(r.state.in_(("booked", "passed")), over.exists())
        for condition, step in (
            (lapsing, RegistrationStep.LAPSE),
            (missing, RegistrationStep.MISS),
        ):
            rows = await connection.execute(
                select(registration)
                .where(condition)
                .limit(ENDED_PER_ROUND_MAX)
                .with_for_update(skip_locked=True)
            )
            for row in rows.all():
                await self._step(connection, row, step, by="worker", now=now)
                ended += 1
        return ended

    async def view(self, connection: AsyncConnection, row: Row[Any]) -> RegistrationView:
        """A registration as it is shown, with how many are called before it."""
        ahead = None
        if row.state in _WAITING:
            waiting = await self._waiting(connection, row.schedule_id)
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

    async def of_user(self, connection: AsyncConnection, user_id: UUID) -> list[RegistrationView]:
        """A person's registrations, newest first."""
        rows = await connection.execute(
            select(registration)
            .where(registration.c.user_id == user_id)
            .order_by(registration.c.registration_id.desc())
            .limit(100)
        )
        return [await self.view(connection, row) for row in rows.all()]

    # -- parts -------------------------------------------------------------------------------------

    async def _check_person(
        self, connection: AsyncConnection, rules: Rules, user_id: UUID, on: date, today: date
    ) -> None:
        # One person at a time: two counters must not each see the last place of the day as free.
        await connection.execute(
            select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 180)))
        )
        r = registration.c
        since = today - timedelta(days=rules.no_show_days + rules.blocked_days)
        rows = (
            await connection.execute(
                select(r.visit_on, r.state).where(
                    r.user_id == user_id,
                    (r.visit_on == on) | ((r.state == "no_show") & (r.visit_on >= since)),
                )
            )
        ).all()
        check_person(
            rules,
            places_of_day=sum(row.visit_on == on and row.state in _LIVE for row in rows),
            missed_on=[row.visit_on for row in rows if row.state == "no_show"],
            today=today,
        )

    async def _free_place(
        self, connection: AsyncConnection, found: Row[Any], *, walk_in: bool, now: datetime
    ) -> Row[Any, Any]:
        s = slot.c
        query = (
            select(s.slot_no, s.starts_at)
            .where(s.schedule_id == found.schedule_id, s.registration_id.is_(None))
            .order_by(s.slot_no)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if walk_in:
            # At the counter any place will do, those kept for walk-ins first.
            query = query.order_by(None).order_by(s.walk_in.desc(), s.slot_no)
        else:
            query = query.where(~s.walk_in, s.starts_at > now)
        place = (await connection.execute(query)).one_or_none()
        if place is None:
            raise SlotUnavailableError(field="schedule_id", reason="full")
        return place

    async def _waiting(self, connection: AsyncConnection, schedule_id: UUID) -> list[queue.Waiting]:
        rows: list[Row[Any]] = []
        for state in _WAITING:
            rows += await self._in_state(connection, schedule_id, state)
        return [
            queue.Waiting(
                registration_id=row.registration_id,
                priority=row.priority,
                turn=row.turn,
                queue_no=row.queue_no,
            )
            for row in rows
        ]

    async def _in_state(
        self, connection: AsyncConnection, schedule_id: UUID, state: str
    ) -> Sequence[Row[Any]]:
        r = registration.c
        found = await connection.execute(
            select(registration).where(r.schedule_id == schedule_id, r.state == state)
        )
        return found.all()

    async def _finish(
        self,
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
            await self._step(connection, row, RegistrationStep.SEE, by=by, now=now)
            return
        themselves = queue.Waiting(
            registration_id=row.registration_id,
            priority=row.priority,
            turn=row.turn,
            queue_no=row.queue_no,
        )
        turn = queue.turn_after_passing(themselves, waiting)
        await self._step(connection, row, RegistrationStep.PASS, by=by, now=now, turn=turn)

    async def _step(
        self,
        connection: AsyncConnection,
        row: Row[Any],
        step: RegistrationStep,
        *,
        by: str,
        now: datetime,
        **changes: object,
    ) -> None:
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
        await _write_event(connection, row.registration_id, step.value, state, by, now)


async def _write_event(
    connection: AsyncConnection,
    registration_id: UUID,
    step: str,
    state: RegistrationState,
    by: str,
    now: datetime,
) -> None:
    await connection.execute(
        insert(registration_event).values(
            registration_id=registration_id,
            step=step,
            state_after=state.value,
            done_by=by,
            recorded_at=now,
        )
    )


async def _is_being_paid(connection: AsyncConnection, row: Row[Any]) -> bool:
    found = await connection.execute(
        select(payment.c.payment_id)
        .join(bill, bill.c.payment_id == payment.c.payment_id)
        .where(bill.c.bill_id == row.bill_id, payment.c.state.in_(_UNDER_WAY))
    )
    return found.first() is not None


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
