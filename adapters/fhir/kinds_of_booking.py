"""Schedules, places and registrations: what is served of them."""

from typing import Any, Final

from adapters.fhir import names, statuses
from adapters.fhir.booking import BY_APPOINTMENT, WALK_IN, appointment_of, schedule_of, slot_of
from adapters.fhir.ids import ByNumber, ByUUID
from adapters.fhir.kind import (
    Kind,
    department_of,
    doctor_of,
    patients_of,
    service_type_of,
    status_of,
)
from adapters.fhir.parameters import Date, Flag, Parameter, Reference, Status
from adapters.fhir.places import LOCATION
from scenes.hospital import listings as of
from scenes.hospital.listings import Listing


def appointment_type_of(listing: Listing[Any]) -> Parameter:
    """Whether a place is for those with an appointment or for walk-ins."""
    walk_in = listing.column("walk_in")
    return Status(
        name="appointment-type",
        words="By appointment or for walk-ins",
        system=names.APPOINTMENT_TYPE,
        codes=frozenset({WALK_IN, BY_APPOINTMENT}),
        condition=lambda code: walk_in if code == WALK_IN else ~walk_in,
    )


SCHEDULES: Final = Kind(
    name="Schedule",
    words="Half days of doctors or departments",
    listing=of.SCHEDULES,
    identity=ByUUID(of.SCHEDULES.column("schedule_id")),
    resource=schedule_of,
    own=(
        Flag(
            name="active",
            words="Not stopped",
            condition=of.SCHEDULES.column("status") == "open",
        ),
        Date(
            name="date",
            words="From its begin to its end",
            starts_at=of.SCHEDULES.column("starts_at"),
            ends_at=of.SCHEDULES.column("ends_at"),
        ),
        Reference(
            name="actor",
            words="The doctor, or where the department is",
            targets={
                "Practitioner": doctor_of(of.SCHEDULES),
                "Location": department_of(of.SCHEDULES, LOCATION),
            },
        ),
        service_type_of(of.SCHEDULES),
    ),
)
SLOTS: Final = Kind(
    name="Slot",
    words="Places of schedules",
    listing=of.SLOTS,
    identity=ByNumber(of.SLOTS.column("schedule_id"), of.SLOTS.column("slot_no")),
    resource=slot_of,
    own=(
        Reference(
            name="schedule",
            words="Its schedule",
            targets={"Schedule": ByUUID(of.SLOTS.column("schedule_id"))},
        ),
        Date(name="start", words="Its time", starts_at=of.SLOTS.column("starts_at")),
        status_of(of.SLOTS, "slotstatus", statuses.SLOT),
        appointment_type_of(of.SLOTS),
        service_type_of(of.SLOTS),
    ),
)
APPOINTMENTS: Final = Kind(
    name="Appointment",
    words="Registrations: who has which place",
    listing=of.REGISTRATIONS,
    identity=ByUUID(of.REGISTRATIONS.column("registration_id")),
    resource=appointment_of,
    changed=True,
    own=(
        Date(
            name="date", words="The time of its place", starts_at=of.REGISTRATIONS.column("slot_at")
        ),
        status_of(of.REGISTRATIONS, "appointmentstatus", statuses.APPOINTMENT),
        appointment_type_of(of.REGISTRATIONS),
        service_type_of(of.REGISTRATIONS),
        *patients_of(of.REGISTRATIONS, "patient"),
        Reference(
            name="practitioner",
            words="The doctor",
            targets={"Practitioner": doctor_of(of.REGISTRATIONS)},
        ),
        Reference(
            name="location",
            words="Where the department is",
            targets={"Location": department_of(of.REGISTRATIONS, LOCATION)},
        ),
        Reference(
            name="actor",
            words="Any of these",
            targets={
                "Practitioner": doctor_of(of.REGISTRATIONS),
                "Location": department_of(of.REGISTRATIONS, LOCATION),
            },
            patient=of.REGISTRATIONS.column("user_id"),
        ),
        Reference(
            name="slot",
            words="The place",
            targets={
                "Slot": ByNumber(
                    of.REGISTRATIONS.column("schedule_id"), of.REGISTRATIONS.column("slot_no")
                )
            },
        ),
    ),
)
