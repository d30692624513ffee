"""``/v1/hospitals…``: registering with a hospital, checking in, being called (挂号、签到、叫号)."""

from typing import Final

from adapters.http import hospital_examples as example
from adapters.http.citizens import SESSION
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import CodeRefusedError, NotFoundError, UserFrozenError, UserUnknownError
from scenes.hospital.errors import (
    BillConflictError,
    CancelWindowError,
    HospitalUnknownError,
    NobodyWaitsError,
    RealNameNeededError,
    RegisteredAlreadyError,
    RegistrationLimitError,
    RegistrationStateError,
    ScheduleExistsError,
    SlotUnavailableError,
)
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
from scenes.hospital.service import Hospital
from scenes.hospital.views import (
    DepartmentView,
    DoctorView,
    RegistrationsView,
    RegistrationView,
    SchedulesView,
    ScheduleView,
)

SUMMARY: Final = "Hospitals: departments, schedules, registering, the queue."
PATIENT: Final = (CodeRefusedError, UserUnknownError, UserFrozenError, RealNameNeededError)
_TAKING: Final = (
    HospitalUnknownError,
    NotFoundError,
    SlotUnavailableError,
    RegisteredAlreadyError,
    RegistrationLimitError,
)
_GIVING_BACK: Final = (
    NotFoundError,
    RegistrationStateError,
    CancelWindowError,
    BillConflictError,
)


def registration_noun(hospital: Hospital) -> Noun:
    """The operations of registering with this scene."""
    noun = Noun("hospital registrations", SUMMARY)
    _planning(noun, hospital)
    _registering(noun, hospital)
    _queue(noun, hospital)
    _own(noun, hospital)
    return noun


def _planning(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/departments",
        summary="Put a department",
        body=DepartmentRequest,
        reply=DepartmentView,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError,),
        examples={"internal medicine": example.DEPARTMENT},
    )
    async def put_department(call: Call[DepartmentRequest]) -> Answer:
        """New, or with new words. The same again changes nothing."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.put_department(call.caller, merchant_id, call.body))

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/doctors",
        summary="Put a doctor",
        body=DoctorRequest,
        reply=DoctorView,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError,),
        examples={"chief physician": example.DOCTOR},
    )
    async def put_doctor(call: Call[DoctorRequest]) -> Answer:
        """New, or changed. The same again changes nothing."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.put_doctor(call.caller, merchant_id, call.body))

    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/schedules",
        summary="Plan a half day",
        body=ScheduleRequest,
        reply=ScheduleView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(HospitalUnknownError, NotFoundError, ScheduleExistsError),
        examples={"morning": example.SCHEDULE},
    )
    async def plan_schedule(call: Call[ScheduleRequest]) -> Answer:
        """Its places are made at once, equally apart; some are kept for walk-ins."""
        view, replayed = await hospital.plan_schedule(
            call.caller, call.path["merchant_id"], call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospitals/{merchant_id}/schedules",
        summary="Schedules of a day",
        body=SchedulesQuery,
        reply=SchedulesView,
        scope=Scope.HOSPITAL_READ,
        refusals=(HospitalUnknownError,),
    )
    async def list_schedules(call: Call[SchedulesQuery]) -> Answer:
        """With what is free of each now."""
        merchant_id = call.path["merchant_id"]
        return Answer(view=await hospital.list_schedules(call.caller, merchant_id, call.body))


def _registering(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospitals/{merchant_id}/registrations",
        summary="Register a patient",
        body=RegistrationRequest,
        reply=RegistrationView,
        status=201,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(*_TAKING, *PATIENT),
        examples={"at the counter": example.REGISTRATION},
    )
    async def register(call: Call[RegistrationRequest]) -> Answer:
        """A place for whoever presents the credential: `held` until the fee is paid.

        `booked` at once where there is no fee.
        """
        view, replayed = await hospital.register(
            call.caller, call.path["merchant_id"], call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/hospital-registrations/{registration_id}",
        summary="Read a registration",
        reply=RegistrationView,
        scope=Scope.HOSPITAL_READ,
        refusals=(NotFoundError,),
    )
    async def read_registration(call: Call[None]) -> Answer:
        """As it stands; `ahead` is how many are called before."""
        found = await hospital.read_registration(call.caller, call.id("registration_id"))
        return Answer(view=found)

    @noun.operation(
        "POST",
        "/v1/hospital-registrations/{registration_id}/cancellation",
        summary="Give a place back",
        reply=RegistrationView,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=_GIVING_BACK,
    )
    async def cancel_registration(call: Call[None]) -> Answer:
        """A fee that was paid goes back the way it came. The request has no body."""
        view, replayed = await hospital.cancel_registration(
            call.caller, call.id("registration_id"), call.key
        )
        return Answer(view=view, replayed=replayed)


def _queue(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/hospital-registrations/{registration_id}/check-in",
        summary="Check a patient in",
        body=CheckInRequest,
        reply=RegistrationView,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, RegistrationStateError, *PATIENT),
        examples={"scanned": example.CHECK_IN},
    )
    async def check_in(call: Call[CheckInRequest]) -> Answer:
        """Gives the queue number."""
        view, replayed = await hospital.check_in(
            call.caller, call.id("registration_id"), call.body, call.key
        )
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "POST",
        "/v1/hospital-queues/calls",
        summary="Call the next patient",
        body=CallRequest,
        reply=RegistrationView,
        keyed=True,
        scope=Scope.HOSPITAL_WRITE,
        refusals=(NotFoundError, NobodyWaitsError),
        examples={"next": example.CALL},
    )
    async def call_next(call: Call[CallRequest]) -> Answer:
        """Whoever was called before is seen now, or `passed`: called again after a few others."""
        view, replayed = await hospital.call_next(call.caller, call.body, call.key)
        return Answer(view=view, replayed=replayed)


def _own(noun: Noun, hospital: Hospital) -> None:
    @noun.operation(
        "POST",
        "/v1/me/hospital-registrations",
        summary="Register myself",
        body=OwnRegistrationRequest,
        reply=RegistrationView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, *_TAKING, RealNameNeededError, UserFrozenError),
        examples={"tomorrow": example.OWN_REGISTRATION},
    )
    async def register_myself(call: Call[OwnRegistrationRequest]) -> Answer:
        """As at the counter, walk-in places left out."""
        view, replayed = await hospital.register_myself(call.caller, call.body, call.key)
        return Answer(view=view, replayed=replayed)

    @noun.operation(
        "GET",
        "/v1/me/hospital-registrations",
        summary="My registrations",
        reply=RegistrationsView,
        access="citizen",
        refusals=SESSION,
    )
    async def my_registrations(call: Call[None]) -> Answer:
        """Newest first, the last hundred."""
        return Answer(view=await hospital.my_registrations(call.caller))

    @noun.operation(
        "POST",
        "/v1/me/hospital-registrations/{registration_id}/cancellation",
        summary="Give my place back",
        reply=RegistrationView,
        keyed=True,
        access="citizen",
        refusals=(*SESSION, *_GIVING_BACK),
    )
    async def cancel_my_registration(call: Call[None]) -> Answer:
        """A fee that was paid goes back the way it came. The request has no body."""
        view, replayed = await hospital.cancel_registration(
            call.caller, call.id("registration_id"), call.key
        )
        return Answer(view=view, replayed=replayed)
