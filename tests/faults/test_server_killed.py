"""A server killed in the middle of an order: what the terminal is told when it asks again."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City
from cardcore.business.request import Mode, OrderRequest
from tests.city_life import FLAT_FARE_FEN, VALIDATOR, Life
from tests.conftest import CityClock

ROOT = Path(__file__).parents[2]
# Books one order and dies without telling anybody.
SERVER = """
import asyncio, os, signal, sys
from pathlib import Path
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.business.request import OrderRequest
from tests.city_life import VALIDATOR
from tests.conftest import CityClock

async def main() -> None:
    url, socket, home, request, key = sys.argv[1:]
    addresses = Addresses(database_url=url, hsm_socket=Path(socket))
    async with open_city(addresses, Settings(home=Path(home)), clock=CityClock()) as city:
        await city.core.order(VALIDATOR, OrderRequest.model_validate_json(request), key)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture
def life(city: City, city_clock: CityClock) -> Life:
    """The server that lives on."""
    return Life(city, city_clock)


async def other_server(
    addresses: Addresses, settings: Settings, request: OrderRequest, key: str
) -> asyncio.subprocess.Process:
    """A second server that books ``request`` and is killed between commit and answer."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVER,
        addresses.database_url,
        str(addresses.hsm_socket),
        str(settings.home),
        request.model_dump_json(),
        key,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


async def orders(life: Life) -> int:
    async with life.city.pool.connection() as connection:
        found = await connection.execute("SELECT count(*) FROM cardcore.business_order")
        row = await found.fetchone()
        assert row is not None
        return int(row[0])


async def test_row_7_a_server_killed_between_commit_and_answer_has_booked_once(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    """Row 7 of the faults: the retry is told what was committed; no key is left stuck."""
    user_id = await life.person(balance_fen=500)
    request = life.ride(await life.code(user_id))
    server = await other_server(city_addresses, city_settings, request, "key")
    assert await server.wait() == -signal.SIGKILL
    assert await orders(life) == 1
    order, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert (order.status, replayed) == ("captured", True)
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    assert await life.books_are_right()


@pytest.mark.parametrize("mode", [Mode.PAY, Mode.HOLD])
async def test_row_8_a_server_killed_before_the_commit_has_booked_nothing(
    life: Life, city_addresses: Addresses, city_settings: Settings, mode: Mode
) -> None:
    """Row 8 of the faults: the retry executes once, and no hold leaks.

    How: a lock on the table of orders keeps the server's statement waiting; then the server is
    killed, and with it its connection.
    """
    user_id = await life.person(balance_fen=500)
    request = life.ride(await life.code(user_id)).model_copy(update={"mode": mode})
    async with life.city.pool.connection() as holder, life.city.pool.connection() as watcher:
        await holder.execute("LOCK TABLE cardcore.business_order IN EXCLUSIVE MODE")
        server = await other_server(city_addresses, city_settings, request, "key")
        waiting: list[tuple[int]] = []
        while not waiting:
            found = await watcher.execute(
                "SELECT pid FROM pg_locks WHERE NOT granted"
                " AND relation = 'cardcore.business_order'::regclass"
            )
            waiting = await found.fetchall()
            await watcher.rollback()
            assert server.returncode is None
            await asyncio.sleep(0.05)
        server.kill()
        await server.wait()
        await watcher.execute("SELECT pg_terminate_backend(%s, 5000)", waiting[0])
        await holder.rollback()
    assert await orders(life) == 0
    assert await life.balance_fen(user_id) == 500
    order, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert (order.status, replayed) == ("held" if mode is Mode.HOLD else "captured", False)
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    assert await orders(life) == 1
    assert await life.books_are_right()
