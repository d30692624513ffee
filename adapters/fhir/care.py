"""Visits and who insures them, as FHIR resources. Pure."""

from typing import Final

from adapters.fhir import names, statuses
from adapters.fhir.datatypes import coding, concept, identifier, period, reference, state
from adapters.fhir.ids import code_id
from adapters.fhir.json_text import Tree, present
from adapters.fhir.places import HOSPITAL, LOCATION
from scenes.hospital.listed_rows import ListedVisit

INSURER: Final = "医疗保障基金"


def encounter_status(row: ListedVisit) -> str:
    """Where a visit stands: by its end, else by the registration it began with."""
    if row.closed_at is not None:
        return statuses.ENCOUNTER_CLOSED
    if row.registration_state is None:
        return statuses.ENCOUNTER_OPEN
    return statuses.ENCOUNTER[row.registration_state]


def encounter_of(row: ListedVisit) -> Tree:
    """A visit."""
    assert row.subject is not None
    begun = row.registration_id
    place = code_id(LOCATION, row.merchant_id, row.dept_code)
    return present(
        resourceType="Encounter",
        id=str(row.visit_id),
        extension=None if row.registration_state is None else [state(row.registration_state)],
        identifier=[identifier(names.VISIT_NO, row.visit_no)],
        status=encounter_status(row),
        class_=coding(names.ACT_CODE, statuses.ENCOUNTER_CLASS[row.kind]),
        serviceType=concept(names.DEPARTMENT, row.dept_code, row.dept_name_zh),
        subject=reference("Patient", row.subject),
        appointment=None if begun is None else [reference("Appointment", begun)],
        period=period(row.recorded_at, row.closed_at),
        location=None if row.dept_name_zh is None else [{"location": reference("Location", place)}],
        serviceProvider=reference("Organization", code_id(HOSPITAL, row.merchant_id)),
    )


def coverage_of(row: ListedVisit) -> Tree:
    """Who insures a visit. The person's number with the insurer is not told."""
    assert row.subject is not None
    assert row.insutype is not None
    return present(
        resourceType="Coverage",
        id=str(row.visit_id),
        status="active",
        type=concept(names.INSUTYPE, row.insutype),
        beneficiary=reference("Patient", row.subject),
        period=period(row.recorded_at, row.closed_at),
        payor=[{"display": INSURER}],
    )
