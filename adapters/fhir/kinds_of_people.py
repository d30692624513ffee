"""Patients, doctors, hospitals and departments: what is served of them."""

from typing import Final

from sqlalchemy import ColumnElement, case

from adapters.fhir import names
from adapters.fhir.ids import ByText
from adapters.fhir.kind import Kind, department_of, doctor_of, hospital_of
from adapters.fhir.parameters import Column, Condition, Reference, Status, Text, Token
from adapters.fhir.people import ROLE, patient_of, practitioner_of, practitioner_role_of
from adapters.fhir.places import DEPARTMENT, LOCATION, location_of, organization_of
from scenes.hospital import listings as of

PATIENTS: Final = Kind(
    name="Patient",
    words="People as this hospital knows them, masked; each look is in the log the citizen reads",
    listing=of.PATIENTS,
    identity=ByText(of.PATIENTS.column("subject")),
    resource=patient_of,
    own=(
        Token(
            name="identifier",
            words="The name the person has with this hospital, as verifying a code tells it",
            columns={names.SUBJECT: of.PATIENTS.column("subject")},
        ),
        Reference(
            name="organization",
            words="The hospital",
            targets={"Organization": hospital_of(of.PATIENTS)},
        ),
    ),
)
PRACTITIONERS: Final = Kind(
    name="Practitioner",
    words="Doctors",
    listing=of.DOCTORS,
    identity=doctor_of(of.DOCTORS),
    resource=practitioner_of,
    own=(
        Token(
            name="identifier",
            words="The hospital's code of the doctor",
            columns={names.DOCTOR: of.DOCTORS.column("doctor_code")},
        ),
        Text(name="name", words="The name", columns=(of.DOCTORS.column("name"),)),
    ),
)
PRACTITIONER_ROLES: Final = Kind(
    name="PractitionerRole",
    words="What doctors are in their departments",
    listing=of.DOCTORS,
    identity=doctor_of(of.DOCTORS, ROLE),
    resource=practitioner_role_of,
    own=(
        Reference(
            name="practitioner",
            words="The doctor",
            targets={"Practitioner": doctor_of(of.DOCTORS)},
        ),
        Reference(
            name="organization",
            words="The department",
            targets={"Organization": department_of(of.DOCTORS, DEPARTMENT)},
        ),
        Reference(
            name="location",
            words="Where the department is",
            targets={"Location": department_of(of.DOCTORS, LOCATION)},
        ),
    ),
)


class _Place:
    """A hospital or one of its departments."""

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        dept_code = of.PLACES.column("dept_code")
        hospital = hospital_of(of.PLACES).matches(text)
        department = department_of(of.PLACES, DEPARTMENT).matches(text)
        if hospital is None or department is None:
            return None
        return (dept_code.is_(None) & hospital) | (dept_code.is_not(None) & department)


class _PartOf:
    """The hospital a department is a part of."""

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        hospital = hospital_of(of.PLACES).matches(text)
        return None if hospital is None else of.PLACES.column("dept_code").is_not(None) & hospital


def _organization_is(code: str) -> Condition:
    dept_code = of.PLACES.column("dept_code")
    return dept_code.is_(None) if code == "prov" else dept_code.is_not(None)


def _merchant_itself() -> Column:
    """The merchant's id on the row of the hospital itself, where no department is."""
    return case(
        (of.PLACES.column("dept_code").is_(None), of.PLACES.column("merchant_id")), else_=None
    )


ORGANIZATIONS: Final = Kind(
    name="Organization",
    words="Hospitals and their departments",
    listing=of.PLACES,
    identity=_Place(),
    resource=organization_of,
    own=(
        Token(
            name="identifier",
            words="A merchant's id, a hospital's number with the insurer, a department's code",
            columns={
                names.MERCHANT: _merchant_itself(),
                names.DESIGNATED_NO: of.PLACES.column("fixmedins_code"),
                names.DEPARTMENT: of.PLACES.column("dept_code"),
            },
        ),
        Status(
            name="type",
            words="Hospital (prov) or department (dept)",
            system=names.ORGANIZATION_TYPE,
            codes=frozenset({"prov", "dept"}),
            condition=_organization_is,
        ),
        Reference(
            name="partof",
            words="The hospital of a department",
            targets={"Organization": _PartOf()},
        ),
    ),
)
LOCATIONS: Final = Kind(
    name="Location",
    words="Where departments are",
    listing=of.DEPARTMENTS,
    identity=department_of(of.DEPARTMENTS, LOCATION),
    resource=location_of,
    own=(
        Token(
            name="identifier",
            words="The department's code",
            columns={names.DEPARTMENT: of.DEPARTMENTS.column("dept_code")},
        ),
        Text(
            name="name",
            words="The department's name, in Chinese or English",
            columns=(of.DEPARTMENTS.column("name_zh"), of.DEPARTMENTS.column("name_en")),
        ),
        Reference(
            name="organization",
            words="The department",
            targets={"Organization": department_of(of.DEPARTMENTS, DEPARTMENT)},
        ),
    ),
)
