"""Rows and arrays packed by hand read back as what was given, whatever it was."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardcore.bulk import BulkTable, copy_rows, packed_array, teach_arrays
from cardcore.connections import RawConnection

COLUMNS = {
    "number_2": "smallint",
    "number_4": "integer",
    "number_8": "bigint",
    "name": "text",
    "person": "uuid",
    "flag": "boolean",
    "day": "date",
    "at": "timestamptz",
    "digest": "bytea",
    "document": "jsonb",
}
TABLE = BulkTable.of("bulk_row", " ".join(f"{name}:{kind}" for name, kind in COLUMNS.items()))
DAYS = st.dates(date(1900, 1, 1), date(9000, 1, 1))
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (the zone is given beside it)
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
ROWS = st.tuples(
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | TEXTS,
    st.none() | st.uuids(),
    st.booleans(),
    st.none() | DAYS,
    st.none() | INSTANTS,
    st.none() | st.binary(max_size=20),
    st.dictionaries(TEXTS, st.integers(-(2**31), 2**31) | TEXTS, max_size=3),
)


@pytest.fixture
async def raw(empty_database_url: str) -> AsyncIterator[RawConnection]:
    async with await psycopg.AsyncConnection.connect(empty_database_url) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        await connection.execute(f"CREATE TEMPORARY TABLE bulk_row ({columns})".encode())
        yield connection


async def test_rows_read_back_as_they_were_given(raw: RawConnection) -> None:
    loop = asyncio.get_running_loop()

    async def there_and_back(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        await raw.execute("TRUNCATE bulk_row")
        await copy_rows(raw, TABLE, rows)
        found = await raw.execute("SELECT * FROM bulk_row")
        read: list[tuple[Any, ...]] = await found.fetchall()
        return read

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=st.lists(ROWS, max_size=5))
    def reads_back(rows: list[tuple[Any, ...]]) -> None:
        assert asyncio.run_coroutine_threadsafe(there_and_back(rows), loop).result() == rows

    await asyncio.to_thread(reads_back)


@pytest.mark.parametrize(
    "given", [UUID(int=1 << 100 | 5), str(UUID(int=1 << 100 | 5)), 1 << 100 | 5]
)
async def test_a_uuid_is_given_as_such_as_text_or_as_a_number(
    raw: RawConnection, given: object
) -> None:
    await copy_rows(raw, BulkTable.of("bulk_row", "person:uuid"), [(given,)])
    found = await raw.execute("SELECT person FROM bulk_row")
    assert await found.fetchone() == (UUID(int=1 << 100 | 5),)


async def test_a_row_of_another_width_is_refused_before_anything_is_sent(
    raw: RawConnection,
) -> None:
    with pytest.raises(ValueError, match="zip"):
        await copy_rows(raw, TABLE, [(1, 2)])
    found = await raw.execute("SELECT count(*) FROM bulk_row")
    assert await found.fetchone() == (0,)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [UUID(int=7), UUID(int=1 << 127)]),
        ("text", ["线路", "", "a", None, "a"]),
        ("bigint", [None, -1, 2**62]),
        ("date", [date(1999, 12, 31), date(2026, 5, 4)]),
        ("timestamptz", [datetime(1999, 1, 1, 0, 0, 0, 1, UTC), datetime(2026, 5, 4, tzinfo=UTC)]),
    ],
)
async def test_an_array_arrives_as_it_was_given(
    raw: RawConnection, kind: str, values: list[object]
) -> None:
    teach_arrays(raw)
    for some in (values, values[:1], []):
        found = await raw.execute("SELECT %b", (packed_array(kind, some),))
        assert await found.fetchone() == (some,)
