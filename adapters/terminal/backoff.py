"""How long to wait before trying again: longer each time, never all terminals at one instant. Pure.

Source: exponential back-off with jitter over the upper half of the span.
"""

from collections.abc import Callable
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0


class Backoff:
    """Counts failures in a row.

    Args:
        random: draws from [0, 1).
        first_s: the longest wait after one failure.
        longest_s: the longest wait ever.
    """

    def __init__(
        self,
        random: Callable[[], float],
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._random = random
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0

    def succeeded(self) -> None:
        """The next wait is a first one."""
        self._failures = 0

    def failed(self, at_least_s: float = 0) -> float:
        """Seconds to wait after one more failure; ``at_least_s`` is what the server asked for."""
        span_s = min(self._longest_s, self._first_s * 2.0**self._failures)
        # Past this many doublings the span is at its longest anyway.
        self._failures = min(self._failures + 1, 64)
        return max(at_least_s, span_s * (0.5 + self._random() / 2))
