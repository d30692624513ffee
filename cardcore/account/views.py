"""What the account room answers."""

from datetime import datetime
from uuid import UUID

from cardcore.model import Model


class FundView(Model):
    """One fund of a user."""

    fund: str
    regime: str
    balance_fen: int
    held_fen: int
    available_fen: int


class TopUpView(Model):
    """Money that came in through a payment channel."""

    topup_id: UUID
    user_id: UUID
    fund: str
    amount_fen: int
    channel: str
    channel_no: str
    recorded_at: datetime


class ClaimView(Model):
    """Money of a person that waits to be paid out, or was."""

    claim_id: UUID
    user_id: UUID
    amount_fen: int
    reason: str
    status: str
    channel: str | None
    channel_no: str | None
    recorded_at: datetime
    paid_at: datetime | None


class AccountView(Model):
    """One ledger account of the chart, or all citizens' funds of one kind taken together."""

    account: str
    code: int
    debits_fen: int
    credits_fen: int


class BooksView(Model):
    """The two sums an operator closes the day with; both must be zero."""

    trial_balance_fen: int
    custody_difference_fen: int
    accounts: list[AccountView]
