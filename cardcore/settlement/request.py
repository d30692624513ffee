"""What settlement is asked: tariffs, payees, shares, receipts, bills. Pure."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from cardcore.base64url import decode_base64url
from cardcore.model import AMOUNT_FEN_MAX, AmountFen, Model, Name, PrintedNumber

_Whole = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_FEN_MAX)]
_Signed = Annotated[int, Field(strict=True, ge=-AMOUNT_FEN_MAX, le=AMOUNT_FEN_MAX)]
_Every = Literal["*"]
BILL_BYTES_MAX = 16 << 20
BILL_TEXT_MAX = BILL_BYTES_MAX * 4 // 3 + 4
Payee = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z \-:/._]{4,80}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PayerName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(finance_bureau|insurer|employer|school|merchant|issuer:[0-9a-f]{8})$"
    ),
]


class TariffTier(Model):
    """From this turnover of a window on, so many millionths of what lies above it."""

    from_fen: _Whole
    per_million: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class TariffRate(Model):
    """A fee for one scene and merchant; ``*`` is every one. The most particular one counts."""

    scene: Name | _Every = "*"
    merchant_id: PrintedNumber | _Every = "*"
    tiers: Annotated[list[TariffTier], Field(min_length=1, max_length=20)]
    min_fen: _Whole = 0
    max_fen: _Whole | None = None

    @model_validator(mode="after")
    def _the_tiers_rise(self) -> Self:
        starts = [tier.from_fen for tier in self.tiers]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("tiers begin at 0 and rise")
        if self.max_fen is not None and self.max_fen < self.min_fen:
            raise ValueError("max_fen is below min_fen")
        return self


class SetSettlementTariff(Model):
    """The fees of all merchants, as a whole; the next window computed uses them."""

    kind: Literal["set_settlement_tariff"]
    rates: Annotated[list[TariffRate], Field(max_length=2_000)]

    @model_validator(mode="after")
    def _each_is_said_once(self) -> Self:
        keys = [(one.merchant_id, one.scene) for one in self.rates]
        if len(keys) != len(set(keys)):
            raise ValueError("a merchant and scene have one rate")
        return self


class SetSettlementPayee(Model):
    """Where the custodian bank pays a merchant's money to."""

    kind: Literal["set_settlement_payee"]
    merchant_id: PrintedNumber
    payee: Payee


class AbortSettlementWindow(Model):
    """Give up a window that is closed and not computed; the next settles its postings."""

    kind: Literal["abort_settlement_window"]
    number: Annotated[int, Field(strict=True, ge=1)]


class CloseWindow(Model):
    """Close the open window now, before its time."""

    purpose: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class WindowsQuery(Model):
    """A list of windows, newest first: those before ``before``."""

    before: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class SharesRequest(Model):
    """What each merchant of a scene gets of a date beyond what was charged on its own rides.

    The nets sum to zero. Told again, only the difference is moved.
    """

    scene: Name
    business_on: date
    nets: Annotated[dict[PrintedNumber, _Signed], Field(min_length=2, max_length=500)]

    @model_validator(mode="after")
    def _nothing_is_made(self) -> Self:
        if sum(self.nets.values()) != 0:
            raise ValueError("the nets do not sum to zero")
        return self


class ReceiptRequest(Model):
    """Money of a payer that came to the custodian bank: of the finance bureau, of an issuer."""

    payer: PayerName
    amount_fen: AmountFen
    bank_no: PrintedNumber


class FileQuery(Model):
    """Which version of a file; the newest where none is named."""

    version: Annotated[int, Field(ge=1, le=10_000)] | None = None


class TakeBill(Model):
    """A bill as it came, base64url of its bytes: of ``custodian``, or of a payment channel."""

    source: PrintedNumber
    business_on: date
    content: Annotated[str, StringConstraints(max_length=BILL_TEXT_MAX)]
    _decoded: bytes = PrivateAttr(b"")

    @model_validator(mode="after")
    def _is_base64url(self) -> Self:
        self._decoded = decode_base64url(self.content)
        return self

    @property
    def file(self) -> bytes:
        """The bytes."""
        return self._decoded


class StatementsQuery(Model):
    """A merchant's statements, newest first: those of windows before ``before``."""

    before: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 31


class DifferencesQuery(Model):
    """Differences between books, oldest first: those that stand, or all of one date."""

    business_on: date | None = None
    source: PrintedNumber | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class TakeUp(Model):
    """Who looks into a difference."""

    owner: PrintedNumber


class ResolveDifference(Model):
    """End a difference between books.

    ``explained``: it was found to be none of ours. ``adjusted``: what the bank holds more or less
    than we booked is booked against suspense, from where ``adjust_money`` gives it to whom it
    belongs.
    """

    kind: Literal["resolve_difference"]
    difference_id: UUID
    outcome: Literal["explained", "adjusted"]
