"""What every test may ask for: a real PostgreSQL, fresh databases, the real data folder."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict

from adapters import demo_city
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city
from hsm_sim.process import HSMProcess

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

MEMORY = Path("/dev/shm")
MEMORY_FREE_MIN = 4 << 30


def quick_folder() -> str:
    """Where servers without durability keep their files: in memory, where there is enough of it.

    A database is a thousand small files; copying them takes a disk twenty times as long.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_FREE_MIN
    return str(MEMORY) if roomy else "/tmp"


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
    with tempfile.TemporaryDirectory(prefix="cct-", dir=quick_folder()) as home:
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
def lend_database(
    postgres_server: EmbeddedPostgres, make_database: MakeDatabase
) -> Iterator[MakeDatabase]:
    """As ``make_database``; what it made is dropped when the test is over."""
    lent: list[str] = []

    def lend(*, template: str = "template0") -> str:
        lent.append(make_database(template=template))
        return lent[-1]

    yield lend
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        for url in lent:
            name = conninfo_to_dict(url)["dbname"]
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def empty_database_url(lend_database: MakeDatabase) -> str:
    """URL of a database of this test's own, with nothing in it."""
    return lend_database()


class CityClock:
    """A clock a test sets and moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The instant it was set to."""
        return self.now

    def advance(self, **by: float) -> None:
        """Move on, as ``timedelta`` counts."""
        self.now += timedelta(**by)


@pytest.fixture(scope="session")
def hsm_socket() -> Iterator[Path]:
    """A security module in a process of its own, for the session."""
    with (
        tempfile.TemporaryDirectory(prefix="cch-", dir=quick_folder()) as home,
        HSMProcess(Path(home) / "hsm") as box,
    ):
        yield box.socket_path


@pytest.fixture(scope="session")
def city_home() -> Iterator[Path]:
    """Where the demo city's clients keep their keys."""
    with tempfile.TemporaryDirectory(prefix="ccc-", dir=quick_folder()) as home:
        yield Path(home)


@pytest.fixture(scope="session")
def city_settings(city_home: Path) -> Settings:
    """Settings of the test city."""
    return Settings(home=city_home, pool_connections_max=6)


@pytest.fixture(scope="session")
def city_template(make_database: MakeDatabase, hsm_socket: Path, city_settings: Settings) -> str:
    """Name of a database with the demo city loaded, to be copied."""
    url = make_database(name="city_template")
    migrate(url)

    async def load() -> None:
        addresses = Addresses(database_url=url, hsm_socket=hsm_socket)
        clock = CityClock()
        async with open_city(addresses, city_settings, clock=clock) as city:
            await demo_city.load(city, clients_home=city_settings.clients_home, now=clock.now)

    asyncio.run(load())
    return "city_template"


@pytest.fixture
def city_clock() -> CityClock:
    """The clock of ``city``."""
    return CityClock()


@pytest.fixture
def city_addresses(lend_database: MakeDatabase, city_template: str, hsm_socket: Path) -> Addresses:
    """A copy of the demo city's database, for this test alone."""
    return Addresses(database_url=lend_database(template=city_template), hsm_socket=hsm_socket)


@pytest.fixture
async def city(
    city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> AsyncIterator[City]:
    """The demo city, running on a database of its own."""
    async with open_city(city_addresses, city_settings, clock=city_clock) as opened:
        yield opened


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name byte cases by their argument: workers that sign afresh must still agree on the names."""
    return argname if isinstance(val, bytes) else None
