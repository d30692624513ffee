"""A load generator for HTTP/1.1 in a process of its own, on raw sockets.

An HTTP client library is slower than the server it would measure, and in one process with it would
be measured along. Each connection sends the next prepared request as soon as it has its answer, so
``connections`` is the number of requests under way. Run as a module, it reads a plan as JSON from
standard input and writes the result to standard output.
"""

import asyncio
import json
import math
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import uvloop

CONNECTIONS: Final = 32
SILENCE_MAX_S: Final = 30.0
LOST: Final = 0  # stands for the status of a request whose connection broke
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What to send where.

    ``requests`` are whole requests, head and body, as bytes read as Latin-1. Each is sent once, or,
    where ``repeat_for_s`` is set, over and over until that time is up.
    """

    host: str
    port: int
    requests: Sequence[str]
    connections: int = CONNECTIONS
    repeat_for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What came back. ``statuses`` counts answers by status; 0 is a broken connection."""

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return self.count / self.seconds


def post(path: str, body: bytes, *, host: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A prepared POST of JSON."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def get(path: str, *, host: str) -> bytes:
    """A prepared GET."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("ascii")


def run_load(
    host: str,
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int = CONNECTIONS,
    repeat_for_s: float | None = None,
) -> LoadResult:
    """Send ``requests`` from a process of their own and wait for all answers.

    Args:
        host: IP address.
        port: TCP port.
        requests: whole requests; see ``post`` and ``get``.
        connections: how many at once.
        repeat_for_s: send them over and over for so long, instead of each once.

    Raises:
        subprocess.CalledProcessError: the generator failed, for one because nobody listens.
    """
    plan = LoadPlan(
        host=host,
        port=port,
        requests=[request.decode("latin-1") for request in requests],
        connections=connections,
        repeat_for_s=repeat_for_s,
    )
    finished = subprocess.run(
        [sys.executable, "-m", "adapters.bench.http_load"],
        input=json.dumps(asdict(plan)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(finished.stdout)
    statuses = {int(status): count for status, count in found.pop("statuses").items()}
    return LoadResult(statuses=statuses, **found)


async def generate(plan: LoadPlan) -> LoadResult:
    """Carry out ``plan`` in this process."""
    loop = asyncio.get_running_loop()
    requests = _upcoming(plan, loop)
    tally = _Tally()
    started_s = time.perf_counter()
    connections = [
        (await loop.create_connection(lambda: _Connection(requests, tally), plan.host, plan.port))[
            1
        ]
        for _ in range(plan.connections)
    ]
    await _until_finished(connections, tally)
    seconds = time.perf_counter() - started_s
    return LoadResult(
        count=len(tally.latencies_s),
        seconds=seconds,
        p50_ms=percentile(tally.latencies_s, 0.50) * 1000,
        p99_ms=percentile(tally.latencies_s, 0.99) * 1000,
        statuses=dict(tally.statuses),
    )


async def _until_finished(connections: Sequence["_Connection"], tally: "_Tally") -> None:
    waiting: set[asyncio.Future[None]] = {connection.finished for connection in connections}
    while waiting:
        before = len(tally.latencies_s)
        done, waiting = await asyncio.wait(waiting, timeout=SILENCE_MAX_S)
        if not done and len(tally.latencies_s) == before:
            raise TimeoutError(f"no answer for {SILENCE_MAX_S} s")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of them do not exceed; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def _upcoming(plan: LoadPlan, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    prepared = [request.encode("latin-1") for request in plan.requests]
    if plan.repeat_for_s is None:
        yield from prepared
        return
    ends_s = loop.time() + plan.repeat_for_s
    while True:
        for request in prepared:
            if loop.time() >= ends_s:
                return
            yield request


@dataclass(slots=True)
class _Tally:
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class _Connection(asyncio.Protocol):
    """One keep-alive connection; ``finished`` is done when there is nothing more to send."""

    def __init__(self, requests: Iterator[bytes], tally: _Tally) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._tally = tally
        self._received = b""
        self._sent_s = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, though they do the same.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_size = self._received.find(b"\r\n\r\n") + 4
        if head_size < 4:
            return
        length = _LENGTH.search(self._received, 0, head_size)
        assert length is not None, "the generator reads answers with a Content-Length only"
        if len(self._received) < head_size + int(length[1]):
            return
        self._tally.latencies_s.append(time.perf_counter() - self._sent_s)
        self._tally.statuses[int(self._received[9:12])] += 1
        self._received = b""
        self._send_next()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.finished.done():
            self._tally.statuses[LOST] += 1
            self.finished.set_result(None)

    def _send_next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self.finished.set_result(None)
            self._transport.close()
            return
        self._sent_s = time.perf_counter()
        self._transport.write(request)


def main() -> None:
    """Read a plan, carry it out, write the result."""
    plan = LoadPlan(**json.loads(sys.stdin.buffer.read()))
    result = uvloop.run(generate(plan))
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
