"""The tables of ``scene_hospital`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="scene_hospital")
_At = DateTime(timezone=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=False)


hospital = Table(
    "hospital",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("terminal_id", Text),
    Column("fixmedins_code", Text),
    Column("hold_s", Integer, nullable=False, server_default="600"),
    Column("cancel_before_s", Integer, nullable=False, server_default="7200"),
    Column("days_ahead", Integer, nullable=False, server_default="7"),
    Column("per_day_max", Integer, nullable=False, server_default="3"),
    Column("no_show_max", Integer, nullable=False, server_default="3"),
    Column("no_show_days", Integer, nullable=False, server_default="90"),
    Column("blocked_days", Integer, nullable=False, server_default="30"),
    Column("quote_s", Integer, nullable=False, server_default="1800"),
    Column("outpatient_prepayment", Boolean, nullable=False, server_default="false"),
    _required("recorded_at", _At),
)

department = Table(
    "department",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("dept_code", Text, key=True),
    _required("name_zh", Text),
    _required("name_en", Text),
    _required("place", Text),
)

doctor = Table(
    "doctor",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("doctor_code", Text, key=True),
    _required("dept_code", Text),
    _required("name", Text),
    _required("title_zh", Text),
    _required("title_en", Text),
)

schedule = Table(
    "schedule",
    metadata,
    _required("schedule_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("dept_code", Text),
    Column("doctor_code", Text),
    _required("visit_on", Date),
    _required("session", Text),
    _required("slot_type", Text),
    _required("fee_fen", BigInteger),
    _required("starts_at", _At),
    _required("ends_at", _At),
    _required("slot_count", Integer),
    _required("walk_in_count", Integer),
    Column("status", Text, nullable=False, server_default="open"),
    Column("queue_no_last", Integer, nullable=False, server_default="0"),
    _required("recorded_at", _At),
)

slot = Table(
    "slot",
    metadata,
    _required("schedule_id", Uuid, key=True),
    _required("slot_no", SmallInteger, key=True),
    _required("starts_at", _At),
    _required("walk_in", Boolean),
    Column("registration_id", Uuid),
)

registration = Table(
    "registration",
    metadata,
    _required("registration_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("schedule_id", Uuid),
    _required("slot_no", SmallInteger),
    _required("user_id", Uuid),
    _required("dept_code", Text),
    _required("visit_on", Date),
    _required("session", Text),
    _required("walk_in", Boolean),
    _required("state", Text),
    _required("fee_fen", BigInteger),
    _required("slot_at", _At),
    Column("hold_ends_at", _At),
    Column("bill_id", Uuid),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("queue_no", Integer),
    Column("calls", SmallInteger, nullable=False, server_default="0"),
    Column("turn", Integer),
    _required("recorded_at", _At),
    _required("changed_at", _At),
)

registration_event = Table(
    "registration_event",
    metadata,
    Column("event_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("registration_id", Uuid),
    _required("step", Text),
    _required("state_after", Text),
    _required("done_by", Text),
    _required("recorded_at", _At),
)

visit = Table(
    "visit",
    metadata,
    _required("visit_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("visit_no", Text),
    _required("user_id", Uuid),
    _required("kind", Text),
    _required("dept_code", Text),
    Column("psn_no", Text),
    Column("insutype", Text),
    Column("mdtrt_id", Text),
    _required("pay_after", Boolean),
    _required("recorded_at", _At),
    Column("closed_at", _At),
)

credit_agreement = Table(
    "credit_agreement",
    metadata,
    _required("agreement_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("evidence", Text),
    _required("signed_at", _At),
    Column("ended_at", _At),
)

payment = Table(
    "payment",
    metadata,
    _required("payment_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("visit_id", Uuid),
    _required("user_id", Uuid),
    Column("payer_id", Uuid),
    _required("fund", Text),
    _required("state", Text),
    _required("version", Integer),
    Column("reason", Text),
    _required("total_fen", BigInteger),
    _required("fund_fen", BigInteger),
    _required("account_fen", BigInteger),
    _required("cash_fen", BigInteger),
    _required("hospital_fen", BigInteger),
    _required("deposit_fen", BigInteger),
    Column("setl_id", Text),
    Column("msgid", Text),
    Column("order_request", JSONB),
    Column("order_id", Uuid),
    _required("quote_ends_at", _At),
    Column("due_at", _At),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _required("business_on", Date),
    _required("recorded_at", _At),
    _required("changed_at", _At),
)

bill = Table(
    "bill",
    metadata,
    _required("bill_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("visit_id", Uuid),
    _required("out_bill_no", Text),
    _required("total_fen", BigInteger),
    _required("state", Text),
    Column("payment_id", Uuid),
    _required("recorded_at", _At),
)

bill_line = Table(
    "bill_line",
    metadata,
    _required("bill_id", Uuid, key=True),
    _required("line_no", SmallInteger, key=True),
    _required("item_code", Text),
    _required("name", Text),
    _required("quantity", Text),
    _required("price_fen", BigInteger),
    _required("amount_fen", BigInteger),
    Column("returned_fen", BigInteger, nullable=False, server_default="0"),
)

refund = Table(
    "refund",
    metadata,
    _required("refund_id", Uuid, key=True),
    _required("payment_id", Uuid),
    _required("merchant_id", Text),
    _required("out_refund_no", Text),
    _required("reason", Text),
    _required("state", Text),
    _required("version", Integer),
    Column("fault", Text),
    _required("lines", JSONB),
    _required("amount_fen", BigInteger),
    Column("fund_fen", BigInteger),
    Column("account_fen", BigInteger),
    Column("cash_fen", BigInteger),
    _required("cancel_msgid", Text),
    Column("msgid", Text),
    Column("setl_id", Text),
    Column("due_at", _At),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _required("business_on", Date),
    _required("recorded_at", _At),
    _required("changed_at", _At),
)

saga_step = Table(
    "saga_step",
    metadata,
    _required("subject_id", Uuid, key=True),
    _required("version", Integer, key=True),
    _required("state", Text),
    _required("note", JSONB),
    _required("recorded_at", _At),
)

settlement = Table(
    "settlement",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("setl_id", Text, key=True),
    _required("payment_id", Uuid),
    _required("psn_no", Text),
    _required("mdtrt_id", Text),
    _required("msgid", Text),
    _required("total_fen", BigInteger),
    _required("fund_fen", BigInteger),
    _required("account_fen", BigInteger),
    _required("cash_fen", BigInteger),
    _required("settled_on", Date),
    _required("settled_at", _At),
    Column("cancelled_at", _At),
)

deposit_account = Table(
    "deposit_account",
    metadata,
    _required("visit_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("user_id", Uuid),
    Column("paid_fen", BigInteger, nullable=False, server_default="0"),
    Column("charged_fen", BigInteger, nullable=False, server_default="0"),
    Column("used_fen", BigInteger, nullable=False, server_default="0"),
    Column("returned_fen", BigInteger, nullable=False, server_default="0"),
    _required("state", Text),
    _required("opened_at", _At),
    Column("closed_at", _At),
)

deposit_top_up = Table(
    "deposit_top_up",
    metadata,
    _required("top_up_id", Uuid, key=True),
    _required("visit_id", Uuid),
    _required("merchant_id", Text),
    _required("out_trade_no", Text),
    _required("amount_fen", BigInteger),
    _required("state", Text),
    Column("reason", Text),
    Column("order_request", JSONB),
    Column("order_id", Uuid),
    _required("recorded_at", _At),
)

deposit_entry = Table(
    "deposit_entry",
    metadata,
    _required("entry_id", Uuid, key=True),
    _required("visit_id", Uuid),
    _required("kind", Text),
    _required("amount_fen", BigInteger),
    Column("order_id", Uuid),
    Column("bill_id", Uuid),
    _required("business_on", Date),
    _required("recorded_at", _At),
)

his_item = Table(
    "his_item",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("business_on", Date, key=True),
    _required("payment_id", Uuid, key=True),
    _required("total_fen", BigInteger),
    _required("insurer_fen", BigInteger),
    _required("cash_fen", BigInteger),
)

insurer_item = Table(
    "insurer_item",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("settled_on", Date, key=True),
    _required("setl_id", Text, key=True),
    _required("psn_no", Text),
    _required("mdtrt_id", Text),
    _required("msgid", Text),
    _required("total_fen", BigInteger),
    _required("fund_fen", BigInteger),
    _required("account_fen", BigInteger),
    _required("cancelled", Boolean),
)

difference = Table(
    "difference",
    metadata,
    Column("difference_id", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("merchant_id", Text),
    _required("business_on", Date),
    _required("kind", Text),
    _required("item", Text),
    _required("owner", Text),
    Column("expected_fen", BigInteger),
    Column("found_fen", BigInteger),
    _required("found_at", _At),
    Column("closed_at", _At),
    Column("resolution", Text),
)
