"""Replay hints in Valkey or Redis: an accelerator that may vanish at any instant.

A storm of replays is turned away here without touching the database. With the cache gone every
call answers "unknown" at once and the database judges as it always does; a breaker keeps a dead
cache from costing each request its timeout.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from cardcore.ports import SpentCode

TIMEOUT_S: Final = 0.05
BREAK_S: Final = 1.0
_PREFIX: Final = b"cardcore:spent:"


class ValkeyReplayHints:
    """Implements ``cardcore.ports.ReplayHints``.

    Args:
        url: ``redis://…`` or ``unix://…``.
        monotonic: seconds, for the breaker.

    ``failures`` counts calls that failed; whoever serves metrics registers it.
    """

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._monotonic = monotonic
        self._broken_until = float("-inf")
        self.failures = Counter(
            "cardcore_cache_failures_total",
            "Calls to the cache that failed; the database has judged instead.",
            registry=None,
        )

    async def spent_by(self, replay_keys: Sequence[bytes]) -> Sequence[str | None]:
        """The requests that spent these codes, None where the cache does not know."""
        if not replay_keys or self._monotonic() < self._broken_until:
            return [None] * len(replay_keys)
        try:
            values = await self._redis.mget([_PREFIX + key for key in replay_keys])
        except (RedisError, OSError, TimeoutError):
            self._break()
            return [None] * len(replay_keys)
        return [value.decode() if isinstance(value, bytes) else value for value in values]

    async def remember(self, spent: Sequence[SpentCode]) -> None:
        """Remember who spent these codes; the first to say so stays."""
        if not spent or self._monotonic() < self._broken_until:
            return
        try:
            async with self._redis.pipeline(transaction=False) as told:
                for one in spent:
                    told.set(_PREFIX + one.replay_key, one.request, ex=max(one.ttl_s, 1), nx=True)
                await told.execute()
        except (RedisError, OSError, TimeoutError):
            self._break()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _break(self) -> None:
        self.failures.inc()
        self._broken_until = self._monotonic() + BREAK_S
