"""FHIR's data types, made of ours. Pure.

Source: FHIR R4B, ``datatypes.html``.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from adapters.fhir.json_text import Tree, present
from adapters.fhir.names import STATE, TRANSLATION

CURRENCY: Final = "CNY"
_FEN_DIGITS: Final = 2


def money(fen: int) -> Tree:
    """Yuan with exactly two decimals."""
    return {"value": Decimal(fen).scaleb(-_FEN_DIGITS), "currency": CURRENCY}


def instant(at: datetime) -> str:
    """An aware instant, in UTC, to the microsecond we know it by."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def period(starts_at: datetime, ends_at: datetime | None) -> Tree:
    """From, and until where that is known."""
    return present(start=instant(starts_at), end=None if ends_at is None else instant(ends_at))


def reference(kind: str, identity: object, display: str | None = None) -> Tree:
    """A reference within this server."""
    return present(reference=f"{kind}/{identity}", display=display)


def identifier(system: str, value: str) -> Tree:
    """What somebody calls it."""
    return {"system": system, "value": value}


def coding(system: str, code: str, display: str | None = None) -> Tree:
    """One code."""
    return present(system=system, code=code, display=display)


def concept(system: str, code: str, text: str | None = None) -> Tree:
    """One code as a concept; ``text`` is what people read."""
    return present(coding=[coding(system, code, text)], text=text)


def extension(url: str, **value: object) -> Tree:
    """One extension; ``value`` is one of FHIR's ``value…`` or nested ``extension``."""
    return {"url": url, **value}


def state(of: str) -> Tree:
    """Our own state, where FHIR's word says less."""
    return extension(STATE, valueCode=of)


def meta(changed_at: datetime) -> Tree:
    """When the resource has changed last."""
    return {"lastUpdated": instant(changed_at)}


def in_english(name: str | None) -> Tree | None:
    """The same name in English, as the standard's extension has translations."""
    if name is None:
        return None
    said = [extension("lang", valueCode="en"), extension("content", valueString=name)]
    return {"extension": [{"url": TRANSLATION, "extension": said}]}
