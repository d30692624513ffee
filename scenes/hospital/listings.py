"""The lists of a hospital: one query each over the tables of the scene.

Its columns are named as the fields of its row in ``listed_rows``; what is asked of a list is a
condition on these columns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from scenes.hospital import listed_rows as rows
from scenes.hospital.tables import (
    bill,
    bill_line,
    department,
    doctor,
    hospital,
    patient,
    payment,
    refund,
    registration,
    schedule,
    settlement,
    slot,
    visit,
)

RowT = TypeVar("RowT")
NOW: Final = "listed_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[RowT]):
    """One list.

    ``key`` are the columns it is ordered and paged by, unique together. ``whole`` has a further
    column ``lines`` of rows gathered from another table, each of the form ``lines`` makes of it:
    gathered for the rows of a page, not for all that were looked at to find them.
    """

    row: Callable[..., RowT]
    rows: Subquery
    key: tuple[str, ...]
    whole: Subquery | None = None
    lines: Callable[[Mapping[str, Any]], object] | None = None

    def column(self, name: str) -> ColumnElement[Any]:
        """A column, by the name of its field."""
        return self.rows.c[name]


def _of_patient(
    query: Select[Any], merchant_id: ColumnElement[str], user_id: ColumnElement[Any]
) -> Select[Any]:
    """With the name of the patient, where the hospital was told it before."""
    known = (patient.c.merchant_id == merchant_id) & (patient.c.user_id == user_id)
    return query.add_columns(patient.c.subject).join(patient, known, isouter=True)


def _lines(
    outer: Table, condition: ColumnElement[bool], **columns: ColumnElement[Any]
) -> ColumnElement[Any]:
    """Rows of another table as one column; the first two columns are their order."""
    row = func.jsonb_build_object(
        *(part for name, column in columns.items() for part in (literal(name, Text), column))
    )
    ordered = aggregate_order_by(row, *list(columns.values())[:2])
    gathered = select(func.coalesce(func.jsonb_agg(ordered), cast(literal("[]", Text), JSONB)))
    return gathered.where(condition).correlate(outer).scalar_subquery()


def _bill_line(line: Mapping[str, Any]) -> rows.BillLineSums:
    return rows.BillLineSums(**line)


def _money_line(line: Mapping[str, Any]) -> rows.MoneyLine:
    """Of JSON: an id is a text there."""
    return rows.MoneyLine(
        bill_id=UUID(line["bill_id"]), line_no=line["line_no"], amount_fen=line["amount_fen"]
    )


def _names(table: FromClause, *names: str) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


_HOSPITALS = select(
    hospital.c.merchant_id,
    null().cast(Text).label("dept_code"),
    null().cast(Text).label("name_zh"),
    null().cast(Text).label("name_en"),
    null().cast(Text).label("place"),
    hospital.c.fixmedins_code,
    literal("", Text).label("place_key"),
)
_DEPARTMENTS = select(
    *_names(department, "merchant_id", "dept_code", "name_zh", "name_en", "place"),
    null().cast(Text).label("fixmedins_code"),
    department.c.dept_code.label("place_key"),
)
PLACES: Final = Listing(
    row=rows.ListedPlace,
    rows=union_all(_HOSPITALS, _DEPARTMENTS).subquery("places"),
    key=("merchant_id", "place_key"),
)
DEPARTMENTS: Final = Listing(
    row=rows.ListedPlace,
    rows=_DEPARTMENTS.subquery("departments"),
    key=("merchant_id", "dept_code"),
)

_of_department = (department.c.merchant_id == doctor.c.merchant_id) & (
    department.c.dept_code == doctor.c.dept_code
)
DOCTORS: Final = Listing(
    row=rows.ListedDoctor,
    rows=select(
        *_names(doctor, "merchant_id", "doctor_code", "dept_code", "name", "title_zh", "title_en"),
        department.c.name_zh.label("dept_name_zh"),
    )
    .join(department, _of_department)
    .subquery("doctors"),
    key=("merchant_id", "doctor_code"),
)

PATIENTS: Final = Listing(
    row=rows.ListedPatient,
    rows=select(*_names(patient, "merchant_id", "subject", "user_id")).subquery("patients"),
    key=("subject",),
)

_dept_of_schedule = (department.c.merchant_id == schedule.c.merchant_id) & (
    department.c.dept_code == schedule.c.dept_code
)
_doctor_of_schedule = (doctor.c.merchant_id == schedule.c.merchant_id) & (
    doctor.c.doctor_code == schedule.c.doctor_code
)
SCHEDULES: Final = Listing(
    row=rows.ListedSchedule,
    rows=select(
        *_names(schedule, "schedule_id", "merchant_id", "dept_code", "doctor_code", "visit_on"),
        *_names(schedule, "session", "slot_type", "fee_fen", "starts_at", "ends_at", "status"),
        department.c.name_zh.label("dept_name_zh"),
        doctor.c.name.label("doctor_name"),
    )
    .join(department, _dept_of_schedule)
    .join(doctor, _doctor_of_schedule, isouter=True)
    .subquery("schedules"),
    key=("schedule_id",),
)

_following = slot.alias("following")


def _ends_at(
    schedule_id: ColumnElement[Any], slot_no: ColumnElement[int], ends_at: ColumnElement[Any]
) -> ColumnElement[Any]:
    """A place lasts until the next one's time, the last until the half day is over."""
    after = (
        select(_following.c.starts_at)
        .where(_following.c.schedule_id == schedule_id, _following.c.slot_no == slot_no + 1)
        .scalar_subquery()
    )
    return func.coalesce(after, ends_at)


