"""Three books of a hospital compared."""

from adapters.migrations.sql import run_file

revision = "0182_hospital_reconciliation"
down_revision = "0172_plate_proof_order"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0182_reconciliation.sql``."""
    run_file("scenes.hospital", "0182_reconciliation.sql")
