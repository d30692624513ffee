"""What the card centre's own callers send about people: opening, concessions, codes."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import Model, Name

TTL_S_MAX = 60

# One line of text as people write it. Control characters are refused: no form shows them.
Line = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=200, strip_whitespace=True
    ),
]
PhoneText = Annotated[str, StringConstraints(min_length=7, max_length=32)]


class Entitlement(Model):
    """A concession class with its evidence and validity, both days included."""

    concession: Name
    evidence: Line
    valid_from: date
    valid_to: date

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class OpenUserRequest(Model):
    """A registration at one of three levels.

    ``real_name`` needs name and ``id_no``, a GB 11643 number (15 digits and ``x`` are normalised);
    ``phone`` needs a phone number that was verified; ``anonymous`` takes nothing. Opening the
    same person again answers with the existing user.
    """

    level: Literal["anonymous", "phone", "real_name"] = "real_name"
    name: Annotated[Line, StringConstraints(max_length=80)] | None = None
    id_no: Annotated[str, StringConstraints(min_length=15, max_length=18)] | None = None
    phone: PhoneText | None = None
    address: Line | None = None
    entitlements: list[Entitlement] = Field(default_factory=list, max_length=16)
    funds: list[Name] = Field(default_factory=list, max_length=8)

    @model_validator(mode="after")
    def _has_what_the_level_needs(self) -> Self:
        real_name = self.name is not None and self.id_no is not None
        if self.level == "real_name" and not real_name:
            raise ValueError("the level real_name needs name and id_no")
        if self.level != "real_name" and (self.name is not None or self.id_no is not None):
            raise ValueError("name and id_no are taken at the level real_name alone")
        if self.level == "phone" and self.phone is None:
            raise ValueError("the level phone needs a phone number")
        if self.level == "anonymous" and (self.phone or self.address or self.entitlements):
            raise ValueError("nothing personal is kept of an anonymous user")
        return self


class IssueCodeRequest(Model):
    """A class S code for a person whose phone is online.

    ``context`` is the terminal, line or merchant the phone was told, where it was told one: it
    binds the code to that place. ``cap_fen`` bounds what this one code may pay.
    """

    scenes: Annotated[list[Name], Field(min_length=1, max_length=9)]
    ttl_s: Annotated[int, Field(strict=True, ge=10, le=TTL_S_MAX)] = 30
    cap_fen: Annotated[int, Field(strict=True, ge=0, le=655_350, multiple_of=10)] = 20_000
    context: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
