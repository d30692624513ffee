"""The tables of ``scene_hospital`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cardcore.tables import required

metadata = MetaData(schema="scene_hospital")
_At = DateTime(timezone=True)


hospital = Table(
    "hospital",
    metadata,
    required("merchant_id", Text, key=True),
    required("terminal_id", Text),
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
    required("recorded_at", _At),
)

department = Table(
    "department",
    metadata,
    required("merchant_id", Text, key=True),
    required("dept_code", Text, key=True),
    required("name_zh", Text),
    required("name_en", Text),
    required("place", Text),
    Column("place_en", Text, nullable=False, server_default=""),
    Column("specialties", ARRAY(Text), nullable=False, server_default="{}"),
)

doctor = Table(
    "doctor",
    metadata,
    required("merchant_id", Text, key=True),
    required("doctor_code", Text, key=True),
    required("dept_code", Text),
    required("name", Text),
    required("title_zh", Text),
    required("title_en", Text),
)

schedule = Table(
    "schedule",
    metadata,
    required("schedule_id", Uuid, key=True),
    required("merchant_id", Text),
    required("dept_code", Text),
    Column("doctor_code", Text),
    required("visit_on", Date),
    required("session", Text),
    required("slot_type", Text),
    required("fee_fen", BigInteger),
    required("starts_at", _At),
    required("ends_at", _At),
    required("slot_count", Integer),
    required("walk_in_count", Integer),
    Column("status", Text, nullable=False, server_default="open"),
    Column("queue_no_last", Integer, nullable=False, server_default="0"),
    required("recorded_at", _At),
)

slot = Table(
    "slot",
    metadata,
    required("schedule_id", Uuid, key=True),
    required("slot_no", SmallInteger, key=True),
    required("starts_at", _At),
    required("walk_in", Boolean),
    Column("registration_id", Uuid),
)

registration = Table(
    "registration",
    metadata,
    required("registration_id", Uuid, key=True),
    required("merchant_id", Text),
    required("schedule_id", Uuid),
    required("slot_no", SmallInteger),
    required("user_id", Uuid),
    required("dept_code", Text),
    required("visit_on", Date),
    required("session", Text),
    required("walk_in", Boolean),
    required("state", Text),
    required("fee_fen", BigInteger),
    required("slot_at", _At),
    Column("hold_ends_at", _At),
    Column("bill_id", Uuid),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    Column("queue_no", Integer),
    Column("calls", SmallInteger, nullable=False, server_default="0"),
    Column("turn", Integer),
    required("recorded_at", _At),
    required("changed_at", _At),
)

patient = Table(
    "patient",
    metadata,
    required("merchant_id", Text, key=True),
    required("user_id", Uuid, key=True),
    required("subject", Text),
    required("named_at", _At),
)

registration_event = Table(
    "registration_event",
    metadata,
    Column("event_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("registration_id", Uuid),
    required("step", Text),
    required("state_after", Text),
    required("done_by", Text),
    required("recorded_at", _At),
)

visit = Table(
    "visit",
    metadata,
    required("visit_id", Uuid, key=True),
    required("merchant_id", Text),
    required("visit_no", Text),
    required("user_id", Uuid),
    required("kind", Text),
    required("dept_code", Text),
    Column("psn_no", Text),
    Column("insutype", Text),
    Column("mdtrt_id", Text),
    required("pay_after", Boolean),
    required("recorded_at", _At),
    Column("closed_at", _At),
)

credit_agreement = Table(
    "credit_agreement",
    metadata,
    required("agreement_id", Uuid, key=True),
    required("user_id", Uuid),
    required("evidence", Text),
    required("signed_at", _At),
    Column("ended_at", _At),
)

payment = Table(
    "payment",
    metadata,
    required("payment_id", Uuid, key=True),
    required("merchant_id", Text),
    required("visit_id", Uuid),
    required("user_id", Uuid),
    Column("payer_id", Uuid),
    required("fund", Text),
    required("state", Text),
    required("version", Integer),
    Column("reason", Text),
    required("total_fen", BigInteger),
    required("fund_fen", BigInteger),
    required("account_fen", BigInteger),
    required("cash_fen", BigInteger),
    required("hospital_fen", BigInteger),
    required("deposit_fen", BigInteger),
    Column("setl_id", Text),
    Column("msgid", Text),
    Column("order_request", JSONB),
    Column("order_id", Uuid),
    Column("undoing", Boolean, nullable=False, server_default="false"),
    required("quote_ends_at", _At),
    Column("due_at", _At),
    Column("attempts", Integer, nullable=False, server_default="0"),
    required("business_on", Date),
    required("recorded_at", _At),
    required("changed_at", _At),
)

bill = Table(
    "bill",
    metadata,
    required("bill_id", Uuid, key=True),
    required("merchant_id", Text),
    required("visit_id", Uuid),
    required("out_bill_no", Text),
    required("total_fen", BigInteger),
    required("state", Text),
    Column("payment_id", Uuid),
    Column("follows_bill_id", Uuid),
    required("recorded_at", _At),
)

bill_line = Table(
    "bill_line",
    metadata,
    required("bill_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("item_code", Text),
    required("name", Text),
    required("quantity", Text),
    required("price_fen", BigInteger),
    required("amount_fen", BigInteger),
    Column("returned_fen", BigInteger, nullable=False, server_default="0"),
)

refund = Table(
    "refund",
    metadata,
    required("refund_id", Uuid, key=True),
    required("payment_id", Uuid),
    required("merchant_id", Text),
    required("out_refund_no", Text),
    required("reason", Text),
    required("state", Text),
    required("version", Integer),
    Column("fault", Text),
    required("lines", JSONB),
    required("amount_fen", BigInteger),
    Column("fund_fen", BigInteger),
    Column("account_fen", BigInteger),
    Column("cash_fen", BigInteger),
    required("cancel_msgid", Text),
    Column("undoing", Boolean, nullable=False, server_default="false"),
    Column("whole", Boolean, nullable=False, server_default="false"),
    Column("msgid", Text),
    Column("setl_id", Text),
    Column("due_at", _At),
    Column("attempts", Integer, nullable=False, server_default="0"),
    required("business_on", Date),
    required("recorded_at", _At),
    required("changed_at", _At),
)

saga_step = Table(
    "saga_step",
    metadata,
    required("subject_id", Uuid, key=True),
    required("version", Integer, key=True),
    required("state", Text),
    required("note", JSONB),
    required("recorded_at", _At),
)

settlement = Table(
    "settlement",
    metadata,
    required("merchant_id", Text, key=True),
    required("setl_id", Text, key=True),
    required("payment_id", Uuid),
    required("psn_no", Text),
    required("mdtrt_id", Text),
    required("msgid", Text),
    required("total_fen", BigInteger),
    required("fund_fen", BigInteger),
    required("account_fen", BigInteger),
    required("cash_fen", BigInteger),
    required("settled_on", Date),
    required("settled_at", _At),
    Column("cancelled_at", _At),
)

deposit_account = Table(
    "deposit_account",
    metadata,
    required("visit_id", Uuid, key=True),
    required("merchant_id", Text),
    required("user_id", Uuid),
    Column("paid_fen", BigInteger, nullable=False, server_default="0"),
    Column("charged_fen", BigInteger, nullable=False, server_default="0"),
    Column("used_fen", BigInteger, nullable=False, server_default="0"),
    Column("returned_fen", BigInteger, nullable=False, server_default="0"),
    required("state", Text),
    required("opened_at", _At),
    Column("closed_at", _At),
)

deposit_top_up = Table(
    "deposit_top_up",
    metadata,
    required("top_up_id", Uuid, key=True),
    required("visit_id", Uuid),
    required("merchant_id", Text),
    required("out_trade_no", Text),
    required("amount_fen", BigInteger),
    required("state", Text),
    Column("reason", Text),
    Column("order_request", JSONB),
    Column("order_id", Uuid),
    required("recorded_at", _At),
)

deposit_entry = Table(
    "deposit_entry",
    metadata,
    required("entry_id", Uuid, key=True),
    required("visit_id", Uuid),
    required("kind", Text),
    required("amount_fen", BigInteger),
    Column("order_id", Uuid),
    Column("bill_id", Uuid),
    required("business_on", Date),
    required("recorded_at", _At),
)

his_item = Table(
    "his_item",
    metadata,
    required("merchant_id", Text, key=True),
    required("business_on", Date, key=True),
    required("payment_id", Uuid, key=True),
    required("total_fen", BigInteger),
    required("insurer_fen", BigInteger),
    required("cash_fen", BigInteger),
)

his_day = Table(
    "his_day",
    metadata,
    required("merchant_id", Text, key=True),
    required("business_on", Date, key=True),
    required("complete_at", _At),
)

channel_bill = Table(
    "channel_bill",
    metadata,
    required("merchant_id", Text, key=True),
    required("channel", Text, key=True),
    required("business_on", Date, key=True),
    required("rows", BigInteger),
    required("in_fen", BigInteger),
    required("out_fen", BigInteger),
    required("sha256", LargeBinary),
    required("taken_by", Text),
    required("taken_at", _At),
)

channel_item = Table(
    "channel_item",
    metadata,
    required("merchant_id", Text, key=True),
    required("channel", Text, key=True),
    required("business_on", Date, key=True),
    required("row_no", Integer, key=True),
    required("channel_no", Text),
    required("our_no", Text),
    required("direction", Text),
    required("amount_fen", BigInteger),
)

insurer_item = Table(
    "insurer_item",
    metadata,
    required("merchant_id", Text, key=True),
    required("settled_on", Date, key=True),
    required("setl_id", Text, key=True),
    required("psn_no", Text),
    required("mdtrt_id", Text),
    required("msgid", Text),
    required("total_fen", BigInteger),
    required("fund_fen", BigInteger),
    required("account_fen", BigInteger),
    required("cancelled", Boolean),
)

difference = Table(
    "difference",
    metadata,
    Column("difference_id", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("merchant_id", Text),
    required("business_on", Date),
    required("kind", Text),
    required("item", Text),
    required("owner", Text),
    Column("expected_fen", BigInteger),
    Column("found_fen", BigInteger),
    required("found_at", _At),
    Column("closed_at", _At),
    Column("resolution", Text),
)
