"""The whole city behind its HTTP face: real core, real database, operators at their desks."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest

from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import client_key
from adapters.http.app import CardcoreAPI
from adapters.settings import Settings
from adapters.wiring import City, make_api
from cardcore.caller import Caller, Scope
from cardcore.platform.passwords import Cost
from cardcore.platform.request import NewOperator
from cardcore.platform.roles import Role
from cardcore.platform.service import Platform
from cardcore.platform.totp import one_time_password, step_of
from tests.adapters.http.conftest import assert_documented
from tests.city_life import Life
from tests.conftest import CityClock

PUBLIC_URL = "https://card.example"
PASSWORD = "correct horse 42 battery"
INSTALLER = Caller(
    client_id="installer", merchant_id=None, scopes=frozenset({Scope.OPERATORS_WRITE.value})
)
ROLES = {
    "zhang.wei": [Role.CLERK],
    "li.na": [Role.SUPERVISOR],
    "wang.fang": [Role.SUPERVISOR],
    "zhao.min": [Role.SECURITY],
    "sun.li": [Role.AUDITOR],
}


def secret_of(uri: str) -> bytes:
    """The secret in what an authenticator reads."""
    text = parse_qs(urlsplit(uri).query)["secret"][0]
    return base64.b32decode(text + "=" * (-len(text) % 8))


@dataclass
class Desk:
    """An operator who is signed in."""

    http: httpx2.AsyncClient
    csrf_token: str

    async def get(self, path: str, **query: str | int) -> httpx2.Response:
        return await self.http.get(path, params=query)

    async def post(self, path: str, body: object = None, **headers: str) -> httpx2.Response:
        own = {"X-CSRF-Token": self.csrf_token, **headers}
        if body is None:
            return await self.http.post(path, headers=own)
        return await self.http.post(path, json=body, headers=own)

    async def propose(self, content: dict[str, Any]) -> dict[str, Any]:
        body = {"content": content, "purpose": "工单 2026-118"}
        answer = await self.post("/v1/proposals", body, **{"Idempotency-Key": uuid4().hex})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def decide(self, proposal: dict[str, Any], verb: str = "approve") -> httpx2.Response:
        body = {"digest": proposal["digest"], "purpose": "核对无误"}
        return await self.post(f"/v1/proposals/{proposal['proposal_id']}/{verb}", body)


@dataclass
class Web:
    """The city as browsers and systems see it."""

    city: City
    app: CardcoreAPI
    clock: CityClock
    life: Life
    settings: Settings
    secrets: dict[str, bytes] = field(default_factory=dict)
    opened: list[httpx2.AsyncClient] = field(default_factory=list)

    def browser(self) -> httpx2.AsyncClient:
        """A client with cookies of its own; every answer must stand in the document."""

        async def documented(response: httpx2.Response) -> None:
            assert_documented(self.app.document, response)

        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=PUBLIC_URL,
            event_hooks={"response": [documented]},
        )
        self.opened.append(client)
        return client

    def one_time_password(self, operator_id: str) -> str:
        return one_time_password(self.secrets[operator_id], step_of(self.clock.now))

    async def add_operator(self, operator_id: str, roles: list[Role]) -> None:
        request = NewOperator(operator_id=operator_id, name="某人", roles=roles, password=PASSWORD)
        _, uri = await self.city.core.platform.operators.add(INSTALLER, request)
        self.secrets[operator_id] = secret_of(uri)

    async def sign_in(
        self, operator_id: str, /, **changes: str
    ) -> tuple[httpx2.AsyncClient, httpx2.Response]:
        body = {
            "operator_id": operator_id,
            "password": PASSWORD,
            "totp": self.one_time_password(operator_id)
            if operator_id in self.secrets
            else "000000",
        }
        browser = self.browser()
        return browser, await browser.post("/v1/operators/session", json=body | changes)

    async def desk(self, operator_id: str) -> Desk:
        """An operator, added with the roles of its name and signed in."""
        if operator_id not in self.secrets:
            await self.add_operator(operator_id, ROLES[operator_id])
        browser, answer = await self.sign_in(operator_id)
        assert answer.status_code == 201, answer.text
        return Desk(browser, answer.json()["csrf_token"])

    async def token(self, client_id: str, settings: Settings) -> dict[str, str]:
        """Headers of a client of the demo city that has got a token with its own key."""
        key = client_key(settings.clients_home, client_id)
        assertion = client_assertion(
            client_id, key, audience=f"{PUBLIC_URL}/v1/oauth/token", now=self.clock.now
        )
        answer = await self.browser().post(
            "/v1/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion,
            },
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def audit(self, action: str) -> list[tuple[str, str, str, str]]:
        """(actor, object, outcome, purpose) of all rows of an action."""
        async with self.city.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT client_id, object, outcome, purpose FROM cardcore.audit_event"
                " WHERE action = %s ORDER BY seq",
                (action,),
            )
            return [tuple(row) for row in await cursor.fetchall()]

    async def fund_id(self, user_id: UUID) -> UUID:
        async with self.city.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT fund_id FROM cardcore.fund WHERE user_id = %s", (user_id,)
            )
            row = await cursor.fetchone()
        assert row is not None
        return UUID(str(row[0]))


@pytest.fixture
async def web(city: City, city_clock: CityClock, city_settings: Settings) -> AsyncIterator[Web]:
    """The city behind its face. Guessing a password is cheap here, so that tests are quick."""
    city.core.platform = Platform(
        city.core._parts, password_cost=Cost(passes=1, memory_kib=8 * 1024)
    )
    app = await make_api(city, public_url=PUBLIC_URL, clock=city_clock)
    made = Web(city, app, city_clock, Life(city, city_clock), city_settings)
    yield made
    for client in made.opened:
        await client.aclose()
