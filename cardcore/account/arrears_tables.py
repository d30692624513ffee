"""The tables of arrears as SQLAlchemy sees them.

See ``schema/0083_records.sql`` and ``schema/0121_arrears.sql``.
"""

from sqlalchemy import BigInteger, Column, DateTime, SmallInteger, Table, Text, Uuid

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

arrears = Table(
    "arrears",
    metadata,
    required("order_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("user_id", Uuid),
    required("merchant_id", Text),
    required("amount_fen", BigInteger),
    required("recorded_at", _At),
    Column("paid_fen", BigInteger, nullable=False, server_default="0"),
    Column("waived_fen", BigInteger, nullable=False, server_default="0"),
)

arrears_payment = Table(
    "arrears_payment",
    metadata,
    required("payment_id", Uuid, key=True),
    required("order_id", Uuid),
    required("line_no", SmallInteger),
    required("fund_id", Uuid),
    required("amount_fen", BigInteger),
    required("recorded_at", _At),
)

arrears_return = Table(
    "arrears_return",
    metadata,
    required("transfer_id", Uuid, key=True),
    required("refund_id", Uuid),
    required("payment_id", Uuid),
    required("amount_fen", BigInteger),
)
