"""The city's HTTP face for the tests of terminals."""

import io
from collections.abc import AsyncIterator

import httpx2
import pytest

from adapters import demo_city
from adapters.settings import Settings
from adapters.wiring import City, make_api
from tests.cardcore.terminals.http_door import URL, Door
from tests.cardcore.terminals.offline_bus import Validator, private
from tests.city_life import Life
from tests.conftest import CityClock


@pytest.fixture
async def door(city: City, city_clock: CityClock) -> AsyncIterator[Door]:
    app = await make_api(city, public_url=URL, clock=city_clock, log_to=io.BytesIO())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=URL) as http:
        yield Door(http, city_clock, city)


@pytest.fixture
async def centre(door: Door, city_settings: Settings) -> dict[str, str]:
    return await door.as_demo("card-centre", city_settings.clients_home)


@pytest.fixture
def bus(life: Life, city_settings: Settings) -> Validator:
    key = demo_city.client_key(city_settings.clients_home, demo_city.BUS_TERMINAL)
    return Validator(life, private(key.private_bytes_raw(), key.public_key().public_bytes_raw()))
