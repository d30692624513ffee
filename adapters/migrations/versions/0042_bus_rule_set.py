"""The bus scene's own rules as data: concessions, transfer offers, caps."""

from adapters.migrations.sql import run_file

revision = "0042_bus_rule_set"
down_revision = "0041_scene_community"


def upgrade() -> None:
    """Create ``scene_bus.rule_set``."""
    run_file("scenes.bus", "0002_rule_set.sql")
