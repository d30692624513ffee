"""What every test may ask for: a real PostgreSQL, fresh databases, the real data folder."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from adapters.embedded_postgres import EmbeddedPostgres

settings.register_profile(
    "dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci",
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("soak", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("CARDCORE_HYPOTHESIS", "dev"))

MakeDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real data that is not part of the project; a test skips where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CARDCORE_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CARDCORE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One server for the session. Durability is off: kill tests start a server of their own."""
    with tempfile.TemporaryDirectory(prefix="cct-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        server = EmbeddedPostgres(
            Path(home) / "pg",
            settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        )
        with server:
            yield server


@pytest.fixture(scope="session")
def make_database(postgres_server: EmbeddedPostgres) -> MakeDatabase:
    """A function that makes one more database and returns its URL.

    ``make_database()`` is empty; ``make_database(template="name")`` copies that database.
    """
    numbers = itertools.count(1)

    def make(*, template: str = "template0", name: str | None = None) -> str:
        name = name or f"t{next(numbers)}"
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(
                f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode()
            )
        return postgres_server.url(name)

    return make


@pytest.fixture
def empty_database_url(make_database: MakeDatabase) -> str:
    """URL of a database of this test's own, with nothing in it."""
    return make_database()
