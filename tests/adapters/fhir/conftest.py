"""The FHIR face of the demo city's hospital; every answer is read by the standard's models."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import HOSPITAL_MERCHANT, HOSPITAL_SYSTEM, client_key, public_jwk
from adapters.fhir.endpoints import MEDIA_TYPE
from adapters.http.app import CardcoreAPI
from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import SimulatedGateway
from adapters.settings import Settings
from adapters.wiring import make_api, open_city
from cardcore.books import transaction
from cardcore.business.merchants import register_client
from cardcore.caller import Scope
from scenes.hospital.request import DepartmentRequest, DoctorRequest, ScheduleRequest
from tests.adapters.fhir.judged import judge
from tests.city_life import Life
from tests.conftest import CityClock
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward

URL = "https://card.example"
KEY = Ed25519PrivateKey.generate()
MORNING = datetime(2026, 6, 2, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai, the day after the clock's
Tree = dict[str, Any]
INSURED = {"psn_no_valueString": "37000000000000000001", "insutype_valueString": "310"}


def read(answer: httpx2.Response) -> Tree:
    """An answer with its decimals as they were written."""
    return dict(json.loads(answer.content, parse_float=Decimal))


def parameters(**said: Any) -> Tree:  # noqa: ANN401  (JSON)
    """A Parameters resource: ``schedule_valueReference=…`` and so on."""
    listed = []
    for key, value in said.items():
        name, _, element = key.rpartition("_")
        values = value if isinstance(value, list) and element == "part" else [value]
        listed += [{"name": name.replace("_", "-"), element: one} for one in values]
    return {"resourceType": "Parameters", "parameter": listed}


def extension(resource: Tree, name: str) -> Any:  # noqa: ANN401  (JSON)
    """The value of an extension of ours, its parts by their names."""
    (found,) = [one for one in resource["extension"] if one["url"] == f"urn:cardcore:fhir:{name}"]
    if "extension" in found:
        return {part["url"]: part["valueMoney"]["value"] for part in found["extension"]}
    return next(value for key, value in found.items() if key != "url")


def two_items() -> Tree:
    """A bill over a medicine and an examination."""
    return parameters(
        bill_no_valueString="F0001",
        line_part=[
            item("XA01AAA001", "示例药品", 2, "300.00", "600.00"),
            item("250101001", "检查", 1, "400.00", "400.00"),
        ],
    )


def item(code: str, name: str, quantity: int, price: str, amount: str) -> list[Tree]:
    """One line of a bill."""
    return [
        {"name": "item-code", "valueString": code},
        {"name": "name", "valueString": name},
        {"name": "quantity", "valueDecimal": quantity},
        {"name": "price", "valueMoney": {"value": float(price), "currency": "CNY"}},
        {"name": "amount", "valueMoney": {"value": float(amount), "currency": "CNY"}},
    ]


def returned(charge_item: str, amount: str) -> list[Tree]:
    """One item given back."""
    return [
        {"name": "charge-item", "valueReference": {"reference": f"ChargeItem/{charge_item}"}},
        {"name": "amount", "valueMoney": {"value": float(amount), "currency": "CNY"}},
    ]


@dataclass(frozen=True, kw_only=True)
class Day:
    """One of everything: ids of what a patient's day has left behind."""

    user_id: UUID
    patient: str
    schedule: str
    slot: str
    appointment: str
    hospital: str
    department: str
    location: str
    practitioner: str
    role: str
    visit: str
    bill: str
    payment: str
    back: str
    claim: str
    old_claim: str
    setl_id: str


