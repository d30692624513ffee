"""Settlement files: signed, every version kept."""

from adapters.migrations.sql import run_file

revision = "0167_settlement_files"
down_revision = "0166_settlement"


def upgrade() -> None:
    """Run ``cardcore/schema/0167_settlement_files.sql``."""
    run_file("cardcore", "0167_settlement_files.sql")
