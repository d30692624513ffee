"""Replay hints in Valkey or Redis: an accelerator that may vanish at any instant.

A storm of replays is turned away here without touching the database. With the cache gone every
call answers "unknown" at once and the database judges as it always does; a breaker keeps a dead
cache from costing each request its timeout.
"""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

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

    async def spent_by(self, replay_key: bytes) -> str | None:
        """The request that spent this code, or None where the cache does not know."""
        if self._monotonic() < self._broken_until:
            return None
        try:
            value = await self._redis.get(_PREFIX + replay_key)
        except (RedisError, OSError, TimeoutError):
            self._break()
            return None
        return value.decode() if isinstance(value, bytes) else value

    async def remember(self, replay_key: bytes, request: str, *, ttl_s: int) -> None:
        """Remember who spent a code; the first to say so stays."""
        if self._monotonic() < self._broken_until:
            return
        try:
            await self._redis.set(_PREFIX + replay_key, request, ex=max(ttl_s, 1), nx=True)
        except (RedisError, OSError, TimeoutError):
            self._break()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _break(self) -> None:
        self.failures.inc()
        self._broken_until = self._monotonic() + BREAK_S
