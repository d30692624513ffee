"""Operations of registering: book, give back, check in, bill the fee, call the next."""

from typing import Final

from adapters.fhir.act import Act, Doing, Done, Taken
from adapters.fhir.desk import PERSON, Desk, request_of, user_of
from adapters.fhir.kinds_of_booking import APPOINTMENTS, SCHEDULES
from adapters.fhir.kinds_of_care import ENCOUNTERS
from cardcore.caller import Scope
from scenes.hospital.request import (
    CallRequest,
    CheckInRequest,
    InsuranceRequest,
    RegistrationRequest,
)

INSURANCE: Final = (
    Taken(name="psn-no", words="The person's number with the insurer", type="string"),
    Taken(name="insutype", words="The kind of insurance", type="string"),
)


def booking_acts(desk: Desk) -> tuple[Act, ...]:
    """The operations on appointments and schedules."""

    async def book(doing: Doing) -> Done:
        row = await desk.named(doing.caller, SCHEDULES, doing.values["schedule"])
        request = request_of(
            RegistrationRequest,
            user=user_of(doing.values) or {},
            schedule_id=row.schedule_id,
            walk_in=doing.values.get("walk-in", False),
        )
        view, replayed = await desk.hospital.register(
            doing.caller, row.merchant_id, request, doing.key
        )
        told = await desk.told(doing.caller, APPOINTMENTS, view.registration_id)
        return Done(resource=told, replayed=replayed)

    async def cancel(doing: Doing) -> Done:
        row = await desk.named(doing.caller, APPOINTMENTS, doing.identity)
        _, replayed = await desk.hospital.cancel_registration(
            doing.caller, row.registration_id, doing.key
        )
        told = await desk.told(doing.caller, APPOINTMENTS, row.registration_id)
        return Done(resource=told, replayed=replayed)

    async def check_in(doing: Doing) -> Done:
        row = await desk.named(doing.caller, APPOINTMENTS, doing.identity)
        request = request_of(
            CheckInRequest,
            user=user_of(doing.values) or {},
            priority=doing.values.get("priority", 0),
        )
        _, replayed = await desk.hospital.check_in(
            doing.caller, row.registration_id, request, doing.key
        )
        told = await desk.told(doing.caller, APPOINTMENTS, row.registration_id)
        return Done(resource=told, replayed=replayed)

    async def bill(doing: Doing) -> Done:
        row = await desk.named(doing.caller, APPOINTMENTS, doing.identity)
        request = request_of(
            InsuranceRequest,
            psn_no=doing.values.get("psn-no"),
            insutype=doing.values.get("insutype"),
        )
        view, replayed = await desk.hospital.bill_registration(
            doing.caller, row.registration_id, request, doing.key
        )
        told = await desk.told(doing.caller, ENCOUNTERS, view.visit_id)
        return Done(resource=told, replayed=replayed)

    async def call_next(doing: Doing) -> Done:
        row = await desk.named(doing.caller, SCHEDULES, doing.identity)
        request = request_of(
            CallRequest,
            schedule_id=row.schedule_id,
            before=doing.values.get("before", "seen"),
        )
        view, replayed = await desk.hospital.call_next(doing.caller, request, doing.key)
        told = await desk.told(doing.caller, APPOINTMENTS, view.registration_id)
        return Done(resource=told, replayed=replayed)

    return (
        Act(
            kind="Appointment",
            name="book",
            words="A place on a schedule for whoever presents a credential.",
            native="POST /v1/hospitals/{merchant_id}/registrations",
            scope=Scope.HOSPITAL_WRITE,
            on_one=False,
            run=book,
            gives="Appointment",
            takes=(
                Taken(name="schedule", words="Where", type="Reference", min=1, target="Schedule"),
                *PERSON,
                Taken(name="walk-in", words="At the counter alone", type="boolean"),
            ),
        ),
        Act(
            kind="Appointment",
            name="cancel",
            words="Give a place back; a fee that was paid goes back the way it came.",
            native="POST /v1/hospital-registrations/{registration_id}/cancellation",
            scope=Scope.HOSPITAL_WRITE,
            run=cancel,
            gives="Appointment",
        ),
        Act(
            kind="Appointment",
            name="check-in",
            words="They are here: a queue number.",
            native="POST /v1/hospital-registrations/{registration_id}/check-in",
            scope=Scope.HOSPITAL_WRITE,
            run=check_in,
            gives="Appointment",
            takes=(
                *PERSON,
                Taken(name="priority", words="1: served before others", type="integer"),
            ),
        ),
        Act(
            kind="Appointment",
            name="bill",
            words="Open the visit of a held place, with a bill over its fee.",
            native="POST /v1/hospital-registrations/{registration_id}/bill",
            scope=Scope.HOSPITAL_WRITE,
            run=bill,
            gives="Encounter",
            takes=INSURANCE,
        ),
        Act(
            kind="Schedule",
            name="call-next",
            words="Call the next patient; who was called before is seen now, or passed.",
            native="POST /v1/hospital-queues/calls",
            scope=Scope.HOSPITAL_WRITE,
            run=call_next,
            gives="Appointment",
            takes=(
                Taken(name="before", words="seen or passed: who was called before", type="code"),
            ),
        ),
    )
