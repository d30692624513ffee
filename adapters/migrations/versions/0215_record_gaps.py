"""Gaps in terminals' records as alarms with age and state."""

from adapters.migrations.sql import run_file

revision = "0215_record_gaps"
down_revision = "0214_channel_bills"


def upgrade() -> None:
    """Run ``cardcore/schema/0215_record_gaps.sql``."""
    run_file("cardcore", "0215_record_gaps.sql")
