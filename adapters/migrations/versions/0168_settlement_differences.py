"""Bills of banks and channels, comparisons of books, differences."""

from adapters.migrations.sql import run_file

revision = "0168_settlement_differences"
down_revision = "0200_family_invitations"


def upgrade() -> None:
    """Run ``cardcore/schema/0168_settlement_differences.sql``."""
    run_file("cardcore", "0168_settlement_differences.sql")
