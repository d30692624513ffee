"""Requests generated from the document, against the real city, each rightly proven.

What stands in ``NOUNS`` is tried with more requests, without a database, in
``tests/adapters/http/test_openapi.py``; here are all the others, the scenes among them. Together
they are everything: the last test holds them against what the city serves.

How: schemathesis makes requests from the OpenAPI document, good and bad; the city runs under the
real server in a thread of its own, since its pools belong to one event loop.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.http.app import NOUNS, PLATFORM_NOUNS
from adapters.http.bus import bus_noun
from adapters.http.bus_clearing import clearing_noun
from adapters.http.bus_flow import flow_noun
from adapters.http.early_warning import early_warning_noun
from adapters.http.my_parking import my_parking_noun
from adapters.http.openapi import openapi_document
from adapters.http.operation import Operation
from adapters.http.parking import parking_noun
from adapters.http.session_cookies import CITIZEN_COOKIE, OPERATOR_COOKIE
from adapters.http.settings import HTTPSettings
from adapters.http.visitors import visitor_noun
from adapters.infrastructure import Addresses
from adapters.server import http_server, listen
from adapters.settings import Settings
from adapters.wiring import City, hospital_nouns, make_api, open_city
from cardcore.platform.passwords import Cost
from cardcore.platform.request import CitizenSignIn, NewHostCode, NewOperator, SignIn
from cardcore.platform.roles import Role
from cardcore.platform.service import Platform
from cardcore.platform.totp import one_time_password, step_of
from scenes.bus.clearing_service import ClearingService
from scenes.bus.flow_service import FlowService
from scenes.bus.journey_service import JourneyService
from scenes.community.visits import VisitorDesk
from scenes.hospital.early_warning_service import EarlyWarningService
from scenes.hospital.guidance_service import GuidanceService
from scenes.hospital.report_service import ReportService
from scenes.hospital.service import Hospital
from scenes.parking.own import OwnParking
from scenes.parking.service import ParkingService
from tests.adapters.platform.conftest import INSTALLER, PASSWORD, secret_of
from tests.city_life import CENTRE, Life
from tests.conftest import CityClock, MakeDatabase

EXAMPLES_EACH = 2
TRUTHS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# The document is made from the operations themselves; of the server only its name is in it. These
# declarations are over services that nobody asks: the served city's own do the work.
SCENES = (
    bus_noun(cast("JourneyService", None)),
    clearing_noun(cast("ClearingService", None)),
    flow_noun(cast("FlowService", None)),
    *hospital_nouns(
        cast("Hospital", None), cast("ReportService", None), cast("GuidanceService", None)
    ),
    early_warning_noun(cast("EarlyWarningService", None)),
    parking_noun(cast("ParkingService", None)),
    my_parking_noun(cast("OwnParking", None)),
    visitor_noun(cast("VisitorDesk", None)),
)
TRIED = (*PLATFORM_NOUNS, *SCENES)
SCHEMA = schemathesis.openapi.from_dict(
    openapi_document(TRIED, HTTPSettings(public_url="http://127.0.0.1", version="0"))
)


@dataclass
class Served:
    """A city that listens, and what proves each kind of caller."""

    url: str = ""
    operations: tuple[Operation, ...] = ()
    document: dict[str, Any] = field(default_factory=dict)
    proofs: dict[str, dict[str, str]] = field(default_factory=dict)

    def proof(self, case: Case) -> dict[str, str]:
        """The headers that let the case in, as its operation's security asks."""
        security = case.operation.definition.raw.get("security", [])
        if not security:
            return {}
        (scheme,) = security[0]
        # A session that ends itself must not be the one the others enter with.
        leaves = case.operation.method.upper() == "DELETE"
        return self.proofs[f"leaving {scheme}" if leaves else scheme]


