"""Who writes into which shard.

A shard is claimed with a session advisory lock on a connection of its own, so that it is free
again when the process dies. The claim only keeps writers out of each other's way; that batches
of one shard are numbered without a gap is held by the lock on the shard's row.
"""

import asyncio
import contextlib
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.errors import ShardsExhaustedError

ADVISORY_CLASS: Final = 0x1ED6E2
"""First key of the advisory locks that claim shards; the second is the shard's number."""

SHARDS_MAX: Final = 1024


class ShardClaim:
    """A writer's hold on one shard.

    Args:
        pool: where to take the connection that holds the claim.
        shard: the shard wanted; None takes the first free one.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], shard: int | None) -> None:
        self._pool = pool
        self._wanted = shard
        self._number: int | None = None
        self._holder: AsyncConnection[Any] | None = None
        self._claiming = asyncio.Lock()

    async def number(self) -> int:
        """The shard's number; claimed on the first call."""
        if self._number is not None:
            return self._number
        async with self._claiming:
            if self._number is None:
                self._number = await self._claim()
        return self._number

    async def release(self) -> None:
        """Let the shard go. The next ``number`` claims again."""
        holder, self._holder, self._number = self._holder, None, None
        if holder is not None:
            await holder.close()

    async def _claim(self) -> int:
        conninfo = self._pool.conninfo
        assert isinstance(conninfo, str)
        holder = await AsyncConnection.connect(conninfo, autocommit=True)
        try:
            number = await self._lock_free_shard(holder)
            await holder.execute(
                "INSERT INTO ledger.shard (shard, closed_through) "
                "SELECT %s, max(closed_through) FROM ledger.shard ON CONFLICT DO NOTHING",
                (number,),
            )
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                await holder.close()
            raise
        self._holder = holder
        return number

    async def _lock_free_shard(self, holder: AsyncConnection[Any]) -> int:
        if self._wanted is not None:
            # Asked for by number: shared on purpose where another holds it already.
            await holder.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (ADVISORY_CLASS, self._wanted)
            )
            return self._wanted
        for number in range(SHARDS_MAX):
            cursor = await holder.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (ADVISORY_CLASS, number)
            )
            row = await cursor.fetchone()
            if row == (True,):
                return number
        raise ShardsExhaustedError(SHARDS_MAX)
