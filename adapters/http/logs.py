"""JSON log lines of the HTTP face, which cannot carry personal data.

Only the fields named here leave: a value passed under another name is dropped, so no body, no
credential and no query can slip in by a careless call. A fault is logged with the places it came
through, without its message and without locals: messages of drivers quote rows.
"""

import traceback
from datetime import UTC, datetime
from typing import BinaryIO, Final

from prometheus_client import Counter
from pydantic_core import to_json

FIELDS: Final = frozenset(
    {
        "event",
        "level",
        "at",
        "request_id",
        "method",
        "route",
        "status",
        "ms",
        "client_id",
        "problem",
        "fault",
        "frames",
    }
)


class Log:
    """Writes one JSON object per line: level, instant, and the known fields that say something.

    A library's chain of processors costs three times this, and it runs for every request.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lost: Counter | None = None

    def count_lost(self, counter: Counter) -> None:
        """Where lines that could not be written are counted."""
        self._lost = counter

    def info(self, event: str, **fields: object) -> None:
        """Something ordinary."""
        self._write("info", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """A fault of ours."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        known = {field: value for field, value in fields.items() if field in FIELDS}
        line = to_json(
            {"level": level, "at": datetime.now(UTC), "event": event, **known}, exclude_none=True
        )
        # One call, so that the lines of two processes on one stream do not mix.
        try:
            self._stream.write(line + b"\n")
            self._stream.flush()
        except OSError:
            # A full disk of logs must not stop a citizen at a gate: counted, and gone.
            if self._lost is not None:
                self._lost.inc()


def frames_of(error: BaseException) -> list[str]:
    """Where a fault came through: ``file:line function``, outermost first."""
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
