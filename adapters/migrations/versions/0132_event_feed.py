"""The feed of events for a stream outside."""

from adapters.migrations.sql import run_file

revision = "0132_event_feed"
down_revision = "0122_scene_versions"


def upgrade() -> None:
    """Run ``cardcore/schema/0132_event_feed.sql``."""
    run_file("cardcore", "0132_event_feed.sql")
