"""The driver's own connections, for the hot paths."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

RawConnection = psycopg.AsyncConnection[Any]


@asynccontextmanager
async def own_statements(
    pool: AsyncConnectionPool[RawConnection],
) -> AsyncIterator[RawConnection]:
    """A connection on which each statement is a transaction of its own: two round trips less."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            if connection.info.transaction_status == TransactionStatus.IDLE:
                await connection.set_autocommit(False)
            else:  # left in the middle of something: the pool makes a new one
                await connection.close()
