"""The front door of guidance: where to go with a complaint, and what comes next in a visit.

What somebody says lives as long as the request: it is in no row, no log line and no event. What
remains is one more of a group of complaints on a day.
"""

from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from scenes.hospital import visit_steps
from scenes.hospital.bills import read_visit
from scenes.hospital.clinics import free_clinics
from scenes.hospital.counter import Counter
from scenes.hospital.guidance.knowledge import Knowledge, Urgency, current
from scenes.hospital.guidance.triage import Advice, Patient, advise
from scenes.hospital.guidance_request import (
    DoneStepRequest,
    GuidanceRequest,
    OwnGuidanceRequest,
    PlaceRequest,
)
from scenes.hospital.guidance_tables import symptom_count
from scenes.hospital.guidance_views import (
    UNCLEAR_EN,
    UNCLEAR_ZH,
    ClinicView,
    GuidanceView,
    NextStepsView,
    PlacesView,
    PlaceView,
    RankedView,
    RedFlagView,
)
from scenes.hospital.payments import Surroundings
from scenes.hospital.registration_rows import read_registration
from scenes.hospital.registrations import local_day

NO_HOSPITAL = ""


class GuidanceService(Counter):
    """Serves guidance. All calls may be made concurrently."""

    def __init__(self, around: Surroundings) -> None:
        Counter.__init__(self, around)
        self._knowledge = current()

    # -- with a complaint --------------------------------------------------------------------------

    async def guide(
        self, caller: Caller, merchant_id: str, request: GuidanceRequest
    ) -> GuidanceView:
        """Where to go in this hospital. Raises ``HospitalUnknownError``."""
        caller.require(Scope.HOSPITAL_READ)
        return await self._guide(caller, merchant_id, request)

    async def guide_me(self, caller: Caller, request: OwnGuidanceRequest) -> GuidanceView:
        """Where to go, in one hospital or in all. Raises ``HospitalUnknownError``."""
        return await self._guide(caller, request.merchant_id, request)

    async def _guide(
        self, caller: Caller, merchant_id: str | None, request: GuidanceRequest
    ) -> GuidanceView:
        patient = Patient(
            age=None if request.age is None else request.age.as_years,
            sex=request.sex,
            pregnant=request.pregnant,
        )
        advice = advise(self._knowledge, request.text, patient)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, raw):
            if merchant_id is not None:
                await self._hospital(connection, caller, merchant_id)
            clinics = await free_clinics(
                raw,
                [one.specialty.specialty for one in advice.ranked],
                merchant_id=merchant_id,
                now=now,
                today=local_day(now),
            )
            if advice.group is not None:
                counted = insert(symptom_count).values(
                    counted_on=local_day(now),
                    merchant_id=merchant_id or NO_HOSPITAL,
                    symptom_group=advice.group.group,
                    asked=1,
                )
                await connection.execute(
                    counted.on_conflict_do_update(
                        index_elements=["counted_on", "merchant_id", "symptom_group"],
                        set_={"asked": symptom_count.c.asked + 1},
                    )
                )
        return _view(self._knowledge, advice, clinics)

    # -- where things are --------------------------------------------------------------------------

    async def put_place(self, caller: Caller, merchant_id: str, request: PlaceRequest) -> PlaceView:
        """A window or room, new or changed. Raises ``HospitalUnknownError``, ``NotFoundError``."""
        caller.require(Scope.HOSPITAL_WRITE)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            await visit_steps.put_place(
                connection,
                {"merchant_id": merchant_id, "recorded_at": now, **request.model_dump()},
            )
        return PlaceView.model_validate(request.model_dump())

    async def list_places(self, caller: Caller, merchant_id: str) -> PlacesView:
        """Places of a hospital. Raises ``HospitalUnknownError``."""
        caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            await self._hospital(connection, caller, merchant_id)
            now = self._around.clock()
            return PlacesView(places=await visit_steps.places_of(connection, merchant_id, now))

    # -- during a visit ----------------------------------------------------------------------------

    async def steps_of_registration(self, caller: Caller, registration_id: UUID) -> NextStepsView:
        """What comes next after registering. Raises ``NotFoundError``."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            row = await read_registration(connection, caller, registration_id)
            steps = await visit_steps.next_steps(connection, row, row, on=row.visit_on, now=now)
        return NextStepsView(merchant_id=row.merchant_id, dept_code=row.dept_code, steps=steps)

    async def steps_of_visit(self, caller: Caller, visit_id: UUID) -> NextStepsView:
        """What comes next in a visit. Raises ``NotFoundError``."""
        if caller.user_id is None:
            caller.require(Scope.HOSPITAL_READ)
        async with transaction(self._around.engine) as (connection, _):
            row = await read_visit(connection, caller, visit_id)
            return await self._of_visit(connection, row)

    async def mark_done(
        self, caller: Caller, visit_id: UUID, request: DoneStepRequest
    ) -> NextStepsView:
        """A step is done, says the hospital. Raises ``NotFoundError``."""
        caller.require(Scope.HOSPITAL_WRITE)
        async with transaction(self._around.engine) as (connection, _):
            row = await read_visit(connection, caller, visit_id)
            now = self._around.clock()
            await visit_steps.mark_done(connection, visit_id, request.step, now)
            return await self._of_visit(connection, row)

    async def _of_visit(self, connection: AsyncConnection, row: Row[object]) -> NextStepsView:
        on = local_day(row.recorded_at)
        registered = await visit_steps.registration_of(connection, row, on)
        steps = await visit_steps.next_steps(
            connection, row, registered, on=on, now=self._around.clock()
        )
        return NextStepsView(merchant_id=row.merchant_id, dept_code=row.dept_code, steps=steps)


def _view(
    knowledge: Knowledge, advice: Advice, clinics: dict[str, list[ClinicView]]
) -> GuidanceView:
    unclear = advice.urgency is Urgency.UNCLEAR
    return GuidanceView(
        version=advice.version,
        digest=knowledge.digest,
        urgency=advice.urgency.value,
        red_flags=[
            RedFlagView(
                flag=raised.flag.flag,
                level=raised.flag.level.value,
                title_zh=raised.flag.title.zh,
                title_en=raised.flag.title.en,
                advice_zh=raised.flag.advice.zh,
                advice_en=raised.flag.advice.en,
                words=list(raised.words),
            )
            for raised in advice.raised
        ],
        departments=[
            RankedView(
                specialty=one.specialty.specialty,
                name_zh=one.specialty.name.zh,
                name_en=one.specialty.name.en,
                words=list(one.words),
                clinics=clinics.get(one.specialty.specialty, []),
            )
            for one in advice.ranked
        ],
        ask_zh=UNCLEAR_ZH if unclear else None,
        ask_en=UNCLEAR_EN if unclear else None,
    )
