"""A ledger over a database of the test's own, with a clock the test turns."""

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

import ledger
from ledger import Ledger
from ledger.testing import ManualClock

LEDGER_TEMPLATE = "ledger_template"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def ledger_template(make_database: Callable[..., str]) -> str:
    """Name of a database with the schema installed, to copy from."""
    url = make_database(name=LEDGER_TEMPLATE)
    with psycopg.connect(url) as connection:
        for file in ledger.schema_files():
            connection.execute(file.read_bytes())
    return LEDGER_TEMPLATE


@pytest.fixture
def ledger_url(lend_database: Callable[..., str], ledger_template: str) -> str:
    return lend_database(template=ledger_template)


@pytest.fixture
async def book(ledger_url: str, clock: ManualClock) -> AsyncIterator[Ledger]:
    async with await Ledger.open(ledger_url, clock=clock) as book:
        yield book
