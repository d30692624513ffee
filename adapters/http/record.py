"""What is noted about a request on its way through, for its log line and its metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from adapters.http.headers import DeclaredHeaders

AnswerWhole = Callable[[int, DeclaredHeaders, bytes], Awaitable[None]]
"""Sends status, headers and content; length, request id and safe headers are added."""

_KEY: Final = "cardcore.request"


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One request. ``route`` is the template, never the path: a path may name a person.

    ``client_id`` is None until the token was checked; ``problem`` is the code of the refusal.
    ``answer`` sends a whole answer in one step, where the server can.
    """

    request_id: str
    method: str
    route: str = "unmatched"
    client_id: str | None = None
    problem: str | None = None
    answer: AnswerWhole | None = None

    def attach(self, scope: Scope) -> None:
        """Make this the record of the request of ``scope``."""
        scope[_KEY] = self


def record_of(scope: Scope) -> RequestRecord:
    """The record that the door attached."""
    record = scope[_KEY]
    assert isinstance(record, RequestRecord)
    return record