SLOTS: Final = Listing(
    row=rows.ListedSlot,
    rows=select(
        *_names(slot, "schedule_id", "slot_no", "starts_at", "walk_in"),
        *_names(schedule, "merchant_id", "dept_code", "slot_type"),
        _ends_at(slot.c.schedule_id, slot.c.slot_no, schedule.c.ends_at).label("ends_at"),
        case(
            (slot.c.registration_id.is_not(None), "taken"),
            (schedule.c.status != "open", "closed"),
            (schedule.c.ends_at <= bindparam(NOW, type_=DateTime(timezone=True)), "closed"),
            else_="free",
        ).label("state"),
    )
    .join(schedule, schedule.c.schedule_id == slot.c.schedule_id)
    .subquery("slots"),
    key=("schedule_id", "slot_no"),
)

_dept_of_registration = (department.c.merchant_id == registration.c.merchant_id) & (
    department.c.dept_code == registration.c.dept_code
)
REGISTRATIONS: Final = Listing(
    row=rows.ListedRegistration,
    rows=_of_patient(
        select(
            *_names(registration, "registration_id", "merchant_id", "schedule_id", "slot_no"),
            *_names(registration, "user_id", "dept_code", "walk_in", "priority", "state"),
            *_names(registration, "fee_fen", "slot_at", "hold_ends_at", "queue_no"),
            *_names(registration, "recorded_at", "changed_at"),
            *_names(schedule, "doctor_code", "slot_type"),
            department.c.name_zh.label("dept_name_zh"),
            _ends_at(registration.c.schedule_id, registration.c.slot_no, schedule.c.ends_at).label(
                "slot_ends_at"
            ),
            bill.c.visit_id,
        )
        .join(schedule, schedule.c.schedule_id == registration.c.schedule_id)
        .join(department, _dept_of_registration)
        .join(bill, bill.c.bill_id == registration.c.bill_id, isouter=True),
        registration.c.merchant_id,
        registration.c.user_id,
    ).subquery("registrations"),
    key=("registration_id",),
)

_begun = (
    select(registration.c.registration_id, registration.c.state.label("registration_state"))
    .join(bill, bill.c.bill_id == registration.c.bill_id)
    .where(bill.c.visit_id == visit.c.visit_id)
    .limit(1)
    .lateral("begun")
)
_dept_of_visit = (department.c.merchant_id == visit.c.merchant_id) & (
    department.c.dept_code == visit.c.dept_code
)
_VISITS = _of_patient(
    select(
        *_names(visit, "visit_id", "merchant_id", "user_id", "visit_no", "kind", "dept_code"),
        *_names(visit, "insutype", "recorded_at", "closed_at"),
        department.c.name_zh.label("dept_name_zh"),
        _begun.c.registration_id,
        _begun.c.registration_state,
    )
    .join(department, _dept_of_visit, isouter=True)
    .join(_begun, literal(value=True, type_=Boolean), isouter=True),
    visit.c.merchant_id,
    visit.c.user_id,
)
VISITS: Final = Listing(row=rows.ListedVisit, rows=_VISITS.subquery("visits"), key=("visit_id",))
INSURED_VISITS: Final = Listing(
    row=rows.ListedVisit,
    rows=_VISITS.where(visit.c.psn_no.is_not(None)).subquery("insured_visits"),
    key=("visit_id",),
)

