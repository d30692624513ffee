"""What may be asked of the platform."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from cardcore.business.dispute_request import Finding, Grounds
from cardcore.business.limits import LimitSubject, Measure, Period
from cardcore.caller import Scope
from cardcore.model import AmountFen, Instant, Model, Name, PrintedNumber
from cardcore.platform.roles import Role
from cardcore.platform.webhook_schedule import TOPICS
from cardcore.settlement.request import (
    AbortSettlementWindow,
    ResolveDifference,
    SetSettlementPayee,
    SetSettlementTariff,
)

OperatorId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.\-]{1,31}$")]
Secret = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_\-]{20,128}$")]
Purpose = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SignIn(Model):
    """An operator at the door."""

    operator_id: OperatorId
    password: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    totp: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] = Field(
        description="The six digits of the authenticator app."
    )


class NewOperator(Model):
    """An operator to be added."""

    operator_id: OperatorId
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=128)]


class NewClient(Model):
    """A system to be let in. Terminals enrol themselves."""

    client_id: PrintedNumber
    merchant_id: PrintedNumber | None = Field(
        default=None, description="Null for systems of the card centre itself."
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=64)]
    public_key: dict[str, Any] = Field(description="JWK: OKP/Ed25519 or EC/P-256, public part.")
    purpose: Purpose


class NewClientKey(Model):
    """The next key of a client; the one before stays good for a while."""

    public_key: dict[str, Any] = Field(description="JWK: OKP/Ed25519 or EC/P-256, public part.")
    former_valid_s: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)] = 7 * 86_400
    purpose: Purpose


class ForPurpose(Model):
    """Why something is done that cannot be undone; it stands in the audit log."""

    purpose: Purpose


class AdjustMoney(Model):
    """Move money between suspense and a citizen's fund or a merchant's payable.

    Accounts are named ``suspense``, ``fund:<fund id>`` or ``payable:<merchant id>``; one of the two
    is always suspense, so that no adjustment pays one party with another's money.
    """

    kind: Literal["adjust_money"]
    from_account: Annotated[str, StringConstraints(max_length=80)]
    to_account: Annotated[str, StringConstraints(max_length=80)]
    amount_fen: AmountFen


class SetFundLimit(Model):
    """Change what a kind of fund may hold, lend, take in and give out; the rest stays as it is.

    ``_day_`` limits are per business date; the others are per top-up or withdrawal.
    """

    kind: Literal["set_fund_limit"]
    fund: PrintedNumber
    balance_fen_max: AmountFen | None = None
    credit_fen_max: AmountFen | None = None
    topup_fen_max: AmountFen | None = None
    topup_day_fen_max: AmountFen | None = None
    withdrawal_fen_max: AmountFen | None = None
    withdrawal_day_fen_max: AmountFen | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_dump(exclude={"kind", "fund"}, exclude_none=True):
            raise ValueError("no limit is named")
        return self


class SetOrderLimit(Model):
    """The next version of a limit on orders; ``retired`` takes it out of force.

    ``limit_max`` is in fen where ``measure`` is ``amount``, in orders where it is ``count``.
    """

    kind: Literal["set_order_limit"]
    limit_id: Name
    scene: Name | Literal["*"]
    subject: Literal[LimitSubject.USER, LimitSubject.TERMINAL, LimitSubject.MERCHANT]
    measure: Measure
    period: Period
    period_s: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 0
    limit_max: AmountFen
    name_zh: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    name_en: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    retired: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _the_period_fits(self) -> Self:
        if (self.period is Period.SECONDS) != (self.period_s > 0):
            raise ValueError("period_s stands with the period seconds, and only there")
        if self.period is Period.ORDER and self.measure is not Measure.AMOUNT:
            raise ValueError("one order is measured by its amount")
        return self


class SetHoldTime(Model):
    """Change how long holds of a scene last; ``*`` is every scene without a time of its own."""

    kind: Literal["set_hold_time"]
    scene: Name | Literal["*"]
    timeout_s: Annotated[int, Field(strict=True, ge=1, le=31_536_000)]


class ChargeRecord(Model):
    """Charge a terminal's record that waits for a person, at most what the terminal took.

    ``user_id``: who it was; left out, whomever the record's code leads to.
    """

    kind: Literal["charge_record"]
    record_id: UUID
    amount_fen: AmountFen
    user_id: UUID | None = None


class CreditDispute(Model):
    """Give a citizen the disputed money provisionally, whatever the amount."""

    kind: Literal["credit_dispute"]
    dispute_id: UUID


class DecideDispute(Model):
    """Decide a dispute, whatever the amount; final."""

    kind: Literal["decide_dispute"]
    dispute_id: UUID
    finding: Finding
    grounds: Grounds
    reference: PrintedNumber | None = None


class RotateAccessKey(Model):
    """Begin the next epoch of the key that signs access tokens.

    ``at_once`` refuses all tokens of the epoch before from now on: for a key that leaked.
    """

    kind: Literal["rotate_access_key"]
    at_once: Annotated[bool, Field(strict=True)] = False


class RotateIssuerKey(Model):
    """Begin the next epoch of a key that signs codes, terminal packages or lists.

    The new key is published now and signs when every terminal must know it; what the former one
    signed stays good. ``at_once`` is for a key that leaked: it ends within seconds.
    """

    kind: Literal["rotate_issuer_key"]
    use: Literal["codes", "packages", "lists"]
    suite: Literal["ed25519", "p256", "sm2"]
    at_once: Annotated[bool, Field(strict=True)] = False


ProposalContent = Annotated[
    AdjustMoney
    | ChargeRecord
    | CreditDispute
    | DecideDispute
    | SetFundLimit
    | SetOrderLimit
    | SetHoldTime
    | RotateAccessKey
    | RotateIssuerKey
    | SetSettlementTariff
    | SetSettlementPayee
    | AbortSettlementWindow
    | ResolveDifference,
    Field(discriminator="kind"),
]


class NewProposal(Model):
    """Something that needs a second operator."""

    content: ProposalContent
    purpose: Purpose


class Decision(Model):
    """The second operator's answer; ``digest`` is that of the proposal as it was read."""

    digest: Digest
    purpose: Purpose


