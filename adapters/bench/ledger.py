"""How fast the ledger books, beside what ``pgbench`` does on the very same server.

A fresh embedded server with ``fsync`` and ``synchronous_commit`` on, all rules and the hash chain
on. Making the events is part of what is timed, as it is part of what a caller does. ``pgbench``
runs before and after, and its mean is the reference, because machines are noisy.
"""

import asyncio
import itertools
import multiprocessing
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import psycopg
import uvloop

import ledger
from adapters.bench.report import Result, compared
from adapters.embedded_postgres import EmbeddedPostgres
from ledger import Account, Ledger, Transfer, TransferFlags
from ledger.group_commit import TransferWriter

ACCOUNTS: Final = 10_000
HOT_ACCOUNT: Final = 1
PGBENCH_SCALE: Final = 10
PGBENCH_CLIENTS: Final = 16
CALLERS: Final = 32
GROWN_ROWS: Final = 5_000_000
GROWN_ROWS_QUICK: Final = 100_000
BYTES_PER_TRANSFER_MAX: Final = 300.0
SLOWER_MAX: Final = 0.85  # of the speed on an empty table

Make = Callable[[int], list[Transfer]]


class Events:
    """Makes transfers with time-ordered ids, as the ledger's documentation advises."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  (test data, not secrets)
        self._count = itertools.count(seed << 40)

    def _id(self) -> int:
        return (time.time_ns() // 1_000_000 << 80) | (next(self._count) & (1 << 80) - 1)

    def _pair(self, first: int, last: int) -> tuple[int, int]:
        debit = self._random.randint(first, last)
        credit = self._random.randint(first, last - 1)
        return debit, credit if credit < debit else credit + 1

    def random(self, size: int) -> list[Transfer]:
        """Between any two accounts."""
        return self.between(1, ACCOUNTS)(size)

    def between(self, first: int, last: int) -> Make:
        """Between any two accounts of a range."""

        def make(size: int) -> list[Transfer]:
            return [self._move(*self._pair(first, last)) for _ in range(size)]

        return make

    def hot(self, size: int) -> list[Transfer]:
        """From any account to one and the same."""
        return [self._move(self._random.randint(2, ACCOUNTS), HOT_ACCOUNT) for _ in range(size)]

    def linked_pairs(self, size: int) -> list[Transfer]:
        """Chains of two."""
        linked = TransferFlags.linked
        return [
            self._move(*self._pair(1, ACCOUNTS), linked if index % 2 == 0 else None)
            for index in range(size)
        ]

    def two_phase(self, size: int) -> list[Transfer]:
        """Holds in the first half, each posted in the second."""
        holds = [
            self._move(*self._pair(1, ACCOUNTS), TransferFlags.pending) for _ in range(size // 2)
        ]
        posts = [
            Transfer(
                id=self._id(),
                pending_id=hold.id,
                amount=hold.amount,
                flags=TransferFlags.post_pending_transfer,
            )
            for hold in holds
        ]
        return [*holds, *posts]

    def _move(self, debit: int, credit: int, flags: TransferFlags | None = None) -> Transfer:
        if flags is None:
            return Transfer(
                id=self._id(), debit_account_id=debit, credit_account_id=credit,
                amount=100, ledger=1, code=1,
            )  # fmt: skip
        return Transfer(
            id=self._id(), debit_account_id=debit, credit_account_id=credit,
            amount=100, ledger=1, code=1, flags=flags,
        )  # fmt: skip


def run(*, quick: bool) -> list[Result]:
    """Measure everything; see the module's text. ``quick`` takes under 45 s."""
    with tempfile.TemporaryDirectory(prefix="ccb-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        settings = {"fsync": "on", "synchronous_commit": "on", "max_wal_size": "4GB"}
        with EmbeddedPostgres(Path(home) / "pg", settings=settings) as server:
            return _measure(server, quick=quick)


def _measure(server: EmbeddedPostgres, *, quick: bool) -> list[Result]:
    seconds = 1.0 if quick else 8.0
    before = _pgbench(server, seconds, initialise=True)
    url = _make_books(server)
    rates = uvloop.run(_one_writer(url, seconds, quick=quick))
    for writers in (2,) if quick else (2, 4):
        rates[f"{writers} writer processes, batch 1000"] = _many_writers(url, writers, seconds)
    after = _pgbench(server, seconds, initialise=False)
    n_tps = statistics.mean((before["-N"], after["-N"]))
    tpcb_tps = statistics.mean((before["TPC-B"], after["TPC-B"]))
    results = [_rate(name, rate, n_tps) for name, rate in rates.items() if name in _RATES]
    results.append(
        compared(
            "batch 1000, random (beside TPC-B)", rates["batch 1000, random"], "transfers/s",
            reference=f"pgbench TPC-B, {PGBENCH_CLIENTS} clients", reference_value=tpcb_tps,
        )
    )  # fmt: skip
    results.append(
        compared(
            "batch 1000, hot account beside random", rates["batch 1000, one hot account"],
            "transfers/s", reference="batch 1000, random",
            reference_value=rates["batch 1000, random"], target=1.0,
        )
    )  # fmt: skip
    results.extend(
        Result(name=name, value=rates[name], unit="ms")
        for name in ("batch 1 p50", "batch 1 p99", "32 callers p50", "32 callers p99")
    )
    results.append(
        compared(
            f"batch 1000, after {rates['rows']:,.0f} transfers", rates["grown"], "transfers/s",
            reference="on an empty table", reference_value=rates["empty"], target=SLOWER_MAX,
        )
    )  # fmt: skip
    size = _bytes_per_transfer(url)
    results.append(
        Result(
            name="on disk with all indexes", value=size, unit="bytes/transfer",
            target=BYTES_PER_TRANSFER_MAX, met=size <= BYTES_PER_TRANSFER_MAX,
        )
    )  # fmt: skip
    return results


# Each with its least ratio to pgbench -N, or None.
_RATES: Final[dict[str, float | None]] = {
    "batch 1, random": None,
    "batch 100, random": None,
    "batch 1000, random": 5.0,
    "batch 8000, random": None,
    "batch 1000, one hot account": 5.0,
    "batch 1000, hold then post": None,
    "batch 1000, linked pairs": None,
    "2 writer processes, batch 1000": 5.0,
    "4 writer processes, batch 1000": None,
    "32 callers through group commit": 1.0,
}


def _rate(name: str, rate: float, n_tps: float) -> Result:
    return compared(
        name, rate, "transfers/s", reference=f"pgbench -N, {PGBENCH_CLIENTS} clients",
        reference_value=n_tps, target=_RATES[name],
    )  # fmt: skip


# -- the reference ----------------------------------------------------------------------------


def _pgbench(server: EmbeddedPostgres, seconds: float, *, initialise: bool) -> dict[str, float]:
    base = [str(server.binaries / "pgbench"), "-h", str(server.socket_directory), "-U", "postgres"]

    def call(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603  (the server's own program)
            [*base, *arguments, "postgres"], capture_output=True, text=True, check=True
        ).stdout

    if initialise:
        call("-i", "-q", "-s", str(PGBENCH_SCALE))
    common = ("-n", "-c", str(PGBENCH_CLIENTS), "-j", "2", "-T", str(max(2, round(seconds))))
    return {"-N": _tps(call("-N", *common)), "TPC-B": _tps(call(*common))}


def _tps(output: str) -> float:
    [line] = [line for line in output.splitlines() if line.startswith("tps = ")]
    return float(line.split()[2])


# -- the ledger -------------------------------------------------------------------------------


def _make_books(server: EmbeddedPostgres) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledger")
    url = server.url("ledger")

    async def prepare() -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await ledger.install(connection)
        async with await Ledger.open(url) as book:
            for first in range(1, ACCOUNTS + 1, 5000):
                accounts = [
                    Account(id=n, ledger=1, code=1) for n in range(first, first + 5000)
                ]  # fmt: skip
                assert set(await book.create_accounts(accounts)) == {"created"}

    uvloop.run(prepare())
    return url


async def _one_writer(url: str, seconds: float, *, quick: bool) -> dict[str, float]:
    events = Events(1)
    rates: dict[str, float] = {}
    async with await Ledger.open(url) as book:
        rates["empty"], _ = await _fill(book, events.random, 1000, seconds)
        for size in (1, 100, 1000, 8000):
            name = f"batch {size}, random"
            rates[name], times_ms = await _fill(book, events.random, size, seconds)
            if size == 1:
                rates["batch 1 p50"], rates["batch 1 p99"] = _percentiles(times_ms)
        for name, make in (
            ("batch 1000, one hot account", events.hot),
            ("batch 1000, hold then post", events.two_phase),
            ("batch 1000, linked pairs", events.linked_pairs),
        ):
            rates[name], _ = await _fill(book, make, 1000, seconds)
        rates["32 callers through group commit"], times_ms = await _callers(book, events, seconds)
        rates["32 callers p50"], rates["32 callers p99"] = _percentiles(times_ms)
        rates["rows"] = await _grow(book, events, GROWN_ROWS_QUICK if quick else GROWN_ROWS)
        rates["grown"], _ = await _fill(book, events.random, 1000, seconds)
    return rates


async def _fill(book: Ledger, make: Make, size: int, seconds: float) -> tuple[float, list[float]]:
    """Book batches for so long: transfers per second, and ms of each batch.

    Only the ledger's calls count: making the events is the caller's work, not the ledger's.
    """
    await _book(book, make(size))  # warm
    times_ms: list[float] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = make(size)
        at = time.perf_counter()
        await _book(book, batch)
        times_ms.append((time.perf_counter() - at) * 1000)
    return size * len(times_ms) * 1000 / sum(times_ms), times_ms


async def _book(book: Ledger, batch: list[Transfer]) -> None:
    results = await book.create_transfers(batch)
    assert results[0] == results[-1] == "created", (results[0], results[-1])


async def _callers(book: Ledger, events: Events, seconds: float) -> tuple[float, list[float]]:
    times_ms: list[float] = []
    deadline = time.perf_counter() + seconds

    async def caller(writer: TransferWriter) -> None:
        while time.perf_counter() < deadline:
            at = time.perf_counter()
            [result] = await writer.create_transfers(events.random(1))
            assert result == "created"
            times_ms.append((time.perf_counter() - at) * 1000)

    started = time.perf_counter()
    async with TransferWriter(book) as writer:
        callers: Iterator[Awaitable[None]] = (caller(writer) for _ in range(CALLERS))
        await asyncio.gather(*callers)
    return len(times_ms) / (time.perf_counter() - started), times_ms


async def _grow(book: Ledger, events: Events, rows: int) -> int:
    """Book until there are so many transfers; how many there are then."""
    async with book.reading() as cursor:
        await cursor.execute("SELECT count(*) FROM ledger.transfer")
        [there] = await cursor.fetchone() or (0,)
    for _ in range(0, rows - there, 8000):
        await _book(book, events.random(8000))
        there += 8000
    return int(there)


def _percentiles(times_ms: list[float]) -> tuple[float, float]:
    ordered = sorted(times_ms)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def _many_writers(url: str, writers: int, seconds: float) -> float:
    """Processes that book at the same time, each mostly among accounts of its own."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(writers)
    totals = context.SimpleQueue()
    processes = [
        context.Process(target=_writer, args=(url, index, writers, seconds, barrier, totals))
        for index in range(writers)
    ]
    for process in processes:
        process.start()
    rates: list[float] = [totals.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(rates)


def _writer(
    url: str,
    index: int,
    writers: int,
    seconds: float,
    barrier: "multiprocessing.synchronize.Barrier",
    totals: "multiprocessing.queues.SimpleQueue[float]",
) -> None:
    share = ACCOUNTS // writers
    make = Events(10 + index).between(index * share + 1, (index + 1) * share)

    async def book() -> None:
        async with await Ledger.open(url) as own:
            await _book(own, make(1000))
            barrier.wait()
            rate, _ = await _fill(own, make, 1000, seconds)
        totals.put(rate)

    uvloop.run(book())


def _bytes_per_transfer(url: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (sum(pg_total_relation_size(inhrelid)) "
            "+ pg_total_relation_size('ledger.batch'))::float "
            "/ (SELECT count(*) FROM ledger.transfer) "
            "FROM pg_inherits WHERE inhparent = 'ledger.transfer'::regclass"
        ).fetchone()
    assert row is not None
    return float(row[0])
