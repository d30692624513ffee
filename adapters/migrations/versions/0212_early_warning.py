"""Daily counts of complaints from gates, schools, pharmacies and laboratories."""

from adapters.migrations.sql import run_file

revision = "0212_early_warning"
down_revision = "0211_hospital_guidance"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0212_early_warning.sql``."""
    run_file("scenes.hospital", "0212_early_warning.sql")
