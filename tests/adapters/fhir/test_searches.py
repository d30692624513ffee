"""Every resource type read, and searched by every parameter it declares."""

from collections.abc import Callable

from adapters.fhir.kind import Kind
from adapters.fhir.kinds import KINDS
from tests.adapters.fhir.conftest import URL, Clinic, Day, read

# A resource of each type in the day's traces.
OF_THE_DAY: dict[str, Callable[[Day], str]] = {
    "Patient": lambda day: day.patient,
    "Practitioner": lambda day: day.practitioner,
    "PractitionerRole": lambda day: day.role,
    "Organization": lambda day: day.department,
    "Location": lambda day: day.location,
    "Schedule": lambda day: day.schedule,
    "Slot": lambda day: day.slot,
    "Appointment": lambda day: day.appointment,
    "Encounter": lambda day: day.visit,
    "Coverage": lambda day: day.visit,
    "ChargeItem": lambda day: f"{day.bill}.1",
    "Invoice": lambda day: day.bill,
    "ClaimResponse": lambda day: day.claim,
    "PaymentReconciliation": lambda day: day.back,
}
NOBODY = "0197a3c2-5e00-7000-8000-000000000000"
NO_DIGEST = "0" * 32
# By each parameter: what finds that resource, and what does not. ``{…}`` is an id of the day.
SEARCHES: dict[str, tuple[str, str]] = {
    "Patient identifier": ("urn:cardcore:subject|{patient}", "urn:cardcore:subject|nobody"),
    "Patient organization": ("Organization/{hospital}", f"Organization/{NO_DIGEST}"),
    "Practitioner identifier": ("D-NK", "urn:cardcore:hospital:department|D-NK"),
    "Practitioner name": ("示例", "例"),
    "PractitionerRole practitioner": ("Practitioner/{practitioner}", NO_DIGEST),
    "PractitionerRole organization": ("Organization/{department}", "Organization/{hospital}"),
    "PractitionerRole location": ("{location}", "{department}"),
    "Organization identifier": ("urn:cardcore:hospital:department|NK", "shanting-hospital"),
    "Organization type": ("dept", "prov"),
    "Organization partof": ("{hospital}", "{department}"),
    "Location identifier": ("NK", "WK"),
    "Location name": ("internal MED", "medicine"),
    "Location organization": ("{department}", "{hospital}"),
    "Schedule active": ("true", "false"),
    "Schedule date": ("2026-06-02", "2026-06-03"),
    "Schedule actor": ("Practitioner/{practitioner}", "Location/{department}"),
    "Schedule service-type": ("NK,WK", "WK"),
    "Slot schedule": ("{schedule}", NOBODY),
    "Slot start": ("2026-06-02", "gt2026-06-02"),
    "Slot status": ("busy", "free"),
    "Slot appointment-type": ("ROUTINE", "WALKIN"),
    "Slot service-type": ("NK", "WK"),
    "Appointment _lastUpdated": ("ge2026-06-01", "lt2026-06-01"),
    "Appointment date": ("2026-06-02T08:00", "2026-07"),
    "Appointment status": ("booked", "pending"),
    "Appointment appointment-type": ("ROUTINE", "WALKIN"),
    "Appointment service-type": ("urn:cardcore:hospital:department|NK", "other|NK"),
    "Appointment patient": ("Patient/{patient}", "nobody"),
    "Appointment practitioner": ("{practitioner}", "{role}"),
    "Appointment location": ("{location}", "{hospital}"),
    "Appointment actor": ("Patient/{patient}", "Practitioner/{patient}"),
    "Appointment slot": ("Slot/{slot}", "Slot/{schedule}.4"),
    "Encounter identifier": ("MZ0001", "MZ0002"),
    "Encounter date": ("ge2026-06-01", "lt2026-06-01"),
    "Encounter status": ("in-progress", "finished"),
    "Encounter class": ("AMB", "IMP"),
    "Encounter patient": ("{patient}", "nobody"),
    "Encounter subject": ("Patient/{patient}", "Patient/nobody"),
    # No visit of the day began with a registration; the walk has one that did.
    "Encounter appointment": ("", "{appointment}"),
    "Encounter service-provider": ("{hospital}", "{department}"),
    "Coverage patient": ("{patient}", "nobody"),
    "Coverage beneficiary": ("{patient}", "nobody"),
    "Coverage type": ("310", "390"),
    "ChargeItem context": ("Encounter/{visit}", NOBODY),
    "ChargeItem patient": ("{patient}", "nobody"),
    "ChargeItem subject": ("{patient}", "nobody"),
    "ChargeItem code": ("XA01AAA001", "250101001"),
    "ChargeItem entered-date": ("2026-06-01", "2026-05"),
    "Invoice identifier": ("urn:cardcore:hospital:bill-no|F0001", "F0002"),
    "Invoice date": ("2026-06-01", "sa2026-06-01"),
    "Invoice status": ("balanced", "issued,cancelled"),
    "Invoice patient": ("{patient}", "nobody"),
    "Invoice subject": ("{patient}", "nobody"),
    "Invoice issuer": ("{hospital}", "{department}"),
    "Invoice encounter": ("{visit}", NOBODY),
    "ClaimResponse _lastUpdated": ("ge2026-06-01", "lt2026-06-01"),
    "ClaimResponse identifier": ("{setl_id}", "S0"),
    "ClaimResponse created": ("2026", "2025"),
    "ClaimResponse patient": ("{patient}", "nobody"),
    "ClaimResponse status": ("active", "cancelled"),
    "ClaimResponse payment": ("{payment}", "{back}"),
    "PaymentReconciliation _lastUpdated": ("ge2026-06-01", "lt2026-06-01"),
    "PaymentReconciliation identifier": ("urn:cardcore:hospital:return-no|", "TF0002"),
    "PaymentReconciliation created": ("2026-06-01", "2026-05"),
    "PaymentReconciliation status": ("active", "draft"),
    "PaymentReconciliation outcome": ("complete", "queued,partial,error"),
    "PaymentReconciliation requestor": ("{hospital}", "{department}"),
    "PaymentReconciliation encounter": ("{visit}", NOBODY),
    "PaymentReconciliation payment": ("{payment}", "{back}"),
}
SEARCHES |= {f"{kind.name} _id": ("{self}", f"{NOBODY},{NO_DIGEST},x") for kind in KINDS}


