"""The worker: what falls due without anybody asking. Safe to run twice, or not for a while.

Expired holds give their money back; codes, aliases and assertions that have been past their end
for a day are forgotten (the order keeps the digest of its code as evidence).
"""

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
import structlog
import uvloop
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.database import open_pool
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import business_day_of, utc_now
from cardcore.books import RawConnection
from ledger import Ledger

PERIOD_S: Final = 30.0
KEPT_AFTER_END: Final = timedelta(days=1)
ROWS_PER_ROUND_MAX: Final = 20_000
_EXPIRING: Final = ("used_code", "code_token", "used_assertion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one round did."""

    holds_expired: int
    rows_forgotten: int


async def work_once(pool: AsyncConnectionPool[RawConnection], book: Ledger, now: datetime) -> Done:
    """One round: bounded, and harmless when repeated."""
    holds_expired = await book.expire_pending_transfers()
    rows_forgotten = 0
    for table in _EXPIRING:
        async with pool.connection() as connection:
            gone = await connection.execute(
                f"DELETE FROM cardcore.{table} WHERE ctid = ANY(ARRAY("  # noqa: S608  (constants)
                f" SELECT ctid FROM cardcore.{table} WHERE expires_at < %s LIMIT %s))",
                (now - KEPT_AFTER_END, ROWS_PER_ROUND_MAX),
            )
            rows_forgotten += gone.rowcount
    return Done(holds_expired=holds_expired, rows_forgotten=rows_forgotten)


def work(addresses: Addresses, settings: Settings, *, once: bool = False) -> None:
    """Work until told to stop (SIGINT, SIGTERM), or for one round."""
    uvloop.run(_work(addresses, settings, once=once))


async def _work(addresses: Addresses, settings: Settings, *, once: bool) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with (
        open_pool(addresses.database_url, connections_max=settings.pool_connections_max) as pool,
        Ledger(pool=pool, business_day=business_day_of(settings)) as book,
    ):
        await keep_working(pool, book, stopping, once=once)


async def keep_working(
    pool: AsyncConnectionPool[RawConnection],
    book: Ledger,
    stopping: asyncio.Event,
    *,
    once: bool = False,
) -> None:
    """One round after another until ``stopping`` is set. Bears the database being away."""
    log = structlog.get_logger("worker")
    while not stopping.is_set():
        try:
            done = await work_once(pool, book, utc_now())
            if once or done.holds_expired or done.rows_forgotten:
                log.info(
                    "round", holds_expired=done.holds_expired, rows_forgotten=done.rows_forgotten
                )
        except (psycopg.OperationalError, PoolTimeout) as error:
            # The database is away: it will be back, and nothing here is urgent.
            log.warning("database_away", error=type(error).__name__)
        if once:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), PERIOD_S)
