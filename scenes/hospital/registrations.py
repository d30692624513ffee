"""Taking places and giving them back, on the tables of the scene.

Every call runs in the caller's transaction. Two counters that want the last place do not wait for
each other: each takes a free row that nobody has locked.
"""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.calendar import LOCAL_ZONE
from cardcore.errors import NotFoundError
from cardcore.ids import RandomBytes, new_id
from scenes.hospital.errors import (
    BillConflictError,
    RegisteredAlreadyError,
    SlotUnavailableError,
)
from scenes.hospital.registration_rows import (
    UNDER_WAY,
    is_being_paid,
    take_step,
    view_registration,
    write_event,
)
from scenes.hospital.registration_rules import (
    RegistrationState,
    RegistrationStep,
    Rules,
    check_cancel,
    check_open,
    check_person,
)
from scenes.hospital.tables import (
    bill,
    payment,
    registration,
    schedule,
    slot,
)
from scenes.hospital.views import RegistrationView

ENDED_PER_ROUND_MAX = 500
_LIVE = ("held", "booked", "checked_in", "called", "passed", "seen")


def local_day(at: datetime) -> date:
    """The calendar day of an instant: hospitals open by the calendar, not by the cut-off."""
    return at.astimezone(LOCAL_ZONE).date()


class Registrations:
    """Places, and who has one."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

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
        await write_event(connection, registration_id, "take", state, by, now)
        return registration_id

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
        if await is_being_paid(connection, row):
            raise BillConflictError("the fee is being paid", field="registration_id")
        await take_step(connection, row, RegistrationStep.CANCEL, by=by, now=now)

    async def end_due(self, connection: AsyncConnection, now: datetime) -> int:
        """Places nobody paid for lapse; booked ones nobody came for were missed. How many."""
        r, ended = registration.c, 0
        being_paid = (
            select(bill.c.bill_id)
            .join(payment, payment.c.payment_id == bill.c.payment_id)
            .where(bill.c.bill_id == r.bill_id, payment.c.state.in_(UNDER_WAY))
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
                await take_step(connection, row, step, by="worker", now=now)
                ended += 1
        return ended

    async def of_user(self, connection: AsyncConnection, user_id: UUID) -> list[RegistrationView]:
        """A person's registrations, newest first."""
        rows = await connection.execute(
            select(registration)
            .where(registration.c.user_id == user_id)
            .order_by(registration.c.registration_id.desc())
            .limit(100)
        )
        return [await view_registration(connection, row) for row in rows.all()]

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
