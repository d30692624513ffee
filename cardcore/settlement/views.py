"""What settlement answers. Amounts are fen."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model
from cardcore.settlement.request import TariffRate
from cardcore.settlement.states import PayoutState, StatementState, WindowState


class WindowView(Model):
    """A window. ``settled_in``: of an aborted one, the window that settles its postings."""

    number: int
    state: WindowState
    opened_at: datetime
    business_on: date | None
    closed_at: datetime | None
    closed_by: str | None
    ended_at: datetime | None
    settled_in: int | None


class WindowsView(Model):
    """Windows, newest first."""

    windows: list[WindowView]


class TurnoverView(Model):
    """What was taken and given back in one scene, and the fee on it."""

    scene: str
    taken_fen: int
    returned_fen: int
    fee_fen: int


class PayoutView(Model):
    """What the bank was told to pay, and what became of it."""

    state: PayoutState
    amount_fen: int
    bank_no: str | None
    reason: str | None
    resolved_at: datetime | None


class StatementView(Model):
    """A merchant's statement in a window.

    ``carried_in + gross − refunds + arrears + cleared − disputes + adjustments − fee_taken +
    shares = payout + carried_out``; ``held_back`` says why nothing is paid, where nothing is.
    """

    number: int
    merchant_id: str
    statement_id: UUID
    state: StatementState
    postings: int
    carried_in_fen: int
    gross_fen: int
    refunds_fen: int
    arrears_fen: int
    cleared_fen: int
    disputes_fen: int
    adjustments_fen: int
    subsidies_fen: int
    tariff_version: int | None
    fee_fen: int
    fee_owed_fen: int
    fee_taken_fen: int | None
    shares_fen: int
    payout_fen: int | None
    carried_out_fen: int | None
    held_back: str | None
    turnovers: list[TurnoverView]
    payout: PayoutView | None


class StatementsView(Model):
    """A window with its statements."""

    window: WindowView
    statements: list[StatementView]


class MerchantStatementsView(Model):
    """A merchant's statements, newest first."""

    statements: list[StatementView]


class TariffView(Model):
    """The tariff in force; version None: none was ever decided, and nothing is charged."""

    version: int | None
    rates: list[TariffRate]


class PayeeView(Model):
    """Where a merchant is paid; ``payee`` shows its end alone."""

    merchant_id: str
    version: int | None
    payee: str | None
    recorded_at: datetime | None


class ReceiptView(Model):
    """A receipt, and what each merchant got of it."""

    receipt_id: UUID
    payer: str
    amount_fen: int
    bank_no: str
    business_on: date
    merchants: dict[str, int]


class SharesView(Model):
    """How many moves the shares of a date make now."""

    scene: str
    business_on: date
    moves: int


class FileView(Model):
    """A version of a merchant's file, and what is signed of it (Ed25519, ``head`` as UTF-8)."""

    number: int
    merchant_id: str
    version: int
    rows: int
    sum_fen: int
    sha256: str
    root: str
    head: str
    signature: str
    public_key: str
    made_at: datetime


class RowProofView(Model):
    """A line of a file and the path to the root in the signed head; ``check_row.py`` checks it."""

    line: str
    path: list[tuple[str, str]]
    head: str
    signature: str
    public_key: str


class ComparedView(Model):
    """One comparison of two books: pairs that agree, those on another date, what stands open."""

    source: str
    business_on: date
    matched: int
    other_day: int
    differences: int


class BillTakenView(Model):
    """A bill as it was taken, and what comparing it found."""

    source: str
    business_on: date
    version: int
    rows: int
    in_fen: int
    out_fen: int
    sha256: str
    compared: list[ComparedView]


class DifferenceView(Model):
    """A difference; ``ours_fen`` and ``theirs_fen`` are signed, what came in is above zero."""

    difference_id: UUID
    source: str
    business_on: date
    kind: str
    item: str
    ours_fen: int | None
    theirs_fen: int | None
    owner: str
    age_days: int
    found_at: datetime
    resolution: str | None
    closed_at: datetime | None
    closed_by: str | None
    proposal_id: UUID | None


class DifferencesView(Model):
    """Differences, oldest first."""

    differences: list[DifferenceView]
