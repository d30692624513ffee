"""Webhook endpoints, events, deliveries, attempts."""

from adapters.migrations.sql import run_file

revision = "0083_webhooks"
down_revision = "0071_person_event_order"


def upgrade() -> None:
    """Add the webhooks' tables."""
    run_file("cardcore", "0083_webhooks.sql")
