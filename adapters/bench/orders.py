"""``cardcore bench orders``: whole orders, in process and over HTTP, each durable when answered.

Every order is real: a fresh code signed by the security module, verified; idempotency, replay,
price, funding, ledger with its hash chain, outbox; fsync on. Beside it in the same run: a bare
FastAPI endpoint under the same load generator and ``pgbench -N`` on the same server.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import codes
from adapters import demo_city
from adapters.bench.bare_app import PATH as BARE_PATH
from adapters.bench.bare_app import serve_bare
from adapters.bench.http_load import LoadResult, get, post, run_load
from adapters.bench.pgbench import PgBench
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.demo.api_client import APIClient
from adapters.demo.job import Person
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.server import listen
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from cardcore.account.request import TopUpRequest
from cardcore.business.request import Business, OrderRequest, User
from cardcore.caller import Caller, Scope
from cardcore.user.request import OpenUserRequest
from hsm_sim.process import HSMProcess

CONNECTIONS: Final = 32
PEOPLE_COUNT: Final = 200
BALANCE_FEN: Final = 100_000
CODE_TTL_S: Final = 3_600
TARGET_OF_BARE: Final = 0.25
START_TIMEOUT_S: Final = 30.0
_SCOPES: Final = frozenset(scope.value for scope in Scope)
_CENTRE: Final = Caller(client_id="card-centre", merchant_id=None, scopes=_SCOPES)
_VALIDATOR: Final = Caller(
    client_id=demo_city.BUS_TERMINAL,
    merchant_id=demo_city.BUS_MERCHANT,
    terminal_id=demo_city.BUS_TERMINAL,
    scopes=_SCOPES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    orders: int
    bare_s: float
    pgbench_s: int


QUICK: Final = Size(rounds=2, orders=2_000, bare_s=2.0, pgbench_s=3)
FULL: Final = Size(rounds=5, orders=8_000, bare_s=4.0, pgbench_s=8)


def run(*, quick: bool) -> list[Result]:
    """Measure; everything lies in a folder of its own that is removed afterwards."""
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="cardcore-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        settings = Settings(home=home)
        server = EmbeddedPostgres(settings.postgres_home)
        box = HSMProcess(settings.hsm_home, arguments=("--rate-per-s", "1000000"))
        with server, box:
            addresses = Addresses(database_url=server.url(), hsm_socket=box.socket_path)
            migrate(addresses.database_url)
            bench = PgBench(server=server)
            bench.prepare()
            return _measure(size, settings, addresses, bench)


def _measure(size: Size, settings: Settings, addresses: Addresses, bench: PgBench) -> list[Result]:
    asyncio.run(_load_city(settings, addresses))
    in_process: list[tuple[float, list[float]]] = []
    over_http: list[tuple[LoadResult, LoadResult]] = []
    pgbench_tps: list[float] = []
    cpu_ms: list[float] = []
    with serve_bare() as bare_port, _serving(settings, addresses) as (port, process):
        for round_no in range(size.rounds):
            pgbench_tps.append(bench.tps("-N", seconds=size.pgbench_s))
            in_process.append(asyncio.run(_orders_in_process(size, settings, addresses, round_no)))
            requests = asyncio.run(_prepare_http(size, settings, addresses, port, round_no))
            bare = run_load(
                "127.0.0.1",
                bare_port,
                [get(BARE_PATH, host="127.0.0.1")],
                connections=CONNECTIONS,
                repeat_for_s=size.bare_s,
            )
            cpu_before_s = _cpu_s(process.pid)
            orders = run_load("127.0.0.1", port, requests, connections=CONNECTIONS)
            cpu_ms.append((_cpu_s(process.pid) - cpu_before_s) * 1000 / orders.count)
            assert set(orders.statuses) == {201}, orders.statuses
            over_http.append((orders, bare))
    return _results(in_process, over_http, pgbench_tps, cpu_ms)


def _results(
    in_process: Sequence[tuple[float, list[float]]],
    over_http: Sequence[tuple[LoadResult, LoadResult]],
    pgbench_tps: Sequence[float],
    cpu_ms: Sequence[float],
) -> list[Result]:
    """Medians over the rounds; the ratio to the bare endpoint is taken round by round."""
    tps = statistics.median(pgbench_tps)
    ratio = statistics.median(orders.per_s / bare.per_s for orders, bare in over_http)
    latencies = sorted(ms for _, one in in_process for ms in one)
    return [
        compared(
            "orders in process, 32 at once",
            statistics.median(per_s for per_s, _ in in_process),
            "orders/s",
            reference="pgbench -N, 16 clients",
            reference_value=tps,
        ),
        Result(name="orders in process, p50", value=_at(latencies, 0.50), unit="ms"),
        Result(name="orders in process, p99", value=_at(latencies, 0.99), unit="ms"),
        Result(
            name="POST /v1/orders, 32 connections, 1 worker",
            value=statistics.median(orders.per_s for orders, _ in over_http),
            unit="req/s",
            reference="bare FastAPI endpoint",
            reference_value=statistics.median(bare.per_s for _, bare in over_http),
            ratio=ratio,
            target=TARGET_OF_BARE,
            met=ratio >= TARGET_OF_BARE,
        ),
        compared(
            "POST /v1/orders beside the database's own benchmark",
            statistics.median(orders.per_s for orders, _ in over_http),
            "req/s",
            reference="pgbench -N, 16 clients",
            reference_value=tps,
        ),
        Result(
            name="POST /v1/orders, p50",
            value=statistics.median(orders.p50_ms for orders, _ in over_http),
            unit="ms",
        ),
        Result(
            name="POST /v1/orders, p99",
            value=statistics.median(orders.p99_ms for orders, _ in over_http),
            unit="ms",
        ),
        Result(name="CPU of the server per order", value=statistics.median(cpu_ms), unit="ms"),
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def _load_city(settings: Settings, addresses: Addresses) -> None:
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


async def _fresh_codes(city: City, count: int) -> list[str]:
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


def _order(text: str, number: str) -> OrderRequest:
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


async def _orders_in_process(
    size: Size, settings: Settings, addresses: Addresses, round_no: int
) -> tuple[float, list[float]]:
    """Orders per second with 32 callers at once, and the time of each in ms."""
    async with open_city(addresses, settings) as city:
        texts = await _fresh_codes(city, size.orders)
        waiting = [
            (f"in-{round_no}-{number}", _order(text, f"IN{round_no}-{number}"))
            for number, text in enumerate(texts)
        ]
        taken_ms: list[float] = []

        async def caller() -> None:
            while waiting:
                key, request = waiting.pop()
                started = time.perf_counter()
                await city.core.order(_VALIDATOR, request, key)
                taken_ms.append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return size.orders / (time.perf_counter() - started), taken_ms


async def _prepare_http(
    size: Size, settings: Settings, addresses: Addresses, port: int, round_no: int
) -> list[bytes]:
    """Whole HTTP requests, each with its own code, number and key, and one token."""
    base_url = f"http://127.0.0.1:{port}"
    name = demo_city.BUS_TERMINAL
    async with (
        open_city(addresses, settings) as city,
        APIClient(base_url, name, demo_city.client_key(settings.clients_home, name)) as client,
    ):
        token = await client.sign_in(utc_now())
        texts = await _fresh_codes(city, size.orders)
    return [
        post(
            "/v1/orders",
            json.dumps(
                _order(text, f"HTTP{round_no}-{number}").model_dump(mode="json", exclude_none=True)
            ).encode(),
            host="127.0.0.1",
            headers=[
                ("Authorization", f"Bearer {token}"),
                ("Idempotency-Key", f"http-{round_no}-{number}"),
            ],
        )
        for number, text in enumerate(texts)
    ]


@contextmanager
def _serving(
    settings: Settings, addresses: Addresses
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """One worker of the real server in a process of its own; gives its port."""
    probe = listen("127.0.0.1", 0)
    port = int(probe.getsockname()[1])
    probe.close()
    environment = os.environ | {
        "CARDCORE_HOME": str(settings.home),
        "CARDCORE_DATABASE_URL": addresses.database_url,
        "CARDCORE_HSM_SOCKET": str(addresses.hsm_socket),
        "CARDCORE_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.cli.main", "serve"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz", process)
        yield port, process
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  (our own address)
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not come up")


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