def name_of(kind: Kind, parameter: str) -> str:
    return f"{kind.name} {parameter}"


def test_every_declared_parameter_is_tried_and_no_other() -> None:
    declared = {name_of(kind, one.name) for kind in KINDS for one in kind.parameters}
    assert declared == set(SEARCHES)
    assert set(OF_THE_DAY) == {kind.name for kind in KINDS}


async def test_every_type_is_read_and_searched_by_all_it_declares(clinic: Clinic) -> None:
    day = await clinic.day()
    headers = await clinic.bearer()
    wrong = []

    async def finds(kind: str, parameter: str, value: str) -> set[str]:
        filled = value.format(**vars(day), self=OF_THE_DAY[kind](day))
        answer = await clinic.http.get(
            f"/fhir/{kind}", params={parameter: filled, "_count": 200}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return {entry["resource"]["id"] for entry in read(answer).get("entry", [])}

    for kind in KINDS:
        wanted = OF_THE_DAY[kind.name](day)
        answer = await clinic.http.get(f"/fhir/{kind.name}/{wanted}", headers=headers)
        assert (answer.status_code, read(answer)["id"]) == (200, wanted)
        for parameter in kind.parameters:
            name = name_of(kind, parameter.name)
            finding, other = SEARCHES[name]
            if finding and wanted not in await finds(kind.name, parameter.name, finding):
                wrong.append(f"{name}={finding} does not find it")
            if wanted in await finds(kind.name, parameter.name, other):
                wrong.append(f"{name}={other} finds it")
    assert wrong == []


SLOTS_BY_START = [
    ("2026-06-02", 4),
    ("2026-06-02T08:00", 1),
    ("2026-06-02T00:00:00Z", 1),
    ("2026-06-02T08:00:00+08:00", 1),
    ("ne2026-06-02T08:00", 3),
    ("gt2026-06-02T09:00", 2),
    ("ge2026-06-02T09:00", 3),
    ("lt2026-06-02T09:00", 1),
    ("le2026-06-02T09:00", 2),
    ("sa2026-06-02T08:30:00", 3),
    ("eb2026-06-02T08:30:00.5", 1),
    ("2026", 4),
    ("2026-06", 4),
    ("2026-07", 0),
]


# From eight to twelve in the morning, which is midnight to four in UTC.
SCHEDULES_BY_DATE = [
    ("2026-06-02", 1),
    ("2026-06-02T10:00", 0),
    ("ne2026-06-02", 0),
    ("ne2026-06-02T10:00", 1),
    ("gt2026-06-02T10:00", 1),
    ("gt2026-06-02T12:00", 0),
    ("ge2026-06-02", 1),
    ("lt2026-06-02T10:00", 1),
    ("lt2026-06-02T08:00", 0),
    ("le2026-06-02", 1),
    ("sa2026-06-02T07:00", 1),
    ("sa2026-06-02T08:00", 0),
    ("eb2026-06-02T13:00", 1),
    ("eb2026-06-02T12:00", 0),
]


async def test_prefixes_pages_and_links(clinic: Clinic) -> None:
    schedule = await clinic.plan()
    for date, number in SCHEDULES_BY_DATE:
        assert len(await clinic.found(f"Schedule?date={date}")) == number, date
    for start, number in SLOTS_BY_START:
        found = await clinic.found(f"Slot?start={start.replace('+', '%2B')}")
        assert len(found) == number, start
    both = await clinic.found("Slot?start=ge2026-06-02T09:00&start=lt2026-06-02T11:00")
    assert [one["start"] for one in both] == ["2026-06-02T01:00:00Z", "2026-06-02T02:00:00Z"]

    address, seen = f"Slot?schedule={schedule}&_count=3", []
    while address:
        bundle = await clinic.one(address)
        seen += [entry["fullUrl"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        assert f"schedule={schedule}" in links["self"]
        address = links.get("next", "").removeprefix(f"{URL}/fhir/")
    assert seen == [f"{URL}/fhir/Slot/{schedule}.{number}" for number in (1, 2, 3, 4)]

    places = await clinic.one("Organization?_count=1")
    following = {link["relation"]: link["url"] for link in places["link"]}["next"]
    (department,) = await clinic.found(following.removeprefix(f"{URL}/fhir/"))
    assert (department["name"], places["entry"][0]["resource"]["name"]) == (
        "内科",
        "山亭区人民医院",
    )


async def test_a_search_as_a_form_leniently_and_in_json_by_each_name(clinic: Clinic) -> None:
    schedule = await clinic.plan()
    headers = await clinic.bearer()
    answer = await clinic.http.post(
        "/fhir/Slot/_search?status=free", data={"schedule": str(schedule)}, headers=headers
    )
    assert len(read(answer)["entry"]) == 4

    answer = await clinic.get("Slot?colour=red&status=free", Prefer="handling=lenient")
    bundle = read(answer)
    assert len(bundle["entry"]) == 4
    assert bundle["link"][0]["url"] == f"{URL}/fhir/Slot?status=free&_count=50"
    bad = await clinic.get("Slot?status=red", Prefer="handling=lenient")
    assert bad.status_code == 400

    for accept in ("application/fhir+json", "text/html, application/json;q=0.5", " "):
        assert (await clinic.get("Slot", Accept=accept)).status_code == 200
    named = await clinic.get("Slot?_format=application/fhir%2Bjson", Accept="text/html")
    assert named.status_code == 200
