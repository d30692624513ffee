"""Epochs of the issuer's keys."""

from adapters.migrations.sql import run_file

revision = "0131_key_epochs"
down_revision = "0121_arrears"


def upgrade() -> None:
    """Run ``cardcore/schema/0131_key_epochs.sql``."""
    run_file("cardcore", "0131_key_epochs.sql")
