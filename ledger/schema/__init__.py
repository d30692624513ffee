"""The database schema ``ledger``: numbered SQL files, applied in order.

A file that has been released is never edited: a change is a new file.
"""

from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

_FOLDER = Path(__file__).parent


def schema_files() -> list[Path]:
    """The SQL files in the order in which they are applied. Each is one script."""
    return sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))


async def install(connection: AsyncConnection[Any]) -> None:
    """Create the schema ``ledger`` in an empty place; does nothing where it is there already.

    Runs inside the caller's transaction where one is open, else in one of its own.
    """
    async with connection.transaction():
        cursor = await connection.execute("SELECT to_regclass('ledger.transfer') IS NOT NULL")
        row = await cursor.fetchone()
        if row == (True,):
            return
        for file in schema_files():
            await connection.execute(file.read_bytes())
