"""The load generator counts what came back and the reference answers."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.bench import http_load
from adapters.bench.bare_app import PATH, serve_bare
from adapters.bench.http_load import (
    LOST,
    LoadPlan,
    generate,
    get,
    percentile,
    post,
    run_load,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """201 for a POST, 200 for a GET; the answer in two pieces."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        if head.startswith(b"POST"):
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 201 Created\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n")
        await writer.drain()
        writer.write(b"Content-Length: 4\r\n\r\nab")
        await writer.drain()
        writer.write(b"cd")


async def _answer_each_until_left(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await _answer_each(reader, writer)
    except asyncio.IncompleteReadError:
        writer.close()


async def test_each_request_is_sent_once_and_its_status_counted() -> None:
    requests = [post("/", b"{}", host="x", headers=[("A", "b")])] * 7 + [get("/", host="x")] * 5
    async with _listening(_answer_each_until_left) as port:
        plan = LoadPlan(
            host="127.0.0.1",
            port=port,
            requests=[request.decode() for request in requests],
            connections=3,
        )
        result = await generate(plan)
    assert (result.count, result.statuses) == (12, {201: 7, 200: 5})
    assert 0 < result.p50_ms <= result.p99_ms
    assert result.per_s == result.count / result.seconds


async def test_a_broken_connection_is_counted_as_lost() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with _listening(hang_up) as port:
        plan = LoadPlan(host="127.0.0.1", port=port, requests=["GET / HTTP/1.1\r\n\r\n"] * 9)
        result = await generate(plan)
    assert result.count == 0
    assert set(result.statuses) == {LOST}


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([3.0, 1.0, 2.0], 0.5, 2.0), ([1.0], 0.99, 1.0), ([1.0, 2.0], 0.0, 1.0)],
)
def test_a_percentile_is_one_of_the_values(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


def test_the_reference_is_served_and_measured_in_processes_of_their_own() -> None:
    with serve_bare() as port:
        request = get(PATH, host="127.0.0.1")
        counted = run_load("127.0.0.1", port, [request] * 50, connections=4)
        timed = run_load("127.0.0.1", port, [request], connections=4, repeat_for_s=0.2)
    assert counted.statuses == {200: 50}
    assert set(timed.statuses) == {200}
    assert timed.count > 1


async def test_a_server_that_falls_silent_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    released = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    monkeypatch.setattr(http_load, "SILENCE_MAX_S", 0.01)
    async with _listening(say_nothing) as port:
        plan = LoadPlan(host="127.0.0.1", port=port, requests=["x"], connections=1)
        with pytest.raises(TimeoutError):
            await generate(plan)
        released.set()


def test_nobody_listening_is_a_failure_and_not_a_figure() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_load("127.0.0.1", 1, [get("/", host="x")])
