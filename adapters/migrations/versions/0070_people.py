"""People in full: levels, personal data, credentials, rights, life events, access log."""

from adapters.migrations.sql import run_file

revision = "0070_people"
down_revision = "0080_audit_chain"


def upgrade() -> None:
    """Run ``cardcore/schema/0070_people.sql``."""
    run_file("cardcore", "0070_people.sql")
