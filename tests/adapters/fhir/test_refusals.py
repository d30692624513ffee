"""What is refused is an OperationOutcome with our stable code, and has no effect."""

import json
from typing import Any

import httpx2

from adapters.fhir.outcomes import ISSUE_TYPES
from adapters.http.problems import catalogue
from tests.adapters.fhir.conftest import Clinic, item, parameters, read, two_items
from tests.scenes.hospital.conftest import HIS

NOBODY = "0197a3c2-5e00-7000-8000-000000000000"


def issue_of(answer: httpx2.Response) -> dict[str, Any]:
    """The first issue of an OperationOutcome; the judge of the fixture has read it as one."""
    outcome = read(answer)
    assert outcome["resourceType"] == "OperationOutcome"
    first: dict[str, Any] = outcome["issue"][0]
    return first


def code_of(answer: httpx2.Response) -> str:
    return str(issue_of(answer)["details"]["coding"][0]["code"])


# The value set issue-type of R4B; the library does not know it.
STANDARD_ISSUES = frozenset(
    {
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    }
)


def test_every_refusal_is_a_kind_of_issue_of_the_standard() -> None:
    assert set(ISSUE_TYPES.values()) <= STANDARD_ISSUES
    assert {entry.status for entry in catalogue()} <= set(ISSUE_TYPES)


READS = [
    ("Patient/nobody", 404, "not_found"),
    ("Slot/nobody", 404, "not_found"),
    (f"Slot/{NOBODY}.99999", 404, "not_found"),
    (f"Appointment/{NOBODY}", 404, "not_found"),
    (f"Appointment/{NOBODY.upper()}", 404, "not_found"),
    (f"ClaimResponse/{NOBODY}", 404, "not_found"),
    ("Observation/1", 404, "route_unknown"),
    ("Observation", 404, "route_unknown"),
    ("OperationDefinition/nothing", 404, "not_found"),
    ("", 404, "route_unknown"),
    ("Slot?start=tomorrow", 400, "search_invalid"),
    ("Slot?start=2026-13-01", 400, "search_invalid"),
    ("Slot?start=2026-02-30", 400, "search_invalid"),
    ("Slot?start=9999-12-31", 400, "search_invalid"),
    ("Slot?start=0000", 400, "search_invalid"),
    ("Slot?start=ap2026", 400, "search_invalid"),
    ("Slot?start:missing=true", 400, "search_invalid"),
    ("Slot?colour=red", 400, "search_invalid"),
    ("Slot?_sort=start", 400, "search_invalid"),
    ("Slot?status=red", 400, "search_invalid"),
    ("Slot?status=", 400, "search_invalid"),
    ("Slot?_count=0", 400, "search_invalid"),
    ("Slot?_count=2&_count=3", 400, "search_invalid"),
    ("Slot?_cursor=x", 400, "search_invalid"),
    ("Slot?_cursor=WyJhIiwxXQ", 400, "search_invalid"),
    ("Slot?schedule=Patient/1", 400, "search_invalid"),
    ("Slot?schedule=https://elsewhere.example/Schedule/1", 400, "search_invalid"),
    ("Schedule?active=yes", 400, "search_invalid"),
    ("Practitioner?name:above=x", 400, "search_invalid"),
    ("Patient?identifier=%7C", 400, "search_invalid"),
    ("Appointment?patient:Slot=1", 400, "search_invalid"),
    ("Slot?_id=" + ",".join(["1"] * 51), 400, "search_invalid"),
    ("Slot?" + "&".join(["_id=1"] * 33), 400, "search_invalid"),
    ("Slot?%ff", 400, "search_invalid"),
    ("Slot?_format=xml", 406, "not_acceptable"),
]


async def test_what_cannot_be_read_or_searched_says_why(clinic: Clinic) -> None:
    headers = await clinic.bearer()
    for path, status, code in READS:
        answer = await clinic.http.get(f"/fhir/{path}" if path else "/fhir", headers=headers)
        assert (answer.status_code, code_of(answer)) == (status, code), path
    named = await clinic.http.get("/fhir/Slot?colour=red", headers=headers)
    assert issue_of(named)["expression"] == ["http.colour"]
    english = await clinic.http.get(
        "/fhir/Patient/nobody", headers={**headers, "Accept-Language": "en"}
    )
    assert (issue_of(english)["details"]["text"], issue_of(english)["code"]) == (
        "Not found",
        "not-found",
    )
    xml = await clinic.get("Slot", Accept="application/fhir+xml, application/json;q=0")
    assert (xml.status_code, code_of(xml)) == (406, "not_acceptable")
    deleted = await clinic.http.delete(f"/fhir/Slot/{NOBODY}.1", headers=headers)
    assert (deleted.status_code, deleted.headers["allow"]) == (405, "GET, HEAD")
    formless = await clinic.http.post("/fhir/Slot/_search", json={}, headers=headers)
    assert (formless.status_code, code_of(formless)) == (415, "content_type")


def lines(*items: list[dict[str, Any]]) -> dict[str, Any]:
    return parameters(bill_no_valueString="F9", line_part=list(items))


GOOD_LINE = item("X01", "项目", 1, "1.00", "1.00")


