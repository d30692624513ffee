"""Which client assertions were used, shared by all workers through the database."""

from datetime import datetime

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cardcore.connections import RawConnection
from cardcore.errors import ServiceUnavailableError


class SharedUsedAssertions:
    """Implements ``adapters.http.used_assertions.UsedAssertions``."""

    def __init__(self, pool: AsyncConnectionPool[RawConnection]) -> None:
        self._pool = pool

    async def claim(
        self,
        client_id: str,
        assertion_id: str,
        *,
        expires_at: datetime,
        now: datetime,  # noqa: ARG002  (the port's form; the worker prunes what has expired)
    ) -> bool:
        """True the first time, False ever after.

        Raises:
            ServiceUnavailableError: the database is away; nobody is let in unheard.
        """
        try:
            async with self._pool.connection() as connection:
                claimed = await connection.execute(
                    "INSERT INTO cardcore.used_assertion (client_id, assertion_id, expires_at)"
                    " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    (client_id, assertion_id, expires_at),
                )
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise ServiceUnavailableError from error
        return claimed.rowcount == 1
