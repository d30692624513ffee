"""The tables of reports as SQLAlchemy sees them; made by ``schema/0185_reports.sql``."""

from sqlalchemy import ARRAY, Boolean, Column, DateTime, Integer, LargeBinary, Table, Text, Uuid

from cardcore.tables import required
from scenes.hospital.tables import metadata

_At = DateTime(timezone=True)

report_validity = Table(
    "report_validity",
    metadata,
    required("category", Text, key=True),
    required("kind", Text),
    required("days", Integer),
    required("name_zh", Text),
    required("name_en", Text),
    required("source", Text),
)

report = Table(
    "report",
    metadata,
    required("report_id", Uuid, key=True),
    required("merchant_id", Text),
    required("visit_id", Uuid),
    required("user_id", Uuid),
    required("out_report_no", Text),
    required("kind", Text),
    required("category", Text),
    required("mark", Text),
    Column("area", Text),
    required("performed_at", _At),
    required("valid_until", _At),
    required("content_sealed", LargeBinary),
    required("recorded_at", _At),
    Column("withdrawn_at", _At),
    Column("withdrawn_for", Text),
)

report_read = Table(
    "report_read",
    metadata,
    required("read_id", Uuid, key=True),
    required("user_id", Uuid),
    required("merchant_id", Text),
    required("visit_id", Uuid),
    required("doctor_code", Text),
    required("client_id", Text),
    required("basis", Text),
    Column("emergency_reason", Text),
    Column("note_sealed", LargeBinary),
    Column("report_ids", ARRAY(Uuid), nullable=False),
    required("recorded_at", _At),
)

report_recognition = Table(
    "report_recognition",
    metadata,
    required("report_id", Uuid, key=True),
    required("visit_id", Uuid, key=True),
    required("merchant_id", Text),
    required("user_id", Uuid),
    required("doctor_code", Text),
    required("recognised", Boolean),
    required("standing", Text),
    Column("reason", Text),
    Column("note_sealed", LargeBinary),
    required("recorded_at", _At),
)
