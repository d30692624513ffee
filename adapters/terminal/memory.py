"""What this terminal has seen spent and used: replay guard and offline uses inside a transaction.

Both live in the journal and take part in the transaction of the scan, so what they count and what
was recorded cannot disagree. Nothing is forgotten by the terminal's own clock: a clock that jumps
forward and back again would open a door for codes shown before. Only the server's time, when it is
heard, lets ended entries go. Sources: codes/replay.py, codes/offline_uses.py; ADR 24.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from codes.errors import AskOnlineError, CodeReplayedError
from codes.offline_uses import OfflineUse
from codes.replay import COUNTER_REGRESSION, ReplayIdentity

# An authorisation lives at most a week; its device's counter is watched a little longer.
DEVICE_KEPT_S: Final = 8 * 86_400
FORGET_MARGIN_S: Final = 86_400
CLAIMS_MAX: Final = 200_000
_DEVICE_KEY_SIZE: Final = 11


@dataclass(frozen=True, slots=True)
class ScanMemory:
    """Implements ``ReplayGuard`` and ``OfflineUses`` on the open transaction of one scan."""

    connection: sqlite3.Connection
    claims_max: int = CLAIMS_MAX

    def claim(self, identity: ReplayIdentity, *, now_s: int, expires_at_s: int) -> tuple[str, ...]:
        """See ``ReplayGuard``. Raises ``AskOnlineError`` when full."""
        known = self.connection.execute("SELECT 1 FROM claimed WHERE key = ?", (identity.key,))
        if known.fetchone() is not None:
            raise CodeReplayedError(f"claimed before: {identity.key.hex()}")
        (count,) = self.connection.execute("SELECT count(*) FROM claimed").fetchone()
        if count >= self.claims_max:
            raise AskOnlineError("replay guard is full")
        self.connection.execute("INSERT INTO claimed VALUES (?, ?)", (identity.key, expires_at_s))
        if identity.counter is None:
            return ()
        return self._watch_counter(identity.key[:_DEVICE_KEY_SIZE], identity.counter, now_s)

    def _watch_counter(self, device: bytes, counter: int, now_s: int) -> tuple[str, ...]:
        row = self.connection.execute(
            "SELECT highest_counter FROM device WHERE key = ?", (device,)
        ).fetchone()
        highest = -1 if row is None else row[0]
        self.connection.execute(
            "INSERT OR REPLACE INTO device VALUES (?, ?, ?)",
            (device, max(highest, counter), now_s + DEVICE_KEPT_S),
        )
        return (COUNTER_REGRESSION,) if counter < highest else ()

    def add(self, use: OfflineUse, *, now_s: int) -> None:  # noqa: ARG002  (the Protocol's)
        """See ``OfflineUses``."""
        row = self.connection.execute(
            "SELECT used_fen, used_count FROM offline_use WHERE issuer_id = ? AND token = ?",
            (use.issuer_id, use.token),
        ).fetchone()
        used_fen, used_count = (0, 0) if row is None else row
        use.check(used_fen=used_fen, used_count=used_count)
        self.connection.execute(
            "INSERT OR REPLACE INTO offline_use VALUES (?, ?, ?, ?, ?)",
            (
                use.issuer_id,
                use.token,
                used_fen + use.amount_fen,
                used_count + 1,
                use.expires_at_s,
            ),
        )


def forget_ended(connection: sqlite3.Connection, *, server_time_s: int) -> None:
    """Let go of what had ended a day before the server's time."""
    before_s = server_time_s - FORGET_MARGIN_S
    for table in ("claimed", "device", "offline_use"):
        connection.execute(f"DELETE FROM {table} WHERE expires_at_s < ?", (before_s,))  # noqa: S608  (three names above)
