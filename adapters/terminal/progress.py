"""The durable steps of the agent, announced as they are passed.

Nobody listens in service. A test that wants a power cut between two steps does.
"""

from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """A place between two effects, in the order a scan and its record pass them."""

    JUDGED = "judged"
    WRITTEN = "written"
    COMMITTED = "committed"
    SHOWN = "shown"
    SENDING = "sending"
    ANSWERED = "answered"
    SETTLED = "settled"
    FILE_SYNCED = "file_synced"
    FILE_REPLACED = "file_replaced"


class Progress(Protocol):
    """Hears of each step."""

    def reached(self, step: Step) -> None:
        """All effects up to ``step`` have been made, none after it."""
        ...


class Unwatched:
    """Nobody listens."""

    def reached(self, step: Step) -> None:
        """See ``Progress``."""


UNWATCHED = Unwatched()