async def operator_session(city: City, clock: CityClock, name: str) -> dict[str, str]:
    operators = city.core.platform.operators
    request = NewOperator(operator_id=name, name="某人", roles=list(Role), password=PASSWORD)
    _, uri = await operators.add(INSTALLER, request)
    password = one_time_password(secret_of(uri), step_of(clock.now))
    view, token = await operators.sign_in(
        SignIn(operator_id=name, password=PASSWORD, totp=password)
    )
    return {"Cookie": f"{OPERATOR_COOKIE}={token}", "X-CSRF-Token": view.csrf_token}


async def citizen_session(city: City, life: Life) -> dict[str, str]:
    citizens = city.core.platform.citizens
    code = await citizens.host_code(CENTRE, NewHostCode(user_id=await life.person()))
    view, token = await citizens.sign_in(
        CitizenSignIn(host_code=code.host_code, client_id=CENTRE.client_id)
    )
    return {"Cookie": f"{CITIZEN_COOKIE}={token}", "X-CSRF-Token": view.csrf_token}


async def bearer(url: str, clock: CityClock, given: Settings) -> dict[str, str]:
    key = demo_city.client_key(given.clients_home, "card-centre")
    proof = client_assertion("card-centre", key, audience=f"{url}/v1/oauth/token", now=clock.now)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
    }
    async with httpx2.AsyncClient(base_url=url) as http:
        answer = await http.post("/v1/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def serve(
    served: Served,
    addresses: Addresses,
    given: Settings,
    ready: Callable[[asyncio.AbstractEventLoop, asyncio.Event], None],
) -> None:
    clock, stopping = CityClock(), asyncio.Event()
    async with open_city(addresses, given, clock=clock) as city:
        cheap = Cost(passes=1, memory_kib=8 * 1024)
        city.core.platform = Platform(city.core._parts, password_cost=cheap)
        listener = listen("127.0.0.1", 0)
        listener.listen()
        served.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = await make_api(city, public_url=served.url, clock=clock)
        served.operations = app.operations
        served.document = app.document
        server = http_server(app)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        life = Life(city, clock)
        served.proofs = {
            "oauth2": await bearer(served.url, clock, given),
            "operator_session": await operator_session(city, clock, "one.op"),
            "citizen_session": await citizen_session(city, life),
            "leaving operator_session": await operator_session(city, clock, "two.op"),
            "leaving citizen_session": await citizen_session(city, life),
        }
        ready(asyncio.get_running_loop(), stopping)
        await stopping.wait()
        server.should_exit = True
        await running


@pytest.fixture(scope="module")
def served(
    make_database: MakeDatabase, city_template: str, hsm_socket: Path, city_settings: Settings
) -> Iterator[Served]:
    made, started = Served(), threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    addresses = Addresses(database_url=make_database(template=city_template), hsm_socket=hsm_socket)
    given = city_settings.model_copy(update={"rate_per_s": 0})

    def ready(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
        handles.append((loop, stopping))
        started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve(made, addresses, given, ready)))
    thread.start()
    assert started.wait(60)
    yield made
    ((loop, stopping),) = handles
    loop.call_soon_threadsafe(stopping.set)
    thread.join()


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES_EACH,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_meet_no_fault_and_nothing_undocumented(
    case: Case, served: Served
) -> None:
    case.cookies = {}  # the right session, not a made-up one beside it
    case.call_and_validate(base_url=served.url, headers=served.proof(case), checks=TRUTHS)


def test_every_operation_the_city_serves_is_tried(served: Served) -> None:
    tried = {(one.method, one.path) for noun in (*NOUNS, *TRIED) for one in noun.operations}
    assert {(one.method, one.path) for one in served.operations} == tried


def test_every_reference_of_the_served_document_leads_somewhere(served: Served) -> None:
    """Why: models of two packages may have one name; no client can be made of a broken document."""
    schemas = {f"#/components/schemas/{name}" for name in served.document["components"]["schemas"]}
    named = set(re.findall(r"'\$ref': '([^']+)'", str(served.document)))
    assert named
    assert named <= schemas
