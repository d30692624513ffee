"""How Alembic runs here: a connection is handed in; there is no ini file and no offline mode."""

from alembic import context
from sqlalchemy import Connection, text

LOCK_TIMEOUT_S = 10


def run_migrations() -> None:
    """Run on the connection that ``adapters.database.migrate`` put into the configuration."""
    connection = context.config.attributes["connection"]
    assert isinstance(connection, Connection)
    # A migration that waits for a lock stops every request behind it: give up early instead.
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=None,
        version_table="schema_version",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run_migrations()
