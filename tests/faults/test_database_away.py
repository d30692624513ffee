import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters import demo_city
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.business.request import OrderRequest, RefundRequest
from cardcore.business.views import OrderView
from cardcore.errors import ServiceUnavailableError
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR, Life
from tests.conftest import CityClock

RIDES = 120


@asynccontextmanager
async def durable_city(
    hsm_socket: Path, settings: Settings
) -> AsyncIterator[tuple[Life, EmbeddedPostgres]]:
    """The demo city over a durable server of its own, which the test may kill."""
    with tempfile.TemporaryDirectory(prefix="ccf-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240  (once, before anything runs)
        with EmbeddedPostgres(Path(folder) / "pg") as server:
            addresses = Addresses(database_url=server.url(), hsm_socket=hsm_socket)
            await asyncio.to_thread(migrate, addresses.database_url)
            clock = CityClock()
            async with open_city(addresses, settings, clock=clock) as city:
                await demo_city.load(city, clients_home=settings.clients_home, now=clock.now)
                yield Life(city, clock), server


async def insistently(life: Life, request: OrderRequest, key: str) -> OrderView:
    """What a terminal does: the same request with the same key, until there is an answer."""
    while True:
        try:
            order, _ = await life.city.core.order(VALIDATOR, request, key)
        except ServiceUnavailableError:
            await asyncio.sleep(0.05)
        else:
            return order


async def test_a_database_killed_under_load_loses_no_order_and_books_none_twice(
    hsm_socket: Path, city_settings: Settings
) -> None:
    """Rows 6 and 9 of the faults: retries after the kill find what was booked before it."""
    async with durable_city(hsm_socket, city_settings) as (life, server):
        user_id = await life.person(balance_fen=90_000)
        rides = [life.ride(await life.code(user_id)) for _ in range(RIDES)]
        answered: dict[str, OrderView] = {}
        some_are_booked = asyncio.Event()

        async def ride(number: int) -> None:
            key = f"key-{number}"
            answered[key] = await insistently(life, rides[number], key)
            if len(answered) >= RIDES // 4:
                some_are_booked.set()

        async def kill_when_some_are_booked() -> None:
            await some_are_booked.wait()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)

        async def in_turn(first: int) -> None:
            for number in range(first, RIDES, 8):
                await ride(number)

        await asyncio.gather(kill_when_some_are_booked(), *(in_turn(first) for first in range(8)))

        assert len({order.order_id for order in answered.values()}) == RIDES
        assert await life.balance_fen(user_id) == 90_000 - RIDES * FLAT_FARE_FEN
        assert await life.books_are_right()
        for number, request in enumerate(rides):
            order, replayed = await life.city.core.order(VALIDATOR, request, f"key-{number}")
            assert replayed
            assert order == answered[f"key-{number}"]


async def test_with_the_database_away_every_verb_says_so_and_a_retry_works(
    hsm_socket: Path, city_settings: Settings
) -> None:
    async with durable_city(hsm_socket, city_settings) as (life, server):
        user_id = await life.person(balance_fen=5_000)
        paid = await life.pay(user_id)
        ride = life.ride(await life.code(user_id))
        refund = RefundRequest(out_refund_no="R1", reason="r")
        server.kill()
        assert (await life.city.core.ready())["database"] == "service_unavailable"
        for attempt in (
            lambda: life.city.core.order(VALIDATOR, ride, "key"),
            lambda: life.city.core.refund(CENTRE, paid.order_id, refund, "refund"),
            lambda: life.city.core.read_order(CENTRE, paid.order_id),
            lambda: life.city.core.books(CENTRE),
        ):
            with pytest.raises(ServiceUnavailableError) as away:
                await attempt()
            assert away.value.retryable
        server.start()
        order = await insistently(life, ride, "key")
        assert order.status == "captured"
        given_back, replayed = await life.city.core.refund(CENTRE, paid.order_id, refund, "refund")
        assert (given_back.amount_fen, replayed) == (FLAT_FARE_FEN, False)
        assert await life.balance_fen(user_id) == 5_000 - FLAT_FARE_FEN
