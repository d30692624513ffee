"""Field types and the base of every request and view: frozen, nothing extra, no coercion.

Amounts are JSON integers of fen; a float, a string or a boolean is refused.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

AMOUNT_FEN_MAX = 10_000_000_00  # ten million yuan: above any order a card may carry

AmountFen = Annotated[int, Field(strict=True, ge=1, le=AMOUNT_FEN_MAX)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
PrintedNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:\-]{1,64}$")]


class Model(BaseModel):
    """Base of the models of the uniform API."""

    model_config = ConfigDict(frozen=True, extra="forbid")
