"""Reading the books batch by batch: what the change feed, the seals and the verification share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger import account_store, merkle, store
from ledger.books import CLOSED_FLAG, TransferRecord
from ledger.events import Account
from ledger.queries import TRANSFER_JOINS, TRANSFER_READ
from ledger.store import Cursor
from ledger.wire import id_of

BATCH_COLUMNS: Final = "shard, number, first_timestamp, last_timestamp, rows, root, chain, marks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One committed batch of a shard. ``marks``: the start of each leaf hash, in order."""

    shard: int
    number: int
    first_timestamp: int
    last_timestamp: int
    rows: int
    root: bytes
    chain: bytes
    marks: bytes

    def chained_to(self, previous: bytes) -> bytes:
        """The chain hash this batch should have after ``previous``."""
        return merkle.chain_hash(
            previous,
            shard=self.shard,
            number=self.number,
            first_timestamp=self.first_timestamp,
            last_timestamp=self.last_timestamp,
            rows=self.rows,
            batch_root=self.root,
        )

    def mark(self, index: int) -> bytes:
        """The start of the leaf hash of one row."""
        return self.marks[index * merkle.MARK_SIZE : (index + 1) * merkle.MARK_SIZE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """A pending transfer whose time was over."""

    pending_id: int
    timestamp: int


Row = TransferRecord | Account | Expiry


def leaf_of(row: Row) -> bytes:
    """Leaf hash of any row."""
    if isinstance(row, TransferRecord):
        return merkle.transfer_leaf(row)
    if isinstance(row, Account):
        return merkle.account_leaf(row, int(row.flags) & ~CLOSED_FLAG, row.timestamp)
    return merkle.expiry_leaf(row.pending_id, row.timestamp)


async def read_batches(
    cursor: Cursor, shard: int, after: int, limit: int, *, through: int | None = None
) -> list[Batch]:
    """Batches of a shard in order, from the one after ``after``."""
    await cursor.execute(
        f"SELECT {BATCH_COLUMNS} FROM ledger.batch "  # noqa: S608  (constants)
        "WHERE shard = %s AND number > %s AND number <= %s ORDER BY number LIMIT %s",
        (shard, after, 2**62 if through is None else through, limit),
    )
    return [batch_of(row) for row in await cursor.fetchall()]


def batch_of(row: Sequence[Any]) -> Batch:
    """A batch from ``BATCH_COLUMNS``."""
    shard, number, first, last, rows, root, chain, marks = row
    return Batch(
        shard=shard,
        number=number,
        first_timestamp=first,
        last_timestamp=last,
        rows=rows,
        root=bytes(root),
        chain=bytes(chain),
        marks=bytes(marks),
    )


async def read_rows(
    cursor: Cursor, batches: Sequence[Batch], *, from_timestamp: int | None = None
) -> list[list[Row]]:
    """The rows of consecutive batches of one shard, each in order of timestamp.

    Args:
        cursor: to read with.
        batches: consecutive batches of one shard.
        from_timestamp: also read what lies before the first batch, from this instant.
    """
    if not batches:
        return []
    shard = batches[0].shard
    first = batches[0].first_timestamp if from_timestamp is None else from_timestamp
    span = (shard, first, batches[-1].last_timestamp)
    rows: list[Row] = []
    await cursor.execute(
        f"SELECT {TRANSFER_READ} FROM ledger.transfer t {TRANSFER_JOINS} "  # noqa: S608  (constants)
        'WHERE t.shard = %s AND t."timestamp" BETWEEN %s AND %s',
        span,
    )
    rows.extend(store.transfer_record(columns) for columns in await cursor.fetchall())
    await cursor.execute(
        f"SELECT {account_store.ACCOUNT_COLUMNS} FROM ledger.account "  # noqa: S608  (constants)
        'WHERE shard = %s AND "timestamp" BETWEEN %s AND %s',
        span,
    )
    rows.extend(account_store.account_of(columns) for columns in await cursor.fetchall())
    await cursor.execute(
        'SELECT uuid_send(pending_id), "timestamp" FROM ledger.resolution '
        'WHERE status = 4 AND shard = %s AND "timestamp" BETWEEN %s AND %s',
        span,
    )
    rows.extend(Expiry(pending_id=id_of(id_), timestamp=at) for id_, at in await cursor.fetchall())
    rows.sort(key=lambda row: row.timestamp)
    return _split(rows, batches)


def _split(rows: list[Row], batches: Sequence[Batch]) -> list[list[Row]]:
    """Rows in order of timestamp, given to the batch whose span holds them.

    A row between two batches belongs to neither; it goes to the later one, where the
    verification will stumble over it.
    """
    split: list[list[Row]] = []
    start = 0
    for batch in batches:
        end = start
        while end < len(rows) and rows[end].timestamp <= batch.last_timestamp:
            end += 1
        split.append(rows[start:end])
        start = end
    return split
