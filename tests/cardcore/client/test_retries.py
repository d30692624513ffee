"""The client repeats what may help, with the same key, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic_core import to_json

from cardcore.account.request import TopUpRequest
from cardcore.client.refusals import UnknownRefusalError, refusal_of
from cardcore.client.service import CardcoreClient
from cardcore.errors import CardcoreError, LimitExceededError, ServiceUnavailableError

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
USER = "01932b1f-0000-7000-8000-000000000000"
VIEW = {
    "topup_id": USER,
    "user_id": USER,
    "fund": "transit",
    "amount_fen": 5,
    "channel": "t",
    "channel_no": "C1",
    "recorded_at": "2026-11-23T08:00:00Z",
}
TOP_UP = TopUpRequest(fund="transit", amount_fen=5, channel="t", channel_no="C1")
Answer = httpx2.Response | Exception


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"code": code, "detail": "d", "errors": [], "facts": {"limit": "x"}}
    return httpx2.Response(status, content=to_json(body), headers=headers)


class Server:
    """Answers as it is told, one answer per request; tokens it always gives."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []
        self.tokens = 0
        self.slept: list[float] = []
        self.now = NOW

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/oauth/token":
            self.tokens += 1
            granted = {"access_token": f"t{self.tokens}", "expires_in": 600}
            return httpx2.Response(200, content=to_json(granted))
        self.keys.append(request.headers["idempotency-key"])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def client(self) -> CardcoreClient:
        return CardcoreClient(
            "https://card.example",
            "c",
            Ed25519PrivateKey.generate(),
            clock=lambda: self.now,
            transport=httpx2.MockTransport(self),
            waits_s=(0.1, 0.4),
            sleep=self.sleep,
        )

    async def top_up(self) -> Any:  # noqa: ANN401  (the view and whether it was there)
        async with self.client() as client:
            return await client.top_up(UUID(USER), TOP_UP)


def done() -> httpx2.Response:
    return httpx2.Response(201, content=to_json(VIEW))


@pytest.mark.parametrize(
    "first",
    [
        lambda: httpx2.ConnectError("x"),
        lambda: httpx2.ReadTimeout("x"),
        lambda: problem(503, "service_unavailable"),
        lambda: problem(409, "request_in_flight"),
        lambda: problem(429, "rate_limited"),
        lambda: httpx2.Response(502, content=b"<html>"),
    ],
)
async def test_what_may_help_is_repeated_with_the_same_key(first: Callable[[], Answer]) -> None:
    server = Server(first(), done())
    view, replayed = await server.top_up()
    assert (view.amount_fen, replayed) == (5, False)
    assert len(server.keys) == 2
    assert len(set(server.keys)) == 1
    assert server.slept == [0.1]


async def test_the_server_says_how_long_to_wait() -> None:
    server = Server(problem(429, "rate_limited", **{"retry-after": "7"}), done())
    await server.top_up()
    assert server.slept == [7.0]


async def test_a_refusal_is_final() -> None:
    server = Server(problem(409, "limit_exceeded"))
    with pytest.raises(LimitExceededError) as refused:
        await server.top_up()
    assert refused.value.facts == {"limit": "x"}
    assert server.slept == []


async def test_after_the_last_try_the_caller_is_told() -> None:
    server = Server(*(httpx2.ConnectError("x") for _ in range(3)))
    with pytest.raises(ServiceUnavailableError):
        await server.top_up()
    assert len(server.keys) == 3


async def test_a_token_that_is_refused_is_renewed_once() -> None:
    server = Server(problem(401, "token_invalid"), done())
    await server.top_up()
    assert server.tokens == 2
    stubborn = Server(problem(401, "token_invalid"), problem(401, "token_invalid"))
    with pytest.raises(CardcoreError):
        await stubborn.top_up()
    assert stubborn.tokens == 2


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    server = Server(done(), done(), done())
    async with server.client() as client:
        for seconds, tokens in ((0, 1), (569, 1), (1, 2)):
            server.now += timedelta(seconds=seconds)
            await client.top_up(UUID(USER), TOP_UP)
            assert server.tokens == tokens


async def test_a_client_that_is_not_let_in_is_told() -> None:
    async def refuse(request: httpx2.Request) -> httpx2.Response:
        body = {"error": "invalid_client", "error_description": "d"}
        return httpx2.Response(401, content=to_json(body))

    client = CardcoreClient(
        "https://card.example",
        "c",
        Ed25519PrivateKey.generate(),
        clock=lambda: NOW,
        transport=httpx2.MockTransport(refuse),
    )
    async with client:
        with pytest.raises(UnknownRefusalError) as refused:
            await client.books()
    assert (refused.value.problem_code, refused.value.status) == ("invalid_client", 401)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"code": "of_tomorrow"}'])
def test_an_answer_that_is_no_known_problem_is_a_refusal_all_the_same(content: bytes) -> None:
    refusal = refusal_of(418, content)
    assert isinstance(refusal, UnknownRefusalError)
    assert refusal.status == 418
