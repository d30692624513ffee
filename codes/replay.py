"""Accepting a code once: the interface of a replay guard, and one in memory.

Identity is semantic: issuer and jti for class S; issuer, token and counter for class D. The bytes
would not do, since an ECDSA or SM2 signature has a twin that also verifies. The in-memory guard is
what a single terminal uses; a server claims in its database, in the transaction of the order.
"""

import heapq
from collections import OrderedDict
from threading import Lock
from typing import Final, NamedTuple, Protocol

from codes.errors import AskOnlineError, CodeReplayedError

IDENTITIES_MAX: Final = 200_000
DEVICES_MAX: Final = 20_000
COUNTER_REGRESSION: Final = "counter_regression"


class ReplayIdentity(NamedTuple):
    """What makes two presentations the same code.

    ``key`` is class letter, issuer id (2 bytes) and jti (8), or token (8) and counter (3).
    ``token`` and ``counter`` are there for guards that watch for cloned device keys; ``counter`` is
    None for class S.
    """

    key: bytes
    issuer_id: int
    token: bytes
    counter: int | None


class ReplayGuard(Protocol):
    """Remembers what was accepted."""

    def claim(self, identity: ReplayIdentity, *, now_s: int, expires_at_s: int) -> tuple[str, ...]:
        """Claim ``identity``, once and for ever until ``expires_at_s`` (Unix seconds).

        Returns warnings, such as ``counter_regression``: a counter below one already seen, the sign
        of a cloned device key. Raises ``CodeReplayedError`` when it was claimed before.
        """
        ...


class MemoryReplayGuard:
    """Bounded guard in memory, safe between threads.

    Identities are forgotten when no code with that identity could be accepted any more. When the
    guard is full of identities that still count it refuses (``AskOnlineError``) and does not forget
    one: forgetting would let somebody flood it and then replay. The highest counter of a device
    outlives its codes; there the least recently seen device is forgotten first, since only a report
    depends on it.
    """

    def __init__(
        self, identities_max: int = IDENTITIES_MAX, devices_max: int = DEVICES_MAX
    ) -> None:
        self._identities_max = identities_max
        self._devices_max = devices_max
        self._claimed: set[bytes] = set()
        self._expiries: list[tuple[int, bytes]] = []
        self._highest: OrderedDict[bytes, int] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._claimed)

    def claim(self, identity: ReplayIdentity, *, now_s: int, expires_at_s: int) -> tuple[str, ...]:
        """See ``ReplayGuard``."""
        with self._lock:
            self._forget_expired(now_s)
            if identity.key in self._claimed:
                raise CodeReplayedError(f"claimed before: {identity.key.hex()}")
            if len(self._claimed) >= self._identities_max:
                raise AskOnlineError("replay guard is full")
            self._claimed.add(identity.key)
            heapq.heappush(self._expiries, (expires_at_s, identity.key))
            if identity.counter is None:
                return ()
            return self._watch_counter(identity.key[:11], identity.counter)

    def _watch_counter(self, device: bytes, counter: int) -> tuple[str, ...]:
        highest = self._highest.pop(device, -1)
        self._highest[device] = max(highest, counter)
        if len(self._highest) > self._devices_max:
            self._highest.popitem(last=False)
        return (COUNTER_REGRESSION,) if counter < highest else ()

    def _forget_expired(self, now_s: int) -> None:
        while self._expiries and self._expiries[0][0] < now_s:
            _, key = heapq.heappop(self._expiries)
            self._claimed.discard(key)
