"""The database schema ``ledger``: numbered SQL files, applied in order.

A file that has been released is never edited: a change is a new file.
"""

from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

_FOLDER = Path(__file__).parent
_LAST_WITHOUT_VERSION: Final = 6  # the files before the schema knew its own version


def schema_files() -> list[Path]:
    """The SQL files in the order in which they are applied. Each is one script."""
    return sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))


async def install(connection: AsyncConnection[Any]) -> None:
    """Create the schema ``ledger``, or bring it up to date; does nothing where it is.

    Runs inside the caller's transaction where one is open, else in one of its own.
    """
    async with connection.transaction():
        applied = await _version(connection)
        for file in schema_files():
            if int(file.name[:4]) > applied:
                await connection.execute(file.read_bytes())


async def _version(connection: AsyncConnection[Any]) -> int:
    """The number of the newest file that is applied; 0: none."""
    cursor = await connection.execute(
        "SELECT to_regclass('ledger.transfer'), to_regproc('ledger.schema_version')"
    )
    match await cursor.fetchone():
        case (None, _):
            return 0
        case (_, None):
            return _LAST_WITHOUT_VERSION
    cursor = await connection.execute("SELECT ledger.schema_version()")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
