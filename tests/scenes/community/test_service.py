"""Doors and grants: kept, loaded, ended; never edited."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from importlib.resources import files
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from scenes.community.access import Decision, Grant, Relation
from scenes.community.service import (
    GrantUnknownError,
    end_grant,
    give_grant,
    load_access_book,
    put_door_into_groups,
)
from scenes.community.tables import metadata

NOW = datetime(2026, 5, 15, tzinfo=UTC)
RESIDENT = UUID(int=1)
GRANT_ID = UUID(int=9)
GRANT = Grant(
    door_group="building_3",
    relation=Relation.RESIDENT,
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 12, 31),
    weekdays=frozenset({0, 4}),
    starts=time(6),
    ends=time(23),
)


@pytest.fixture(scope="module")
def community_url(make_database: object) -> str:
    assert callable(make_database)
    url = str(make_database())
    with psycopg.connect(url) as connection:
        for name in ("0001_community.sql", "0002_visitors.sql"):
            connection.execute(files("scenes.community.schema").joinpath(name).read_bytes())
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
async def connection(community_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(community_url)
    async with engine.connect() as opened:
        yield opened
        await opened.rollback()
    await engine.dispose()


async def test_without_doors_there_is_no_book(connection: AsyncConnection) -> None:
    assert await load_access_book(connection) is None


async def test_doors_and_grants_come_back_as_they_were_given(connection: AsyncConnection) -> None:
    for _ in range(2):
        await put_door_into_groups(
            connection, "lobby", ["building_3", "all"], recorded_by="op-1", at=NOW
        )
        await give_grant(connection, GRANT_ID, RESIDENT, GRANT, recorded_by="op-1", at=NOW)
    book = await load_access_book(connection)
    assert book is not None
    assert book.groups_of_door == {"lobby": {"all", "building_3"}}
    assert book.grants_of_user == {RESIDENT: (GRANT,)}
    assert book.decide(RESIDENT, "lobby", date(2026, 5, 15), time(7)) is Decision.OPEN


async def test_an_ended_grant_opens_nothing_from_then_on(connection: AsyncConnection) -> None:
    await put_door_into_groups(connection, "lobby", ["building_3"], recorded_by="op-1", at=NOW)
    await give_grant(connection, GRANT_ID, RESIDENT, GRANT, recorded_by="op-1", at=NOW)
    for _ in range(2):
        await end_grant(connection, GRANT_ID, recorded_by="op-2", at=NOW)
    book = await load_access_book(connection)
    assert book is not None
    decision = book.decide(RESIDENT, "lobby", date(2026, 5, 15), time(7))
    assert decision is Decision.NO_RELATION


async def test_a_grant_nobody_gave_cannot_be_ended(connection: AsyncConnection) -> None:
    with pytest.raises(GrantUnknownError):
        await end_grant(connection, UUID(int=77), recorded_by="op-2", at=NOW)


async def test_grants_cannot_be_edited(connection: AsyncConnection) -> None:
    await give_grant(connection, GRANT_ID, RESIDENT, GRANT, recorded_by="op-1", at=NOW)
    with pytest.raises(DBAPIError, match="rows are only ever added"):
        await connection.execute(text("UPDATE scene_community.access_grant SET ends = '23:59'"))


def test_the_tables_are_those_of_the_schema(community_url: str) -> None:
    engine = create_engine(community_url)
    inspector = inspect(engine)
    names = sorted(table.name for table in metadata.sorted_tables)
    assert sorted(inspector.get_table_names("scene_community")) == names
    for table in metadata.sorted_tables:
        described = {
            column["name"]: (column["nullable"], column["type"].compile(engine.dialect))
            for column in inspector.get_columns(table.name, "scene_community")
        }
        assert described == {
            column.name: (column.nullable, column.type.compile(engine.dialect))
            for column in table.columns
        }
    engine.dispose()
