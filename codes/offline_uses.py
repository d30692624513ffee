"""How much of an authorisation this verifier has seen used: the cumulative and count caps.

A verifier without network knows only its own acceptances, so each terminal bounds the exposure by
the caps in the code, and a cloned phone can spend at most the caps once per terminal it reaches;
the double spend is then proven from the records (``codes.double_spend``).
"""

from threading import Lock
from typing import Final, NamedTuple, Protocol

from codes.errors import AskOnlineError, CapCountExceededError, CapCumulativeExceededError

AUTHORISATIONS_MAX: Final = 50_000


class OfflineUse(NamedTuple):
    """One use about to be accepted, with the caps that stand in the code. Amounts in fen."""

    issuer_id: int
    token: bytes
    amount_fen: int
    cumulative_cap_fen: int
    uses_max: int
    expires_at_s: int

    def check(self, *, used_fen: int, used_count: int) -> None:
        """Refuse when this use on top of the earlier ones passes a cap.

        Raises ``CapCumulativeExceededError``, ``CapCountExceededError``.
        """
        if used_fen + self.amount_fen > self.cumulative_cap_fen:
            raise CapCumulativeExceededError(
                f"{used_fen} + {self.amount_fen} fen above {self.cumulative_cap_fen}"
            )
        if used_count + 1 > self.uses_max:
            raise CapCountExceededError(f"{self.uses_max} uses reached")


class OfflineUses(Protocol):
    """Counts uses of authorisations. A terminal's implementation survives a power cut."""

    def add(self, use: OfflineUse, *, now_s: int) -> None:
        """Count ``use``, or raise what ``OfflineUse.check`` raises and count nothing."""
        ...


class MemoryOfflineUses:
    """Bounded count in memory, safe between threads; for tests and online-first terminals."""

    def __init__(self, authorisations_max: int = AUTHORISATIONS_MAX) -> None:
        self._authorisations_max = authorisations_max
        self._used: dict[tuple[int, bytes], tuple[int, int, int]] = {}
        self._lock = Lock()

    def add(self, use: OfflineUse, *, now_s: int) -> None:
        """See ``OfflineUses``. Raises ``AskOnlineError`` when full of living authorisations."""
        name = (use.issuer_id, use.token)
        with self._lock:
            used_fen, used_count, _ = self._used.get(name, (0, 0, 0))
            use.check(used_fen=used_fen, used_count=used_count)
            if name not in self._used and len(self._used) >= self._authorisations_max:
                self._forget_expired(now_s)
            self._used[name] = (used_fen + use.amount_fen, used_count + 1, use.expires_at_s)

    def _forget_expired(self, now_s: int) -> None:
        self._used = {name: used for name, used in self._used.items() if used[2] >= now_s}
        if len(self._used) >= self._authorisations_max:
            raise AskOnlineError("offline use counter is full")
