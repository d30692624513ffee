"""Alembic migrations of every schema: expand, then contract, with lock and statement timeouts."""
