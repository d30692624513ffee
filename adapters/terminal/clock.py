"""The terminal's clock, watched: it may be wrong, and it may jump.

Nothing here sets a clock. ``floor_s`` is the latest instant somebody trusted has named (the server,
the issuer of the package): a clock before it is wrong for certain, and scans are refused, since an
old code would look fresh. A clock ahead makes codes look expired and lists stale, which refuses by
itself.
"""

from collections.abc import Callable
from typing import Final

BEHIND_MAX_S: Final = 90
JUMP_MIN_S: Final = 30.0


class TerminalClock:
    """Wall clock and steady clock side by side.

    Args:
        wall_s: Unix seconds, ``time.time`` in service.
        steady_s: seconds that never jump, ``time.monotonic`` in service.
        floor_s: the latest trusted instant known from before.
    """

    def __init__(
        self, wall_s: Callable[[], float], steady_s: Callable[[], float], floor_s: int = 0
    ) -> None:
        self._wall_s = wall_s
        self._steady_s = steady_s
        self._offset_s = wall_s() - steady_s()
        self.floor_s = floor_s

    def now_ms(self) -> int:
        """The instant by the wall clock, Unix ms, never below 0."""
        return max(0, int(self._wall_s() * 1000))

    def trust(self, instant_s: int) -> None:
        """Somebody trusted says it is at least this late."""
        self.floor_s = max(self.floor_s, instant_s)

    def is_wrong(self, now_s: int) -> bool:
        """Is ``now_s`` before what is known to have passed?"""
        return now_s < self.floor_s - BEHIND_MAX_S

    def jump_s(self) -> float:
        """How far the wall clock has jumped since this was last asked, 0 for less than 30 s."""
        offset_s = self._wall_s() - self._steady_s()
        jumped_s = offset_s - self._offset_s
        if abs(jumped_s) < JUMP_MIN_S:
            return 0.0
        self._offset_s = offset_s
        return jumped_s
