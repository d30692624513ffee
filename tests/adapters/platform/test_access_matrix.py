"""Every declared route × no proof, wrong scope, foreign object, right caller (fault 33).

Generated from what the running city serves: no route can be forgotten, and one that cannot be
called from its own declaration fails.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ValidationError
from starlette.routing import Route

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import public_jwk
from adapters.http.operation import Operation
from adapters.http.session_cookies import OPERATOR_COOKIE
from adapters.settings import Settings
from adapters.wiring import City
from adapters.worker import make_deliveries
from cardcore.books import transaction
from cardcore.business.merchants import register_client
from cardcore.caller import Caller, Scope
from cardcore.platform.request import NewWebhookEndpoint
from cardcore.platform.roles import SCOPES, Role
from tests.adapters.platform.conftest import PUBLIC_URL, Desk, Web
from tests.adapters.platform.test_citizen_views import page_of

# What belongs to one merchant, and what a request calls it by.
OWNED = {"merchant_id", "order_id", "endpoint_id", "delivery_id", "terminal_id"}
CANDIDATES = (
    demo_city.BUS_MERCHANT,
    "2026-06-01",
    "2026-06-01T00:00:00Z",
    "1",
    "payable",
    str(uuid4()),
)


# What is open to everybody. A new one is added here by hand, on purpose.
PUBLIC = {
    "GET /v1/key-ring",
    "GET /v1/scopes",
    "GET /v1/webhook-keys",
    "POST /v1/channels/{channel}/notices",
    "POST /v1/citizen-session",
    "POST /v1/enrolments",
    "POST /v1/operators/session",
}
FHIR = "/fhir"
UNDECLARED = {
    "/assets/{name}",
    "/citizen/",
    "/citizen/{name}",
    "/docs",
    "/docs/page.css",
    "/gate/",
    "/gate/{name}",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/problems",
    "/problems/{code}",
    "/readyz",
    "/v1/oauth/token",
}


def whose(web: Web, *access: str) -> list[Operation]:
    """The operations of some kinds of caller, all that the city serves."""
    return [one for one in web.app.operations if not one.public and one.access in access]


def clients(web: Web) -> list[Operation]:
    return whose(web, "client", "office")


def operators(web: Web) -> list[Operation]:
    """An office's operation is a client's and an operator's: it is tried as both."""
    return whose(web, "operator", "office")


def citizens(web: Web) -> list[Operation]:
    return whose(web, "citizen")


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def keys_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)


def query_of(model: type[BaseModel]) -> dict[str, str]:
    """A query the model takes, found by trying."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    for values in itertools.product(CANDIDATES, repeat=len(required)):
        query = dict(zip(required, values, strict=True))
        try:
            model.model_validate(query)
        except ValidationError:
            continue
        return query
    raise AssertionError(f"{model.__name__}: no query was found")


@dataclass
class Objects:
    """What belongs to the bus company."""

    order_id: UUID
    endpoint_id: UUID
    delivery_id: UUID
    code: str

    def path(self, operation: Operation) -> str:
        """The operation's path with the bus company's objects in it."""
        names: dict[str, object] = {
            "order_id": self.order_id,
            "endpoint_id": self.endpoint_id,
            "delivery_id": self.delivery_id,
            "merchant_id": demo_city.BUS_MERCHANT,
            "terminal_id": demo_city.BUS_TERMINAL,
            "business_on": date(2026, 5, 1),
            "client_id": "nobody",
            "operator_id": "nobody",
        }
        parts = [
            str(names.get(part.strip("{}"), uuid4())) if part.startswith("{") else part
            for part in operation.path.split("/")
        ]
        return "/".join(parts)

    def filled(self, value: Any, key: str = "") -> Any:  # noqa: ANN401  (JSON)
        """An example with the bus company's objects in it."""
        if isinstance(value, dict):
            return {name: self.filled(inner, name) for name, inner in value.items()}
        known = {
            "merchant_id": demo_city.BUS_MERCHANT,
            "terminal_id": demo_city.BUS_TERMINAL,
            "credential": self.code,
        }
        return known.get(key, value)

    def query(self, operation: Operation) -> dict[str, str]:
        if operation.method == "POST" or operation.body is None:
            return {}
        return {**query_of(operation.body)}

    def body(self, operation: Operation) -> Any:  # noqa: ANN401  (JSON)
        if operation.method != "POST" or operation.body is None:
            return None
        assert operation.examples, f"{name_of(operation)} shows no example"
        return self.filled(dict(next(iter(operation.examples.values()))))

    def names(self, operation: Operation) -> set[str]:
        """What of a merchant's the request names."""
        in_path = {part.strip("{}") for part in operation.path.split("/") if part.startswith("{")}
        return OWNED & {*in_path, *self.query(operation), *keys_of(self.body(operation))}

    async def call(
        self, http: httpx2.AsyncClient, operation: Operation, headers: dict[str, str]
    ) -> httpx2.Response:
        """The request as its declaration has it."""
        own = {**headers, **({"Idempotency-Key": uuid4().hex} if operation.keyed else {})}
        return await http.request(
            operation.method,
            self.path(operation),
            params=self.query(operation),
            json=self.body(operation),
            headers=own,
        )


