"""What a request speaks and wants to hear: JSON of FHIR's, strict or lenient. Pure.

Source: FHIR R4B, ``http.html#general`` and ``search.html#errors``.
"""

import re
from typing import Final

from adapters.fhir.errors import NotAcceptableError
from adapters.http import headers as header
from adapters.http.refusals import ContentTypeError

_SPOKEN: Final = frozenset(
    {"application/fhir+json", "application/json", "text/json", "application/*", "*/*", "json"}
)
_BODY: Final = re.compile(
    rb'application/(fhir\+)?json(\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE
)
_LENIENT: Final = re.compile(rb"(^|[,;\s])handling\s*=\s*lenient($|[,;\s])", re.IGNORECASE)
_NEVER: Final = re.compile(r";\s*q\s*=\s*0(\.0{0,3})?\s*$")

_ACCEPT_READ: Final = 1024


def require_json_wanted(headers: header.RawHeaders, asked_format: str | None) -> None:
    """Raise ``NotAcceptableError`` where neither ``_format`` nor ``Accept`` takes JSON."""
    if asked_format is not None:
        if asked_format.replace(" ", "+") not in _SPOKEN:
            raise NotAcceptableError
        return
    accept = b",".join(value for name, value in headers if name == b"accept")
    if not accept.strip():
        return
    wanted = [one.strip() for one in accept[:_ACCEPT_READ].decode("latin-1").lower().split(",")]
    for one in wanted:
        if one.partition(";")[0].strip() in _SPOKEN and _NEVER.search(one) is None:
            return
    raise NotAcceptableError


def require_json_sent(headers: header.RawHeaders) -> None:
    """Raise ``ContentTypeError`` unless the body is plain UTF-8 JSON, of FHIR's name or its own."""
    content_type = header.single(headers, b"content-type")
    if content_type is None or _BODY.fullmatch(content_type) is None:
        raise ContentTypeError("the body must be application/fhir+json in UTF-8")
    encoding = header.single(headers, b"content-encoding")
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise ContentTypeError("a compressed body is not read")


def is_lenient(headers: header.RawHeaders) -> bool:
    """Does the request ask to leave unknown parameters out?"""
    return any(name == b"prefer" and _LENIENT.search(value) is not None for name, value in headers)
