"""Scans over HTTP on loopback, for a camera program or a gate controller on the same machine.

``POST /scan`` with ``{"text": "M1:..."}`` is answered by the decision as JSON. Bounded: 8 KiB,
eight callers at once, five seconds each. Nothing but the loopback address is listened on, and a
request must name it as its host and be JSON, so that a page in a browser here cannot scan.
"""

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore
from typing import Any, Final

BODY_SIZE_MAX: Final = 8192
CALLERS_MAX: Final = 8
TIMEOUT_S: Final = 5.0
LOOPBACK: Final = "127.0.0.1"
_HOSTS: Final = frozenset({LOOPBACK, "localhost"})

Scan = Callable[[str], dict[str, Any]]


class _RequestRefusedError(Exception):
    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class ScanServer(ThreadingHTTPServer):
    """Serves ``/scan``; bound when made, serving after ``serve_forever``.

    Args:
        port: 0 = any free one, see ``server_port``.
        scan: judges a text and gives the decision as a JSON object.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    # A restart after a power cut must not wait for old connections to be forgotten.
    allow_reuse_address = True

    def __init__(self, port: int, scan: Scan) -> None:
        self.scan = scan
        self._places = BoundedSemaphore(CALLERS_MAX)
        super().__init__((LOOPBACK, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (socketserver's)
        """Serve in a thread, or hang up when all places are taken."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as above)
        """Free the place at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as above)
        """A caller that hung up or fell silent is nobody's concern; all else is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ScanServer
    timeout = TIMEOUT_S
    server_version = "terminal"
    sys_version = ""

    def do_POST(self) -> None:
        try:
            text = self._text()
        except _RequestRefusedError as refused:
            self._answer(refused.status, {"code": refused.code})
            return
        self._answer(HTTPStatus.OK, self.server.scan(text))

    def _text(self) -> str:
        if self.path != "/scan":
            raise _RequestRefusedError(HTTPStatus.NOT_FOUND, "not_found")
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in _HOSTS:
            raise _RequestRefusedError(HTTPStatus.MISDIRECTED_REQUEST, "host_not_allowed")
        if self.headers.get_content_type() != "application/json":
            raise _RequestRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type_not_json")
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal():
            raise _RequestRefusedError(HTTPStatus.LENGTH_REQUIRED, "length_required")
        if len(size) > 6 or int(size) > BODY_SIZE_MAX:
            raise _RequestRefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large")
        try:
            document = json.loads(self.rfile.read(int(size)))
            text = document["text"]
        except (ValueError, KeyError, TypeError, RecursionError):
            text = None
        if not isinstance(text, str):
            raise _RequestRefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "text_missing")
        return text

    def _answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        content = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  (http.server's name)
        """The display tells what was decided; nothing of a request is logged."""
