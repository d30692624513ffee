"""Invitations to pay for one another, and when a citizen last proved who they are."""

from adapters.migrations.sql import run_file

revision = "0200_family_invitations"
down_revision = "0188_hospital_patients"


def upgrade() -> None:
    """Run ``cardcore/schema/0200_family_invitations.sql``."""
    run_file("cardcore", "0200_family_invitations.sql")