@dataclass
class Clinic:
    """A hospital whose system speaks FHIR."""

    ward: Ward
    app: CardcoreAPI
    http: httpx2.AsyncClient
    settings: Settings
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    tokens: dict[str, str] = field(default_factory=dict)

    async def bearer(self, client_id: str = HOSPITAL_SYSTEM, without: str = "") -> dict[str, str]:
        """Headers of a client, with all its scopes but one."""
        key = KEY
        if client_id == HOSPITAL_SYSTEM:
            key = client_key(self.settings.clients_home, HOSPITAL_SYSTEM)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(
                client_id, key, audience=f"{URL}/v1/oauth/token", now=self.ward.clock.now
            ),
        }
        if without:
            form["scope"] = " ".join(one.value for one in Scope if one != without)
        answer = await self.http.post("/v1/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def admit(self, client_id: str, merchant_id: str | None) -> None:
        """Register a client with every scope."""
        async with transaction(self.ward.city.engine) as (connection, _):
            await register_client(
                connection,
                client_id=client_id,
                merchant_id=merchant_id,
                terminal_id=None,
                scopes=list(Scope),
                public_key=public_jwk(KEY),
                now=self.ward.clock.now,
            )

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        own = {**await self.bearer(), **headers}
        return await self.http.get(f"/fhir/{path}", headers=own)

    async def one(self, path: str) -> Tree:
        """A resource, or a Bundle."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return read(answer)

    async def found(self, path: str) -> list[Tree]:
        """The resources a search finds."""
        return [entry["resource"] for entry in (await self.one(path)).get("entry", [])]

    async def do(
        self, path: str, said: Tree | None = None, *, key: str = "", **headers: str
    ) -> httpx2.Response:
        """An operation, with a key of its own."""
        own = {
            **await self.bearer(),
            "Idempotency-Key": key or f"k{next(self.numbers)}",
            "Content-Type": MEDIA_TYPE,
            **headers,
        }
        content = b"" if said is None else json.dumps(said, default=str).encode()
        return await self.http.post(f"/fhir/{path}", headers=own, content=content)

    async def done(self, path: str, said: Tree | None = None, *, key: str = "") -> Tree:
        """What an operation gives."""
        answer = await self.do(path, said, key=key)
        assert answer.status_code == 200, answer.text
        return read(answer)

    async def plan(self, *, fee_fen: int = 500, dept_code: str = "NK") -> UUID:
        """A department with a doctor, and a morning of it: four places, one for walk-ins."""
        hospital = self.ward.hospital
        await hospital.put_department(
            HIS,
            MERCHANT,
            DepartmentRequest(
                dept_code=dept_code, name_zh="内科", name_en="Internal medicine", place="二层东区"
            ),
        )
        await hospital.put_doctor(
            HIS,
            MERCHANT,
            DoctorRequest(
                doctor_code=f"D-{dept_code}",
                dept_code=dept_code,
                name="示例医生",
                title_zh="主任医师",
                title_en="Chief physician",
            ),
        )
        view, _ = await hospital.plan_schedule(
            HIS,
            MERCHANT,
            ScheduleRequest(
                dept_code=dept_code,
                doctor_code=f"D-{dept_code}",
                visit_on=MORNING.date(),
                session="morning",
                fee_fen=fee_fen,
                starts_at=MORNING,
                ends_at=MORNING.replace(hour=4),
                slot_count=4,
                walk_in_count=1,
            ),
            f"plan-{dept_code}",
        )
        return view.schedule_id

    async def shown(self, user_id: UUID) -> str:
        """A fresh code of a person, as it is scanned."""
        return str((await self.ward.shown(user_id)).credential)

    async def book(self, user_id: UUID, schedule_id: UUID, *, key: str = "") -> Tree:
        """A place for a person."""
        said = parameters(
            schedule_valueReference={"reference": f"Schedule/{schedule_id}"},
            credential_valueString=await self.shown(user_id),
        )
        return await self.done("Appointment/$book", said, key=key)

    async def day(self) -> Day:
        """A patient with a place, and an insured visit, paid, of which an item went back."""
        schedule = str(await self.plan(fee_fen=0))
        user_id = await self.ward.person()
        appointment = await self.book(user_id, UUID(schedule))
        (department,) = await self.found("Organization?identifier=NK")
        (location,) = await self.found("Location?identifier=NK")
        (doctor,) = await self.found("Practitioner?identifier=D-NK")
        (role,) = await self.found(f"PractitionerRole?practitioner={doctor['id']}")
        visit = await self.done(
            "Encounter/$open",
            parameters(
                department_valueReference={"reference": f"Organization/{department['id']}"},
                credential_valueString=await self.shown(user_id),
                visit_no_valueString="MZ0001",
                **INSURED,
            ),
        )
        bill = await self.done(f"Encounter/{visit['id']}/$bill", two_items())
        quote = await self.done(f"Invoice/{bill['id']}/$quote")
        shown = parameters(credential_valueString=await self.shown(user_id))
        await self.done(f"PaymentReconciliation/{quote['id']}/$pay", shown)
        (old,) = await self.found(f"ClaimResponse?payment={quote['id']}")
        back = await self.done(
            f"PaymentReconciliation/{quote['id']}/$return",
            parameters(
                return_no_valueString="TF0001",
                reason_valueString="检查取消",
                item_part=[returned(f"{bill['id']}.2", "400.00")],
            ),
        )
        (new,) = await self.found(f"ClaimResponse?payment={quote['id']}&status=active")
        return Day(
            user_id=user_id,
            patient=visit["subject"]["reference"].removeprefix("Patient/"),
            schedule=schedule,
            slot=appointment["slot"][0]["reference"].removeprefix("Slot/"),
            appointment=appointment["id"],
            hospital=department["partOf"]["reference"].removeprefix("Organization/"),
            department=department["id"],
            location=location["id"],
            practitioner=doctor["id"],
            role=role["id"],
            visit=visit["id"],
            bill=bill["id"],
            payment=quote["id"],
            back=back["id"],
            claim=new["id"],
            old_claim=old["id"],
            setl_id=new["identifier"][0]["value"],
        )


@pytest.fixture
async def clinic(
    city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> AsyncIterator[Clinic]:
    """The hospital with its insurer, behind HTTP, on a database of its own."""
    books = InsuranceFund(":memory:")
    gateway = SimulatedGateway(books)

    async def judged(answer: httpx2.Response) -> None:
        if answer.request.url.path.startswith("/fhir"):
            await answer.aread()
            assert answer.headers["content-type"] == MEDIA_TYPE, answer.text
            judge(answer.content)

    async with open_city(
        city_addresses, city_settings, clock=city_clock, insurance=gateway
    ) as city:
        app = await make_api(city, public_url=URL, clock=city_clock)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url=URL,
            event_hooks={"response": [judged]},
        ) as http:
            ward = Ward(city, Life(city, city_clock), books, gateway, city_clock)
            assert HOSPITAL_MERCHANT == MERCHANT
            yield Clinic(ward, app, http, city_settings)
    books.close()