ITEMS: Final = Listing(
    row=rows.ListedItem,
    rows=_of_patient(
        select(
            *_names(bill_line, "bill_id", "line_no", "item_code", "name", "quantity"),
            *_names(bill_line, "price_fen", "amount_fen", "returned_fen"),
            *_names(bill, "merchant_id", "visit_id", "recorded_at"),
            bill.c.state.label("bill_state"),
            visit.c.user_id,
        )
        .join(bill, bill.c.bill_id == bill_line.c.bill_id)
        .join(visit, visit.c.visit_id == bill.c.visit_id),
        bill.c.merchant_id,
        visit.c.user_id,
    ).subquery("items"),
    key=("bill_id", "line_no"),
)

_BILLS = _of_patient(
    select(
        *_names(bill, "bill_id", "merchant_id", "visit_id", "out_bill_no", "state"),
        *_names(bill, "payment_id", "follows_bill_id", "recorded_at"),
        visit.c.user_id,
    ).join(visit, visit.c.visit_id == bill.c.visit_id),
    bill.c.merchant_id,
    visit.c.user_id,
)
_BILL_LINES = _lines(
    bill,
    bill_line.c.bill_id == bill.c.bill_id,
    line_no=bill_line.c.line_no,
    amount_fen=bill_line.c.amount_fen,
    returned_fen=bill_line.c.returned_fen,
)
BILLS: Final = Listing(
    row=rows.ListedBill,
    rows=_BILLS.subquery("bills"),
    key=("bill_id",),
    whole=_BILLS.add_columns(_BILL_LINES.label("lines")).subquery("whole_bills"),
    lines=_bill_line,
)

SETTLEMENTS: Final = Listing(
    row=rows.ListedSettlement,
    rows=_of_patient(
        select(
            *_names(settlement, "merchant_id", "setl_id", "msgid", "payment_id", "total_fen"),
            *_names(settlement, "fund_fen", "account_fen", "cash_fen", "settled_on"),
            *_names(settlement, "settled_at", "cancelled_at"),
            func.coalesce(settlement.c.cancelled_at, settlement.c.settled_at).label("changed_at"),
            *_names(payment, "visit_id", "user_id"),
        ).join(payment, payment.c.payment_id == settlement.c.payment_id),
        settlement.c.merchant_id,
        payment.c.user_id,
    ).subquery("settlements"),
    key=("payment_id", "setl_id"),
)

_PAYMENTS = _of_patient(
    select(
        payment.c.payment_id.label("money_id"),
        literal("payment", Text).label("kind"),
        *_names(payment, "payment_id", "merchant_id", "visit_id", "user_id", "state", "reason"),
        null().cast(Text).label("number"),
        payment.c.order_id,
        literal(value=False, type_=Boolean).label("whole"),
        *_names(payment, "total_fen", "fund_fen", "account_fen", "cash_fen", "hospital_fen"),
        *_names(payment, "deposit_fen", "quote_ends_at", "business_on"),
        *_names(payment, "recorded_at", "changed_at"),
    ),
    payment.c.merchant_id,
    payment.c.user_id,
)
_given_fen = refund.c.fund_fen + refund.c.account_fen + refund.c.cash_fen
_RETURNS = _of_patient(
    select(
        refund.c.refund_id.label("money_id"),
        literal("return", Text).label("kind"),
        *_names(refund, "payment_id", "merchant_id"),
        *_names(payment, "visit_id", "user_id"),
        refund.c.state,
        refund.c.fault.label("reason"),
        refund.c.out_refund_no.label("number"),
        null().cast(Uuid).label("order_id"),
        refund.c.whole,
        refund.c.amount_fen.label("total_fen"),
        *_names(refund, "fund_fen", "account_fen", "cash_fen"),
        # Of a whole return more goes back than was asked for, and the rest is billed anew.
        case((refund.c.whole, null()), else_=refund.c.amount_fen - _given_fen).label(
            "hospital_fen"
        ),
        literal(0, BigInteger).label("deposit_fen"),
        null().cast(DateTime(timezone=True)).label("quote_ends_at"),
        *_names(refund, "business_on", "recorded_at", "changed_at"),
    ).join(payment, payment.c.payment_id == refund.c.payment_id),
    refund.c.merchant_id,
    payment.c.user_id,
)
_PAYMENT_LINES = _lines(
    payment,
    bill.c.payment_id == payment.c.payment_id,
    bill_id=bill.c.bill_id,
    line_no=null().cast(Integer),
    amount_fen=bill.c.total_fen,
)
MONEY: Final = Listing(
    row=rows.ListedMoney,
    rows=union_all(_PAYMENTS, _RETURNS).subquery("money"),
    key=("money_id",),
    whole=union_all(
        _PAYMENTS.add_columns(_PAYMENT_LINES.label("lines")),
        _RETURNS.add_columns(refund.c.lines),
    ).subquery("whole_money"),
    lines=_money_line,
)
