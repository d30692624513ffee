"""What a scene sends: who, with what, for what. The same models serve both transports.

Amounts are JSON integers of fen; a float, a string or a boolean is refused. Extra fields are
refused everywhere. Pure: no clock, no database.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from cardcore.model import AMOUNT_FEN_MAX, AmountFen, Instant, Model, Name, PrintedNumber

# Longer than any legal code: an over-long one is answered as an invalid code, not as a bad field.
CredentialText = Annotated[str, StringConstraints(max_length=8192)]
TapText = Annotated[str, StringConstraints(max_length=1024)]
# Zero is said of what only is recorded.
NamedFen = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_FEN_MAX)]


class Mode(StrEnum):
    """What the order does with the money."""

    PAY = "pay"
    HOLD = "hold"
    RECORD = "record"


class PaidBy(StrEnum):
    """Who pays, where the order does not name them by id."""

    AUTO = "auto"
    SELF = "self"
    DELEGATE = "delegate"


class CardTapText(Model):
    """What a card said of one transaction: 55 characters of base64url, see docs/cards.md."""

    tap: TapText


class User(Model):
    """Who. Exactly one way of naming the user.

    ``credential`` is the scanned text, verbatim. ``user_id`` is allowed to callers whose scope
    says so (our own back office), never to a terminal. ``card`` is a card's tap.
    """

    credential: CredentialText | None = None
    card: CardTapText | None = None
    user_id: UUID | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.credential, self.card, self.user_id).count(None) != 2:
            raise ValueError("give exactly one of credential, card and user_id")
        return self


def _fault(one: InitErrorDetails) -> ValidationError:
    """A fault of a field that only its neighbours show, told as the field's own."""
    return ValidationError.from_exception_data("request", [one])


class Account(Model):
    """With what: a fund's kind, or ``auto`` for the scene's funding plan; and who pays.

    ``payer``: ``auto`` is as the person's delegations say, ``self`` the person alone, ``delegate``
    whoever pays for them here. An id names one of those who do; allowed where ``user_id`` is.
    """

    fund: Name = "auto"
    # Left out of what is sent and digested where it says nothing: the request is the same one.
    payer: UUID | PaidBy = Field(default=PaidBy.AUTO, exclude_if=lambda payer: payer is PaidBy.AUTO)


class Business(Model):
    """For what.

    ``details`` is validated by the scene's own schema. ``amount_fen`` is left out where the
    scene prices (a bus fare); where it stands, ``currency`` must stand beside it. Zero is said
    only where nothing is to move: with the mode ``record``.
    """

    scene: Name
    type: Name
    merchant_id: PrintedNumber
    terminal_id: PrintedNumber
    out_trade_no: PrintedNumber
    amount_fen: NamedFen | None = None
    currency: Literal["CNY"] | None = None
    occurred_at: Instant
    details: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _currency_stands_with_amount(self) -> Self:
        if (self.amount_fen is None) != (self.currency is None):
            absent = "amount_fen" if self.amount_fen is None else "currency"
            raise _fault({"type": "missing", "loc": (absent,), "input": None})
        return self


class QuoteRequest(Model):
    """Who, with what, for what: priced, not booked."""

    user: User
    account: Account = Account()
    business: Business

    @model_validator(mode="after")
    def _zero_moves_nothing(self) -> Self:
        if self.business.amount_fen == 0 and getattr(self, "mode", None) is not Mode.RECORD:
            place = ("business", "amount_fen")
            raise _fault({"type": "greater_than_equal", "loc": place, "input": 0, "ctx": {"ge": 1}})
        return self


class OrderRequest(QuoteRequest):
    """One business order. ``mode`` says whether it pays, holds, or only records."""

    mode: Mode = Mode.PAY


class VerifyRequest(Model):
    """A presented credential, and where it was presented."""

    user: User
    scene: Name
    merchant_id: PrintedNumber
    terminal_id: PrintedNumber


class CaptureRequest(Model):
    """Take all (``amount_fen`` left out) or part of what is held.

    The rest is released, or stays held for further captures where ``final`` is false.
    """

    amount_fen: AmountFen | None = None
    final: bool = Field(default=True, strict=True)


class RefundShare(Model):
    """What goes back of the lines one rule made; within them in reverse funding order."""

    rule_id: Name
    amount_fen: AmountFen


class RefundRequest(Model):
    """Give back all (``amount_fen`` left out) or part of one captured order.

    The amount is of the order's nominal value; payers get back in reverse funding order. Where the
    payers' parts were worked out anew (a bill settled again with an insurer), ``shares`` say how
    much goes back by which rule, and the amount is left out.
    """

    out_refund_no: PrintedNumber
    amount_fen: AmountFen | None = None
    shares: Annotated[list[RefundShare], Field(min_length=1, max_length=20)] | None = Field(
        default=None, exclude_if=lambda shares: shares is None
    )
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _amount_or_shares(self) -> Self:
        if self.shares is None:
            return self
        if self.amount_fen is not None:
            raise ValueError("give amount_fen or shares")
        if len({share.rule_id for share in self.shares}) != len(self.shares):
            raise ValueError("each rule at most once")
        return self
