"""What the card centre's own callers send about people: opening, concessions, codes."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import Model, Name

TTL_S_MAX = 60


class Entitlement(Model):
    """A concession class with its evidence and validity, both days included."""

    concession: Name
    evidence: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    valid_from: date
    valid_to: date

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class OpenUserRequest(Model):
    """A real-name registration. ``id_no`` is a GB 11643 number; 15 digits and ``x`` are normalised.

    Opening the same person again answers with the existing user.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    id_no: Annotated[str, StringConstraints(min_length=15, max_length=18)]
    entitlements: list[Entitlement] = Field(default_factory=list, max_length=16)
    funds: list[Name] = Field(default_factory=list, max_length=8)


class IssueCodeRequest(Model):
    """A class S code for a person whose phone is online.

    ``context`` is the terminal or line the phone was told, where it was told one: it binds the
    code to that place. ``cap_fen`` bounds what this one code may pay.
    """

    scenes: Annotated[list[Name], Field(min_length=1, max_length=9)]
    ttl_s: Annotated[int, Field(strict=True, ge=10, le=TTL_S_MAX)] = 30
    cap_fen: Annotated[int, Field(strict=True, ge=0, le=655_350, multiple_of=10)] = 20_000
    context: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
