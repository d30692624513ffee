"""A database with the schema of the bus scene."""

from collections.abc import AsyncIterator
from importlib.resources import files

import psycopg
import pytest

from scenes.bus.feed_store import Connection


@pytest.fixture(scope="module")
def bus_database_url(make_database: object) -> str:
    """URL of a database that has the schema ``scene_bus`` and is shared by one test module."""
    assert callable(make_database)
    url = str(make_database())
    steps = sorted(
        step.name for step in files("scenes.bus.schema").iterdir() if step.name.endswith(".sql")
    )
    with psycopg.connect(url) as connection:
        for step in steps:
            connection.execute(files("scenes.bus.schema").joinpath(step).read_bytes())
    return url


@pytest.fixture
async def connection(bus_database_url: str) -> AsyncIterator[Connection]:
    """A connection whose work is rolled back after the test."""
    opened = await psycopg.AsyncConnection.connect(bus_database_url)
    await opened.execute("SELECT 1")  # from here on the service's transactions are savepoints
    yield opened
    await opened.rollback()
    await opened.close()
