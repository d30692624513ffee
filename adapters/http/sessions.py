"""Who enters by session: operators and citizens, by the cookie of each.

A change (any method but GET) must carry the session's own token in ``X-CSRF-Token`` and must not
come from another site. Source: Fetch Metadata (``Sec-Fetch-Site``).
"""

from typing import TYPE_CHECKING, Final, Literal

from adapters.http import headers as header
from adapters.http.operation import CallerGate
from adapters.http.session_cookies import CITIZEN_COOKIE, OPERATOR_COOKIE, read_cookie, set_cookie
from adapters.http.settings import HTTPSettings
from cardcore.caller import Caller
from cardcore.platform.errors import CSRFRefusedError, SessionInvalidError

if TYPE_CHECKING:
    from cardcore.service import CardCore

Who = Literal["operator", "citizen"]
COOKIES: Final[dict[Who, str]] = {"operator": OPERATOR_COOKIE, "citizen": CITIZEN_COOKIE}
_OUR_SITES: Final = (None, b"same-origin", b"none")


class SessionGate:
    """Turns a session's cookie into its caller; one for each operation."""

    def __init__(
        self, core: "CardCore", settings: HTTPSettings, *, who: Who, changes: bool
    ) -> None:
        self._core = core
        self._settings = settings
        self._who = who
        self._changes = changes

    async def caller(self, headers: header.RawHeaders) -> Caller:
        """The operator or citizen of the session.

        Raises:
            SessionInvalidError: no cookie, or one that opens nothing.
            CSRFRefusedError: a change that may not come from our page.
        """
        token = session_token(headers, self._settings, self._who)
        if token is None:
            raise SessionInvalidError
        if self._changes and header.single(headers, b"sec-fetch-site") not in _OUR_SITES:
            raise CSRFRefusedError
        given = header.single(headers, b"x-csrf-token")
        csrf_token = None if given is None else given.decode("latin-1")
        platform = self._core.platform
        if self._who == "operator":
            return await platform.operators.caller(token, csrf_token, changes=self._changes)
        return await platform.citizens.caller(token, csrf_token, changes=self._changes)


class OfficeGate:
    """Lets in a client by its token or an operator by its session, whichever a request brings.

    A token goes first: who sends one means it, and a browser sends its cookie unasked.
    """

    def __init__(self, clients: CallerGate, operators: SessionGate, settings: HTTPSettings) -> None:
        self._clients = clients
        self._operators = operators
        self._settings = settings

    async def caller(self, headers: header.RawHeaders) -> Caller:
        """The client or operator. Raises as the gate of either; without both, as the clients'."""
        token = header.single(headers, b"authorization")
        if token is None and session_token(headers, self._settings, "operator") is not None:
            return await self._operators.caller(headers)
        return await self._clients.caller(headers)


def session_token(headers: header.RawHeaders, settings: HTTPSettings, who: Who) -> str | None:
    """The session's token as the request carries it."""
    return read_cookie(headers, COOKIES[who], secure=is_secure(settings))


def opening(settings: HTTPSettings, who: Who, token: str, *, max_age_s: int) -> dict[str, str]:
    """The header that gives the session's token to the browser, and to no script."""
    cookie = set_cookie(COOKIES[who], token, max_age_s=max_age_s, secure=is_secure(settings))
    return {"Set-Cookie": cookie}


def closing(settings: HTTPSettings, who: Who) -> dict[str, str]:
    """The header that takes it away."""
    return opening(settings, who, "", max_age_s=0)


def is_secure(settings: HTTPSettings) -> bool:
    """Is the service reached over https, so that cookies may be bound to it?"""
    return settings.public_url.startswith("https://")
