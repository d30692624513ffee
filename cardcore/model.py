"""Field types and the base of every request and view: frozen, nothing extra, no coercion.

Amounts are JSON integers of fen; a float, a string or a boolean is refused.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

AMOUNT_FEN_MAX = 10_000_000_00  # ten million yuan: above any order a card may carry

AmountFen = Annotated[int, Field(strict=True, ge=1, le=AMOUNT_FEN_MAX)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
PrintedNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:\-]{1,64}$")]

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _read_instant(value: object) -> object:
    # Left to itself the validator also takes Unix seconds, and guesses their unit.
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("an instant is written as in RFC 3339, with its offset")
    return datetime.fromisoformat(value.upper())


Instant = Annotated[AwareDatetime, BeforeValidator(_read_instant)]


class Model(BaseModel):
    """Base of the models of the uniform API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of_own(cls, fields: dict[str, Any]) -> Self:
        """A view of values of our own, which are right already: nothing is read again.

        Validating an order's view costs ten times this, and its values come out of our own books.

        Args:
            fields: every field of the model, by its name, in its own type; kept, not copied.
        """
        view = cls.__new__(cls)
        object.__setattr__(view, "__dict__", fields)
        object.__setattr__(view, "__pydantic_fields_set__", set(fields))
        object.__setattr__(view, "__pydantic_extra__", None)
        object.__setattr__(view, "__pydantic_private__", None)
        return view
