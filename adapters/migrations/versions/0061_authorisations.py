"""Off-line authorisations, printed codes, status indices."""

from adapters.migrations.sql import run_file

revision = "0061_authorisations"
down_revision = "0050_cards"


def upgrade() -> None:
    """Add limits, tariff classes, status indices and authorisations."""
    run_file("cardcore", "0061_authorisations.sql")
