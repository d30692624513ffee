"""Connections to PostgreSQL: the driver's pool for hot paths, SQLAlchemy for the rest."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL, Connection, create_engine, event, make_url, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from cardcore.connections import RawConnection

SERVER_VERSION_MIN: Final = 15
POOL_WAIT_S: Final = 5.0
_BY_KEY: Final = (
    "-c plan_cache_mode=force_generic_plan"
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)


class DatabaseUnfitError(Exception):
    """The database cannot serve: too old, or of a newer schema than this program."""


def sqlalchemy_url(database_url: str) -> URL:
    """The same database, as SQLAlchemy names it with the psycopg 3 driver."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


@asynccontextmanager
async def open_pool(
    database_url: str,
    *,
    connections_max: int,
    lock_wait_s: int | None = None,
    by_key: bool = False,
) -> AsyncIterator[AsyncConnectionPool[RawConnection]]:
    """The driver's pool, opened and closed.

    ``lock_wait_s``: how long a statement waits for a lock (a migration may hold one) before it is
    given up; None: for ever. Connections are not asked whether they live before each use: that
    would be a round trip for every batch. Who meets a dead one tries again with another.

    ``by_key``: for those who only ever ask by key, in the same few statements: each statement is a
    transaction of its own, planned once for a connection and by its indexes, whatever the tables
    hold. (Planning the facts of a batch takes twice as long as answering.)
    """
    options = _options(lock_wait_s)
    pool: AsyncConnectionPool[RawConnection] = AsyncConnectionPool(
        database_url,
        min_size=2,
        max_size=connections_max,
        open=False,
        timeout=POOL_WAIT_S,
        reconnect_timeout=30,
        kwargs={"options": f"{options} {_BY_KEY}", "autocommit": True}
        if by_key
        else {"options": options},
    )
    await pool.open(wait=True, timeout=30)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def open_engine(
    database_url: str, *, connections_max: int, lock_wait_s: int | None = None
) -> AsyncIterator[AsyncEngine]:
    """SQLAlchemy's engine, opened and disposed of; ``lock_wait_s`` as for ``open_pool``.

    A connection the server has left is noticed before it is used, without a word on the wire: a
    question to each would be a fifth of all that is said.
    """
    engine = create_async_engine(
        sqlalchemy_url(database_url),
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        connect_args={"options": _options(lock_wait_s)},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_left)
    try:
        yield engine
    finally:
        await engine.dispose()


def _refuse_left(dbapi_connection: Any, *_: object) -> None:  # noqa: ANN401  (an adapter of SQLAlchemy's)
    """Refuse a connection the server has left; the pool then makes all its connections anew.

    Nothing is on its way to an idle connection unless its server says goodbye or is gone. One that
    has vanished without a word is not seen here: the first statement fails, and is said again.
    """
    waiting = select.poll()
    waiting.register(dbapi_connection.driver_connection.pgconn.socket, select.POLLIN)
    if waiting.poll(0):
        raise InvalidatePoolError("the server has left the connection")


def _options(lock_wait_s: int | None) -> str:
    lock_timeout = "" if lock_wait_s is None else f" -c lock_timeout={lock_wait_s}s"
    return f"-c timezone=UTC{lock_timeout}"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("adapters.migrations")))
    return config


def schema_version() -> str:
    """The newest schema this program knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def migrate(database_url: str) -> tuple[str | None, str]:
    """Bring the schema up to what this program needs.

    Returns:
        The version before (None for an empty database) and after.

    Raises:
        DatabaseUnfitError: the server is older than PostgreSQL 15.
    """
    engine = create_engine(sqlalchemy_url(database_url))
    try:
        with engine.connect() as connection:
            _check_server(connection)
            before = _current(connection)
            # Two programs starting at once: the second waits here, then finds nothing to do.
            connection.execute(text("SELECT pg_advisory_lock(7370406)"))
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(text("SELECT pg_advisory_unlock(7370406)"))
            connection.commit()
    finally:
        engine.dispose()
    return before, schema_version()


def _check_server(connection: Connection) -> None:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if number // 10000 < SERVER_VERSION_MIN:
        raise DatabaseUnfitError(
            f"the database server is PostgreSQL {number // 10000}; "
            f"{SERVER_VERSION_MIN} or newer is needed"
        )


def _current(connection: Connection) -> str | None:
    exists = connection.execute(text("SELECT to_regclass('public.schema_version')")).scalar()
    if exists is None:
        return None
    version: str | None = connection.execute(
        text("SELECT version_num FROM public.schema_version")
    ).scalar()
    return version
