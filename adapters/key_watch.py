"""A running server notices issuer keys that were published, have begun to sign, or have ended."""

import asyncio
from typing import Final

import structlog
from psycopg_pool import PoolTimeout

from adapters.wiring import City
from cardcore.errors import ServiceUnavailableError

PERIOD_S: Final = 3.0


class KeyWatch:
    """Looks every few seconds whether the keys are still those the city signs and verifies with."""

    def __init__(self, city: City) -> None:
        self._city = city

    async def look(self) -> bool:
        """Take up what has changed; tells whether anything had."""
        return await self._city.core.refresh_keys()

    async def keep_looking(self) -> None:
        """Look until cancelled. Bears the database being away."""
        log = structlog.get_logger("keys")
        while True:
            try:
                if await self.look():
                    log.info("keys_changed")
            except (ServiceUnavailableError, PoolTimeout) as error:
                log.warning("part_away", error=type(error).__name__)
            await asyncio.sleep(PERIOD_S)
