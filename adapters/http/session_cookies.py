"""Session cookies: their names, and how they are set and taken away.

Out of reach of scripts, sent to this origin alone. Over https the ``__Host-`` prefix makes the
browser itself demand Secure, the whole path and no domain. Source: RFC 6265bis, section 4.1.3.
"""

from http.cookies import CookieError, SimpleCookie
from typing import Final

from adapters.http import headers as header

OPERATOR_COOKIE: Final = "cardcore_operator"
CITIZEN_COOKIE: Final = "cardcore_citizen"
_SECURE_PREFIX: Final = "__Host-"


def cookie_name(name: str, *, secure: bool) -> str:
    """What the cookie is called on the wire."""
    return f"{_SECURE_PREFIX if secure else ''}{name}"


def set_cookie(name: str, value: str, *, max_age_s: int, secure: bool) -> str:
    """The Set-Cookie value that opens a session; ``max_age_s`` of 0 ends it."""
    flag = "; Secure" if secure else ""
    named = cookie_name(name, secure=secure)
    return f"{named}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Strict{flag}"


def read_cookie(headers: header.RawHeaders, name: str, *, secure: bool) -> str | None:
    """The value of our cookie, None where it is absent or cannot be read."""
    raw = header.single(headers, b"cookie")
    if raw is None:
        return None
    try:
        cookies = SimpleCookie(raw.decode("ascii"))
    except (CookieError, UnicodeDecodeError):
        return None
    found = cookies.get(cookie_name(name, secure=secure))
    return None if found is None else found.value
