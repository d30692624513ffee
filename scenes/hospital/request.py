"""What the hospital's own system, a counter, or a citizen's app asks of the scene.

Amounts are JSON integers of fen. Extra fields are refused.
"""

from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from cardcore.business.request import User
from cardcore.model import AmountFen, Instant, Model, Name, PrintedNumber
from scenes.hospital.guidance_request import Specialty

Words = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Count = Annotated[int, Field(strict=True, ge=1, le=500)]
Session = Literal["morning", "afternoon", "evening"]
SlotType = Literal["general", "expert", "special", "emergency"]
FeeFen = Annotated[int, Field(strict=True, ge=0, le=1_000_00)]


class DepartmentRequest(Model):
    """A department, by its code; ``place`` tells where: building, floor, area.

    ``place_en``: the same in English; without, everybody reads ``place``.
    ``specialties``: what it treats, as guidance names it; without, guidance sends nobody here.
    """

    dept_code: PrintedNumber
    name_zh: Words
    name_en: Words
    place: Words
    place_en: Annotated[str, StringConstraints(max_length=100)] = ""
    specialties: Annotated[list[Specialty], Field(max_length=40)] = Field(default_factory=list)


class DoctorRequest(Model):
    """A doctor of a department."""

    doctor_code: PrintedNumber
    dept_code: PrintedNumber
    name: Words
    title_zh: Words
    title_en: Words


class ScheduleRequest(Model):
    """Who sees patients on one half day, and how many.

    ``walk_in_count`` of ``slot_count`` places are for those who come without an appointment.
    """

    dept_code: PrintedNumber
    doctor_code: PrintedNumber | None = None
    visit_on: date
    session: Session
    slot_type: SlotType = "general"
    fee_fen: FeeFen
    starts_at: Instant
    ends_at: Instant
    slot_count: Count
    walk_in_count: Annotated[int, Field(strict=True, ge=0, le=500)] = 0


class SchedulesQuery(Model):
    """Schedules of one day, of all departments or of one."""

    visit_on: date
    dept_code: PrintedNumber | None = None


class RegistrationRequest(Model):
    """A place on a schedule for whoever presents ``user``; ``walk_in`` at the counter alone."""

    user: User
    schedule_id: UUID
    walk_in: StrictBool = False


class OwnRegistrationRequest(Model):
    """A place on a schedule, for oneself."""

    merchant_id: PrintedNumber
    schedule_id: UUID


class CheckInRequest(Model):
    """Who is here; a queue number is given. ``priority`` 1: served before others (优先)."""

    user: User
    priority: Literal[0, 1] = 0


class CallRequest(Model):
    """Call the next of a schedule; whoever was called before is seen now, or did not come."""

    schedule_id: UUID
    before: Literal["seen", "passed"] = "seen"


class VisitRequest(Model):
    """A visit (就诊) as the hospital numbers it.

    ``psn_no`` and ``insutype`` are the insurer's, as read from the electronic insurance credential;
    without them nobody insures the visit. ``pay_after``: paid when it is over, under an agreement.
    """

    user: User
    visit_no: PrintedNumber
    kind: Literal["outpatient", "inpatient"] = "outpatient"
    dept_code: PrintedNumber
    psn_no: PrintedNumber | None = None
    insutype: PrintedNumber | None = None
    pay_after: StrictBool = False


class InsuranceRequest(Model):
    """Whose insurance pays for a visit, if any does: as in ``VisitRequest``."""

    psn_no: PrintedNumber | None = None
    insutype: PrintedNumber | None = None


class BillLine(Model):
    """One item: ``item_code`` is that of the national catalogue, ``quantity`` as printed."""

    item_code: PrintedNumber
    name: Words
    quantity: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,4})?$")]
    price_fen: Annotated[int, Field(strict=True, ge=0)]
    amount_fen: AmountFen


class BillRequest(Model):
    """A bill (费用单) of a visit."""

    out_bill_no: PrintedNumber
    lines: Annotated[list[BillLine], Field(min_length=1, max_length=200)]

    @property
    def total_fen(self) -> int:
        """What it comes to."""
        return sum(line.amount_fen for line in self.lines)


class PaymentRequest(Model):
    """Several open bills of one visit, to be paid at once; none named: all of them."""

    bill_ids: Annotated[list[UUID], Field(max_length=50)] = Field(default_factory=list)


class ConfirmRequest(Model):
    """The citizen agrees to the split, by what they present.

    Whoever pays for somebody else presents their own credential. ``user`` is left out where the
    visit is paid after it is over, under an agreement.
    """

    user: User | None = None
    fund: Name = "auto"
    terminal_id: PrintedNumber | None = None


class OwnConfirmRequest(Model):
    """The citizen agrees, in a session of their own."""

    fund: Name = "auto"


class ReturnedLine(Model):
    """What of one bill line is given back."""

    bill_id: UUID
    line_no: Count
    amount_fen: AmountFen


class ReturnRequest(Model):
    """Items that are given back; the insurer settles the rest anew."""

    out_refund_no: PrintedNumber
    lines: Annotated[list[ReturnedLine], Field(min_length=1, max_length=200)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class DepositRequest(Model):
    """Money put down for a stay."""

    user: User
    amount_fen: AmountFen
    out_trade_no: PrintedNumber


class AgreementRequest(Model):
    """The agreement to pay after visits (信用就医); ``evidence`` names the signed paper."""

    user: User
    evidence: Words


class ReviewRequest(Model):
    """What to do with a payment or return people have looked at. Each way leads on.

    ``ask``: ask the insurer again and believe a sound answer. ``cancel``: take the settlement back;
    a payment's money is returned, a return's rest is settled anew. ``whole``: take the settlement
    of a return's rest back, give everything back and bill the rest anew. ``release``: the insurer
    has told people that nothing stands there; nothing more is said to it and the money goes back,
    of a return all of it, with the rest billed anew.
    """

    decision: Literal["ask", "cancel", "whole", "release"]
    note: Words


BILL_SIZE_MAX: Final = 4_000_000


class HISItem(Model):
    """One payment as the hospital's own system has it."""

    payment_id: UUID
    total_fen: AmountFen
    insurer_fen: Annotated[int, Field(strict=True, ge=0)]
    cash_fen: Annotated[int, Field(strict=True, ge=0)]


class HISItemsRequest(Model):
    """What the hospital's own system has collected on a business date, or a part of it.

    ``complete``: with this everything of that date is told. What was paid and is missing then is
    given back to the patient by itself.
    """

    business_on: date
    items: Annotated[list[HISItem], Field(max_length=1_000)]
    complete: StrictBool = False


class ChannelBillRequest(Model):
    """The bill of the channel that moved the citizens' part: CSV whose last line tells it is whole.

    Columns and last line as of every channel's bill (docs/settlement.md).
    """

    channel: PrintedNumber
    business_on: date
    bill: Annotated[str, StringConstraints(min_length=1, max_length=BILL_SIZE_MAX)]


class ReconciliationRequest(Model):
    """The business date whose books are compared."""

    business_on: date
