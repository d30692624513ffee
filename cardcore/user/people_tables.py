"""Tables of people beside ``cardcore.tables``: keys, further data, life, credentials, rights."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

person_key = Table(
    "person_key",
    metadata,
    required("user_id", Uuid, key=True),
    required("data_key_wrapped", LargeBinary),
)

personal_field = Table(
    "personal_field",
    metadata,
    required("user_id", Uuid, key=True),
    required("field", Text, key=True),
    required("sealed", LargeBinary),
    Column("blind_index", LargeBinary),
    required("identifies", Boolean),
    required("recorded_at", _At),
)

data_access = Table(
    "data_access",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("recorded_at", _At),
    required("user_id", Uuid),
    required("client_id", Text),
    Column("operator", Text),
    required("purpose", Text),
    required("fields", ARRAY(Text)),
    required("in_clear", Boolean),
)

identity_level = Table(
    "identity_level",
    metadata,
    required("level", Text, key=True),
    required("rank", SmallInteger),
    required("balance_fen_max", BigInteger),
    required("name_zh", Text),
    required("name_en", Text),
)

person_event = Table(
    "person_event",
    metadata,
    required("event_id", Uuid, key=True),
    required("user_id", Uuid),
    required("kind", Text),
    Column("object", Text),
    required("reason", Text),
    Column("note_sealed", LargeBinary),
    required("client_id", Text),
    Column("operator", Text),
    required("recorded_at", _At),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
)

payout_claim = Table(
    "payout_claim",
    metadata,
    required("claim_id", Uuid, key=True),
    required("user_id", Uuid),
    required("amount_fen", BigInteger),
    required("reason", Text),
    Column("payee_sealed", LargeBinary),
    required("status", Text),
    Column("channel", Text),
    Column("channel_no", Text),
    required("recorded_at", _At),
    Column("paid_at", _At),
)

credential = Table(
    "credential",
    metadata,
    required("credential_id", Uuid, key=True),
    required("user_id", Uuid),
    required("kind", Text),
    required("status", Text),
    Column("token", LargeBinary),
    Column("label_sealed", LargeBinary),
    Column("label_index", LargeBinary),
    required("valid_from", _At),
    Column("valid_to", _At),
    Column("liability_from", _At),
    Column("replaced_by", Uuid),
    required("recorded_at", _At),
)

plate_proof = Table(
    "plate_proof",
    metadata,
    required("proof_id", Uuid, key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    required("credential_id", Uuid),
    required("state", Text),
    Column("method", Text),
    Column("evidence_sealed", LargeBinary),
    required("client_id", Text),
    Column("operator", Text),
    required("recorded_at", _At),
)

entitlement_revocation = Table(
    "entitlement_revocation",
    metadata,
    required("entitlement_id", Uuid, key=True),
    required("user_id", Uuid),
    required("class", Text),
    Column("evidence_sealed", LargeBinary),
    Column("granted_by", Text),
    required("valid_from", Date),
    required("valid_to", Date),
    required("granted_at", _At),
    required("reason", Text),
    required("client_id", Text),
    Column("operator", Text),
    required("recorded_at", _At),
)

delegation = Table(
    "delegation",
    metadata,
    required("delegation_id", Uuid, key=True),
    required("user_id", Uuid),
    required("payer_id", Uuid),
    required("kind", Text),
    required("scenes", ARRAY(Text)),
    required("order_fen_max", BigInteger),
    required("day_fen_max", BigInteger),
    required("valid_from", _At),
    required("valid_to", _At),
    Column("revoked_at", _At),
    Column("evidence_sealed", LargeBinary),
    required("client_id", Text),
    required("recorded_at", _At),
    Column("use", Text, nullable=False, server_default="when_short"),
    Column("fund", Text, nullable=False, server_default="auto"),
    Column("month_fen_max", BigInteger),
)

delegation_invitation = Table(
    "delegation_invitation",
    metadata,
    required("invitation_id", Uuid, key=True),
    required("code_digest", LargeBinary),
    required("inviter_id", Uuid),
    required("inviter_pays", Boolean),
    required("kind", Text),
    required("scenes", ARRAY(Text)),
    required("use", Text),
    required("order_fen_max", BigInteger),
    required("day_fen_max", BigInteger),
    Column("month_fen_max", BigInteger),
    required("valid_to", _At),
    required("made_at", _At),
    required("expires_at", _At),
    Column("withdrawn_at", _At),
    Column("accepted_at", _At),
    Column("delegation_id", Uuid),
)

consent = Table(
    "consent",
    metadata,
    required("consent_id", Uuid, key=True),
    required("user_id", Uuid),
    required("purpose", Text),
    required("recipient", Text),
    required("scope", ARRAY(Text)),
    required("valid_from", _At),
    required("valid_to", _At),
    required("evidence", Text),
    required("client_id", Text),
    required("recorded_at", _At),
)

consent_withdrawal = Table(
    "consent_withdrawal",
    metadata,
    required("consent_id", Uuid, key=True),
    required("client_id", Text),
    required("recorded_at", _At),
)
