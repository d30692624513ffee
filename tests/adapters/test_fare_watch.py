"""A running city prices by what another process has activated."""

import pytest

from adapters.fare_watch import FareWatch
from adapters.wiring import City
from cardcore.errors import RequestInvalidError
from tests.city_life import Life
from tests.conftest import CityClock


async def test_prices_withdrawn_by_another_process_are_no_longer_charged(
    city: City, city_clock: CityClock
) -> None:
    life = Life(city, city_clock)
    user_id = await life.person()
    watch = FareWatch(city)
    assert await watch.look()
    assert not await watch.look()
    await life.pay(user_id)
    async with city.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO scene_bus.activation (source, version_no, activated_by, recorded_at)"
            " SELECT DISTINCT source, NULL::integer, 'another process', now()"
            " FROM scene_bus.activation"
        )
    await life.pay(user_id)
    assert await watch.look()
    with pytest.raises(RequestInvalidError):
        await life.pay(user_id)
