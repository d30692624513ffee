"""The outermost layer: every request gets an id, a log line, a time, an answer and safe headers.

The only layer around the routes, instead of the framework's six, because it stands before every
order (ADR 0050). A refusal raised below becomes its problem here; whatever else is raised becomes
``internal_error``, with nothing in it but the id.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters import whole_answers
from adapters.http import headers as header
from adapters.http.load import Load
from adapters.http.logs import Log, frames_of
from adapters.http.metrics import HTTPMetrics
from adapters.http.record import RequestRecord
from adapters.http.refusals import InternalError
from adapters.http.refuser import Refuser
from cardcore.errors import CardcoreError

RefusalOf = Callable[[Exception, Scope], CardcoreError | None]
"""What an exception means to the client; None where it is a fault of ours."""

_SAFE_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_NOTHING_RUNS: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_ONLY_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
# Nobody is left to read a status; this one is customary in logs.
_CLIENT_LEFT: Final = 499
# A label of the metrics: what a client makes up must not become one.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Polled by machines all day long: counted, not logged.
_UNLOGGED: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Door:
    """ASGI middleware; see the module's docstring."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: HTTPMetrics,
        load: Load,
        log: Log,
        refuser: Refuser,
        refusal_of: RefusalOf,
        tls: bool,
    ) -> None:
        self._app = app
        self._load = load
        self._metrics = metrics
        self._log = log
        self._refuser = refuser
        self._refusal_of = refusal_of
        self._safe_headers = (*_SAFE_HEADERS, _ONLY_TLS) if tls else _SAFE_HEADERS
        self._heads: dict[header.DeclaredHeaders, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; lifespan events pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        record = RequestRecord(
            request_id=header.request_id(scope["headers"]) or secrets.token_hex(16),
            method=scope["method"] if scope["method"] in _METHODS else "OTHER",
        )
        record.attach(scope)
        status = 0

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._complete(message, record)
            await send(message)

        async def answer_whole(code: int, headers: header.DeclaredHeaders, content: bytes) -> None:
            nonlocal status
            status = code
            own = b"request-id: %b\r\ncontent-length: %d\r\n"
            own %= (record.request_id.encode(), len(content))
            await send_whole(code, self._head(headers) + own, content)

        # To a HEAD only a head may be answered.
        send_whole = scope.get("extensions", {}).get(whole_answers.EXTENSION)
        if send_whole is not None and record.method != "HEAD":
            record.answer = answer_whole
        self._metrics.in_flight += 1
        self._load.in_flight += 1
        try:
            await self._app(scope, receive, send_safely)
        except ClientDisconnect:
            status = status or _CLIENT_LEFT
        except Exception as error:
            refusal = self._refusal_of(error, scope)
            if refusal is None:
                self._report(error, record)
            if status:  # half an answer cannot be taken back; the server cuts the connection
                raise
            answer = self._refuser.answer(refusal or InternalError(), scope)
            await answer(scope, receive, send_safely)
        finally:
            self._metrics.in_flight -= 1
            self._load.in_flight -= 1
            record.route = getattr(scope.get("route"), "path", record.route)
            self._leave(record, status, time.perf_counter() - started_s)

    def _report(self, error: Exception, record: RequestRecord) -> None:
        self._log.error(
            "fault",
            request_id=record.request_id,
            route=record.route,
            fault=type(error).__qualname__,
            frames=frames_of(error),
        )

    def _complete(self, message: Message, record: RequestRecord) -> None:
        headers = self._with_safe_headers(message["headers"])
        message["headers"] = [*headers, (b"request-id", record.request_id.encode())]

    def _head(self, headers: header.DeclaredHeaders) -> bytes:
        """A declaration's headers with the safe ones, as lines; there are few declarations."""
        head = self._heads.get(headers)
        if head is None:
            head = self._heads[headers] = header.lines(self._with_safe_headers(headers))
        return head

    def _with_safe_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> header.RawHeaders:
        complete = [*headers, *self._safe_headers]
        names = {name for name, _ in complete}
        if b"cache-control" not in names:
            complete.append(_NO_STORE)
        if b"content-security-policy" not in names:
            complete.append(_NOTHING_RUNS)
        return complete

    def _leave(self, record: RequestRecord, status: int, seconds: float) -> None:
        self._metrics.observe(record, status=status, seconds=seconds)
        if record.route not in _UNLOGGED:
            self._log.info(
                "request",
                request_id=record.request_id,
                method=record.method,
                route=record.route,
                status=status,
                ms=round(seconds * 1000, 2),
                client_id=record.client_id,
                problem=record.problem,
            )
