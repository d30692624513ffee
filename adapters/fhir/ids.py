"""Ids of resources: what names a row within FHIR's alphabet, and back to a condition on its list.

FHIR's ids are 1 to 64 of ``A-Z a-z 0-9 - .``. A UUID is one. A row that has a number within a UUID
is ``<uuid>.<number>``; a row that is named by codes of the hospital's, of any characters, is the
start of their digest.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, func

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_WITHIN: Final = re.compile(r"[0-9a-f]{16}")
_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_DIGITS: Final = 32
_DIGITS_WITHIN: Final = 16
_BETWEEN: Final = "\n"  # in no code
SMALLINT_MAX: Final = 32_767


def code_id(kind: str, *codes: str) -> str:
    """The id of what these codes name together, the hospital's first; ``kind``: a sort of thing."""
    return _digest(_BETWEEN.join((kind, *codes)), _DIGITS)


def numbered_id(of: UUID, number: int) -> str:
    """The id of a numbered row within something."""
    return f"{of}.{number}"


def named_id(of: UUID, name: str) -> str:
    """The id of a row within something, named there by a text of any form."""
    return f"{of}.{_digest(name, _DIGITS_WITHIN)}"


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _sql_digest(text: ColumnElement[str], digits: int) -> ColumnElement[str]:
    """The same as the database works it out; a test holds the two together."""
    return func.substr(func.encode(func.sha256(func.convert_to(text, "UTF8")), "hex"), 1, digits)


class Identity(Protocol):
    """How rows of a list are named."""

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """Which rows have this id; None: none can."""
        ...


@dataclass(frozen=True, slots=True)
class ByUUID:
    """Named by a UUID."""

    column: ColumnElement[Any]

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        return self.column == UUID(text) if _UUID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class ByNumber:
    """Named by a UUID and a number within it."""

    column: ColumnElement[Any]
    number: ColumnElement[int]

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        of, _, number = text.partition(".")
        if not _UUID.fullmatch(of) or not re.fullmatch(r"[1-9][0-9]{0,4}", number):
            return None
        if int(number) > SMALLINT_MAX:
            return None
        return (self.column == UUID(of)) & (self.number == int(number))


@dataclass(frozen=True, slots=True)
class ByName:
    """Named as ``named_id`` does."""

    column: ColumnElement[Any]
    name: ColumnElement[str]

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        of, _, name = text.partition(".")
        if not _UUID.fullmatch(of) or not _WITHIN.fullmatch(name):
            return None
        return (self.column == UUID(of)) & (_sql_digest(self.name, _DIGITS_WITHIN) == name)


@dataclass(frozen=True, slots=True)
class ByText:
    """Named by a text that is an id already."""

    column: ColumnElement[str]

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        return self.column == text if _ID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class ByCodes:
    """Named as ``code_id`` does."""

    kind: str
    columns: Sequence[ColumnElement[str]]

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """See ``Identity``."""
        if not _DIGEST.fullmatch(text):
            return None
        joined = func.concat_ws(_BETWEEN, self.kind, *self.columns)
        return _sql_digest(joined, _DIGITS) == text
