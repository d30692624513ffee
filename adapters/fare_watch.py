"""A running server notices prices that another process has imported or activated."""

import asyncio
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from adapters.wiring import City
from scenes.bus.service import prices_version

PERIOD_S: Final = 3.0


class FareWatch:
    """Looks every few seconds whether the prices are still those the city prices by."""

    def __init__(self, city: City) -> None:
        self._city = city
        # Unknown at first: what was activated between the start and the first look is not missed.
        self._known: tuple[int, int] | None = None

    async def look(self) -> bool:
        """Load the prices again where they have changed; tells whether it did."""
        async with self._city.pool.connection() as connection:
            now = await prices_version(connection)
        if now == self._known:
            return False
        await self._city.reload_fares()
        self._known = now
        return True

    async def keep_looking(self) -> None:
        """Look until cancelled. Bears the database being away."""
        log = structlog.get_logger("fares")
        while True:
            try:
                if await self.look():
                    log.info("prices_loaded")
            except (psycopg.OperationalError, PoolTimeout) as error:
                log.warning("part_away", error=type(error).__name__)
            await asyncio.sleep(PERIOD_S)
