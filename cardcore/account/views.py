"""What the account room answers."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model


class FundView(Model):
    """One fund of a user.

    ``nature``: ``prepaid``, ``restricted`` (good until ``valid_to``) or ``credit`` (a negative
    balance is owed, and ``available_fen`` counts the limit).
    """

    fund: str
    regime: str
    balance_fen: int
    held_fen: int
    available_fen: int
    nature: str = "prepaid"
    credit_limit_fen: int = 0
    valid_to: date | None = None


class CreditLineView(Model):
    """A credit line as it stands: its limit, what is owed, what is held on it."""

    user_id: UUID
    fund: str
    limit_fen: int
    owed_fen: int
    held_fen: int


class RepaymentView(Model):
    """A credit line was paid back in part or whole; ``owed_fen`` was still owed then."""

    repayment_id: UUID
    user_id: UUID
    fund: str
    source: str
    amount_fen: int
    owed_fen: int
    recorded_at: datetime


class TallyView(Model):
    """Whole counts of a user: rides or visits left, or a figure that is noted only."""

    fund: str
    unit: str
    quantity: int


class TalliesView(Model):
    """All counters and memos of a user."""

    user_id: UUID
    tallies: list[TallyView]


class TallyEntryView(Model):
    """Counts given (positive) or used (negative)."""

    entry_id: UUID
    user_id: UUID
    fund: str
    unit: str
    quantity: int
    recorded_at: datetime


class CreditLimitView(Model):
    """The limit of a credit line, as it was set."""

    change_id: UUID
    user_id: UUID
    fund: str
    limit_fen: int
    recorded_at: datetime


class SubsidyMovementView(Model):
    """Money of a subsidy programme: deposited by its payer, granted, or gone back."""

    movement_id: UUID
    programme: str
    kind: str
    cause: str
    user_id: UUID | None
    amount_fen: int
    business_on: date
    recorded_at: datetime


class ProgrammeView(Model):
    """What the money of a subsidy programme may be spent on, from a version of the policy on."""

    programme: str
    version: int
    payer: str
    scenes: list[str]
    merchants: list[str]
    valid_from: date
    valid_to: date


class ProgrammeStandsView(ProgrammeView):
    """A programme as it stands, with what its payer has deposited and not granted."""

    deposit_fen: int


class PlanView(Model):
    """The funding plan of a scene: steps first to last, and the policy version it came with."""

    scene: str
    version: int
    steps: list[str]


class PlansView(Model):
    """All funding plans, and the version of the policy."""

    version: int
    plans: list[PlanView]


class FundKindView(Model):
    """A kind of fund with its regime and limits; a limit that is null does not stand."""

    fund: str
    name_zh: str
    name_en: str
    regime: str
    regime_zh: str
    regime_en: str
    source: str
    nature: str
    unit: str
    level_min: str
    redeemable: bool
    balance_max: int
    credit_fen_max: int | None
    topup_fen_max: int | None
    topup_day_fen_max: int | None
    withdrawal_fen_max: int | None
    withdrawal_day_fen_max: int | None


class FundKindsView(Model):
    """All kinds of funds."""

    kinds: list[FundKindView]


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


class StatementLineView(Model):
    """One movement as the account holder sees it: credits positive, debits negative.

    ``order_id`` where it belongs to an order.
    """

    business_on: date
    recorded_at: datetime
    transfer_id: UUID
    kind: str
    text_zh: str
    text_en: str
    order_id: UUID | None
    amount_fen: int
    balance_fen: int


class StatementView(Model):
    """A page of a statement. Opening and closing are those of the whole span.

    ``final``: every business date of the span is over; a late record still counts for its own day.
    """

    account: str
    from_on: date
    to_on: date
    final: bool
    opening_fen: int
    closing_fen: int
    lines: list[StatementLineView]
    next_cursor: str | None


class CustodyView(Model):
    """What the bank holds against what it must cover, at the end of a business date.

    ``sums``: by account code of the chart, debits less credits where it covers, credits less
    debits where it must be covered. ``difference_fen`` and ``trial_balance_fen`` are zero in books
    that are right. ``counters_off``: codes whose counters do not agree with the transfers behind
    them. ``seal_number``: the seal of the check at the cut-off, where there was one.
    """

    business_on: date
    covering: dict[str, int]
    covered: dict[str, int]
    difference_fen: int
    trial_balance_fen: int
    counters_off: list[str]
    ok: bool
    seal_number: int | None = None
    checked_at: datetime | None = None


class TopUpIntentView(Model):
    """A top-up under way: ``open``, ``paid`` or ``failed``.

    ``landed``: ``fund``, or ``claim`` where the fund may not hold it any more.
    """

    intent_id: UUID
    user_id: UUID
    fund: str
    amount_fen: int
    channel: str
    status: str
    reason: str | None
    channel_no: str | None
    landed: str | None
    recorded_at: datetime


class WithdrawalView(Model):
    """Money on its way out: ``held``, ``paid`` or ``refused``."""

    withdrawal_id: UUID
    user_id: UUID
    fund: str
    amount_fen: int
    channel: str
    status: str
    reason: str | None
    channel_no: str | None
    recorded_at: datetime


class NoticeTakenView(Model):
    """The channel's notice is in the books; it need not be sent again."""

    taken: bool = True