class NewHostCode(Model):
    """The embedding app's server asks for a one-time code for a user it has signed in.

    ``authenticated_at``: when the app last saw the person prove who they are (PIN, fingerprint,
    face). Acts that bind money need one of the last minutes; left out, there was none.
    """

    user_id: UUID
    authenticated_at: Instant | None = None


class CitizenSignIn(Model):
    """The page brings the one-time code it was given, and says whose page it is in."""

    host_code: Secret
    client_id: PrintedNumber = Field(description="The app that gave the code.")


class Page(Model):
    """Where to go on reading a list, and how much at once."""

    cursor: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_\-]{1,200}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class DayPage(Page):
    """A list of one business day."""

    business_on: date


class MoveClock(Model):
    """Where the sandbox's clock is to stand: forwards only."""

    now: Instant


Topic = Annotated[
    str,
    StringConstraints(
        pattern="^(" + "|".join(re.escape(one) for one in TOPICS) + r"|order\.\*|dispute\.\*)$"
    ),
]


class NewWebhookEndpoint(Model):
    """Where a merchant wants to hear of its orders."""

    merchant_id: PrintedNumber
    url: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    topics: Annotated[list[Topic], Field(min_length=1, max_length=10)] = Field(
        default_factory=lambda: ["order.*"]
    )


class MerchantPage(Page):
    """A list of one merchant's."""

    merchant_id: PrintedNumber


class BillName(Model):
    """Which bill of a day: the merchant's, and a version where not the newest."""

    merchant_id: PrintedNumber
    version: Annotated[int, Field(ge=1, le=10_000)] | None = None
