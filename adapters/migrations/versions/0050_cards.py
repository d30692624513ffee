"""Cards: vault, tokens by domain, events, tap counters."""

from adapters.migrations.sql import run_file

revision = "0050_cards"
down_revision = "0060_terminals"


def upgrade() -> None:
    """Add the tables of cards, and the trigger that raises a card's counter."""
    run_file("cardcore", "0050_cards.sql")
