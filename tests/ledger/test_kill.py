"""``kill -9`` in the middle of load: every acknowledged transfer is there exactly once."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

import ledger
from adapters.embedded_postgres import EmbeddedPostgres
from ledger import Account, Ledger
from ledger.chart import trial_balance
from ledger.verify import verify

ACKS = 150
ROOT = Path(__file__).parents[2]


@pytest.fixture
def durable_server() -> Iterator[EmbeddedPostgres]:
    """A server that flushes: what it acknowledged must survive."""
    with tempfile.TemporaryDirectory(prefix="cck-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        with EmbeddedPostgres(Path(home) / "pg", settings={"fsync": "on"}) as server:
            yield server


@pytest.fixture
async def url(durable_server: EmbeddedPostgres) -> str:
    url = durable_server.url()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await ledger.install(connection)
    async with await Ledger.open(url) as book:
        await book.create_accounts([Account(id=n, ledger=1, code=1) for n in (1, 2)])
    return url


class Client:
    """A ``kill_client.py`` process and the ids it was told are booked."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.acked: list[int] = []

    @classmethod
    async def start(cls, url: str, first_id: int) -> "Client":
        script = Path(__file__).with_name("kill_client.py")
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, url, str(first_id), stdout=PIPE, cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        return cls(process)

    async def read(self, acks: int) -> None:
        """Wait until so many more are acknowledged."""
        assert self.process.stdout is not None
        for _ in range(acks):
            line = await self.process.stdout.readline()
            assert line.endswith(b"\n"), "the client ended by itself"
            self.acked.append(int(line))

    async def kill(self) -> None:
        """``kill -9``, and read what it had printed before; a torn last line is no ack."""
        self.process.kill()
        assert self.process.stdout is not None
        while (line := await self.process.stdout.readline()).endswith(b"\n"):
            self.acked.append(int(line))
        await self.process.wait()


@pytest.fixture
async def clients() -> AsyncIterator[list[Client]]:
    started: list[Client] = []
    yield started
    for client in started:
        if client.process.returncode is None:
            await client.kill()


async def check(url: str, acked: list[int]) -> None:
    assert len(acked) == len(set(acked))
    async with await Ledger.open(url) as book:
        for start in range(0, len(acked), 5000):
            part = acked[start : start + 5000]
            assert [t.id for t in await book.lookup_transfers(part)] == part
        async with book.reading() as cursor:
            await cursor.execute("SELECT count(*), count(DISTINCT id) FROM ledger.transfer")
            rows, ids = await cursor.fetchone() or (0, 0)
        assert len(acked) <= rows == ids
        [line] = await trial_balance(book)
        assert line.debits_posted == line.credits_posted == rows
        assert await verify(book) == []


async def test_a_killed_client_loses_nothing_it_was_told(url: str, clients: list[Client]) -> None:
    for first_id in (1, 10**9):
        client = await Client.start(url, first_id)
        clients.append(client)
        await client.read(ACKS)
        await client.kill()
    await check(url, [id_ for client in clients for id_ in client.acked])


async def test_a_killed_server_loses_nothing_it_told(
    durable_server: EmbeddedPostgres, url: str, clients: list[Client]
) -> None:
    """Two clients live through it: they retry with the same ids and go on."""
    clients.extend([await Client.start(url, 1), await Client.start(url, 10**9)])
    for _ in range(2):
        for client in clients:
            await client.read(ACKS)
        await asyncio.to_thread(durable_server.kill)
        await asyncio.to_thread(durable_server.stop)
        await asyncio.to_thread(durable_server.start)
    for client in clients:
        await client.read(ACKS)
        await client.kill()
    await check(url, [id_ for client in clients for id_ in client.acked])
