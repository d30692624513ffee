"""Orders paid by delegation, and the version of the rules each order met."""

from adapters.migrations.sql import run_file

revision = "0120_delegations"
down_revision = "0113_scenes"


def upgrade() -> None:
    """Run ``cardcore/schema/0120_delegations.sql``."""
    run_file("cardcore", "0120_delegations.sql")
