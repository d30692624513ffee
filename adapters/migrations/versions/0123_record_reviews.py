"""Decisions about records that wait for a person."""

from adapters.migrations.sql import run_file

revision = "0123_record_reviews"
down_revision = "0162_bus_clearing_rules"


def upgrade() -> None:
    """Run ``cardcore/schema/0123_record_reviews.sql``."""
    run_file("cardcore", "0123_record_reviews.sql")
