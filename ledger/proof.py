"""Inclusion proof: one transfer, and why it must be what was sealed.

The proof is a JSON document that ``check_proof.py`` checks without this package, a database or
any library: for a merchant or a citizen who does not want to take our word for it.
"""

from dataclasses import dataclass
from typing import Any

from ledger import merkle
from ledger.batches import BATCH_COLUMNS, Batch, batch_of, leaf_of, read_rows
from ledger.books import TransferRecord
from ledger.errors import LedgerError, TransferUnknownError
from ledger.queries import Queries
from ledger.seals import SEAL_COLUMNS, Seal, seal_leaves, seal_of
from ledger.store import Cursor, transfer_record
from ledger.wire import uuid_array

PROOF_VERSION = 1


class ProofImpossibleError(LedgerError):
    """The transfer is not where its batch says: the books were changed. Run ``verify``."""

    code = "proof_impossible"


@dataclass(frozen=True, slots=True)
class _Sealed:
    seal: Seal
    path: list[tuple[str, bytes]]


async def prove(book: Queries, transfer_id: int) -> dict[str, Any]:
    """The inclusion proof of one transfer.

    Returns:
        JSON-ready: ``transfer`` (its fields), ``path`` in its batch, ``batch`` and, once the
        day is sealed, ``seal`` with the path of the batch in it (else None). Hashes are hex,
        ids and integers are decimal numbers or hex strings as in ``merkle``.

    Raises:
        TransferUnknownError: no such transfer.
        ProofImpossibleError: the books were changed.
    """
    async with book.reading() as cursor:
        record, batch = await _find(cursor, transfer_id)
        [rows] = await read_rows(cursor, [batch])
        leaves = [leaf_of(row) for row in rows]
        index = next((i for i, row in enumerate(rows) if row == record), None)
        if index is None or merkle.root(leaves) != batch.root:
            raise ProofImpossibleError(f"transfer {transfer_id:032x}")
        previous = await _previous_chain(cursor, batch)
        sealed = await _find_seal(cursor, batch)
    return {
        "version": PROOF_VERSION,
        "transfer": _fields(record),
        "path": _steps(merkle.path(leaves, index)),
        "batch": {
            "shard": batch.shard,
            "number": batch.number,
            "first_timestamp": batch.first_timestamp,
            "last_timestamp": batch.last_timestamp,
            "rows": batch.rows,
            "previous_chain": previous.hex(),
            "chain": batch.chain.hex(),
        },
        "seal": None if sealed is None else _seal_fields(sealed),
    }


async def _find(cursor: Cursor, transfer_id: int) -> tuple[TransferRecord, Batch]:
    await cursor.execute("SELECT * FROM ledger.find_transfers(%b)", (uuid_array([transfer_id]),))
    row = await cursor.fetchone()
    if row is None:
        raise TransferUnknownError(f"{transfer_id:032x}")
    record = transfer_record(row[:-2])
    await cursor.execute(
        f"SELECT {BATCH_COLUMNS} FROM ledger.batch WHERE shard = "  # noqa: S608  (constant)
        '(SELECT shard FROM ledger.transfer WHERE id = %s::uuid AND "timestamp" = %s) '
        "AND last_timestamp >= %s ORDER BY last_timestamp LIMIT 1",
        (f"{transfer_id:032x}", record.timestamp, record.timestamp),
    )
    batch_row = await cursor.fetchone()
    if batch_row is None:
        raise ProofImpossibleError(f"transfer {transfer_id:032x} is in no batch")
    return record, batch_of(batch_row)


async def _previous_chain(cursor: Cursor, batch: Batch) -> bytes:
    await cursor.execute(
        "SELECT chain FROM ledger.batch WHERE shard = %s AND number = %s",
        (batch.shard, batch.number - 1),
    )
    row = await cursor.fetchone()
    return merkle.CHAIN_START if row is None else bytes(row[0])


async def _find_seal(cursor: Cursor, batch: Batch) -> _Sealed | None:
    await cursor.execute(
        f"SELECT {SEAL_COLUMNS} FROM ledger.seal WHERE number = (SELECT seal "  # noqa: S608  (constant)
        "FROM ledger.seal_range WHERE shard = %s AND %s BETWEEN first_number AND last_number)",
        (batch.shard, batch.number),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    seal = seal_of(row)
    leaves = await seal_leaves(cursor, seal.number)
    index = [(shard, number) for shard, number, _ in leaves].index((batch.shard, batch.number))
    return _Sealed(seal, merkle.path([leaf for _, _, leaf in leaves], index))


def _fields(record: TransferRecord) -> dict[str, Any]:
    fields: dict[str, Any] = record._asdict()
    for name in ("id", "debit_account_id", "credit_account_id", "pending_id", "user_data_128",
                 "reverses_id"):  # fmt: skip
        fields[name] = f"{fields[name]:032x}"
    fields["counters"] = list(record.counters)
    return fields


def _steps(path: list[tuple[str, bytes]]) -> list[list[str]]:
    return [[side, sibling.hex()] for side, sibling in path]


def _seal_fields(sealed: _Sealed) -> dict[str, Any]:
    seal = sealed.seal
    return {
        "number": seal.number,
        "day": seal.day.isoformat(),
        "sealed_at": seal.sealed_at,
        "previous": seal.previous.hex(),
        "root": seal.root.hex(),
        "batches": seal.batches,
        "path": _steps(sealed.path),
        "key_label": seal.key_label,
        "signature": seal.signature.hex(),
    }