def with_money(value: object, **more: object) -> dict[str, Any]:
    amount = {"name": "amount", "valueMoney": {"value": value, **more}}
    return lines([*GOOD_LINE[:-1], amount])


BODIES: list[tuple[str | bytes, int, str]] = [
    (b"{", 400, "json_invalid"),
    (b'{"resourceType":"Parameters","resourceType":"Parameters"}', 400, "json_invalid"),
    (b"[]", 422, "request_invalid"),
    (b"", 422, "request_invalid"),
    (json.dumps({"resourceType": "Invoice"}), 422, "request_invalid"),
    (json.dumps({"resourceType": "Parameters", "parameters": []}), 422, "request_invalid"),
    (json.dumps({"resourceType": "Parameters", "parameter": {}}), 422, "request_invalid"),
    (json.dumps({"resourceType": "Parameters", "parameter": [1]}), 422, "request_invalid"),
    (json.dumps(parameters(colour_valueString="red")), 422, "request_invalid"),
    (json.dumps(parameters(bill_no_valueString="F9")), 422, "request_invalid"),
    (json.dumps(lines(GOOD_LINE) | parameters(bill_no_valueCode="F9")), 422, "request_invalid"),
    (json.dumps(lines([*GOOD_LINE, *GOOD_LINE])), 422, "request_invalid"),
    (json.dumps(lines(GOOD_LINE[:-1])), 422, "request_invalid"),
    (json.dumps(with_money(1.005)), 422, "request_invalid"),
    (json.dumps(with_money(1, currency="USD")), 422, "request_invalid"),
    (json.dumps(with_money("1.00")), 422, "request_invalid"),
    (json.dumps(with_money([])), 422, "request_invalid"),
    (json.dumps(with_money(-1)), 422, "request_invalid"),
    (json.dumps(with_money(0)), 422, "request_invalid"),
    (json.dumps(with_money(1e300)), 422, "request_invalid"),
]


async def test_a_body_that_is_not_as_declared_has_no_effect(clinic: Clinic) -> None:
    user_id = await clinic.ward.person()
    visit = await clinic.ward.visit(user_id)
    path = f"Encounter/{visit.visit_id}/$bill"
    headers = {**await clinic.bearer(), "Content-Type": "application/fhir+json"}
    for number, (body, status, code) in enumerate(BODIES):
        keyed = {**headers, "Idempotency-Key": f"bad-{number}"}
        answer = await clinic.http.post(f"/fhir/{path}", headers=keyed, content=body)
        assert (answer.status_code, code_of(answer)) == (status, code), body
    assert (await clinic.ward.hospital.list_bills(HIS, visit.visit_id)).bills == []

    content = json.dumps(two_items())
    keyless = await clinic.http.post(f"/fhir/{path}", headers=headers, content=content)
    assert (keyless.status_code, code_of(keyless)) == (400, "idempotency_key_missing")
    typed = await clinic.do(path, two_items(), **{"Content-Type": "text/plain"})
    assert (typed.status_code, code_of(typed)) == (415, "content_type")
    packed = await clinic.do(path, two_items(), **{"Content-Encoding": "gzip"})
    assert (packed.status_code, code_of(packed)) == (415, "content_type")
    large = await clinic.do(path, lines(*[GOOD_LINE] * 400))
    assert (large.status_code, code_of(large)) == (413, "body_too_large")
    other = await clinic.do(f"Encounter/{NOBODY}/$bill", two_items())
    assert (other.status_code, code_of(other)) == (404, "not_found")


async def test_business_refusals_carry_our_code_and_its_facts(clinic: Clinic) -> None:
    schedule = await clinic.plan(fee_fen=0)
    user_id = await clinic.ward.person()
    booked = await clinic.book(user_id, schedule)
    again = parameters(
        schedule_valueReference={"reference": f"Schedule/{schedule}"},
        credential_valueString=await clinic.shown(user_id),
    )
    twice = await clinic.do("Appointment/$book", again)
    assert (twice.status_code, code_of(twice)) == (409, "registered_already")
    garbage = parameters(
        schedule_valueReference={"reference": f"Schedule/{schedule}"},
        credential_valueString="M1:nothing",
    )
    refused = await clinic.do("Appointment/$book", garbage)
    assert (refused.status_code, code_of(refused)) == (422, "code_invalid")
    await clinic.done(f"Appointment/{booked['id']}/$cancel")
    over = await clinic.do(f"Appointment/{booked['id']}/$cancel")
    assert (over.status_code, code_of(over)) == (409, "registration_state")
    facts = json.loads(issue_of(over)["extension"][0]["valueString"])
    assert facts == {"status": "cancelled"}
    assert issue_of(over)["code"] == "conflict"


async def test_a_reference_names_a_resource_of_its_type(clinic: Clinic) -> None:
    for reference in ("Slot/1", "Schedule/", "Schedule", "Schedule/1/_history/2", 1):
        said = parameters(schedule_valueReference={"reference": reference})
        answer = await clinic.do("Appointment/$book", said)
        assert (answer.status_code, code_of(answer)) == (422, "request_invalid"), reference
