"""Token buckets in Valkey or Redis, shared by all workers; the cache's own clock counts."""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.http.rate_limits import Rate

TIMEOUT_S: Final = 0.05
BREAK_S: Final = 1.0
_PREFIX: Final = "cardcore:rate:"
# One round trip: fill up, take what is there, up to what was asked; say how long until the next.
_TAKE: Final = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local rate, burst, asked = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(kept[1]) or burst
level = math.min(burst, level + math.max(0, at - (tonumber(kept[2]) or at)) * rate)
local granted = math.min(asked, math.floor(level))
redis.call('HSET', KEYS[1], 'level', tostring(level - granted), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {granted, tostring(granted > 0 and 0 or (1 - level) / rate)}
"""


class ValkeyBuckets:
    """Implements ``adapters.http.rate_limits.SharedBuckets``.

    Args:
        url: ``redis://…`` or ``unix://…``.
        monotonic: seconds, for the breaker: a dead cache must not cost each request its timeout.

    ``failures`` counts calls that failed; whoever serves metrics registers it.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._script = self._redis.register_script(_TAKE)
        self._monotonic = monotonic
        self._broken_until = float("-inf")
        self.failures = Counter(
            "cardcore_rate_limit_failures_total",
            "Calls to the cache that failed; buckets of the worker's own have counted instead.",
            registry=None,
        )

    async def take(self, client_id: str, rate: Rate) -> tuple[int, float] | None:
        """See ``SharedBuckets``."""
        if self._monotonic() < self._broken_until:
            return None
        try:
            granted, wait_s = await self._script(
                keys=[_PREFIX + client_id], args=[rate.per_s, rate.burst, rate.handful]
            )
        except (RedisError, OSError, TimeoutError):
            self.failures.inc()
            self._broken_until = self._monotonic() + BREAK_S
            return None
        return int(granted), float(wait_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
