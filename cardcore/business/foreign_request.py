"""Ride codes of other cities: what is asked and answered. Pure."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from cardcore.business.views import LineView
from cardcore.errors import NotFoundError, RequestInvalidError
from cardcore.model import Instant, Model, Name, PrintedNumber

IssuerCode = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
CardType = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
_Title = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class ForeignIssuerUnknownError(RequestInvalidError):
    """The code's issuer, or the root its certificate names, is not known here."""

    code = "issuer_unknown"
    title_zh = "发码机构未互通"
    title_en = "The code's issuer is not known here"


class ClearingFileUnknownError(NotFoundError):
    """No file of this issuer and date, or not yet."""


class RegisterIssuerRequest(Model):
    """Another city's issuer, the root its certificates are signed by, and what its cards get here.

    ``concessions``: card type (decimal) to a concession class of the city's bus rules. A card type
    that is not named gets none.
    """

    issuer: IssuerCode
    name_zh: _Title
    name_en: _Title
    root_index: Annotated[int, Field(strict=True, ge=0, le=255)]
    root_key: Annotated[str, StringConstraints(pattern=r"^0[23][0-9a-f]{64}$")]
    concessions: dict[CardType, Name] = Field(default_factory=dict, max_length=32)


class IssuerView(Model):
    """An issuer; ``receivable_fen`` is what it owes for rides here."""

    issuer: str
    name_zh: str
    name_en: str
    concessions: dict[str, str]
    receivable_fen: int


class ForeignRideRequest(Model):
    """A ride on a bus by a code of another city: ``code`` is its bytes in hex, as scanned."""

    code: Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-fA-F]{2}){1,1024}$")]
    merchant_id: PrintedNumber
    terminal_id: PrintedNumber
    out_trade_no: PrintedNumber
    occurred_at: Instant
    details: dict[str, Any]


class ForeignRideView(Model):
    """A ride of another city's citizen: no account number, nothing of a person."""

    ride_id: UUID
    issuer: str
    merchant_id: str
    terminal_id: str
    out_trade_no: str
    nominal_fen: int
    issuer_fen: int
    business_on: date
    occurred_at: datetime
    lines: list[LineView]


class ClearingFileView(Model):
    """A day's rides of one issuer. ``signature`` (hex) is Ed25519 over the bytes of ``content``.

    ``content`` is CSV in UTF-8; its last row says count and sum. A file never changes; what comes
    late lies in a later one.
    """

    issuer: str
    business_on: date
    rides_count: int
    sum_fen: int
    sha256: str
    signature: str
    public_key: str
    made_at: datetime
    content: str
