"""The city's HTTP face, and a terminal that knocks."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from adapters import demo_city
from adapters.wiring import City
from cardcore.terminals.activation_code import enrolment_message
from tests.conftest import CityClock

URL = "https://card.example"
TERMINAL = demo_city.BUS_TERMINAL
Key = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk_of(key: Key) -> dict[str, str]:
    if isinstance(key, Ed25519PrivateKey):
        return demo_city.public_jwk(key)
    numbers = key.public_key().public_numbers()
    x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def sign(key: Key, message: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class Door:
    """The city's HTTP face, and those who knock."""

    http: httpx2.AsyncClient
    clock: CityClock
    city: City

    async def token(self, client_id: str, key: Key) -> httpx2.Response:
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": f"{URL}/v1/oauth/token",
            "exp": int(self.clock.now.timestamp()) + 120,
            "jti": uuid4().hex,
        }
        algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(claims, key, algorithm=algorithm),
        }
        return await self.http.post("/v1/oauth/token", data=form)

    async def as_client(self, client_id: str, key: Key) -> dict[str, str]:
        granted = await self.token(client_id, key)
        return {"Authorization": f"Bearer {granted.json()['access_token']}"}

    async def as_demo(self, client_id: str, city_home: Path) -> dict[str, str]:
        return await self.as_client(client_id, demo_city.client_key(city_home, client_id))

    async def activation_code(
        self, headers: dict[str, str], terminal_id: str = TERMINAL
    ) -> httpx2.Response:
        path = f"/v1/terminals/{terminal_id}/activation-codes"
        return await self.http.post(path, headers=headers)

    async def enrol(
        self,
        code: str,
        key: Key,
        *,
        terminal_id: str = TERMINAL,
        **changes: Any,  # noqa: ANN401
    ) -> httpx2.Response:
        body: dict[str, object] = {
            "terminal_id": terminal_id,
            "activation_code": code,
            "public_key": jwk_of(key),
            "proof": b64(sign(key, enrolment_message(terminal_id, code))),
        }
        return await self.http.post("/v1/enrolments", json=body | changes)
