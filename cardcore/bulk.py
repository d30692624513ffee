"""Many rows at once, by COPY: what a row costs by INSERT is paid once for all of them."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from cardcore.connections import RawConnection


async def copy_rows(
    raw: RawConnection, table: str, columns: str, rows: Iterable[Sequence[Any]]
) -> None:
    """Append rows to a table in the caller's transaction.

    Args:
        raw: an open connection, not in a pipeline.
        table: ``schema.name``, or the bare name of a temporary table.
        columns: their names with blanks between, in the order of each row's values.
        rows: values as psycopg adapts them.
    """
    given = iter(rows)
    first = next(given, None)
    if first is None:
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns.split()))
    )
    async with raw.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write_row(first)
        for row in given:
            await copy.write_row(row)
