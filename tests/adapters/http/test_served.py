"""The face under the real server: what only sockets show (faults 6, 35)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from adapters.bench.http_load import post
from adapters.http.headers import lines
from adapters.prompt_protocol import PromptProtocol
from adapters.server import http_server, listen
from tests.adapters.http.conftest import Face


@dataclass
class Served:
    """A face that listens."""

    face: Face
    port: int

    async def send(self, *pieces: bytes) -> bytes:
        """All that comes back before the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for piece in pieces:
            writer.write(piece)
        answer = await reader.read()
        writer.close()
        return answer

    def head(self, *lines: str) -> bytes:
        """The head of a POST of an order."""
        given = [f"{name}: {value}" for name, value in self.face.keyed().items()]
        first = ["POST /v1/orders HTTP/1.1", "Host: x", "Content-Type: application/json"]
        return "\r\n".join([*first, *given, *lines, "", ""]).encode()


@pytest.fixture
async def served(face: Face) -> AsyncIterator[Served]:
    """The face under the server of the wiring, on a free port."""
    listener = listen("127.0.0.1", 0)
    listener.listen()
    server = http_server(face.app)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield Served(face, listener.getsockname()[1])
    server.should_exit = True
    await running


async def test_row_35_an_announced_large_body_is_answered_unread_and_cut(served: Served) -> None:
    answer = await served.send(served.head("Content-Length: 100000000"), b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer


@pytest.mark.parametrize(
    "said",
    [
        b"FROBNICATE /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/orders HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_row_35_what_is_no_http_is_a_problem_too(served: Served, said: bytes) -> None:
    head, _, content = (await served.send(said)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    problem = from_json(content)
    assert (problem["code"], problem["status"]) == ("http_malformed", 400)
    assert problem["request_id"].encode() in head


async def test_nonsense_behind_an_order_that_is_served_is_not_answered_as_the_order(
    served: Served, order: dict[str, Any]
) -> None:
    """Why: 400 would be read as "not booked" of an order that is."""
    served.face.core.refusal = None
    body = to_json(order)
    answer = await served.send(
        served.head(f"Content-Length: {len(body)}") + body + b"\x00nonsense\r\n\r\n"
    )
    assert not answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("where", ["head", "trailers", "empty lines"])
async def test_row_35_what_stands_around_a_body_is_bounded(served: Served, where: str) -> None:
    """How: more than any peer may send, in pieces, none of which ends."""
    begin = {
        "head": b"GET /v1/orders HTTP/1.1\r\n",
        "trailers": served.head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n",
        "empty lines": b"",
    }[where]
    line = b"\r\n" * 512 if where == "empty lines" else b"x-filler: " + b"x" * 1000 + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(begin)
    sent = 0
    with contextlib.suppress(ConnectionError):
        for _ in range(5_000):
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0)  # the server's turn
            sent += len(line)
            if reader.at_eof():
                break
    writer.close()
    assert sent < 4_000_000


async def test_row_35_an_endless_chunked_body_is_cut(served: Served) -> None:
    chunks = [b"8000\r\n" + b" " * 0x8000 + b"\r\n"] * 3
    answer = await served.send(served.head("Transfer-Encoding: chunked"), *chunks)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_within_bounds_is_an_order(
    served: Served, order: dict[str, Any]
) -> None:
    body = to_json(order)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = await served.send(
        served.head("Transfer-Encoding: chunked", "Connection: close"), chunks
    )
    assert answer.startswith(b"HTTP/1.1 201 ")


async def test_row_6_a_client_that_left_finds_its_order_under_its_key(
    served: Served, order: dict[str, Any]
) -> None:
    """How: the core is held until the client is gone, so its answer reaches nobody."""
    core = served.face.core
    asked, made, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    book = core.order

    async def book_slowly(*arguments: Any) -> Any:  # noqa: ANN401  (passes through)
        asked.set()
        await gone.wait()
        answer = await book(*arguments)
        made.set()
        return answer

    core.order = book_slowly
    headers = served.face.keyed()
    request = post("/v1/orders", to_json(order), host="x", headers=list(headers.items()))
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request)
    await asked.wait()
    writer.close()
    await writer.wait_closed()
    gone.set()
    await made.wait()
    core.order = book
    again = await served.face.http.post("/v1/orders", json=order, headers=headers)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert core.effects == 1


async def test_a_head_request_has_the_head_alone(served: Served) -> None:
    answer = await served.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b""
    assert b"server:" not in head.lower()


async def test_row_40_a_head_that_trickles_and_a_silent_connection_are_cut(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PromptProtocol, "arrival_s", 0.05)
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "

    async def read_until_cut(first: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(first)
        answer = await reader.read()  # ends when the server has cut the connection
        writer.close()
        return answer

    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    async with asyncio.timeout(10):
        silent, trickle, second = await asyncio.gather(
            read_until_cut(b""), read_until_cut(head), read_until_cut(whole + head)
        )
    assert silent == trickle == b""
    assert second.startswith(b"HTTP/1.1 200 ")  # an answered request says nothing for the next
    assert second.count(b"HTTP/1.1") == 1


async def test_an_order_may_take_longer_than_its_request(
    served: Served, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PromptProtocol, "arrival_s", 0.05)
    core = served.face.core
    book = core.order
    cut = asyncio.Event()

    async def book_slowly(*arguments: Any) -> Any:  # noqa: ANN401  (passes through)
        asyncio.get_running_loop().call_later(0.1, cut.set)
        await cut.wait()
        return await book(*arguments)

    monkeypatch.setattr(core, "order", book_slowly)
    body = to_json(order)
    answer = await served.send(
        served.head(f"Content-Length: {len(body)}", "Connection: close"), body
    )
    assert answer.startswith(b"HTTP/1.1 201 ")


async def test_a_whole_answer_says_what_two_messages_say(
    served: Served, order: dict[str, Any]
) -> None:
    """How: over sockets the server sends answers whole, in process nobody offers to."""
    bodies = [to_json(order)]
    order["business"]["out_trade_no"] = "2"
    bodies.append(to_json(order))
    order["business"]["out_trade_no"] = "3"
    length = [f"Content-Length: {len(body)}" for body in bodies]
    answers = await served.send(
        served.head(length[0], "Request-Id: one") + bodies[0],
        served.head(length[1], "Connection: close") + bodies[1],
    )
    first, _, rest = answers.partition(b"\r\n\r\n")
    status, *written = first.decode().split("\r\n")
    assert status == "HTTP/1.1 201 Created"
    told = {name: value for name, _, value in (line.partition(": ") for line in written)}
    in_two = await served.face.http.post(
        "/v1/orders", json=order, headers={**served.face.keyed(), "Request-Id": "one"}
    )
    assert told | {"content-length": "n"} == dict(in_two.headers) | {"content-length": "n"}
    assert len(written) == len(told)
    content, second = rest[: int(told["content-length"])], rest[int(told["content-length"]) :]
    assert set(from_json(content)) == set(in_two.json())
    assert b"\r\nconnection: close\r\n\r\n" in second, "the first was kept alive, this one is not"


async def test_a_replayed_order_is_told_as_such_in_a_whole_answer(
    served: Served, order: dict[str, Any]
) -> None:
    body = to_json(order)
    headers = served.face.keyed()
    for replayed in (False, True):
        closing = [*headers.items(), ("Connection", "close")]
        answer = await served.send(post("/v1/orders", body, host="x", headers=closing))
        assert (b"\r\nidempotent-replayed: true\r\n" in answer) is replayed


async def test_a_head_request_of_an_operation_has_the_head_alone(served: Served) -> None:
    bearer = served.face.bearer()["Authorization"]
    answer = await served.send(
        b"HEAD /v1/key-ring HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        + f"Authorization: {bearer}\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b""


def test_a_header_that_could_split_an_answer_is_a_bug() -> None:
    assert lines([(b"a", b"b c"), (b"d", b"")]) == b"a: b c\r\nd: \r\n"
    for broken in ((b"a", b"b\r\nc: d"), (b"a:", b""), (b"", b"b"), (b"a", b"\0")):
        with pytest.raises(AssertionError):
            lines([broken])
