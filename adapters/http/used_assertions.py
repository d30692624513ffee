"""Client assertions are good once: who remembers which were used."""

from datetime import datetime
from typing import Final, Protocol

from cardcore.errors import ServiceUnavailableError

CLAIMS_MAX: Final = 100_000


class UsedAssertions(Protocol):
    """Remembers assertions until they would have expired anyway."""

    async def claim(
        self, client_id: str, assertion_id: str, *, expires_at: datetime, now: datetime
    ) -> bool:
        """True the first time (``client_id``, ``assertion_id``) is claimed, False ever after."""
        ...


class UsedAssertionsInMemory:
    """For one worker process. With several, one shared memory must stand behind the Protocol."""

    def __init__(self, *, claims_max: int = CLAIMS_MAX) -> None:
        self._claims_max = claims_max
        self._claims: dict[tuple[str, str], datetime] = {}

    async def claim(
        self, client_id: str, assertion_id: str, *, expires_at: datetime, now: datetime
    ) -> bool:
        """See ``UsedAssertions``.

        Raises:
            ServiceUnavailableError: so many are alive that forgetting one would reopen it.
        """
        if len(self._claims) >= self._claims_max:
            self._claims = {key: end for key, end in self._claims.items() if end > now}
            if len(self._claims) >= self._claims_max:
                raise ServiceUnavailableError
        key = (client_id, assertion_id)
        if key in self._claims:
            return False
        self._claims[key] = expires_at
        return True
