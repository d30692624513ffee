"""What a hospital's lists tell, one frozen row each. Pure.

Amounts are integers of fen, instants aware, dates local. ``subject`` is the name a patient has with
this hospital (``patients``); ids of people stay inside.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPlace:
    """A hospital, or, with ``dept_code``, one of its departments."""

    merchant_id: str
    dept_code: str | None
    name_zh: str | None
    name_en: str | None
    place: str | None
    fixmedins_code: str | None

    @property
    def place_key(self) -> str:
        """Its place within the hospital's: the hospital itself comes first."""
        return self.dept_code or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDoctor:
    """A doctor of a department."""

    merchant_id: str
    doctor_code: str
    dept_code: str
    dept_name_zh: str
    name: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPatient:
    """A person as this hospital may see them, masked.

    ``active``: they may register and pay now. ``survivor``: the name of who they were merged into.
    """

    merchant_id: str
    subject: str
    user_id: UUID
    active: bool = True
    name: str | None = None
    id_no: str | None = None
    phone: str | None = None
    survivor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSchedule:
    """Half a day of a doctor or a department."""

    schedule_id: UUID
    merchant_id: str
    dept_code: str
    dept_name_zh: str
    doctor_code: str | None
    doctor_name: str | None
    visit_on: date
    session: str
    slot_type: str
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSlot:
    """One place of a schedule; ``state``: ``free``, ``taken``, or ``closed`` (stopped or over)."""

    schedule_id: UUID
    slot_no: int
    merchant_id: str
    dept_code: str
    slot_type: str
    starts_at: datetime
    ends_at: datetime
    walk_in: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRegistration:
    """A registration as it stands; ``visit_id`` once its fee was billed."""

    registration_id: UUID
    merchant_id: str
    schedule_id: UUID
    slot_no: int
    user_id: UUID
    subject: str | None
    dept_code: str
    dept_name_zh: str
    doctor_code: str | None
    slot_type: str
    walk_in: bool
    priority: int
    state: str
    fee_fen: int
    slot_at: datetime
    slot_ends_at: datetime
    hold_ends_at: datetime | None
    queue_no: int | None
    visit_id: UUID | None
    recorded_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVisit:
    """A visit, with the registration it began with where it did."""

    visit_id: UUID
    merchant_id: str
    user_id: UUID
    subject: str | None
    visit_no: str
    kind: str
    dept_code: str
    dept_name_zh: str | None
    insutype: str | None
    registration_id: UUID | None
    registration_state: str | None
    recorded_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedItem:
    """One line of a bill."""

    bill_id: UUID
    line_no: int
    merchant_id: str
    visit_id: UUID
    user_id: UUID
    subject: str | None
    item_code: str
    name: str
    quantity: str
    price_fen: int
    amount_fen: int
    returned_fen: int
    bill_state: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLineSums:
    """What an invoice tells of a line."""

    line_no: int
    amount_fen: int
    returned_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBill:
    """A bill with its lines; ``payment_id``: the payment that has it in hand, or has paid it."""

    bill_id: UUID
    merchant_id: str
    visit_id: UUID
    user_id: UUID
    subject: str | None
    out_bill_no: str
    state: str
    payment_id: UUID | None
    follows_bill_id: UUID | None
    recorded_at: datetime
    lines: tuple[BillLineSums, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSettlement:
    """A settlement the insurer told of; it stands while ``cancelled_at`` is None."""

    merchant_id: str
    setl_id: str
    msgid: str
    payment_id: UUID
    visit_id: UUID
    user_id: UUID
    subject: str | None
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int
    settled_on: date
    settled_at: datetime
    cancelled_at: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLine:
    """What one bill or, with ``line_no``, one of its lines has of a payment or a return, in fen."""

    bill_id: UUID
    line_no: int | None
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMoney:
    """A payment, or a return of one: then ``payment_id`` names the payment, ``money_id`` itself.

    ``total_fen`` ≥ 0 in both. The payers' parts of a return are None until the rest is settled.
    """

    money_id: UUID
    kind: str
    payment_id: UUID
    merchant_id: str
    visit_id: UUID
    user_id: UUID
    subject: str | None
    state: str
    reason: str | None
    number: str | None
    order_id: UUID | None
    whole: bool
    total_fen: int
    fund_fen: int | None
    account_fen: int | None
    cash_fen: int | None
    hospital_fen: int | None
    deposit_fen: int
    quote_ends_at: datetime | None
    business_on: date
    recorded_at: datetime
    changed_at: datetime
    lines: tuple[MoneyLine, ...]
