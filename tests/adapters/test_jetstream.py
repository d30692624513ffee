"""Events into a real NATS server that is killed and comes back: nothing lost, nothing twice."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import nats
import pytest

from adapters.jetstream import STREAM, SUBJECT_PREFIX, ExtraMissingError, JetStream
from adapters.settings import Settings
from adapters.wiring import City
from adapters.worker import make_deliveries, stream_duties
from cardcore.errors import ServiceUnavailableError
from cardcore.platform.event_feed import EventFeed, StreamMessage
from tests.city_life import Life
from tests.conftest import CityClock

KEY = b"k" * 32
EVENTS = 1_200


class NATSServer:
    """A server of this test's own, on loopback, with its stream on disk."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._store = store
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = shutil.which("nats-server", path=str(Path(sys.executable).parent))
        assert binary is not None
        self._process = subprocess.Popen(
            [binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self._store)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stderr is not None
        said = next((line for line in self._process.stderr if "Server is ready" in line), None)
        assert said is not None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def server() -> Iterator[NATSServer]:
    with tempfile.TemporaryDirectory(prefix="ccn-", dir="/tmp") as folder:
        made = NATSServer(Path(folder))
        made.start()
        yield made
        made.kill()


async def stored(server: NATSServer) -> list[dict[str, object]]:
    """All messages of the stream, oldest first."""
    client = await nats.connect(server.url)
    stream = client.jetstream()
    count = (await stream.stream_info(STREAM)).state.messages
    found = []
    subscription = await stream.subscribe(f"{SUBJECT_PREFIX}>", ordered_consumer=True)
    for _ in range(count):
        message = await subscription.next_msg(timeout=5)
        assert message.headers is not None
        told = json.loads(message.data)
        assert message.headers["Nats-Msg-Id"] == told["id"]
        assert message.subject == SUBJECT_PREFIX + told["type"].removeprefix("cardcore.")
        found.append(told)
    await client.close()
    return found


async def feed_of(city: City, count: int) -> None:
    """Lay events in the feed, as the relay does."""
    async with city.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO cardcore.event_feed (seq, event_id, topic, subject_id, recorded_at,"
            " payload) SELECT n, gen_random_uuid(), 'order.captured', gen_random_uuid(), now(),"
            ' \'{"status": "captured"}\' FROM generate_series(1, %s) AS n',
            (count,),
        )


async def waiting(city: City) -> int:
    async with city.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM cardcore.event_feed")
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_what_happens_in_the_city_is_in_the_stream_with_nobodys_name(
    city: City, city_clock: CityClock, server: NATSServer
) -> None:
    life = Life(city, city_clock)
    user_id = await life.person()
    order = await life.pay(user_id)
    settings = Settings(nats_url=server.url)
    deliveries = make_deliveries(city.engine, city.hsm, settings)
    while await deliveries.relay(city_clock.now):
        pass
    (duty,) = await stream_duties(city.engine, city.hsm, settings)
    assert await duty.run(city_clock.now) > 0
    assert await waiting(city) == 0
    told = await stored(server)
    assert "cardcore.order.captured" in {one["type"] for one in told}
    assert str(order.order_id) in {one["subject"] for one in told}
    assert str(user_id) not in json.dumps(told)
    sequences = [str(one["sequence"]) for one in told]
    assert sequences == sorted(sequences)


async def test_without_a_stream_nothing_is_kept_for_one(city: City, city_clock: CityClock) -> None:
    life = Life(city, city_clock)
    await life.pay(await life.person())
    deliveries = make_deliveries(city.engine, city.hsm, Settings())
    assert await deliveries.relay(city_clock.now) > 0
    assert await waiting(city) == 0
    assert await stream_duties(city.engine, city.hsm, Settings()) == []


class KilledMidway(JetStream):
    """Kills the server while the second handful is on its way."""

    def __init__(self, server: NATSServer) -> None:
        super().__init__(server.url)
        self._server = server
        self.calls = 0

    async def publish(self, messages: Sequence[StreamMessage]) -> int:
        self.calls += 1
        if self.calls == 2:
            asyncio.get_running_loop().call_soon(self._server.kill)
        return await super().publish(messages)


async def test_a_server_killed_in_the_middle_loses_nothing_and_has_nothing_twice(
    city: City, city_clock: CityClock, server: NATSServer
) -> None:
    await feed_of(city, EVENTS)
    stream = KilledMidway(server)
    feed = EventFeed(city.engine, stream, KEY)
    with contextlib.suppress(ServiceUnavailableError):
        await feed.publish_due(city_clock.now)
    left = await waiting(city)
    assert 0 < left < EVENTS
    with pytest.raises(ServiceUnavailableError):
        await feed.publish_due(city_clock.now)
    assert await waiting(city) == left
    server.start()
    assert await feed.publish_due(city_clock.now) == left
    told = Counter(one["id"] for one in await stored(server))
    assert len(told) == EVENTS
    assert set(told.values()) == {1}
    await stream.close()


class DiesAfterwards(JetStream):
    """Stores everything, and dies before anybody hears of it: the first two times."""

    deaths = 2

    async def publish(self, messages: Sequence[StreamMessage]) -> int:
        stored_count = await super().publish(messages)
        if self.deaths:
            self.deaths -= 1
            raise ServiceUnavailableError
        return stored_count


async def test_what_was_acknowledged_to_a_worker_that_died_is_not_there_twice(
    city: City, city_clock: CityClock, server: NATSServer
) -> None:
    await feed_of(city, 50)
    stream = DiesAfterwards(server.url)
    feed = EventFeed(city.engine, stream, KEY)
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError):
            await feed.publish_due(city_clock.now)
        assert await waiting(city) == 50
    assert await feed.publish_due(city_clock.now) == 50
    assert len(await stored(server)) == 50
    await stream.close()


async def test_of_two_workers_one_publishes(
    city: City, city_clock: CityClock, server: NATSServer
) -> None:
    await feed_of(city, EVENTS)
    streams = [JetStream(server.url), JetStream(server.url)]
    feeds = [EventFeed(city.engine, stream, KEY) for stream in streams]
    counts = await asyncio.gather(*(feed.publish_due(city_clock.now) for feed in feeds))
    while await waiting(city):
        await feeds[0].publish_due(city_clock.now)
    assert sum(counts) <= EVENTS
    told = await stored(server)
    assert [int(str(one["sequence"])) for one in told] == list(range(1, EVENTS + 1))
    for stream in streams:
        await stream.close()


def test_a_setting_without_its_library_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(ExtraMissingError, match="jetstream"):
        JetStream("nats://127.0.0.1:1")
