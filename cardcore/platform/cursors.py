"""Cursors of lists: where the last page ended, as opaque text. Pure.

A cursor holds the sort key of the last row and nothing that grants anything: what may be seen is
decided anew for each page.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic_core import from_json, to_json

from cardcore.errors import RequestInvalidError

Key = int | str


def after(last: Sequence[Key]) -> str:
    """The cursor that goes on after the row of sort key ``last``."""
    return base64.urlsafe_b64encode(to_json(list(last))).rstrip(b"=").decode("ascii")


def read_cursor(cursor: str | None, first: Sequence[Key]) -> tuple[Key, ...]:
    """The sort key a cursor holds; ``first`` where there is no cursor.

    Raises:
        RequestInvalidError: not a cursor of a list with such a sort key.
    """
    if cursor is None:
        return tuple(first)
    try:
        found = from_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    right = isinstance(found, list) and [type(one) for one in found] == [type(one) for one in first]
    if not right:
        raise RequestInvalidError("the cursor is not of this list", field="cursor")
    assert isinstance(found, list)
    return tuple(found)


def id_of(key: Key) -> UUID:
    """An id out of a cursor. Raises ``RequestInvalidError``: somebody else has made it."""
    try:
        return UUID(str(key))
    except ValueError:
        raise RequestInvalidError("the cursor is not of this list", field="cursor") from None


def instant_of(key: Key) -> datetime:
    """An aware instant out of a cursor. Raises as ``id_of``."""
    try:
        at = datetime.fromisoformat(str(key))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RequestInvalidError("the cursor is not of this list", field="cursor")
    return at
