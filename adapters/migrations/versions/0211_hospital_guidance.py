"""Guidance: specialties, places, steps done, counts of complaints."""

from adapters.migrations.sql import run_file

revision = "0211_hospital_guidance"
down_revision = "0210_dispute_limit"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0211_guidance.sql``."""
    run_file("scenes.hospital", "0211_guidance.sql")
