"""Patients bear the hospital's own name for them, are shown masked, and read who has looked."""

from uuid import UUID

from adapters.demo_city import HOSPITAL_SYSTEM
from cardcore.business.request import User, VerifyRequest
from cardcore.user.people_request import AccessQuery
from cardcore.user.people_views import DataAccessView
from tests.adapters.fhir.conftest import Clinic, Tree
from tests.cardcore.user.people_acts import merge
from tests.city_life import CENTRE
from tests.scenes.hospital.conftest import HIS, MERCHANT

RENDERED = "http://hl7.org/fhir/StructureDefinition/rendered-value"


def shown_number(patient: Tree) -> str:
    """What a patient's resource shows instead of the identity number."""
    (number,) = [one for one in patient["identifier"] if one["system"].startswith("urn:oid")]
    assert "value" not in number
    (rendered,) = number["_value"]["extension"]
    assert rendered["url"] == RENDERED
    return str(rendered["valueString"])


async def looks(clinic: Clinic, user_id: UUID) -> list[DataAccessView]:
    found = await clinic.ward.city.core.list_accesses(CENTRE, user_id, AccessQuery())
    return [one for one in found.accesses if one.client_id == HOSPITAL_SYSTEM]


async def test_a_patient_is_who_verifying_a_code_says_and_masked_as_everywhere(
    clinic: Clinic,
) -> None:
    user_id = await clinic.ward.person()
    await clinic.ward.visit(user_id)
    core = clinic.ward.city.core
    request = VerifyRequest(
        user=User(credential=await clinic.shown(user_id)),
        scene="hospital",
        merchant_id=MERCHANT,
        terminal_id="hospital-C01",
    )
    subject = (await core.verify(HIS, request)).subject
    assert await looks(clinic, user_id) == []
    # Never told before: the hospital has the name from the verified code alone.
    patient = await clinic.one(f"Patient/{subject}")
    native = await core.read_user(CENTRE, user_id)
    assert shown_number(patient) == native.id_no_masked
    assert patient["name"] == [{"text": native.name_masked}]
    assert patient["active"] is True
    (look,) = await looks(clinic, user_id)
    assert (look.purpose, look.in_clear, look.fields) == ("service", False, ["id_no", "name"])

    (visit,) = await clinic.found(f"Encounter?patient={subject}")
    assert visit["subject"] == {"reference": f"Patient/{subject}"}
    # Only who is looked at is written down, not whose visit is.
    assert len(await looks(clinic, user_id)) == 1
    (found,) = await clinic.found("Patient")
    assert found == patient
    assert len(await looks(clinic, user_id)) == 2


async def test_somebody_who_never_came_is_nobody_here(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    request = VerifyRequest(
        user=User(credential=await clinic.shown(user_id)),
        scene="hospital",
        merchant_id=MERCHANT,
        terminal_id="hospital-C01",
    )
    subject = (await clinic.ward.city.core.verify(HIS, request)).subject
    assert (await clinic.get(f"Patient/{subject}")).status_code == 404
    assert await clinic.found("Patient") == []


async def test_a_merged_patient_leads_to_the_survivor(clinic: Clinic) -> None:
    survivor, duplicate = await clinic.ward.person(), await clinic.ward.person()
    old_visit = await clinic.ward.visit(duplicate)
    (before,) = await clinic.found("Encounter")
    old = before["subject"]["reference"]
    await merge(clinic.ward.life, survivor, duplicate, reason="mistake")
    await clinic.ward.visit(survivor)
    patient = await clinic.one(old)
    new = patient["link"][0]["other"]["reference"]
    assert (patient["active"], patient["link"][0]["type"]) == (False, "replaced-by")
    native = await clinic.ward.city.core.read_user(CENTRE, survivor)
    assert shown_number(patient) == native.id_no_masked
    visits = await clinic.found(f"Encounter?patient={new}")
    assert {one["subject"]["reference"] for one in visits} == {old, new}
    assert str(old_visit.visit_id) in {one["id"] for one in visits}
