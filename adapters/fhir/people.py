"""People as FHIR resources: patients under this hospital's name for them, and doctors. Pure."""

from adapters.fhir import names
from adapters.fhir.datatypes import coding, extension, identifier, in_english, reference
from adapters.fhir.ids import code_id
from adapters.fhir.json_text import Tree, present
from adapters.fhir.places import DEPARTMENT, HOSPITAL, LOCATION
from scenes.hospital.listed_rows import ListedDoctor, ListedPatient

DOCTOR = "doctor"
ROLE = "role"


def patient_of(row: ListedPatient) -> Tree:
    """A patient, masked as in every list.

    A masked number is no value: it stands as what is shown instead of one.
    """
    numbers = [identifier(names.SUBJECT, row.subject)]
    if row.id_no is not None:
        shown = extension(names.RENDERED_VALUE, valueString=row.id_no)
        kind = coding(names.IDENTIFIER_TYPE, "NI")
        numbers.append(
            {
                "type": {"coding": [kind], "text": "居民身份证"},
                "system": names.ID_NO,
                "_value": {"extension": [shown]},
            }
        )
    telecom = None
    if row.phone is not None:
        shown = extension(names.RENDERED_VALUE, valueString=row.phone)
        telecom = [{"system": "phone", "_value": {"extension": [shown]}}]
    merged = None
    if row.survivor is not None:
        merged = [{"other": reference("Patient", row.survivor), "type": "replaced-by"}]
    return present(
        resourceType="Patient",
        id=row.subject,
        identifier=numbers,
        active=row.active,
        name=None if row.name is None else [{"text": row.name}],
        telecom=telecom,
        managingOrganization=reference("Organization", code_id(HOSPITAL, row.merchant_id)),
        link=merged,
    )


def practitioner_of(row: ListedDoctor) -> Tree:
    """A doctor."""
    return present(
        resourceType="Practitioner",
        id=code_id(DOCTOR, row.merchant_id, row.doctor_code),
        identifier=[identifier(names.DOCTOR, row.doctor_code)],
        name=[{"text": row.name}],
    )


def practitioner_role_of(row: ListedDoctor) -> Tree:
    """What a doctor is in their department."""
    department = (row.merchant_id, row.dept_code)
    return present(
        resourceType="PractitionerRole",
        id=code_id(ROLE, row.merchant_id, row.doctor_code),
        practitioner=reference(
            "Practitioner", code_id(DOCTOR, row.merchant_id, row.doctor_code), row.name
        ),
        organization=reference("Organization", code_id(DEPARTMENT, *department), row.dept_name_zh),
        code=[{"text": row.title_zh, "_text": in_english(row.title_en)}],
        location=[reference("Location", code_id(LOCATION, *department))],
    )
