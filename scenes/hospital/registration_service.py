"""The front door of registering: departments, schedules, places, the queue."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import User
from cardcore.caller import Caller, Scope
from scenes.hospital import calling, schedules
from scenes.hospital.counter import Counter, rules_of
from scenes.hospital.errors import RegistrationStateError
from scenes.hospital.payments import Surroundings
from scenes.hospital.registration_rows import read_registration, view_registration
from scenes.hospital.registrations import Registrations
from scenes.hospital.request import (
    CallRequest,
    CheckInRequest,
    DepartmentRequest,
    DoctorRequest,
    OwnRegistrationRequest,
    RegistrationRequest,
    ScheduleRequest,
    SchedulesQuery,
)
from scenes.hospital.returns import Returns
from scenes.hospital.tables import department, doctor
from scenes.hospital.views import (
    DepartmentView,
    DoctorView,
    RegistrationsView,
    RegistrationView,
    SchedulesView,
    ScheduleView,
)


class RegistrationService(Counter):
    """Serves registering."""

    def __init__(self, around: Surroundings, returns: Returns) -> None:
        Counter.__init__(self, around)
        self._returns = returns
        self.registrations = Registrations(around.random_bytes)

    async def put_department(
        self, caller: Caller, merchant_id: str, request: DepartmentRequest
    ) -> DepartmentView:
        """A department, new or with new words. The same again changes nothing."""
        caller.require(Scope.HOSPITAL_WRITE)
        values = {"merchant_id": merchant_id, **request.model_dump()}
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            await _put(connection, department, values)
        return DepartmentView.model_validate(values)

    async def put_doctor(
        self, caller: Caller, merchant_id: str, request: DoctorRequest
    ) -> DoctorView:
        """A doctor, new or changed. The same again changes nothing."""
        caller.require(Scope.HOSPITAL_WRITE)
        values = {"merchant_id": merchant_id, **request.model_dump()}
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            await _put(connection, doctor, values)
        return DoctorView.model_validate(values)

    async def plan_schedule(
        self, caller: Caller, merchant_id: str, request: ScheduleRequest, key: str
    ) -> tuple[ScheduleView, bool]:
        """A half day with its places. Raises ``ScheduleExistsError``, ``NotFoundError``."""
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ScheduleView]:
            await self._hospital(connection, caller, merchant_id)
            made = self._new_id(now)
            await schedules.plan(connection, made, merchant_id, request, now)
            return made, await schedules.schedule_view(connection, made)

        return await self._once(
            caller,
            key,
            request,
            f"schedule/{merchant_id}",
            perform,
            schedules.schedule_view,
        )

    async def list_schedules(
        self, caller: Caller, merchant_id: str, query: SchedulesQuery
    ) -> SchedulesView:
        """Schedules of a day, with what is free."""
        caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            found = await schedules.schedules_of_day(connection, merchant_id, query)
        return SchedulesView(schedules=found)

    async def register(
        self, caller: Caller, merchant_id: str, request: RegistrationRequest, key: str
    ) -> tuple[RegistrationView, bool]:
        """A place for whoever presents a credential.

        Raises:
            RealNameNeededError, SlotUnavailableError, RegisteredAlreadyError,
            RegistrationLimitError: see there.
        """
        caller.require(Scope.HOSPITAL_WRITE)
        return await self._take(
            caller, merchant_id, request.user, request.schedule_id, key, walk_in=request.walk_in
        )

    async def register_myself(
        self, caller: Caller, request: OwnRegistrationRequest, key: str
    ) -> tuple[RegistrationView, bool]:
        """A place for the citizen whose session it is. Raises as ``register``."""
        assert caller.user_id is not None
        user = User(user_id=caller.user_id)
        return await self._take(
            caller, request.merchant_id, user, request.schedule_id, key, walk_in=False
        )

    async def my_registrations(self, caller: Caller) -> RegistrationsView:
        """The citizen's own, newest first."""
        assert caller.user_id is not None
        async with transaction(self._around.engine) as (connection, _):
            found = await self.registrations.of_user(connection, caller.user_id)
        return RegistrationsView(registrations=found)

    async def read_registration(self, caller: Caller, registration_id: UUID) -> RegistrationView:
        """One registration. Raises ``NotFoundError``."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            row = await read_registration(connection, caller, registration_id)
            return await view_registration(connection, row)

    async def cancel_registration(
        self, caller: Caller, registration_id: UUID, key: str
    ) -> tuple[RegistrationView, bool]:
        """Give a place back; a fee that was paid goes back the way it came.

        Raises:
            NotFoundError, RegistrationStateError, CancelWindowError: see there.
            BillConflictError: the fee is being paid at this moment.
        """
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_WRITE)
        refunds: list[UUID] = []

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, RegistrationView]:
            row = await read_registration(connection, caller, registration_id, lock=True)
            found = await self._hospital(connection, caller, row.merchant_id)
            await self.registrations.cancel(
                connection, rules_of(found), row, by=caller.client_id, now=now
            )
            if row.bill_id is not None:
                refunds.extend(await self._returns.whole_bill(connection, row.bill_id, now))
            return registration_id, await self._view_registration(connection, registration_id)

        view, replayed = await self._once(
            caller,
            key,
            "",
            f"cancel_registration/{registration_id}",
            perform,
            self._view_registration,
        )
        for refund_id in refunds:
            await self._returns.saga.advance(refund_id)
        return view, replayed

    async def check_in(
        self, caller: Caller, registration_id: UUID, request: CheckInRequest, key: str
    ) -> tuple[RegistrationView, bool]:
        """Here they are, by what they present. Raises ``RegistrationStateError``."""
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            row = await read_registration(connection, caller, registration_id)
            found = await self._hospital(connection, caller, row.merchant_id)
        patient = await self._patient(caller, found, request.user)
        if patient.user_id != row.user_id:
            raise RegistrationStateError("somebody else registered", status="other_person")

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, RegistrationView]:
            locked = await read_registration(connection, caller, registration_id, lock=True)
            await calling.check_in(
                connection, locked, priority=request.priority, by=caller.client_id, now=now
            )
            return registration_id, await self._view_registration(connection, registration_id)

        # The credential is a fresh one each time: what is asked is the same without it.
        asked = str(request.priority)
        return await self._once(
            caller, key, asked, f"check_in/{registration_id}", perform, self._view_registration
        )

    async def call_next(
        self, caller: Caller, request: CallRequest, key: str
    ) -> tuple[RegistrationView, bool]:
        """Call the next. Raises ``NotFoundError``, ``NobodyWaitsError``."""
        caller.require(Scope.HOSPITAL_WRITE)

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, RegistrationView]:
            called = await calling.call_next(
                connection, caller, request, by=caller.client_id, now=now
            )
            return called, await self._view_registration(connection, called)

        return await self._once(
            caller, key, request, f"call/{request.schedule_id}", perform, self._view_registration
        )

    async def end_registrations(self, now: datetime) -> int:
        """Places nobody paid for, visits nobody came to: a duty of the worker."""
        async with transaction(self._around.engine) as (connection, _):
            return await self.registrations.end_due(connection, now)

    async def _take(
        self,
        caller: Caller,
        merchant_id: str,
        user: User,
        schedule_id: UUID,
        key: str,
        *,
        walk_in: bool,
    ) -> tuple[RegistrationView, bool]:
        async with transaction(self._around.engine) as (connection, _):
            found = await self._hospital(connection, caller, merchant_id)
        patient = await self._patient(caller, found, user)

        async def perform(
            connection: AsyncConnection, now: datetime
        ) -> tuple[UUID, RegistrationView]:
            taken = await self.registrations.take(
                connection,
                rules_of(found),
                schedule_id=schedule_id,
                merchant_id=merchant_id,
                user_id=patient.user_id,
                walk_in=walk_in,
                by=caller.client_id,
                now=now,
            )
            return taken, await self._view_registration(connection, taken)

        # Who it is counts, not which of their codes was shown.
        asked = f"{patient.user_id} {schedule_id} {walk_in}"
        return await self._once(
            caller, key, asked, f"register/{merchant_id}", perform, self._view_registration
        )

    async def _view_registration(
        self, connection: AsyncConnection, registration_id: UUID
    ) -> RegistrationView:
        anybody = Caller(client_id="", merchant_id=None, scopes=frozenset())
        row = await read_registration(connection, anybody, registration_id)
        return await view_registration(connection, row)


async def _put(connection: AsyncConnection, table: Table, values: dict[str, object]) -> None:
    key = [column.name for column in table.primary_key.columns]
    written = insert(table).values(values)
    await connection.execute(
        written.on_conflict_do_update(
            index_elements=key,
            set_={name: written.excluded[name] for name in values if name not in key},
        )
    )


async def department_names(
    connection: AsyncConnection, merchant_id: str, dept_code: str
) -> tuple[str, str] | None:
    """A department's names in Chinese and English; None where there is none."""
    d = department.c
    row = (
        await connection.execute(
            select(d.name_zh, d.name_en).where(
                d.merchant_id == merchant_id, d.dept_code == dept_code
            )
        )
    ).one_or_none()
    return None if row is None else (row.name_zh, row.name_en)
