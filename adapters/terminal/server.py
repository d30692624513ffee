"""The server as the terminal sees it: three requests, a token, and two kinds of no.

``ServerAwayError``: nobody knows whether it was heard; the same request is sent again later.
``ServerRefusedError``: heard and refused; the same request again would be refused again. Plain HTTP
is spoken to this machine alone. Source: docs/terminal.md, docs/http.md.
"""

import json
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpx2

from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.terminal.key import TerminalKey

TIMEOUT_S: Final = 10.0
ANSWER_SIZE_MAX: Final = 4 * 2**20
PACKAGE_SIZE_MAX: Final = 96 * 2**20
# A clock further off than this cannot sign proofs the server believes.
ASSERTION_SKEW: Final = timedelta(seconds=30)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_LATER: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
)
_RETRY_AFTER_S_MAX: Final = 3600


class ServerURLError(ValueError):
    """The address is not one a terminal may speak to."""

    code: ClassVar[str] = "server_url"


class ServerAwayError(Exception):
    """No answer, or one that says come back. ``retry_after_s`` is the server's wish, 0 = none."""

    def __init__(self, code: str, retry_after_s: float = 0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s


class ServerRefusedError(Exception):
    """Refused with an HTTP status and a stable ``code``; ``server_time`` as the answer had it."""

    def __init__(self, status: int, code: str, server_time: datetime | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.server_time = server_time


def checked_url(url: str) -> str:
    """``url`` without a trailing slash.

    Raises:
        ServerURLError: not HTTPS, unless the host is this machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url.rstrip("/")
    raise ServerURLError(f"{url!r}: HTTPS only, plain HTTP to this machine alone")


def http_client(base_url: str, ca_file: str | None = None) -> httpx2.Client:
    """A client that follows no redirect and asks no environment. Raises ``ServerURLError``."""
    verify: ssl.SSLContext | bool = True
    if ca_file is not None:
        verify = ssl.create_default_context(cafile=ca_file)
    return httpx2.Client(
        base_url=checked_url(base_url), timeout=TIMEOUT_S, trust_env=False, verify=verify
    )


class Server:
    """Requests without a token.

    Args:
        http: speaks to the server; closed by whoever made it.
    """

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def enrol(self, body: dict[str, Any]) -> dict[str, Any]:
        """Enrol. Raises ``ServerAwayError``, ``ServerRefusedError``."""
        request = self._http.build_request("POST", "/v1/enrolments", json=body)
        answer, content = self._exchange(request, ANSWER_SIZE_MAX)
        return _json(answer, content)

    def _exchange(self, request: httpx2.Request, size_max: int) -> tuple[httpx2.Response, bytes]:
        """Status below 400 and the whole body, at most ``size_max`` bytes of it."""
        try:
            answer = self._http.send(request, stream=True)
            try:
                content = _read(answer, size_max)
            finally:
                answer.close()
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise ServerAwayError(type(error).__name__) from None
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise _refusal(answer, content)
        return answer, content


class TerminalServer(Server):
    """Requests of an enrolled terminal; a token is fetched when needed and kept while it is good.

    Args:
        http: speaks to the server.
        client_id: whose token.
        token_url: where tokens are; also the audience of the proof.
        key: the terminal's own.
        now: aware instant by the terminal's clock.
    """

    def __init__(
        self,
        http: httpx2.Client,
        *,
        client_id: str,
        token_url: str,
        key: TerminalKey,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(http)
        self._client_id = client_id
        self._token_url = checked_url(token_url)
        self._key = key
        self._now = now
        self._token = ""

    def package(self, held_etag: str | None) -> bytes | None:
        """The newest package's container: whole, or changes to the held one; None = none newer.

        Raises ``ServerAwayError``, ``ServerRefusedError``.
        """
        headers = {} if held_etag is None else {"If-None-Match": f'"{held_etag}"'}
        query = {} if held_etag is None else {"held": held_etag}

        def build() -> httpx2.Request:
            return self._http.build_request(
                "GET", "/v1/terminal-package", params=query, headers=headers | self._bearer()
            )

        answer, content = self._with_token(build, PACKAGE_SIZE_MAX)
        return None if answer.status_code == HTTPStatus.NOT_MODIFIED else content

    def upload(self, body: dict[str, Any]) -> dict[str, Any]:
        """Send records. Raises ``ServerAwayError``, ``ServerRefusedError``."""

        def build() -> httpx2.Request:
            return self._http.build_request(
                "POST", "/v1/records", json=body, headers=self._bearer()
            )

        answer, content = self._with_token(build, ANSWER_SIZE_MAX)
        return _json(answer, content)

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _with_token(
        self, build: Callable[[], httpx2.Request], size_max: int
    ) -> tuple[httpx2.Response, bytes]:
        if self._token:
            try:
                return self._exchange(build(), size_max)
            except ServerRefusedError as refused:
                if refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
        self._sign_in()
        return self._exchange(build(), size_max)

    def _sign_in(self) -> None:
        """Fetch a token; a clock that is off is made up for, or it could never report itself."""
        self._token = ""
        try:
            self._token = self._fetch_token(self._now())
        except ServerRefusedError as refused:
            if refused.server_time is None:
                raise
            skew = self._now() - refused.server_time
            if abs(skew) <= ASSERTION_SKEW:
                raise
            self._token = self._fetch_token(self._now() - skew)

    def _fetch_token(self, at: datetime) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(
                self._client_id, self._key.pkcs8_key, audience=self._token_url, now=at
            ),
        }
        request = self._http.build_request("POST", self._token_url, data=form)
        answer, content = self._exchange(request, ANSWER_SIZE_MAX)
        return str(_json(answer, content).get("access_token", ""))


def _read(answer: httpx2.Response, size_max: int) -> bytes:
    pieces = []
    size = 0
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > size_max:
            raise ServerAwayError("answer_too_large")
        pieces.append(piece)
    return b"".join(pieces)


def _json(answer: httpx2.Response, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        # A proxy's page, or an answer cut off: nobody knows what became of the request.
        raise ServerAwayError(f"answer_not_json_{answer.status_code}")
    return document


def _refusal(answer: httpx2.Response, content: bytes) -> ServerAwayError | ServerRefusedError:
    try:
        problem = json.loads(content)
        code = str(problem.get("code") or problem.get("error") or "unknown")
    except (ValueError, AttributeError, RecursionError):
        code = f"http_{answer.status_code}"
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in _LATER:
        return ServerAwayError(code, _retry_after_s(answer.headers.get("Retry-After", "")))
    return ServerRefusedError(answer.status_code, code, _date(answer.headers.get("Date", "")))


def _retry_after_s(text: str) -> float:
    return min(int(text), _RETRY_AFTER_S_MAX) if text.isdecimal() else 0


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
