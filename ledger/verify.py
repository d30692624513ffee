"""Are the books what was booked? Reads everything and names the first row that is not.

Four questions, in this order, per shard: are the batches an unbroken chain; does each batch hold
exactly the rows it was sealed with; do the seals cover the batches and are they signed; do the
accounts' counters follow from the transfers. A superuser can edit rows behind the triggers; to do
so unnoticed he would have to re-sign the seals.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from ledger import merkle
from ledger.batches import Batch, Expiry, Row, leaf_of, read_batches, read_rows
from ledger.books import TransferRecord
from ledger.queries import Queries
from ledger.seals import Verifier, read_seals, seal_leaves
from ledger.store import Cursor
from ledger.wire import id_of

BATCHES_AT_ONCE: Final = 50

Progress = Callable[[int, int], None]
"""Told how many batches are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was booked.

    ``kind`` is stable: ``chain_broken``, ``batch_missing``, ``row_changed``, ``row_missing``,
    ``row_added``, ``batch_changed``, ``head_changed``, ``seal_broken``, ``seal_signature``,
    ``account_counters``.
    """

    kind: str
    message: str
    shard: int | None = None
    batch: int | None = None
    row_id: int | None = None


async def verify(
    book: Queries, *, verifier: Verifier | None = None, progress: Progress = lambda _d, _t: None
) -> list[Finding]:
    """Check the whole books.

    Args:
        book: the ledger to read; a consistent snapshot is taken.
        verifier: checks the signatures of the seals; without it they are not checked.
        progress: called after each group of batches.

    Returns:
        Nothing where all is well; else the first finding of each shard, of the seals and of
        the accounts.
    """
    findings: list[Finding] = []
    async with book.reading() as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await cursor.execute("SELECT shard, batch_number, chain FROM ledger.shard ORDER BY shard")
        heads = [(shard, number, bytes(chain)) for shard, number, chain in await cursor.fetchall()]
        total = sum(number for _, number, _ in heads)
        done = 0
        for shard, last_number, chain in heads:
            async for checked in _verify_shard(cursor, shard, last_number, chain):
                if isinstance(checked, Finding):
                    findings.append(checked)
                else:
                    progress(done + checked, total)
            done += last_number
        findings.extend([found async for found in _verify_row_count(cursor)])
        findings.extend([found async for found in _verify_seals(cursor, verifier)])
        findings.extend([found async for found in _verify_counters(cursor)])
    progress(total, total)
    return findings


async def _verify_shard(
    cursor: Cursor, shard: int, last_number: int, head_chain: bytes
) -> AsyncIterator[int | Finding]:
    """How many batches are checked, now and then; or the first finding."""
    chain = merkle.CHAIN_START
    number = 0
    read_to = 0
    while batches := await read_batches(cursor, shard, number, BATCHES_AT_ONCE):
        rows_of = await read_rows(cursor, batches, from_timestamp=read_to + 1)
        read_to = batches[-1].last_timestamp
        for batch, rows in zip(batches, rows_of, strict=True):
            number += 1
            finding = _check_batch(batch, rows, number, chain)
            if finding is not None:
                yield finding
                return
            chain = batch.chain
        yield number
    if (number, chain) != (last_number, head_chain):
        yield Finding(
            kind="head_changed",
            message=f"shard {shard} says {last_number} batches, {number} are there",
            shard=shard,
        )


def _check_batch(batch: Batch, rows: list[Row], number: int, chain: bytes) -> Finding | None:
    where = f"shard {batch.shard} batch {batch.number}"
    if batch.number != number:
        return Finding(
            kind="batch_missing", message=f"shard {batch.shard} batch {number} is missing",
            shard=batch.shard, batch=number,
        )  # fmt: skip
    leaves = [leaf_of(row) for row in rows]
    for index, (row, leaf) in enumerate(zip(rows, leaves, strict=True)):
        if leaf[: merkle.MARK_SIZE] == batch.mark(index):
            continue
        kind = {-1: "row_missing", 0: "row_changed", 1: "row_added"}[
            (len(rows) > batch.rows) - (len(rows) < batch.rows)
        ]
        return Finding(
            kind=kind, message=f"{where}, row {index + 1}: {_name(row)} ({kind})",
            shard=batch.shard, batch=batch.number, row_id=_row_id(row),
        )  # fmt: skip
    if len(rows) != batch.rows:
        return Finding(
            kind="row_missing", message=f"{where} has {batch.rows} rows, {len(rows)} are there",
            shard=batch.shard, batch=batch.number,
        )  # fmt: skip
    if merkle.root(leaves) != batch.root:
        return Finding(
            kind="batch_changed", message=f"{where}: its rows do not give its root",
            shard=batch.shard, batch=batch.number,
        )  # fmt: skip
    if batch.chained_to(chain) != batch.chain:
        return Finding(
            kind="chain_broken", message=f"{where} does not follow from the batch before it",
            shard=batch.shard, batch=batch.number,
        )  # fmt: skip
    return None


def _row_id(row: Row) -> int:
    return row.pending_id if isinstance(row, Expiry) else row.id


def _name(row: Row) -> str:
    if isinstance(row, TransferRecord):
        return f"transfer {row.id:032x}"
    if isinstance(row, Expiry):
        return f"expiry of transfer {row.pending_id:032x}"
    return f"account {row.id:032x}"


async def _verify_seals(cursor: Cursor, verifier: Verifier | None) -> AsyncIterator[Finding]:
    """The first seal that does not hold, if any."""
    previous = bytes(32)
    for expected, seal in enumerate(await read_seals(cursor), start=1):
        leaves = [leaf for _, _, leaf in await seal_leaves(cursor, seal.number)]
        if (
            seal.number != expected
            or seal.previous != previous
            or len(leaves) != seal.batches
            or merkle.root(leaves) != seal.root
        ):
            yield Finding(
                kind="seal_broken", message=f"seal {seal.number} does not cover its batches"
            )
            return
        previous = seal.digest
        if verifier is None:
            continue
        try:
            await verifier.verify(seal.key_label, seal.message, seal.signature)
        except Exception as error:  # noqa: BLE001  (any refusal of the module is the finding)
            yield Finding(kind="seal_signature", message=f"seal {seal.number}: {error}")
            return


async def _verify_row_count(cursor: Cursor) -> AsyncIterator[Finding]:
    """Rows that lie in no batch at all, if any."""
    await cursor.execute(
        "SELECT (SELECT count(*) FROM ledger.transfer) + (SELECT count(*) FROM ledger.account) "
        "+ (SELECT count(*) FROM ledger.resolution WHERE status = 4), "
        "(SELECT coalesce(sum(rows), 0)::bigint FROM ledger.batch)"
    )
    there, sealed = await cursor.fetchone() or (0, 0)
    if there > sealed:
        yield Finding(
            kind="row_added", message=f"{there - sealed} rows are in no batch of their shard"
        )


_COUNTERS_SQL: Final = """
WITH moved AS (
    SELECT debit_account AS number, amount AS debits_posted, 0::bigint AS credits_posted,
           0::bigint AS debits_pending, 0::bigint AS credits_pending
    FROM ledger.transfer WHERE flags & 10 = 0
    UNION ALL
    SELECT credit_account, 0, amount, 0, 0 FROM ledger.transfer WHERE flags & 10 = 0
    UNION ALL
    SELECT t.debit_account, 0, 0, t.amount, 0 FROM ledger.transfer t
    WHERE flags & 2 <> 0
      AND NOT EXISTS (SELECT FROM ledger.resolution r WHERE r.pending_id = t.id)
    UNION ALL
    SELECT t.credit_account, 0, 0, 0, t.amount FROM ledger.transfer t
    WHERE flags & 2 <> 0
      AND NOT EXISTS (SELECT FROM ledger.resolution r WHERE r.pending_id = t.id)
), summed AS (
    SELECT number, sum(debits_posted) AS debits_posted, sum(credits_posted) AS credits_posted,
           sum(debits_pending) AS debits_pending, sum(credits_pending) AS credits_pending
    FROM moved GROUP BY number
)
SELECT uuid_send(a.id) FROM ledger.account a LEFT JOIN summed s USING (number)
WHERE (a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending)
   <> (coalesce(s.debits_posted, 0), coalesce(s.credits_posted, 0),
       coalesce(s.debits_pending, 0), coalesce(s.credits_pending, 0))
ORDER BY a.number LIMIT 1
"""


async def _verify_counters(cursor: Cursor) -> AsyncIterator[Finding]:
    """The first account whose counters are not the sum of its transfers, if any."""
    await cursor.execute(_COUNTERS_SQL)
    row = await cursor.fetchone()
    if row is not None:
        account_id = id_of(row[0])
        yield Finding(
            kind="account_counters",
            message=f"account {account_id:032x}: its counters are not the sum of its transfers",
            row_id=account_id,
        )