@pytest.fixture
async def objects(web: Web) -> Objects:
    """One of each."""
    core = web.city.core
    centre = Caller(
        client_id="centre", merchant_id=None, scopes=frozenset(scope.value for scope in Scope)
    )
    endpoint = await core.platform.webhooks.register(
        centre,
        NewWebhookEndpoint(merchant_id=demo_city.BUS_MERCHANT, url="https://hooks.example/"),
    )
    user_id = await web.life.person()
    order = await web.life.pay(user_id)
    deliveries = make_deliveries(web.city.engine, web.city.hsm, Settings())
    while await deliveries.relay(web.clock.now):
        pass
    async with web.city.pool.connection() as connection:
        cursor = await connection.execute("SELECT delivery_id FROM cardcore.webhook_delivery")
        row = await cursor.fetchone()
    assert row is not None
    return Objects(order.order_id, endpoint.endpoint_id, row[0], await web.life.code(user_id))


KEY = Ed25519PrivateKey.generate()


async def admit(city: City, client_id: str, merchant_id: str | None, web: Web) -> None:
    async with transaction(city.engine) as (connection, _):
        await register_client(
            connection,
            client_id=client_id,
            merchant_id=merchant_id,
            terminal_id=None,
            scopes=list(Scope),
            public_key=public_jwk(KEY),
            now=web.clock.now,
        )


