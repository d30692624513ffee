"""The server's connection, with a bound on how long a client may take to say what it wants.

The server library bounds how long an idle connection is kept, but not how long a request may
arrive: a client that sends a head byte by byte, or nothing at all, holds a connection for ever
("slowloris"). One timer a connection settles it, for the first byte of the head to the last one
of the body. Nor does it bound the head and the trailers, or say in the form of all other refusals
what is no HTTP. It also offers the app to send whole answers (``adapters.whole_answers``).
"""

import asyncio
import secrets
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from adapters import whole_answers
from adapters.http.problems import PROBLEM_TYPE, problem_of
from adapters.http.refusals import HeadTooLargeError, HTTPMalformedError, HTTPRefusalError

ARRIVAL_S: Final = 10.0
AROUND_BODY_BYTES_MAX: Final = 512 * 1024
"""Of one request: its head, the framing of its chunks, its trailers."""


class WholeAnswer:
    """``SendWhole`` for one request: leaves it as the library's two messages would."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    async def __call__(self, status: int, head: bytes, content: bytes) -> None:
        """See ``SendWhole``."""
        cycle = self._cycle
        assert not cycle.response_started
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        ends = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        cycle.transport.write(b"".join((STATUS_LINE[status], head, ends, content)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


class PromptProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests must have arrived ``arrival_s`` after they began.

    A connection begins with the expectation of a request; one that has been answered is the
    keep-alive timer's until its next byte.
    """

    arrival_s = ARRIVAL_S

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  (passes through)
        super().__init__(*arguments, **named)
        self._late: asyncio.TimerHandle | None = None
        self._around_body_bytes = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    @override
    def data_received(self, data: bytes) -> None:
        # Before the parser: it says nothing of empty lines, which may go on for ever.
        if not self._is_serving():
            self._expect()
        self._around_body_bytes += len(data)
        super().data_received(data)
        if self._around_body_bytes > AROUND_BODY_BYTES_MAX:
            self._refuse(HeadTooLargeError())

    @override
    def on_body(self, body: bytes) -> None:
        self._around_body_bytes -= len(body)
        super().on_body(body)

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPMalformedError())

    @override
    def on_message_begin(self) -> None:
        self._around_body_bytes = 0
        self._expect()
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.scope is self.scope:  # not an upgrade
            extensions = {whole_answers.EXTENSION: WholeAnswer(cycle)}
            self.scope["extensions"] = extensions  # type: ignore[typeddict-item]  # our own

    @override
    def on_message_complete(self) -> None:
        self._arrived()
        super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def _refuse(self, refusal: HTTPRefusalError) -> None:
        """Say why, and close; only close where it would be read as another request's answer."""
        cycle: RequestResponseCycle | None = self.cycle
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if not (self.transport.is_closing() or self._is_serving() or answering):
            request_id = secrets.token_hex(16)
            problem = problem_of(refusal, language="zh", request_id=request_id)
            content = problem.model_dump_json().encode()
            head = (
                f"content-type: {PROBLEM_TYPE}\r\ncontent-length: {len(content)}\r\n"
                f"cache-control: no-store\r\nrequest-id: {request_id}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[refusal.status] + head.encode() + content)
        self.transport.close()

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.arrival_s, self._cut)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_serving(self) -> bool:
        """Is a request that has arrived waiting for its answer?"""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def _cut(self) -> None:
        self._late = None
        if self._is_serving():  # the next request is late; this one gets its answer first
            self._expect()
        else:
            self.transport.close()
