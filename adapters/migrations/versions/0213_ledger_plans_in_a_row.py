"""A batch may be planned on one that is still being written."""

from adapters.migrations.sql import run_file

revision = "0213_ledger_plans_in_a_row"
down_revision = "0212_early_warning"


def upgrade() -> None:
    """Replace ``ledger.book_planned_batch``."""
    run_file("ledger", "0009_plans_in_a_row.sql")
