"""Operators, proposals, clients' second keys, epochs of the access key, citizens' sessions."""

from adapters.migrations.sql import run_file

revision = "0081_access"
down_revision = "0062_terminal_packages"


def upgrade() -> None:
    """Add the platform's access tables."""
    run_file("cardcore", "0081_access.sql")