async def token(web: Web, client_id: str, without: Scope | None = None) -> dict[str, str]:
    """Headers of a client with all scopes but one."""
    proof = client_assertion(
        client_id, KEY, audience=f"{PUBLIC_URL}/v1/oauth/token", now=web.clock.now
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
        "scope": " ".join(scope.value for scope in Scope if scope is not without),
    }
    answer = await web.browser().post("/v1/oauth/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def seen(operation: Operation, answer: httpx2.Response) -> str:
    code = "" if answer.is_success else answer.json().get("code", "")
    return f"{name_of(operation)} → {answer.status_code} {code}"


def served_by(web: Web) -> set[tuple[str, str]]:
    """Method and path of every route."""
    routes = [route for route in web.app.router.routes if isinstance(route, Route)]
    assert len(routes) == len(web.app.router.routes), "something is mounted"
    return {
        (method, route.path)
        for route in routes
        for method in route.methods or ()
        if method != "HEAD"
    }


def test_every_route_the_city_serves_is_an_operation_or_public_by_name(web: Web) -> None:
    """Why: a route beside the declarations would have no scope, no form and no row here."""
    declared = {(one.method, one.path) for one in web.app.operations}
    served = served_by(web)
    beside = {
        path
        for method, path in served
        if (method, path) not in declared and not path.startswith(FHIR)
    }
    assert beside == UNDECLARED
    assert declared <= served
    public = {name_of(one) for one in web.app.operations if one.public}
    assert public == PUBLIC


async def test_without_proof_no_route_lets_anybody_in(web: Web, objects: Objects) -> None:
    browser, wrong = web.browser(), []
    for operation in clients(web):
        answer = await objects.call(browser, operation, {})
        if (answer.status_code, answer.json()["code"]) != (401, "token_missing"):
            wrong.append(seen(operation, answer))
    for operation in (*operators(web), *citizens(web)):
        cookie = (
            {"Cookie": f"__Host-{OPERATOR_COOKIE}={'x' * 43}"}
            if operation.access == "office"
            else {}
        )
        answer = await objects.call(browser, operation, {"X-CSRF-Token": "x" * 43, **cookie})
        if (answer.status_code, answer.json()["code"]) != (401, "session_invalid"):
            wrong.append(seen(operation, answer))
    assert wrong == []


async def test_without_proof_the_fhir_face_tells_what_it_is_and_no_more(web: Web) -> None:
    """Its scopes and foreign objects: tests/adapters/fhir, where its own declarations are."""
    paths = {one for one in served_by(web) if one[1].startswith(FHIR)}
    assert len(paths) > 20
    transport = httpx2.ASGITransport(app=web.app)
    answers = {}
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as browser:
        for method, path in paths:
            answers[method, path] = (
                await browser.request(method, path.replace("{id}", str(uuid4())))
            ).status_code
    answered = {path for (_, path), status in answers.items() if status not in (401, 405)}
    assert answered <= {
        "/fhir/metadata",
        "/fhir/OperationDefinition/{id}",  # what an operation is, not what it did
        "/fhir",  # nothing is there, nor below it where nothing else is
        "/fhir/{rest:path}",
    }
    nothing = {answers[one] for one in answers if one[1] in ("/fhir", "/fhir/{rest:path}")}
    assert nothing <= {404, 405}


async def test_without_its_scope_every_route_is_forbidden(web: Web, objects: Objects) -> None:
    """Why the example must be sound: a scope is looked at after the form of the request."""
    await admit(web.city, "matrix", None, web)
    browser, wrong = web.browser(), []
    scopes = {operation.scope for operation in clients(web) if operation.scope is not None}
    headers = {scope: await token(web, "matrix", scope) for scope in scopes}
    for operation in clients(web):
        if operation.scope is not None:
            answer = await objects.call(browser, operation, headers[operation.scope])
            if answer.status_code != 403 or answer.json()["code"] != "forbidden":
                wrong.append(seen(operation, answer))
    assert wrong == []


async def test_without_its_scope_every_operators_route_is_forbidden(
    web: Web, objects: Objects
) -> None:
    desks: dict[Role, Desk] = {}
    for number, role in enumerate(Role):
        await web.add_operator(f"op{number}.x", [role])
        desks[role] = await web.desk(f"op{number}.x")
    wrong = []
    for operation in operators(web):
        if operation.scope is not None:
            for role, desk in desks.items():
                if operation.scope not in SCOPES[role]:
                    headers = {"X-CSRF-Token": desk.csrf_token}
                    answer = await objects.call(desk.http, operation, headers)
                    if answer.status_code != 403 or answer.json()["code"] != "forbidden":
                        wrong.append(f"{role}: {seen(operation, answer)}")
    assert wrong == []


async def test_what_belongs_to_another_merchant_is_not_found_on_any_route(
    web: Web, objects: Objects
) -> None:
    """How: the community's client has every scope and names what is the bus company's."""
    await admit(web.city, "matrix", demo_city.GATE_MERCHANT, web)
    headers = await token(web, "matrix")
    browser, wrong = web.browser(), []
    nobodys = replace(objects, order_id=uuid4(), endpoint_id=uuid4(), delivery_id=uuid4())
    named = [operation for operation in clients(web) if objects.names(operation)]
    assert len(named) > 15
    for operation in named:
        answer = await objects.call(browser, operation, headers)
        if answer.status_code == 403:
            # No function of any merchant: then it must say so of what is not there, too.
            same = await nobodys.call(browser, operation, headers)
            if same.status_code == 403:
                continue
        if answer.status_code != 404:
            wrong.append(seen(operation, answer))
    assert wrong == []


async def test_the_right_caller_is_let_in_on_every_route(web: Web, objects: Objects) -> None:
    await admit(web.city, "matrix", None, web)
    headers = await token(web, "matrix")
    browser, wrong = web.browser(), []
    for operation in clients(web):
        answer = await objects.call(browser, operation, headers)
        if answer.status_code in (401, 403) or answer.status_code >= 500:
            wrong.append(seen(operation, answer))
    await web.add_operator("all.roles", list(Role))
    desk = await web.desk("all.roles")
    for operation in sorted(operators(web), key=lambda one: one.method == "DELETE"):
        answer = await objects.call(desk.http, operation, {"X-CSRF-Token": desk.csrf_token})
        if answer.status_code in (401, 403) or answer.status_code >= 500:
            wrong.append(seen(operation, answer))
    assert wrong == []


async def test_a_citizen_is_let_in_everywhere_and_finds_nothing_of_another(
    web: Web, objects: Objects, city_settings: Settings
) -> None:
    """How: every citizen's route, once with what is another's and once as it stands."""
    page, csrf_token = await page_of(web, city_settings, await web.life.person())
    headers, wrong = {"X-CSRF-Token": csrf_token}, []
    for operation in citizens(web):
        if operation.method == "DELETE":
            continue  # it ends the session; shown in test_citizens
        answer = await objects.call(page, operation, headers)
        names_something = "{" in operation.path
        if (
            answer.status_code in (401, 403)
            or answer.status_code >= 500
            or (names_something and answer.status_code != 404)
        ):
            wrong.append(seen(operation, answer))
    assert wrong == []


async def test_a_session_of_one_kind_opens_no_route_of_another(
    web: Web, objects: Objects, city_settings: Settings
) -> None:
    page, csrf_token = await page_of(web, city_settings, await web.life.person())
    await web.add_operator("all.roles", list(Role))
    desk = await web.desk("all.roles")
    wrong = []
    for operation in operators(web):
        answer = await objects.call(page, operation, {"X-CSRF-Token": csrf_token})
        if answer.status_code != 401:
            wrong.append(seen(operation, answer))
    for operation in citizens(web):
        answer = await objects.call(desk.http, operation, {"X-CSRF-Token": desk.csrf_token})
        if answer.status_code != 401:
            wrong.append(seen(operation, answer))
    assert wrong == []
