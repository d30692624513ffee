"""What an answer means: come back, or refused; nothing a server sends can hurt the terminal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import jwt
import pytest

from adapters.terminal import server as server_module
from adapters.terminal.key import make_key
from adapters.terminal.server import (
    Server,
    ServerAwayError,
    ServerRefusedError,
    TerminalServer,
    http_client,
)
from codes import Algorithm

NOW = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
Answer = Callable[[httpx2.Request], httpx2.Response]


def client(answer: Answer) -> httpx2.Client:
    return httpx2.Client(
        base_url="https://card.example", transport=httpx2.MockTransport(answer), trust_env=False
    )


def enrolled(answer: Answer) -> TerminalServer:
    return TerminalServer(
        client(answer),
        client_id="bus-1",
        token_url="https://card.example/v1/oauth/token",
        key=make_key(Algorithm.ED25519),
        now=lambda: NOW,
    )


@pytest.mark.parametrize(
    ("answer", "code", "retry_after_s"),
    [
        (httpx2.Response(503, json={"code": "busy"}, headers={"Retry-After": "7"}), "busy", 7),
        (httpx2.Response(503, text="<html>"), "http_503", 0),
        (httpx2.Response(429, json={"code": "x"}, headers={"Retry-After": "9999"}), "x", 3600),
        (httpx2.Response(409, json={}, headers={"Retry-After": "soon"}), "unknown", 0),
        (httpx2.Response(500, json=[1]), "http_500", 0),
        (httpx2.Response(200, text="<html>"), "answer_not_json_200", 0),
        (httpx2.Response(200, json=[1]), "answer_not_json_200", 0),
        (httpx2.Response(302, headers={"Location": "http://127.0.0.1/"}), "answer_not_json_302", 0),
        (httpx2.Response(200, content=b"[" * 100_000), "answer_not_json_200", 0),
    ],
)
def test_an_answer_that_settles_nothing_means_come_back(
    answer: httpx2.Response, code: str, retry_after_s: float
) -> None:
    with pytest.raises(ServerAwayError) as away:
        Server(client(lambda _: answer)).enrol({})
    assert (away.value.code, away.value.retry_after_s) == (code, retry_after_s)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "ANSWER_SIZE_MAX", 1000)
    with pytest.raises(ServerAwayError, match="answer_too_large"):
        Server(client(lambda _: httpx2.Response(200, content=b"x" * 2000))).enrol({})


def test_a_line_that_is_dead_means_come_back() -> None:
    def dead(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("no route", request=request)

    with pytest.raises(ServerAwayError, match="ConnectTimeout"):
        Server(client(dead)).enrol({})


@pytest.mark.parametrize(
    ("date", "server_time"),
    [
        ("Mon, 01 Jun 2026 02:00:00 GMT", NOW),
        ("yesterday", None),
        ("Mon, 01 Jun 2026 02:00:00 -0000", None),
        ("", None),
    ],
)
def test_a_refusal_has_status_code_and_the_servers_time(
    date: str, server_time: datetime | None
) -> None:
    answer = httpx2.Response(403, json={"code": "activation_refused"}, headers={"Date": date})
    with pytest.raises(ServerRefusedError) as refused:
        Server(client(lambda _: answer)).enrol({})
    assert (refused.value.status, refused.value.code) == (403, "activation_refused")
    assert refused.value.server_time == server_time


def proofs_of(skew: timedelta, date: bool) -> list[datetime]:
    """When the terminal said its proofs were made, to a server that believes none of them."""
    made: list[datetime] = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        form = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))
        claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
        made.append(datetime.fromtimestamp(claims["iat"], UTC))
        at = (NOW + skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"Date": at} if date else {}
        return httpx2.Response(401, json={"error": "invalid_client"}, headers=headers)

    with pytest.raises(ServerRefusedError):
        enrolled(refuse).package(None)
    return made


def test_a_proof_is_dated_anew_once_when_the_clock_is_off_and_not_otherwise() -> None:
    assert proofs_of(timedelta(hours=2), date=True) == [NOW, NOW + timedelta(hours=2)]
    assert proofs_of(timedelta(seconds=5), date=True) == [NOW]
    assert proofs_of(timedelta(hours=2), date=False) == [NOW]


def test_a_package_is_asked_for_by_what_is_held() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("token"):
            return httpx2.Response(200, json={"access_token": "t"})
        asked.append(request)
        return httpx2.Response(304 if "If-None-Match" in request.headers else 200, content=b"CCPK")

    server = enrolled(answer)
    assert server.package(None) == b"CCPK"
    assert server.package("ab") is None
    assert [str(one.url.query, "ascii") for one in asked] == ["", "held=ab"]
    assert asked[1].headers["If-None-Match"] == '"ab"'
    assert {one.headers["Authorization"] for one in asked} == {"Bearer t"}


def test_a_certificate_authority_of_ones_own_must_be_one() -> None:
    with pytest.raises(FileNotFoundError):
        http_client("https://card.example", "missing.pem")
