"""Enrolment of terminals: activation codes, key history."""

from adapters.migrations.sql import run_file

revision = "0060_terminals"
down_revision = "0070_people"


def upgrade() -> None:
    """Add ``terminal_activation`` and ``terminal_key``."""
    run_file("cardcore", "0060_terminals.sql")
