"""How often one client may ask: a token bucket each, and 429 with ``Retry-After`` when it is empty.

All workers share the buckets through the cache where there is one. To ask it at every request would
cost more than the limit is worth, so a worker takes tokens by the handful. With the cache away each
worker keeps buckets of its own: the limit is then per worker, and nobody is shut out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

from adapters.http import headers as header
from adapters.http.operation import CallerGate
from adapters.http.refusals import RateLimitedError
from cardcore.caller import Caller

BUCKETS_MAX: Final = 20_000
HANDFULS_PER_S: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests per second in the long run, and how many at once after a rest."""

    per_s: int
    burst: int

    def __post_init__(self) -> None:
        assert 0 < self.per_s <= self.burst

    @property
    def handful(self) -> int:
        """How many tokens a worker takes at once."""
        return max(1, self.per_s // HANDFULS_PER_S)


@dataclass(slots=True)
class Bucket:
    """Tokens of one client. Pure: the time is an argument."""

    level: float
    at_s: float

    def take(self, rate: Rate, now_s: float) -> float:
        """0 where a token was taken, else how many seconds until there is one."""
        self.level = min(rate.burst, self.level + max(0.0, now_s - self.at_s) * rate.per_s)
        self.at_s = now_s
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / rate.per_s


class SharedBuckets(Protocol):
    """The buckets all workers share."""

    async def take(self, client_id: str, rate: Rate) -> tuple[int, float] | None:
        """Tokens granted (0 to a handful) and seconds to wait where none; None: out of reach."""
        ...


class RateLimits:
    """The limits as one worker keeps them; ``prefix`` keeps its names apart from other limits'."""

    def __init__(
        self,
        rate: Rate,
        monotonic: Callable[[], float],
        shared: SharedBuckets | None = None,
        *,
        prefix: str = "",
    ) -> None:
        self._rate = rate
        self._prefix = prefix
        self._monotonic = monotonic
        self._shared = shared
        self._buckets: dict[str, Bucket] = {}
        self._in_hand: dict[str, int] = {}

    async def take(self, client_id: str) -> None:
        """Let one request pass.

        Raises:
            RateLimitedError: the client asks too often.
        """
        in_hand = self._in_hand.get(client_id, 0)
        if in_hand > 1:
            self._in_hand[client_id] = in_hand - 1
            return
        if in_hand == 1:
            # An empty hand is not remembered: sources come by the million.
            del self._in_hand[client_id]
            return
        granted = None
        if self._shared is not None:
            granted = await self._shared.take(self._prefix + client_id, self._rate)
        if granted is None:
            wait_s = self._bucket(client_id).take(self._rate, self._monotonic())
        else:
            tokens, wait_s = granted
            if tokens > 0:
                # Added, not set: another request of the client may have brought some meanwhile.
                left = self._in_hand.get(client_id, 0) + tokens - 1
                if left:
                    self._in_hand[client_id] = left
                return
        if wait_s > 0:
            seconds = max(1, ceil(wait_s))
            raise RateLimitedError(headers=[("Retry-After", str(seconds))], retry_after_s=seconds)

    def _bucket(self, client_id: str) -> Bucket:
        bucket = self._buckets.get(client_id)
        if bucket is None:
            if len(self._buckets) >= BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]
                self._in_hand.clear()
            bucket = Bucket(self._rate.burst, self._monotonic())
            self._buckets[client_id] = bucket
        return bucket


class LimitedGate:
    """A gate that lets a proven caller pass only so often."""

    def __init__(self, gate: CallerGate, limits: RateLimits) -> None:
        self._gate = gate
        self._limits = limits

    async def caller(self, headers: header.RawHeaders) -> Caller:
        """The caller; see ``CallerGate``.

        Raises:
            RateLimitedError: it asks too often.
        """
        caller = await self._gate.caller(headers)
        await self._limits.take(caller.client_id)
        return caller
