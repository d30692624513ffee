"""The audit log becomes a chain with signed heads."""

from adapters.migrations.sql import run_file

revision = "0080_audit_chain"
down_revision = "0043_bus_fare_agency"


def upgrade() -> None:
    """Add purpose, links, heads and the queue of rows to be sealed."""
    run_file("cardcore", "0080_audit_chain.sql")
