"""The HTTP face around a fake core, with a clock that stands still and clients with real keys."""

import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.http.access import AccessTokens
from adapters.http.access_keys import AccessKeys, FixedKey
from adapters.http.app import CardcoreAPI, create_app
from adapters.http.door_limits import DoorLimits
from adapters.http.logs import Log
from adapters.http.rate_limits import RateLimits
from adapters.http.settings import HTTPSettings
from adapters.http.used_assertions import UsedAssertionsInMemory
from cardcore.caller import ClientRecord, Scope
from tests.adapters.http.fake_core import NOW, FakeCore

ALL_SCOPES = frozenset(scope.value for scope in Scope)
MERCHANT = "bus-shanting"
PUBLIC_URL = "https://card.example"


@dataclass
class StandingClock:
    """A clock that moves when told."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Client:
    """A registered client with its private key."""

    client_id: str
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    algorithm: str

    def assertion(self, clock: StandingClock, **changes: object) -> str:
        claims: dict[str, Any] = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{PUBLIC_URL}/v1/oauth/token",
            "exp": int(clock().timestamp()) + 120,
            "jti": uuid4().hex,
        }
        claims |= changes
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, self.key, algorithm=self.algorithm)


@dataclass
class Face:
    """The app and everything around it that a test looks at or turns."""

    app: CardcoreAPI
    core: FakeCore
    clock: StandingClock
    settings: HTTPSettings
    tokens: AccessTokens
    access_key: Ed25519PrivateKey
    log_stream: io.BytesIO
    http: httpx2.AsyncClient
    clients: dict[str, Client] = field(default_factory=dict)

    def register(
        self,
        client_id: str = "validator-1",
        *,
        merchant_id: str | None = MERCHANT,
        scopes: frozenset[str] = ALL_SCOPES,
        curve: str = "Ed25519",
        status: str = "active",
    ) -> Client:
        if curve == "Ed25519":
            client = Client(client_id, Ed25519PrivateKey.generate(), "EdDSA")
            jwk = jwt.algorithms.OKPAlgorithm.to_jwk(client.key.public_key(), as_dict=True)
        else:
            client = Client(client_id, ec.generate_private_key(ec.SECP256R1()), "ES256")
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(client.key.public_key(), as_dict=True)
        self.clients[client_id] = client
        self.core.clients[client_id] = ClientRecord(
            client_id=client_id,
            merchant_id=merchant_id,
            terminal_id=None,
            scopes=scopes,
            public_key_jwk=jwk,
            status=status,
        )
        return client

    def bearer(
        self,
        client_id: str = "validator-1",
        *,
        merchant_id: str | None = MERCHANT,
        scopes: frozenset[str] = ALL_SCOPES,
    ) -> dict[str, str]:
        """Headers of a client that has its token already."""
        if client_id not in self.core.clients:
            self.register(client_id, merchant_id=merchant_id, scopes=scopes)
        return {"Authorization": f"Bearer {self.tokens.issue(client_id, scopes)}"}

    def keyed(
        self, client_id: str = "validator-1", *, merchant_id: str | None = MERCHANT
    ) -> dict[str, str]:
        """Headers of a request that moves money, with a key never used before."""
        headers = self.bearer(client_id, merchant_id=merchant_id)
        return {**headers, "Idempotency-Key": uuid4().hex}

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_stream.getvalue().splitlines()]


def make_face(
    *,
    limits: RateLimits | None = None,
    doors: DoorLimits | None = None,
    log_to: io.BytesIO | None = None,
    **settings: float | str,
) -> Face:
    """A face with settings of its own; its HTTP client is not yet closed."""
    core = FakeCore()
    clock = StandingClock()
    chosen = HTTPSettings(**{"public_url": PUBLIC_URL, "version": "0.0.0", **settings})
    key = Ed25519PrivateKey.generate()
    keys = AccessKeys(FixedKey(key), {1: key})
    stream = log_to or io.BytesIO()
    app = create_app(
        core,
        settings=chosen,
        access_keys=keys,
        used_assertions=UsedAssertionsInMemory(),
        clock=clock,
        log=Log(stream),
        limits=limits,
        doors=doors,
    )

    async def documented(response: httpx2.Response) -> None:
        assert_documented(app.document, response)

    http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url=PUBLIC_URL,
        event_hooks={"response": [documented]},
    )
    tokens = AccessTokens(keys, chosen, clock)
    return Face(app, core, clock, chosen, tokens, key, stream, http)


def assert_documented(document: dict[str, Any], response: httpx2.Response) -> None:
    """Every answer seen in any test must stand in the OpenAPI document."""
    path, method = response.request.url.path, response.request.method.lower()
    for template, methods in document["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method in methods:
            answers = methods[method]["responses"]
            assert str(response.status_code) in answers, (method, template, response.status_code)
            kinds = answers[str(response.status_code)].get("content")
            if kinds is None:
                assert not response.content
                return
            assert response.headers["content-type"].partition(";")[0] in kinds
            return


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    """The HTTP face with its usual settings."""
    made = make_face()
    async with made.http:
        yield made


@pytest.fixture
def order() -> dict[str, Any]:
    """A well-formed order."""
    return an_order()


def an_order() -> dict[str, Any]:
    """A well-formed order with a number of its own."""
    return {
        "user": {"credential": "M1:ABC"},
        "account": {"fund": "auto"},
        "business": {
            "scene": "bus",
            "type": "fare",
            "merchant_id": MERCHANT,
            "terminal_id": "bus-0001",
            "out_trade_no": uuid4().hex,
            "occurred_at": "2026-11-23T16:00:00+08:00",
            "details": {"line": "1"},
        },
        "mode": "pay",
    }
