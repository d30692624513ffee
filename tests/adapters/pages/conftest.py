"""One browser for all tests of pages; each has a context of its own in it, as good as new.

Starting a browser takes longer than most of what is tested in it. It belongs to one event loop, so
the tests of this folder, and the fixtures they wait for, run in the session's.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city
from tests.adapters.pages.gate_stand import FLAGS, chromium
from tests.conftest import CityClock

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what waits in the session's loop. Called with the tests of all folders."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("asyncio") is not None:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a camera; the test skips where there is none."""
    path = chromium()
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), chromium_sandbox=False
        )
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def city(
    city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> AsyncIterator[City]:
    """As everywhere, in the loop of the browser."""
    async with open_city(city_addresses, city_settings, clock=city_clock) as opened:
        yield opened
