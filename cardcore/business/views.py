"""What the core answers: the same models for the in-process caller and over HTTP.

Amounts are integers of fen, instants aware UTC (RFC 3339 on the wire), business dates local.
"""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from cardcore.account.views import BooksView, FundView, TopUpView
from cardcore.model import Model
from cardcore.user.views import IssuedCodeView

__all__ = [
    "BooksView",
    "ExplainView",
    "ExplainedDispute",
    "ExplainedLine",
    "ExplainedRefund",
    "FundView",
    "IssuedCodeView",
    "JudgedLimit",
    "LineView",
    "NamedOrderView",
    "NamedOrdersView",
    "OrderView",
    "OrdersView",
    "QuoteView",
    "RefundView",
    "TopUpView",
    "TransferView",
    "UserView",
    "VerifyView",
]


class LineView(Model):
    """One line of an order: a payer's part, the fund it comes from, the rule that says so."""

    line_no: int
    payer: str
    fund: str | None
    amount_fen: int
    rule_id: str
    rule_version: str
    reason_zh: str
    reason_en: str


class QuoteView(Model):
    """A price not booked."""

    nominal_fen: int
    citizen_fen: int
    lines: list[LineView]


class OrderView(Model):
    """A booked order as it stands now (as it was made, in the reply that made it)."""

    order_id: UUID
    status: str
    mode: str
    scene: str
    type: str
    merchant_id: str
    terminal_id: str
    out_trade_no: str
    nominal_fen: int
    citizen_fen: int
    captured_fen: int
    refunded_fen: int
    currency: str
    business_on: date
    occurred_at: datetime
    recorded_at: datetime
    hold_expires_at: datetime | None = None
    lines: list[LineView]


class NamedOrderView(OrderView):
    """An order as its citizen reads it: with the merchant's names."""

    merchant_name_zh: str
    merchant_name_en: str


class NamedOrdersView(Model):
    """A citizen's own orders, newest first; ``next_before`` leads on."""

    user_id: UUID
    orders: list[NamedOrderView]
    next_before: UUID | None


class OrdersView(Model):
    """A person's orders under all their ids, newest first; ``next_before`` leads on."""

    user_id: UUID
    orders: list[OrderView]
    next_before: UUID | None


class RefundView(Model):
    """One refund of an order, with what each payer got back."""

    refund_id: UUID
    order_id: UUID
    out_refund_no: str
    amount_fen: int
    recorded_at: datetime
    lines: list[LineView]


class VerifyView(Model):
    """Who stands there, as far as this merchant may know: a pairwise pseudonym, never a name."""

    subject: str
    level: str
    concessions: list[str]
    restrictions: list[str]
    code_class: str
    expires_at: datetime


class TransferView(Model):
    """One ledger transfer behind a line."""

    transfer_id: UUID
    debit_account: str
    credit_account: str
    amount_fen: int
    recorded_at: datetime


class ExplainedLine(LineView):
    """A line with its money: the transfers that carry exactly its fen.

    ``funding_version``: the funding policy that chose the fund, where a fund of a citizen pays.
    There ``paid_by`` is ``self``, or the kind of the delegation by which somebody else paid;
    ``payer_id`` whose fund it was, told to those who may name people.
    """

    funding_version: int | None = None
    paid_by: str | None = None
    delegation_id: UUID | None = None
    payer_id: UUID | None = None
    transfers: list[TransferView]


class ExplainedRefund(Model):
    """A refund with its money."""

    refund_id: UUID
    out_refund_no: str
    amount_fen: int
    lines: list[ExplainedLine]


class ExplainedDispute(Model):
    """A dispute of an order with its money: what was credited, and what was paid back for it."""

    dispute_id: UUID
    reason: str
    status: str
    amount_fen: int
    credited_fen: int
    recovered_fen: int
    borne_by: str | None
    transfers: list[TransferView]


class JudgedLimit(Model):
    """One limit an order was held to, in the version that judged it.

    ``limit_max`` is in fen where ``measure`` is ``amount``, in orders where it is ``count``.
    """

    limit_id: str
    version: int
    subject: str
    measure: str
    period: str
    period_s: int
    limit_max: int
    name_zh: str
    name_en: str


class ExplainView(Model):
    """Every fen of an order: payer, fund, rule, evidence, ledger transfers.

    ``rules_version`` is the version of the rules it was decided by, ``limits`` are those of them
    that judged it, ``scene_version`` is that of its scene, where an operator registered it.
    """

    order_id: UUID
    status: str
    nominal_fen: int
    explained_fen: int
    evidence: dict[str, str]
    lines: list[ExplainedLine]
    refunds: list[ExplainedRefund]
    disputes: list[ExplainedDispute] = Field(default_factory=list)
    rules_version: int | None = None
    scene_version: int | None = None
    limits: list[JudgedLimit] = Field(default_factory=list)


class UserView(Model):
    """A user as the card centre's own callers see it: masked; None where it is not known.

    ``merged_ids`` are former ids of the same person: they lead here.
    """

    user_id: UUID
    level: str
    status: str
    name_masked: str | None
    id_no_masked: str | None
    phone_masked: str | None = None
    concessions: list[str]
    funds: list[FundView]
    merged_ids: list[UUID] = Field(default_factory=list)
