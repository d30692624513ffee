"""The change feed: every change of the books of a shard, in commit order, without a gap.

A database sequence is not commit-ordered: a consumer that remembers the highest number it saw
misses a transaction that took a lower one and committed later. Batch numbers are given under the
lock of the shard's row, so number n is visible before n + 1 can exist.
"""

from dataclasses import dataclass

from ledger.batches import Batch, Row, read_batches, read_rows
from ledger.queries import Queries

BATCHES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One batch and its rows. ``(batch.shard, batch.number)`` is the position to remember."""

    batch: Batch
    rows: list[Row]


async def read_feed(
    book: Queries, shard: int, after: int, *, batches_max: int = BATCHES_MAX
) -> list[FeedEntry]:
    """The batches of a shard that follow number ``after``; empty where there are none yet."""
    async with book.reading() as cursor:
        batches = await read_batches(cursor, shard, after, batches_max)
        rows = await read_rows(cursor, batches)
    return [
        FeedEntry(batch=batch, rows=batch_rows)
        for batch, batch_rows in zip(batches, rows, strict=True)
    ]


async def shards(book: Queries) -> list[int]:
    """Numbers of all shards that were ever written."""
    async with book.reading() as cursor:
        await cursor.execute("SELECT shard FROM ledger.shard ORDER BY shard")
        return [shard for (shard,) in await cursor.fetchall()]
