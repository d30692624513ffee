"""Tables of funds beside ``cardcore.tables``: regimes, policy, programmes, credit, tallies."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

fund_regime = Table(
    "fund_regime",
    metadata,
    required("regime", Text, key=True),
    required("nature", Text),
    Column("balance_fen_max", BigInteger),
    required("redeemable", Boolean),
    required("source", Text),
    required("name_zh", Text),
    required("name_en", Text),
)

funding_policy = Table(
    "funding_policy",
    metadata,
    required("version", BigInteger, key=True),
    required("subject", Text),
    required("client_id", Text),
    required("reason", Text),
    required("recorded_at", _At),
)

subsidy_programme = Table(
    "subsidy_programme",
    metadata,
    required("programme", Text, key=True),
    required("version", BigInteger, key=True),
    required("payer", Text),
    required("scenes", ARRAY(Text)),
    required("merchants", ARRAY(Text)),
    required("valid_from", Date),
    required("valid_to", Date),
)

subsidy_movement = Table(
    "subsidy_movement",
    metadata,
    required("movement_id", Uuid, key=True),
    required("programme", Text),
    required("kind", Text),
    required("cause", Text),
    Column("user_id", Uuid),
    Column("fund_id", Uuid),
    required("amount_fen", BigInteger),
    Column("channel", Text),
    Column("channel_no", Text),
    required("client_id", Text),
    required("business_on", Date),
    required("recorded_at", _At),
)

credit_repayment = Table(
    "credit_repayment",
    metadata,
    required("repayment_id", Uuid, key=True),
    required("user_id", Uuid),
    required("fund_id", Uuid),
    required("source_fund_id", Uuid),
    required("amount_fen", BigInteger),
    required("owed_fen", BigInteger),
    required("client_id", Text),
    required("business_on", Date),
    required("recorded_at", _At),
)

credit_limit = Table(
    "credit_limit",
    metadata,
    required("change_id", Uuid, key=True),
    required("fund_id", Uuid),
    required("limit_fen", BigInteger),
    required("reason", Text),
    required("client_id", Text),
    required("recorded_at", _At),
)

custody_check = Table(
    "custody_check",
    metadata,
    required("check_id", Uuid, key=True),
    required("business_on", Date),
    required("difference_fen", BigInteger),
    required("trial_balance_fen", BigInteger),
    required("sums", JSONB),
    required("counters_off", ARRAY(Text)),
    Column("seal_number", BigInteger),
    required("checked_at", _At),
)

tally_entry = Table(
    "tally_entry",
    metadata,
    required("entry_id", Uuid, key=True),
    required("fund_id", Uuid),
    required("user_id", Uuid),
    required("quantity", BigInteger),
    required("reason", Text),
    required("client_id", Text),
    required("business_on", Date),
    required("recorded_at", _At),
)

topup_intent = Table(
    "topup_intent",
    metadata,
    required("intent_id", Uuid, key=True),
    required("user_id", Uuid),
    required("fund_id", Uuid),
    required("amount_fen", BigInteger),
    required("channel", Text),
    required("status", Text),
    Column("reason", Text),
    Column("channel_no", Text),
    Column("landed", Text),
    required("client_id", Text),
    required("recorded_at", _At),
    Column("resolved_at", _At),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    required("withdrawal_id", Uuid, key=True),
    required("user_id", Uuid),
    required("fund_id", Uuid),
    required("amount_fen", BigInteger),
    required("channel", Text),
    required("payee_sealed", LargeBinary),
    required("status", Text),
    Column("reason", Text),
    Column("channel_no", Text),
    required("client_id", Text),
    required("business_on", Date),
    required("recorded_at", _At),
    Column("resolved_at", _At),
)
