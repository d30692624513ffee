"""Schedules, their places and who has one, as FHIR resources. Pure."""

from typing import Final

from adapters.fhir import names, statuses
from adapters.fhir.datatypes import (
    concept,
    extension,
    instant,
    meta,
    money,
    period,
    reference,
    state,
)
from adapters.fhir.ids import code_id, numbered_id
from adapters.fhir.json_text import Tree, present
from adapters.fhir.people import DOCTOR
from adapters.fhir.places import LOCATION
from scenes.hospital.listed_rows import ListedRegistration, ListedSchedule, ListedSlot

WALK_IN: Final = "WALKIN"
BY_APPOINTMENT: Final = "ROUTINE"
# As iCal has it: 1 is the most urgent, 0 says nothing. So have we.
_NO_PRIORITY: Final = 0


def schedule_of(row: ListedSchedule) -> Tree:
    """Half a day of a doctor or a department; its fee is an extension."""
    actors = []
    if row.doctor_code is not None:
        doctor = code_id(DOCTOR, row.merchant_id, row.doctor_code)
        actors.append(reference("Practitioner", doctor, row.doctor_name))
    place = code_id(LOCATION, row.merchant_id, row.dept_code)
    actors.append(reference("Location", place, row.dept_name_zh))
    return present(
        resourceType="Schedule",
        id=str(row.schedule_id),
        extension=[extension(names.FEE, valueMoney=money(row.fee_fen))],
        active=row.status == "open",
        serviceType=[concept(names.DEPARTMENT, row.dept_code, row.dept_name_zh)],
        specialty=[concept(names.SLOT_TYPE, row.slot_type)],
        actor=actors,
        planningHorizon=period(row.starts_at, row.ends_at),
    )


def slot_of(row: ListedSlot) -> Tree:
    """One place."""
    return present(
        resourceType="Slot",
        id=numbered_id(row.schedule_id, row.slot_no),
        serviceType=[concept(names.DEPARTMENT, row.dept_code)],
        specialty=[concept(names.SLOT_TYPE, row.slot_type)],
        appointmentType=concept(names.APPOINTMENT_TYPE, _appointment_type(walk_in=row.walk_in)),
        schedule=reference("Schedule", row.schedule_id),
        status=statuses.SLOT[row.state],
        start=instant(row.starts_at),
        end=instant(row.ends_at),
    )


def appointment_of(row: ListedRegistration) -> Tree:
    """Who has which place, and where that stands."""
    assert row.subject is not None
    department = code_id(LOCATION, row.merchant_id, row.dept_code)
    participants = [
        _participant(reference("Patient", row.subject)),
        _participant(reference("Location", department, row.dept_name_zh)),
    ]
    if row.doctor_code is not None:
        doctor = code_id(DOCTOR, row.merchant_id, row.doctor_code)
        participants.append(_participant(reference("Practitioner", doctor)))
    more = [state(row.state), extension(names.FEE, valueMoney=money(row.fee_fen))]
    if row.hold_ends_at is not None:
        more.append(extension(names.HOLD_ENDS_AT, valueInstant=instant(row.hold_ends_at)))
    if row.queue_no is not None:
        more.append(extension(names.QUEUE_NO, valuePositiveInt=row.queue_no))
    if row.visit_id is not None:
        visit = reference("Encounter", row.visit_id)
        more.append(extension(names.ENCOUNTER, valueReference=visit))
    return present(
        resourceType="Appointment",
        id=str(row.registration_id),
        meta=meta(row.changed_at),
        extension=more,
        status=statuses.APPOINTMENT[row.state],
        serviceType=[concept(names.DEPARTMENT, row.dept_code, row.dept_name_zh)],
        specialty=[concept(names.SLOT_TYPE, row.slot_type)],
        appointmentType=concept(names.APPOINTMENT_TYPE, _appointment_type(walk_in=row.walk_in)),
        priority=None if row.priority == _NO_PRIORITY else row.priority,
        start=instant(row.slot_at),
        end=instant(row.slot_ends_at),
        created=instant(row.recorded_at),
        slot=[reference("Slot", numbered_id(row.schedule_id, row.slot_no))],
        participant=participants,
    )


def _participant(actor: Tree) -> Tree:
    return {"actor": actor, "status": "accepted"}


def _appointment_type(*, walk_in: bool) -> str:
    return WALK_IN if walk_in else BY_APPOINTMENT
