"""A running server notices doors and rights that were given or ended since it last looked."""

import asyncio
from typing import Final

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from adapters.wiring import City
from cardcore.books import transaction
from cardcore.errors import ServiceUnavailableError
from scenes.community.service import doors_version

PERIOD_S: Final = 3.0


class DoorWatch:
    """Looks every few seconds whether the access book is still the one that decides passages."""

    def __init__(self, city: City) -> None:
        self._city = city
        # Unknown at first: what was given between the start and the first look is not missed.
        self._known: tuple[int, ...] | None = None

    async def look(self) -> bool:
        """Load the book again where it has changed; tells whether it did."""
        async with transaction(self._city.engine) as (connection, _):
            now = await doors_version(connection)
        if now == self._known:
            return False
        await self._city.reload_doors()
        self._known = now
        return True

    async def keep_looking(self) -> None:
        """Look until cancelled. Bears the database being away."""
        log = structlog.get_logger("doors")
        while True:
            try:
                if await self.look():
                    log.info("doors_loaded")
            except (psycopg.OperationalError, DBAPIError, ServiceUnavailableError) as error:
                log.warning("part_away", error=type(error).__name__)
            await asyncio.sleep(PERIOD_S)
