"""The card centre at the HTTP face of the demo city; every answer is held against the document."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.settings import Settings
from adapters.wiring import City, make_api
from tests.adapters.http.conftest import assert_documented
from tests.city_life import Life
from tests.conftest import CityClock

URL = "https://card.example"


@dataclass
class Centre:
    """The card centre's client, and all that was answered and logged."""

    life: Life
    http: httpx2.AsyncClient
    log: io.BytesIO
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[httpx2.Response] = field(default_factory=list)

    async def post(self, path: str, body: object, *, status: int = 201) -> dict[str, Any]:
        """Ask for an effect under a key of its own."""
        headers = self.headers | {"Idempotency-Key": uuid4().hex}
        return self._kept(await self.http.post(path, json=body, headers=headers), status)

    async def get(self, path: str, *, status: int = 200, **query: str) -> dict[str, Any]:
        """Read."""
        return self._kept(await self.http.get(path, params=query, headers=self.headers), status)

    async def text(self, path: str) -> str:
        """Read what is not JSON."""
        return (await self.http.get(path, headers=self.headers)).text

    def _kept(self, answer: httpx2.Response, status: int) -> dict[str, Any]:
        self.answers.append(answer)
        assert answer.status_code == status, answer.text
        view: dict[str, Any] = answer.json()
        return view


@asynccontextmanager
async def centre_of(city: City, clock: CityClock, settings: Settings) -> AsyncIterator[Centre]:
    """Sign the card centre in."""
    log = io.BytesIO()
    app = await make_api(city, public_url=URL, clock=clock, log_to=log)

    async def documented(response: httpx2.Response) -> None:
        assert_documented(app.document, response)

    http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=URL,
        event_hooks={"response": [documented]},
    )
    async with http:
        key = demo_city.client_key(settings.clients_home, "card-centre")
        proof = client_assertion(
            "card-centre", key, audience=f"{URL}/v1/oauth/token", now=clock.now
        )
        answer = await http.post(
            "/v1/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": proof,
            },
        )
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        yield Centre(Life(city, clock), http, log, bearer)
