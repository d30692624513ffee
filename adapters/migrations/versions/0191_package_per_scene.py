"""Two scenes may have the same terminal package."""

from adapters.migrations.sql import run_file

revision = "0191_package_per_scene"
down_revision = "0173_foreign_rides"


def upgrade() -> None:
    """Run ``cardcore/schema/0191_package_per_scene.sql``."""
    run_file("cardcore", "0191_package_per_scene.sql")
