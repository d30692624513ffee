"""What the hospital scene answers. Amounts in fen, instants aware UTC, dates local."""

from datetime import date, datetime
from uuid import UUID

from cardcore.model import Model


class DepartmentView(Model):
    """A department."""

    merchant_id: str
    dept_code: str
    name_zh: str
    name_en: str
    place: str
    place_en: str
    specialties: list[str]


class DoctorView(Model):
    """A doctor."""

    merchant_id: str
    doctor_code: str
    dept_code: str
    name: str
    title_zh: str
    title_en: str


class ScheduleView(Model):
    """A half day of a doctor, and what is free of it now."""

    schedule_id: UUID
    merchant_id: str
    dept_code: str
    doctor_code: str | None
    visit_on: date
    session: str
    slot_type: str
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    status: str
    slot_count: int
    walk_in_count: int
    free_count: int
    free_walk_in_count: int


class SchedulesView(Model):
    """Schedules of a day."""

    schedules: list[ScheduleView]


class RegistrationView(Model):
    """A registration as it stands; ``ahead`` is how many are called before it."""

    registration_id: UUID
    merchant_id: str
    schedule_id: UUID
    dept_code: str
    visit_on: date
    session: str
    slot_no: int
    slot_at: datetime
    state: str
    fee_fen: int
    hold_ends_at: datetime | None
    queue_no: int | None
    ahead: int | None = None
    recorded_at: datetime


class RegistrationsView(Model):
    """A person's registrations, newest first."""

    registrations: list[RegistrationView]


class VisitView(Model):
    """A visit."""

    visit_id: UUID
    merchant_id: str
    visit_no: str
    kind: str
    dept_code: str
    insured: bool
    pay_after: bool
    recorded_at: datetime
    closed_at: datetime | None


class BillLineView(Model):
    """An item of a bill."""

    line_no: int
    item_code: str
    name: str
    quantity: str
    amount_fen: int
    returned_fen: int


class BillView(Model):
    """A bill."""

    bill_id: UUID
    visit_id: UUID
    out_bill_no: str
    total_fen: int
    state: str
    payment_id: UUID | None
    follows_bill_id: UUID | None
    lines: list[BillLineView]


class BillsView(Model):
    """Bills of a visit."""

    bills: list[BillView]


class StepView(Model):
    """One step of a payment or refund."""

    state: str
    recorded_at: datetime


class PaymentView(Model):
    """A payment: who pays which fen, and where it stands.

    ``due_fen`` is what the citizen's funds pay: the cash part less what was deposited.
    """

    payment_id: UUID
    visit_id: UUID
    merchant_id: str
    state: str
    reason: str | None
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int
    hospital_fen: int
    deposit_fen: int
    due_fen: int
    order_id: UUID | None
    setl_id: str | None
    quote_ends_at: datetime
    recorded_at: datetime
    steps: list[StepView]


class ReturnView(Model):
    """Items given back, and where that stands; the payers' parts once the rest is settled.

    ``whole``: the rest could not stay settled at what was paid, so everything goes back and the
    rest is billed anew: the visit's bills show it as open, with ``follows_bill_id``.
    """

    refund_id: UUID
    payment_id: UUID
    out_refund_no: str
    state: str
    fault: str | None
    whole: bool
    amount_fen: int
    fund_fen: int | None
    account_fen: int | None
    cash_fen: int | None
    recorded_at: datetime
    steps: list[StepView]


class DepositView(Model):
    """A deposit: put down, charged by the stay so far, used to pay, given back."""

    visit_id: UUID
    state: str
    paid_fen: int
    charged_fen: int
    used_fen: int
    returned_fen: int
    available_fen: int


class AgreementView(Model):
    """An agreement to pay after visits."""

    agreement_id: UUID
    signed_at: datetime
    ended_at: datetime | None


class ReviewView(Model):
    """Something people must look at: ``owner`` says whose move it is, ``age_s`` since how long."""

    subject_id: UUID
    kind: str
    merchant_id: str
    state: str
    reason: str | None
    owner: str
    since: datetime
    age_s: int


class ReviewsView(Model):
    """Everything people must look at, oldest first."""

    reviews: list[ReviewView]


class HISItemsView(Model):
    """How many items were taken."""

    business_on: date
    taken: int


class ChannelBillView(Model):
    """A channel's bill as it was read: all its rows, and the sums of what was paid."""

    channel: str
    business_on: date
    rows: int
    in_fen: int
    out_fen: int


class ReconciliationView(Model):
    """One comparison: what each book has, and what differs.

    ``totals_agree``: the insurer's answer to 3201, null where the hospital has no insurer.
    ``returned``: what stood in one book alone and went back now.
    """

    business_on: date
    totals_agree: bool | None
    payments: int
    insurer_items: int
    his_items: int
    differences: int
    new: int
    gone: int
    returned: int


class DifferenceView(Model):
    """A difference that stands.

    ``item`` is a payment's id, the insurer's of a settlement, or the channel's or our number of a
    movement.
    """

    difference_id: int
    business_on: date
    kind: str
    item: str
    owner: str
    expected_fen: int | None
    found_fen: int | None
    found_at: datetime
    age_days: int


class DifferencesView(Model):
    """Differences that stand, the oldest first."""

    differences: list[DifferenceView]
