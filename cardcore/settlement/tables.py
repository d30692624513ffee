"""The tables of settlement; made by ``schema/0166_settlement.sql``."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

window = Table(
    "settlement_window",
    metadata,
    required("number", BigInteger, key=True),
    required("state", Text),
    required("opened_at", _At),
    Column("business_on", Date),
    Column("closed_at", _At),
    Column("closed_by", Text),
    Column("ended_at", _At),
    Column("settled_in", BigInteger),
)

cut = Table(
    "settlement_cut",
    metadata,
    required("number", BigInteger, key=True),
    required("shard", SmallInteger, key=True),
    required("after", BigInteger),
    required("through", BigInteger),
)

tariff = Table(
    "settlement_tariff",
    metadata,
    required("version", BigInteger, key=True),
    required("content", JSONB),
    required("proposal_id", Uuid),
    required("decided_by", Text),
    required("recorded_at", _At),
)

payee = Table(
    "settlement_payee",
    metadata,
    required("merchant_id", Text, key=True),
    required("version", BigInteger, key=True),
    required("payee", Text),
    required("proposal_id", Uuid),
    required("decided_by", Text),
    required("recorded_at", _At),
)

statement = Table(
    "settlement_statement",
    metadata,
    required("number", BigInteger, key=True),
    required("merchant_id", Text, key=True),
    required("statement_id", Uuid),
    required("state", Text),
    required("postings", BigInteger),
    required("gross_fen", BigInteger),
    required("refunds_fen", BigInteger),
    required("arrears_fen", BigInteger),
    required("cleared_fen", BigInteger),
    required("disputes_fen", BigInteger),
    required("adjustments_fen", BigInteger),
    required("settlement_fen", BigInteger),
    required("subsidies_fen", BigInteger),
    required("carried_in_fen", BigInteger),
    Column("tariff_version", BigInteger),
    required("fee_fen", BigInteger),
    required("fee_owed_fen", BigInteger),
    Column("fee_taken_fen", BigInteger),
    required("shares_fen", BigInteger),
    Column("payout_fen", BigInteger),
    Column("carried_out_fen", BigInteger),
    Column("held_back", Text),
)

turnover = Table(
    "settlement_turnover",
    metadata,
    required("number", BigInteger, key=True),
    required("merchant_id", Text, key=True),
    required("scene", Text, key=True),
    required("taken_fen", BigInteger),
    required("returned_fen", BigInteger),
    required("fee_fen", BigInteger),
)

share = Table(
    "settlement_share",
    metadata,
    required("share_id", Uuid, key=True),
    required("scene", Text),
    required("business_on", Date),
    required("from_merchant", Text),
    required("to_merchant", Text),
    required("amount_fen", BigInteger),
    required("told_by", Text),
    required("told_at", _At),
    Column("number", BigInteger),
    Column("moved_fen", BigInteger),
)

payout = Table(
    "settlement_payout",
    metadata,
    required("payout_id", Uuid, key=True),
    required("number", BigInteger),
    required("merchant_id", Text),
    required("amount_fen", BigInteger),
    required("payee_version", BigInteger),
    required("state", Text),
    Column("bank_no", Text),
    Column("reason", Text),
    required("recorded_at", _At),
    Column("told_at", _At),
    Column("resolved_at", _At),
    Column("carried_into", BigInteger),
)

accrual = Table(
    "settlement_accrual",
    metadata,
    required("number", BigInteger, key=True),
    required("merchant_id", Text, key=True),
    required("payer_id", Uuid, key=True),
    required("amount_fen", BigInteger),
)

receipt = Table(
    "settlement_receipt",
    metadata,
    required("receipt_id", Uuid, key=True),
    required("payer", Text),
    required("payer_id", Uuid),
    required("amount_fen", BigInteger),
    required("bank_no", Text),
    required("client_id", Text),
    required("business_on", Date),
    required("recorded_at", _At),
)

receipt_line = Table(
    "settlement_receipt_line",
    metadata,
    required("receipt_id", Uuid, key=True),
    required("merchant_id", Text, key=True),
    required("amount_fen", BigInteger),
)

settlement_file = Table(
    "settlement_file",
    metadata,
    required("number", BigInteger, key=True),
    required("merchant_id", Text, key=True),
    required("version", Integer, key=True),
    required("rows", BigInteger),
    required("sum_fen", BigInteger),
    required("content", LargeBinary),
    required("sha256", LargeBinary),
    required("root", LargeBinary),
    required("head", Text),
    required("signature", LargeBinary),
    required("made_at", _At),
)

bill = Table(
    "settlement_bill",
    metadata,
    required("bill_id", Uuid, key=True),
    required("source", Text),
    required("business_on", Date),
    required("version", Integer),
    required("rows", BigInteger),
    required("in_fen", BigInteger),
    required("out_fen", BigInteger),
    required("content", LargeBinary),
    required("sha256", LargeBinary),
    required("taken_by", Text),
    required("taken_at", _At),
)

bill_row = Table(
    "settlement_bill_row",
    metadata,
    required("bill_id", Uuid, key=True),
    required("row_no", Integer, key=True),
    required("channel_no", Text),
    required("our_no", Text),
    required("direction", Text),
    required("amount_fen", BigInteger),
    required("state", Text),
    required("moved_at", _At),
)

comparison = Table(
    "settlement_comparison",
    metadata,
    required("comparison_id", Uuid, key=True),
    required("source", Text),
    required("business_on", Date),
    required("compared_at", _At),
    required("matched", BigInteger),
    required("other_day", BigInteger),
    required("differences", BigInteger),
)

difference = Table(
    "settlement_difference",
    metadata,
    required("difference_id", Uuid, key=True),
    required("source", Text),
    required("business_on", Date),
    required("kind", Text),
    required("item", Text),
    Column("ours_fen", BigInteger),
    Column("theirs_fen", BigInteger),
    required("owner", Text),
    required("found_at", _At),
    Column("resolution", Text),
    Column("closed_at", _At),
    Column("closed_by", Text),
    Column("proposal_id", Uuid),
)
