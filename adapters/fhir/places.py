"""Hospitals and departments as FHIR resources: what they are, and where. Pure."""

from typing import Final

from adapters.fhir import names
from adapters.fhir.datatypes import concept, identifier, in_english, reference
from adapters.fhir.ids import code_id
from adapters.fhir.json_text import Tree, present
from scenes.hospital.listed_rows import ListedPlace

HOSPITAL: Final = "hospital"
DEPARTMENT: Final = "department"
LOCATION: Final = "location"


def organization_of(row: ListedPlace) -> Tree:
    """A hospital, or a department as a part of one."""
    common = {
        "name": row.name_zh,
        "_name": in_english(row.name_en),
    }
    if row.dept_code is None:
        numbers = [identifier(names.MERCHANT, row.merchant_id)]
        if row.fixmedins_code is not None:
            numbers.append(identifier(names.DESIGNATED_NO, row.fixmedins_code))
        return present(
            resourceType="Organization",
            id=code_id(HOSPITAL, row.merchant_id),
            identifier=numbers,
            active=True,
            type=[concept(names.ORGANIZATION_TYPE, "prov")],
            **common,
        )
    return present(
        resourceType="Organization",
        id=code_id(DEPARTMENT, row.merchant_id, row.dept_code),
        identifier=[identifier(names.DEPARTMENT, row.dept_code)],
        active=True,
        type=[concept(names.ORGANIZATION_TYPE, "dept")],
        partOf=reference("Organization", code_id(HOSPITAL, row.merchant_id)),
        **common,
    )


def location_of(row: ListedPlace) -> Tree:
    """Where a department is."""
    assert row.dept_code is not None
    return present(
        resourceType="Location",
        id=code_id(LOCATION, row.merchant_id, row.dept_code),
        identifier=[identifier(names.DEPARTMENT, row.dept_code)],
        status="active",
        name=row.name_zh,
        _name=in_english(row.name_en),
        description=row.place,
        managingOrganization=reference(
            "Organization", code_id(DEPARTMENT, row.merchant_id, row.dept_code)
        ),
    )
