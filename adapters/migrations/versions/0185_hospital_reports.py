"""Reports of examinations that other hospitals may recognise."""

from adapters.migrations.sql import run_file

revision = "0185_hospital_reports"
down_revision = "0191_package_per_scene"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0185_reports.sql``."""
    run_file("scenes.hospital", "0185_reports.sql")
