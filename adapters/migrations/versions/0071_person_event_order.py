"""The journal of people's records has an order of its own."""

from adapters.migrations.sql import run_file

revision = "0071_person_event_order"
down_revision = "0082_ledger_small_batch"


def upgrade() -> None:
    """Run ``cardcore/schema/0071_person_event_order.sql``."""
    run_file("cardcore", "0071_person_event_order.sql")
