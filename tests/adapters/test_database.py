import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.database import migrate, open_engine, schema_version, sqlalchemy_url
from cardcore.books import transaction
from cardcore.errors import ServiceUnavailableError
from cardcore.tables import metadata
from cardcore.terminals import tables as _  # noqa: F401  (registers its tables)
from cardcore.user import authorisation_tables as _a  # noqa: F401  (likewise)
from tests.conftest import MakeDatabase


@pytest.fixture(scope="module")
def migrated_url(make_database: MakeDatabase) -> str:
    url = make_database(name="migrated")
    migrate(url)
    return url


def test_migrating_an_empty_database_and_again_changes_nothing(
    empty_database_url: str,
) -> None:
    assert migrate(empty_database_url) == (None, schema_version())
    assert migrate(empty_database_url) == (schema_version(), schema_version())


def test_the_tables_are_what_the_schema_files_made(migrated_url: str) -> None:
    """Why: the tables are written down twice, in SQL and for SQLAlchemy."""
    engine = create_engine(sqlalchemy_url(migrated_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == "cardcore",
                "compare_type": True,
            },
        )
        found = compare_metadata(context, metadata)
    engine.dispose()
    # Indexes and constraints stand in the SQL alone; every table and column must agree.
    kinds = {change[0] if isinstance(change, tuple) else change[0][0] for change in found}
    assert not kinds - {"remove_index", "remove_constraint", "remove_fk"}, found


@pytest.mark.parametrize("table", ["order_line", "refund", "refund_line", "audit_event"])
def test_what_was_booked_cannot_be_changed(migrated_url: str, table: str) -> None:
    """Why: PostgreSQL is the second judge, whatever the program does."""
    engine = create_engine(sqlalchemy_url(migrated_url))
    for statement in (f"DELETE FROM cardcore.{table}", f"TRUNCATE cardcore.{table}"):
        with engine.connect() as connection:
            cursor = connection.connection.cursor()
            with pytest.raises(Exception, match="rows are only ever added"):
                cursor.execute(statement)
    engine.dispose()


async def test_a_connection_the_server_has_left_is_not_used_again(empty_database_url: str) -> None:
    """Why: after a restart of the database all idle connections are dead, and nobody need know."""
    async with open_engine(empty_database_url, connections_max=3) as engine:
        async with engine.connect() as first, engine.connect() as second:
            pids = [
                (await one.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                for one in (first, second)
            ]
        async with engine.connect() as other:
            killer = (await other.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            for pid in pids:
                if pid != killer:
                    await other.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))
        for _ in range(2):
            async with engine.connect() as one, engine.connect() as two:
                for connection in (one, two):
                    assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_row_40_a_pool_without_a_free_connection_is_an_outage(migrated_url: str) -> None:
    engine = create_async_engine(
        sqlalchemy_url(migrated_url), pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    async with engine.connect():
        with pytest.raises(ServiceUnavailableError):
            async with transaction(engine):
                raise AssertionError("there is no second connection")
    await engine.dispose()
