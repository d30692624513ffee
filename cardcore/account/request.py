"""What the card centre's own callers say about funds."""

from datetime import date, timedelta
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import AMOUNT_FEN_MAX, AmountFen, Model, Name, PrintedNumber

QUANTITY_MAX = 1_000_000_000
PolicyReason = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Title = Annotated[
    str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class TopUpRequest(Model):
    """Money a payment channel has received for a fund.

    ``channel_no`` is the channel's own number of the payment: the same number never counts twice.
    """

    fund: Name
    amount_fen: AmountFen
    channel: Name
    channel_no: PrintedNumber


class PlanRequest(Model):
    """The funding plan of a scene: kinds of funds or ``subsidy``, first to last."""

    steps: Annotated[list[Name], Field(min_length=1, max_length=16)]
    reason: PolicyReason

    @model_validator(mode="after")
    def _names_no_step_twice(self) -> Self:
        if len(set(self.steps)) != len(self.steps):
            raise ValueError("a step stands twice")
        return self


class ProgrammeRequest(Model):
    """An earmarked subsidy: who pays it, what it may be spent on, and until when.

    No ``merchants`` means any merchant of the scenes. ``programme`` is also the kind of fund.
    """

    programme: Name
    name_zh: Title
    name_en: Title
    payer: Name
    scenes: Annotated[list[Name], Field(min_length=1, max_length=32)]
    merchants: Annotated[list[PrintedNumber], Field(max_length=1000)] = Field(default_factory=list)
    valid_from: date
    valid_to: date
    level_min: Literal["anonymous", "phone", "real_name"] = "real_name"
    balance_fen_max: AmountFen = AMOUNT_FEN_MAX
    reason: PolicyReason

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


class DepositRequest(Model):
    """Money the payer of a programme has paid in, by the channel's own number of the payment."""

    amount_fen: AmountFen
    channel: Name
    channel_no: PrintedNumber


class GrantRequest(Model):
    """Money of a programme for one person."""

    user_id: UUID
    amount_fen: AmountFen


class CreditLimitRequest(Model):
    """How far a person's credit line may be drawn; 0 ends it for new purchases."""

    limit_fen: Annotated[int, Field(strict=True, ge=0, le=AMOUNT_FEN_MAX)]
    reason: PolicyReason


class RepaymentRequest(Model):
    """Pay a credit line back out of a fund of the same person.

    ``amount_fen`` left out: as much as is owed, as far as the fund reaches.
    """

    source: Name = "purse"
    amount_fen: AmountFen | None = None


class TallyRequest(Model):
    """Whole counts to give or to use."""

    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]
    reason: PolicyReason


SPAN_MAX: Final = timedelta(days=366)
PAGE_LINES_MAX: Final = 200


class Span(Model):
    """Business dates, both inclusive, at most a year of them."""

    from_on: date
    to_on: date

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if not timedelta(0) <= self.to_on - self.from_on < SPAN_MAX:
            raise ValueError("to_on lies before from_on, or more than a year after it")
        return self


class StatementQuery(Span):
    """Which account, which days, which page.

    ``fund``: of a user, the kind of fund; of a merchant, ``payable``, ``subsidy_payable``
    or ``arrears_payable``.
    """

    fund: Name
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_LINES_MAX)] = 100


class StatementFileQuery(Span):
    """Which account and which days, in which language."""

    fund: Name
    language: Literal["zh", "en"] = "zh"


class CustodyQuery(Model):
    """At the end of which business date; by default the last that is over."""

    on: date | None = None


class TopUpIntentRequest(Model):
    """A citizen means to pay into a fund through a channel."""

    fund: Name
    amount_fen: AmountFen
    channel: Name


class WithdrawalRequest(Model):
    """A citizen takes money out of a fund; ``payee`` is where it goes, and is kept sealed."""

    fund: Name
    amount_fen: AmountFen
    channel: Name
    payee: Title
