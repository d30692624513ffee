"""The order of a plate's proofs."""

from adapters.migrations.sql import run_file

revision = "0172_plate_proof_order"
down_revision = "0171_scene_parking"


def upgrade() -> None:
    """Run ``cardcore/schema/0172_plate_proof_order.sql``."""
    run_file("cardcore", "0172_plate_proof_order.sql")
