"""What may be asked about merchants and their terminals, and what is answered."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from stdnum.cn import uscc as credit_identifier
from stdnum.exceptions import ValidationError as NotValidError

from cardcore.model import Model, Name, PrintedNumber
from cardcore.platform.request import Page, Purpose


def _credit_identifier(text: str) -> str:
    try:
        checked: str = credit_identifier.validate(text)
    except NotValidError:
        raise ValueError("not a unified social credit identifier of GB 32100") from None
    return checked


Title = Annotated[
    str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
]
CreditIdentifier = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$"),
    AfterValidator(_credit_identifier),
]
PlaceValue = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Place = Annotated[dict[Name, PlaceValue], Field(max_length=8)]


class NewMerchant(Model):
    """A merchant to be registered: whoever is paid. ``uscc``: GB 32100, where it has one."""

    merchant_id: PrintedNumber
    name_zh: Title
    name_en: Title
    uscc: CreditIdentifier | None = None
    purpose: Purpose


class MerchantDetails(Model):
    """What is different about a merchant; what is left out stays as it is."""

    name_zh: Title | None = None
    name_en: Title | None = None
    uscc: CreditIdentifier | None = None
    purpose: Purpose

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.name_zh is self.name_en is self.uscc is None:
            raise ValueError("nothing is to be changed")
        return self


class NewTerminal(Model):
    """A terminal to be registered; it gets its key by enrolling.

    ``place``: what its scene must know of where it stands, such as ``{"vehicle": "V0001"}``.
    """

    terminal_id: PrintedNumber
    scene: Name
    place: Place
    purpose: Purpose


class NewPlace(Model):
    """Where a terminal stands from now on."""

    place: Place
    purpose: Purpose


class TerminalPage(Page):
    """A merchant's terminals."""

    status: Annotated[str, StringConstraints(pattern="^(active|suspended|retired)$")] | None = None


class MerchantView(Model):
    """One merchant. ``status``: ``active``, ``suspended`` or ``closed``."""

    merchant_id: str
    name_zh: str
    name_en: str
    uscc: str | None
    status: str
    recorded_at: datetime


class MerchantsView(Model):
    """Merchants by id; ``next_cursor`` is null at the end."""

    merchants: list[MerchantView]
    next_cursor: str | None


class RegisteredTerminalView(Model):
    """One terminal. ``status``: ``active``, ``suspended`` or ``retired``."""

    terminal_id: str
    merchant_id: str
    scene: str
    place: dict[str, str]
    status: str
    recorded_at: datetime


class RegisteredTerminalsView(Model):
    """Terminals by id; ``next_cursor`` is null at the end."""

    terminals: list[RegisteredTerminalView]
    next_cursor: str | None
