"""What a worker has before it, and whether it is about to leave: who is let wait, who is not.

Under overload the requests of people who stand somewhere (a validator, a gate, a counter) must get
through; a list, a bill or a report can be asked for again. So those are refused first, with 503 and
``Retry-After``, while orders go on until their own queue is full.
"""

from dataclasses import dataclass

from cardcore.errors import ServiceUnavailableError


@dataclass(slots=True)
class Load:
    """Of one worker process.

    Attributes:
        in_flight_high: above so many unanswered requests what can wait is refused.
        retry_after_s: when to ask again.
        in_flight: requests that have no answer yet.
        leaving: the worker was told to stop; readiness says so before the door is closed.
    """

    in_flight_high: int
    retry_after_s: int
    in_flight: int = 0
    leaving: bool = False

    def require_room(self) -> None:
        """Raise ``ServiceUnavailableError`` for a request that can wait."""
        if self.in_flight > self.in_flight_high:
            raise ServiceUnavailableError(
                "overloaded: orders first", retry_after_s=self.retry_after_s
            )
