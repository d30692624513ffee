"""What the load of orders is made of: a city with people and money, fresh codes, whole requests."""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel

import codes
from adapters import demo_city
from adapters.bench.http_load import post
from adapters.demo.api_client import APIClient
from adapters.demo.job import Person
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from cardcore.account.request import TopUpRequest
from cardcore.business.request import Business, OrderRequest, User, VerifyRequest
from cardcore.caller import Caller, Scope
from cardcore.user.request import OpenUserRequest

HOST: Final = "127.0.0.1"
PEOPLE_COUNT: Final = 200
BALANCE_FEN: Final = 100_000
CODE_TTL_S: Final = 3_600
VERIFICATIONS: Final = 500
_SCOPES: Final = frozenset(scope.value for scope in Scope)
_CENTRE: Final = Caller(client_id="card-centre", merchant_id=None, scopes=_SCOPES)
VALIDATOR: Final = Caller(
    client_id=demo_city.BUS_TERMINAL,
    merchant_id=demo_city.BUS_MERCHANT,
    terminal_id=demo_city.BUS_TERMINAL,
    scopes=_SCOPES,
)


async def load_city(settings: Settings, addresses: Addresses) -> None:
    """The demo city, and people with money."""
    async with open_city(addresses, settings) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        for number in range(PEOPLE_COUNT):
            person = Person(
                role="rider",
                name="示例",
                birth=f"1990{number // 28 % 12 + 1:02d}{number % 28 + 1:02d}",
                order=number,
                concession=None,
            )
            user, _ = await city.core.open_user(
                _CENTRE,
                OpenUserRequest(name=person.name, id_no=person.id_no, funds=["transit"]),
                f"open-{number}",
            )
            await city.core.top_up(
                _CENTRE,
                user.user_id,
                TopUpRequest(
                    fund="transit",
                    amount_fen=BALANCE_FEN,
                    channel="bench",
                    channel_no=str(number),
                ),
                f"topup-{number}",
            )


async def fresh_codes(city: City, count: int) -> list[str]:
    """Codes signed by the security module, their aliases registered in one go."""
    now = datetime.now(UTC)
    key = max(city.core.issuing_keys(), key=lambda one: one.kid)
    context = codes.context_of(demo_city.BUS_TERMINAL, key.algorithm)
    tokens = [os.urandom(8) for _ in range(count)]

    async def signer(message: bytes) -> bytes:
        return await city.hsm.sign(key.label, message)

    async def issue(token: bytes) -> str:
        fields = codes.FieldsS(
            algorithm=key.algorithm,
            issuer_id=key.issuer_id,
            kid=key.kid,
            token=token,
            jti=os.urandom(8),
            scope=codes.Scope.BUS,
            purpose=codes.Purpose.IDENTITY | codes.Purpose.PAY,
            issued_at_s=int(now.timestamp()),
            cap_fen=20_000,
            context=context,
            ttl_s=CODE_TTL_S,
        )
        return await codes.issue_s(fields, signer)

    texts: list[str] = []
    for start in range(0, count, 64):
        texts += await asyncio.gather(*(issue(token) for token in tokens[start : start + 64]))
    async with city.pool.connection() as connection:
        found = await connection.execute("SELECT user_id FROM cardcore.person")
        users = [row[0] for row in await found.fetchall()]
        await connection.execute(
            "INSERT INTO cardcore.code_token (token, user_id, issued_at, expires_at)"
            " SELECT token, user_id, %s, %s FROM unnest(%s::bytea[], %s::uuid[])"
            " AS given (token, user_id)",
            (
                now,
                now + timedelta(seconds=CODE_TTL_S),
                tokens,
                [users[number % len(users)] for number in range(count)],
            ),
        )
    return texts


def order_of(text: str, number: str) -> OrderRequest:
    """A bus fare, paid with a code."""
    return OrderRequest(
        user=User(credential=text),
        business=Business(
            scene="bus",
            type="fare",
            merchant_id=demo_city.BUS_MERCHANT,
            terminal_id=demo_city.BUS_TERMINAL,
            out_trade_no=number,
            occurred_at=utc_now(),
            details={"line": "K1", "on_stop": "SC01"},
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Whole HTTP requests."""

    orders: list[bytes]
    verifications: list[bytes]


async def prepare_http(
    count: int, settings: Settings, addresses: Addresses, port: int, name_of_round: str
) -> Prepared:
    """Requests with one token; each order with its own code, number and key."""
    base_url = f"http://{HOST}:{port}"
    name = demo_city.BUS_TERMINAL
    async with (
        open_city(addresses, settings) as city,
        APIClient(base_url, name, demo_city.client_key(settings.clients_home, name)) as client,
    ):
        token = await client.sign_in(utc_now())
        texts = await fresh_codes(city, count + VERIFICATIONS)
    bearer = ("Authorization", f"Bearer {token}")
    to_pay, to_verify = texts[:count], texts[count:]
    return Prepared(
        orders=[
            post(
                "/v1/orders",
                _json(order_of(text, f"HTTP{name_of_round}-{number}")),
                host=HOST,
                headers=[bearer, ("Idempotency-Key", f"http-{name_of_round}-{number}")],
            )
            for number, text in enumerate(to_pay)
        ],
        # Verifying spends nothing, so these go round.
        verifications=[
            post("/v1/verify", _json(_verification(text)), host=HOST, headers=[bearer])
            for text in to_verify
        ],
    )


def _verification(text: str) -> VerifyRequest:
    return VerifyRequest(
        user=User(credential=text),
        scene="bus",
        merchant_id=demo_city.BUS_MERCHANT,
        terminal_id=demo_city.BUS_TERMINAL,
    )


def _json(request: BaseModel) -> bytes:
    return json.dumps(request.model_dump(mode="json", exclude_none=True)).encode()
