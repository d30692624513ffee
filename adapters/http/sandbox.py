"""``/v1/test-clock``: only in a sandbox."""

from datetime import datetime
from typing import Final, Protocol

from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.platform.errors import ClockBackwardsError
from cardcore.platform.request import MoveClock
from cardcore.platform.views import ClockView


class MovableClock(Protocol):
    """A clock that can be moved."""

    async def move_to(self, now: datetime) -> datetime:
        """Move ahead. Raises ``ClockBackwardsError``."""
        ...


SUMMARY: Final = "What exists in a sandbox alone."


def sandbox_noun(clock: MovableClock) -> Noun:
    """The operations of a sandbox with this clock."""
    noun = Noun("sandbox", SUMMARY)

    @noun.operation(
        "POST",
        "/v1/test-clock",
        summary="Move the test clock ahead",
        body=MoveClock,
        reply=ClockView,
        scope=Scope.CLOCK_WRITE,
        refusals=(ClockBackwardsError,),
        examples={"day": {"now": "2026-11-24T04:40:00+08:00"}},
    )
    async def move_test_clock(call: Call[MoveClock]) -> Answer:
        """Everything sees the new time at once: codes expire, days close, holds run out."""
        call.caller.require(Scope.CLOCK_WRITE)
        return Answer(view=ClockView(now=await clock.move_to(call.body.now)))

    return noun
