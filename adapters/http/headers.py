"""Request headers read strictly from the raw ASGI list: at most once, in their form.

A header that decides about money or access must not be readable in two ways by two servers, so
one given twice is refused. Sources: RFC 9110 section 5.3; uniform API, "Idempotency-Key".
"""

import re
from collections.abc import Iterable
from typing import Final

from adapters.http.refusals import (
    ContentTypeError,
    HeaderInvalidError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyMissingError,
)

RawHeaders = list[tuple[bytes, bytes]]
DeclaredHeaders = tuple[tuple[bytes, bytes], ...]
"""Headers of an answer that are known before any request."""

IDEMPOTENCY_KEY_PATTERN: Final = r"^[!-~]{1,255}$"
_IDEMPOTENCY_KEY: Final = re.compile(rb"[!-~]{1,255}")
_LINE: Final = re.compile(rb"[!-9;-~]+: [ -~]*\r\n")
_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._\-]{1,64}")
ANY_ETAG: Final = frozenset({"*"})
_ETAG: Final = re.compile(r'"([!#-~]{1,128})"')
_JSON_TYPE: Final = re.compile(rb'application/json(\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE)
_FORM_TYPE: Final = re.compile(
    rb'application/x-www-form-urlencoded(\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE
)


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as the lines of a head, each ended by CRLF."""
    written = [b"%b: %b\r\n" % header for header in headers]
    assert all(map(_LINE.fullmatch, written)), "a header that would be another one, too"
    return b"".join(written)


def single(headers: RawHeaders, name: bytes) -> bytes | None:
    """The value of header ``name`` (lower case), None where it is absent.

    Raises:
        HeaderInvalidError: the header stands there more than once.
    """
    found: bytes | None = None
    for header, value in headers:
        if header == name:
            if found is not None:
                raise HeaderInvalidError(f"{name.decode()} is given more than once")
            found = value
    return found


def idempotency_key(headers: RawHeaders) -> str:
    """The key of a request that moves money.

    Raises:
        IdempotencyKeyMissingError: there is none.
        IdempotencyKeyInvalidError: not 1 to 255 visible ASCII characters.
    """
    value = single(headers, b"idempotency-key")
    if value is None:
        raise IdempotencyKeyMissingError(help="/docs#idempotency")
    if _IDEMPOTENCY_KEY.fullmatch(value) is None:
        raise IdempotencyKeyInvalidError(
            "the Idempotency-Key must be 1 to 255 visible ASCII characters",
            help="/docs#idempotency",
        )
    return value.decode("ascii")


def request_id(headers: RawHeaders) -> str | None:
    """The caller's own request id where it gave one of the right form, else None."""
    for header, value in headers:
        if header == b"request-id":
            return value.decode("ascii") if _REQUEST_ID.fullmatch(value) else None
    return None


def etags(headers: RawHeaders, name: bytes) -> frozenset[str]:
    """The entity tags of ``If-None-Match`` or its like, without quotes (RFC 9110 section 8.8.3).

    Weak tags are taken for what they name: this compares for a GET. A malformed header names none;
    ``*`` is any (``ANY_ETAG``).
    """
    value = single(headers, name)
    if value is None:
        return frozenset()
    if value.strip() == b"*":
        return ANY_ETAG
    return frozenset(_ETAG.findall(value.decode("latin-1")))


def require_json(headers: RawHeaders) -> None:
    """Raise ``ContentTypeError`` unless the body is plain UTF-8 JSON."""
    _require_type(headers, _JSON_TYPE, "application/json")


def require_form(headers: RawHeaders) -> None:
    """Raise ``ContentTypeError`` unless the body is a plain URL-encoded form."""
    _require_type(headers, _FORM_TYPE, "application/x-www-form-urlencoded")


def _require_type(headers: RawHeaders, pattern: re.Pattern[bytes], name: str) -> None:
    content_type = single(headers, b"content-type")
    if content_type is None or pattern.fullmatch(content_type) is None:
        raise ContentTypeError(f"the body must be {name} in UTF-8")
    encoding = single(headers, b"content-encoding")
    # A compressed body could be a thousand times what its length says.
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise ContentTypeError("a compressed body is not read")


def preferred_language(headers: RawHeaders) -> str | None:
    """``zh`` or ``en``, whichever Accept-Language weighs more; None where it names neither."""
    weights: dict[str, float] = {}
    for header, value in headers:
        if header == b"accept-language":
            for item in value[:256].decode("latin-1").split(","):
                tag, _, weight = item.strip().partition(";")
                language = tag.strip().lower().partition("-")[0]
                if language in {"zh", "en"}:
                    weights[language] = max(weights.get(language, 0.0), _weight(weight))
    best = max(weights, key=lambda language: weights[language], default=None)
    return best if best is not None and weights[best] > 0 else None


def _weight(parameter: str) -> float:
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", parameter)
    return float(found[1]) if found else (0.0 if parameter.strip() else 1.0)
