"""``cardcore bench orders``: whole orders, in process and over HTTP, each durable when answered.

Every order is real: a fresh code signed by the security module, verified; idempotency, replay,
price, funding, ledger with its hash chain, outbox; fsync on. Beside it in the same run: a bare
FastAPI endpoint under the same load generator and ``pgbench -N`` on the same server.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.bench.bare_app import PATH as BARE_PATH
from adapters.bench.bare_app import serve_bare
from adapters.bench.http_load import LoadResult, get, run_load
from adapters.bench.order_requests import (
    HOST,
    VALIDATOR,
    fresh_codes,
    load_city,
    order_of,
    prepare_http,
)
from adapters.bench.pgbench import PgBench
from adapters.bench.report import Result, compared
from adapters.bench.served import serving
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from hsm_sim.process import HSMProcess

CONNECTIONS: Final = 32
WORKERS: Final = (1, 2)
ORDERS_OF_BARE: Final = 0.35
VERIFY_OF_BARE: Final = 0.6
P99_MAX_MS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    orders: int
    bare_s: float
    pgbench_s: int


QUICK: Final = Size(rounds=1, orders=2_000, bare_s=2.0, pgbench_s=3)
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
    asyncio.run(load_city(settings, addresses))
    rounds = Rounds()
    for workers in WORKERS:
        with (
            serve_bare(workers=workers) as bare_port,
            serving(settings, addresses, workers) as (port, process),
        ):
            for round_no in range(size.rounds):
                if workers == 1:
                    rounds.pgbench_tps.append(bench.tps("-N", seconds=size.pgbench_s))
                    rounds.in_process.append(
                        asyncio.run(_orders_in_process(size, settings, addresses, round_no))
                    )
                ports = Ports(bare=bare_port, served=port, process=process, workers=workers)
                _one_round(rounds, size, settings, addresses, ports, f"{workers}-{round_no}")
    return _results(rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What is under load: the reference and the real server."""

    bare: int
    served: int
    process: "subprocess.Popen[bytes]"
    workers: int


@dataclass(slots=True)
class Rounds:
    """What was measured, by number of workers where that matters."""

    in_process: list[tuple[float, list[float]]] = field(default_factory=list)
    pgbench_tps: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    orders: dict[int, list[tuple[LoadResult, LoadResult]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    verified: dict[int, list[tuple[LoadResult, LoadResult]]] = field(
        default_factory=lambda: defaultdict(list)
    )


def _one_round(
    rounds: Rounds,
    size: Size,
    settings: Settings,
    addresses: Addresses,
    ports: Ports,
    name: str,
) -> None:
    """The reference, then verifications, then orders, each under the same load."""
    prepared = asyncio.run(prepare_http(size.orders, settings, addresses, ports.served, name))
    bare = run_load(
        HOST,
        ports.bare,
        [get(BARE_PATH, host=HOST)],
        connections=CONNECTIONS,
        repeat_for_s=size.bare_s,
    )
    verified = run_load(
        HOST, ports.served, prepared.verifications, connections=CONNECTIONS,
        repeat_for_s=size.bare_s,
    )  # fmt: skip
    assert set(verified.statuses) == {200}, verified.statuses
    cpu_before_s = _cpu_s(ports.process.pid)
    orders = run_load(HOST, ports.served, prepared.orders, connections=CONNECTIONS)
    assert set(orders.statuses) == {201}, orders.statuses
    if ports.workers == 1:
        rounds.cpu_ms.append((_cpu_s(ports.process.pid) - cpu_before_s) * 1000 / orders.count)
    rounds.verified[ports.workers].append((verified, bare))
    rounds.orders[ports.workers].append((orders, bare))


def _results(rounds: Rounds) -> list[Result]:
    """Medians over the rounds; the ratio to the bare endpoint is taken round by round."""
    tps = statistics.median(rounds.pgbench_tps)
    latencies = sorted(ms for _, one in rounds.in_process for ms in one)
    results = [
        compared(
            "orders in process, 32 at once",
            statistics.median(per_s for per_s, _ in rounds.in_process),
            "orders/s",
            reference="pgbench -N, 16 clients",
            reference_value=tps,
        ),
        Result(name="orders in process, p50", value=_at(latencies, 0.50), unit="ms"),
        Result(name="orders in process, p99", value=_at(latencies, 0.99), unit="ms"),
    ]
    for workers in WORKERS:
        served = "1 worker" if workers == 1 else f"{workers} workers"
        orders, verified = rounds.orders[workers], rounds.verified[workers]
        # The targets are for one worker; with two the load itself takes a part of both cores.
        results += [
            _beside_bare(f"POST /v1/orders, {served}", orders, ORDERS_OF_BARE, workers),
            compared(
                f"POST /v1/orders, {served}, beside the database's own benchmark",
                statistics.median(one.per_s for one, _ in orders),
                "req/s",
                reference="pgbench -N, 16 clients",
                reference_value=tps,
            ),
            *_latencies(f"POST /v1/orders, {served}", orders, P99_MAX_MS if workers == 1 else None),
            _beside_bare(f"POST /v1/verify, {served}", verified, VERIFY_OF_BARE, workers),
            *_latencies(f"POST /v1/verify, {served}", verified, None),
        ]
    cpu_ms = statistics.median(rounds.cpu_ms)
    return [*results, Result(name="CPU of the server per order", value=cpu_ms, unit="ms")]


def _beside_bare(
    name: str, rounds: Sequence[tuple[LoadResult, LoadResult]], target: float, workers: int
) -> Result:
    ratio = statistics.median(one.per_s / bare.per_s for one, bare in rounds)
    return Result(
        name=name,
        value=statistics.median(one.per_s for one, _ in rounds),
        unit="req/s",
        reference="bare FastAPI endpoint",
        reference_value=statistics.median(bare.per_s for _, bare in rounds),
        ratio=ratio,
        target=target if workers == 1 else None,
        met=ratio >= target if workers == 1 else None,
    )


def _latencies(
    name: str, rounds: Sequence[tuple[LoadResult, LoadResult]], p99_max_ms: float | None
) -> list[Result]:
    p99_ms = statistics.median(one.p99_ms for one, _ in rounds)
    return [
        Result(
            name=f"{name}, p50", value=statistics.median(one.p50_ms for one, _ in rounds), unit="ms"
        ),
        Result(
            name=f"{name}, p99",
            value=p99_ms,
            unit="ms",
            target=p99_max_ms,
            met=None if p99_max_ms is None else p99_ms <= p99_max_ms,
        ),
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def _orders_in_process(
    size: Size, settings: Settings, addresses: Addresses, round_no: int
) -> tuple[float, list[float]]:
    """Orders per second with 32 callers at once, and the time of each in ms."""
    async with open_city(addresses, settings) as city:
        texts = await fresh_codes(city, size.orders)
        waiting = [
            (f"in-{round_no}-{number}", order_of(text, f"IN{round_no}-{number}"))
            for number, text in enumerate(texts)
        ]
        taken_ms: list[float] = []

        async def caller() -> None:
            while waiting:
                key, request = waiting.pop()
                started = time.perf_counter()
                await city.core.order(VALIDATOR, request, key)
                taken_ms.append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return size.orders / (time.perf_counter() - started), taken_ms


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
