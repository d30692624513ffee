"""A token bucket: how fast one caller may ask. Pure; the time is an argument."""


class TokenBucket:
    """Lets ``burst`` requests through at once and ``rate_per_s`` from then on.

    Args:
        rate_per_s: tokens that come back each second.
        burst: tokens it holds at most; it begins full.
        now_s: any monotonic time, s.
    """

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        assert rate_per_s > 0
        assert burst >= 1
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one token; False when there is none."""
        # A clock that steps back gives nothing and takes nothing.
        gone_s = max(0.0, now_s - self._at_s)
        self._at_s = max(self._at_s, now_s)
        self._tokens = min(self._burst, self._tokens + gone_s * self._rate_per_s)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
