"""Cuts through the books: ranges in which every committed transfer lies exactly once.

A cut remembers, shard by shard, up to which timestamp the books were written. Batches of a shard
commit in order under the lock of its row, so what is not visible when the cut is made gets a later
timestamp: it falls behind the cut, however early its business was. Two cuts after one another
enclose a range; the ranges between consecutive cuts hold every transfer once, with no wall clock
in it. A shard that a cut does not name had not been written: it begins at zero.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from ledger.store import Cursor

Cut = Mapping[int, int]
POSTINGS: Final = "pg_temp.posting"

_MAKE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS posting (
    account uuid NOT NULL, other uuid NOT NULL, transfer_id uuid NOT NULL, amount bigint NOT NULL,
    code smallint NOT NULL, about uuid, shard smallint NOT NULL, "timestamp" bigint NOT NULL
) ON COMMIT DELETE ROWS
"""
# Pending and voiding transfers post nothing (flags 2 and 8).
_FILL: Final = """
WITH asked AS (SELECT number, id FROM ledger.account WHERE id = ANY (%(accounts)s::uuid[]))
INSERT INTO pg_temp.posting
SELECT a.id, o.id, t.id, t.amount, t.code, t.user_data_128, t.shard, t."timestamp"
  FROM ledger.transfer t JOIN asked a ON a.number = t.credit_account
  JOIN ledger.account o ON o.number = t.debit_account
 WHERE t.shard = %(shard)s AND t."timestamp" > %(after)s AND t."timestamp" <= %(through)s
   AND t.flags & 10 = 0
UNION ALL
SELECT a.id, o.id, t.id, -t.amount, t.code, t.user_data_128, t.shard, t."timestamp"
  FROM ledger.transfer t JOIN asked a ON a.number = t.debit_account
  JOIN ledger.account o ON o.number = t.credit_account
 WHERE t.shard = %(shard)s AND t."timestamp" > %(after)s AND t."timestamp" <= %(through)s
   AND t.flags & 10 = 0
"""

_MAKE_ABOUT: Final = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS about (id uuid PRIMARY KEY) ON COMMIT DELETE ROWS",
    """CREATE TEMPORARY TABLE IF NOT EXISTS about_sum (
           id uuid, code smallint, amount bigint NOT NULL, PRIMARY KEY (id, code)
       ) ON COMMIT DELETE ROWS""",
    "TRUNCATE pg_temp.about, pg_temp.about_sum",
)
_SUM_ABOUT: Final = """
INSERT INTO pg_temp.about_sum
SELECT b.id, t.code, sum(t.amount)::bigint
  FROM pg_temp.about b JOIN ledger.transfer t ON t.user_data_128 = b.id
 WHERE t.flags & 10 = 0
 GROUP BY b.id, t.code
"""


async def read_cut(cursor: Cursor) -> dict[int, int]:
    """Up to where each shard is written, in the caller's snapshot: by shard, nanoseconds."""
    await cursor.execute("SELECT shard, last_timestamp FROM ledger.shard ORDER BY shard")
    return dict(await cursor.fetchall())


async def lay_out_postings(
    cursor: Cursor, accounts: Sequence[int], *, after: Cut, through: Cut
) -> None:
    """Fill ``pg_temp.posting`` with what was posted to accounts between two cuts.

    One row per side: ``amount`` is positive for a credit, negative for a debit; ``other`` is the
    account of the other side, ``about`` the transfer's user_data_128. The table lives until the
    caller's transaction ends, so that thousands of accounts can be joined and summed without being
    fetched.

    Args:
        cursor: of the caller's transaction.
        accounts: ids; those that do not exist are left out.
        after: the earlier cut; what lies in it is left out.
        through: the later cut.
    """
    await cursor.execute(_MAKE)
    await cursor.execute("TRUNCATE pg_temp.posting")
    for shard, end in through.items():
        await cursor.execute(
            _FILL,
            {
                "accounts": [UUID(int=one) for one in accounts],
                "shard": shard,
                "after": after.get(shard, 0),
                "through": end,
            },
        )
    await cursor.execute("ANALYZE pg_temp.posting")


async def begin_abouts(cursor: Cursor) -> None:
    """Make ``pg_temp.about (id)`` empty, to be filled with what is asked about."""
    for statement in _MAKE_ABOUT:
        await cursor.execute(statement)


async def sum_abouts(cursor: Cursor) -> None:
    """Fill ``pg_temp.about_sum (id, code, amount)`` with all that was ever posted about them.

    An id is a transfer's user_data_128. What nothing was posted about has no row.
    """
    await cursor.execute("ANALYZE pg_temp.about")
    await cursor.execute(_SUM_ABOUT)
    await cursor.execute("ANALYZE pg_temp.about_sum")
