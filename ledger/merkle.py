"""Tamper evidence: canonical bytes of each record, Merkle roots, the chain of batches.

The canonical bytes of a record are fixed here, once and for all, independent of how the database
stores it: a proof made today must be checkable when the tables look different.

    transfer (kind 2), 252 bytes, big-endian unsigned
    off  len  field
      0   16  id
     16   16  debit_account_id
     32   16  credit_account_id
     48   16  pending_id (0: none)
     64   16  user_data_128
     80   16  reverses_id (0: none)
     96    8  amount
    104    8  user_data_64
    112    8  timestamp, ns
    120    8  effective_at, ns, signed (0: none given)
    128   64  counters after it: debit account's debits_pending, debits_posted, credits_pending,
              credits_posted, then the credit account's four
    192    4  user_data_32
    196    4  timeout, s
    200    4  ledger
    204    4  effective_on, days since 1970-01-01, signed
    208    2  code
    210    2  flags

    account (kind 1): id 16, user_data_128 16, user_data_64 8, timestamp 8, user_data_32 4,
              ledger 4, code 2, flags 2 (without closed): what never changes in an account
    expiry (kind 3): pending_id 16, timestamp 8

Leaf hash: SHA-256(0x00 ‖ kind ‖ canonical bytes). Node: SHA-256(0x01 ‖ left ‖ right). The tree is
that of RFC 9162 section 2.1. Chain: SHA-256("ledger batch 1" ‖ previous chain 32 ‖ shard 2 ‖
number 8 ‖ first timestamp 8 ‖ last timestamp 8 ‖ rows 4 ‖ root 32).
"""

from collections.abc import Sequence
from hashlib import sha256
from struct import Struct
from typing import Final

from ledger.books import TransferRecord
from ledger.events import Account

CHAIN_START: Final = bytes(32)

MARK_SIZE: Final = 4
"""Bytes of each leaf hash kept with the batch. The root proves that nothing was changed; the
marks only say which row it was."""

_TRANSFER: Final = Struct(">16s16s16s16s16s16sQQQq8QIIIiHH")
_ACCOUNT: Final = Struct(">16s16sQQIIHH")
_EXPIRY: Final = Struct(">16sQ")
_CHAIN: Final = Struct(">14s32shqqqi32s")
_NO_ID: Final = bytes(16)


def transfer_leaf(record: TransferRecord) -> bytes:
    """Leaf hash of a transfer."""
    return sha256(b"\x00\x02" + transfer_bytes(record)).digest()


def transfer_bytes(record: TransferRecord) -> bytes:
    """Canonical bytes of a transfer."""
    (
        id_, debit_id, credit_id, amount, pending_id, user_data_128, user_data_64, user_data_32,
        timeout, ledger, code, flags, timestamp, effective_at, effective_on, reverses_id, counters,
    ) = record  # fmt: skip
    return _TRANSFER.pack(
        id_.to_bytes(16, "big"),
        debit_id.to_bytes(16, "big"),
        credit_id.to_bytes(16, "big"),
        pending_id.to_bytes(16, "big") if pending_id else _NO_ID,
        user_data_128.to_bytes(16, "big") if user_data_128 else _NO_ID,
        reverses_id.to_bytes(16, "big") if reverses_id else _NO_ID,
        amount,
        user_data_64,
        timestamp,
        effective_at,
        *counters,
        user_data_32,
        timeout,
        ledger,
        effective_on,
        code,
        flags,
    )


def account_leaf(account: Account, flags: int, timestamp: int) -> bytes:
    """Leaf hash of an account; ``flags`` without closed."""
    return sha256(b"\x00\x01" + account_bytes(account, flags, timestamp)).digest()


def account_bytes(account: Account, flags: int, timestamp: int) -> bytes:
    """Canonical bytes of an account; ``flags`` without closed."""
    return _ACCOUNT.pack(
        account.id.to_bytes(16, "big"),
        account.user_data_128.to_bytes(16, "big"),
        account.user_data_64,
        timestamp,
        account.user_data_32,
        account.ledger,
        account.code,
        flags,
    )


def expiry_leaf(pending_id: int, timestamp: int) -> bytes:
    """Leaf hash of a pending transfer's expiry."""
    return sha256(b"\x00\x03" + _EXPIRY.pack(pending_id.to_bytes(16, "big"), timestamp)).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Merkle tree hash of leaf hashes (RFC 9162, 2.1.1), at least one."""
    assert leaves
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: list[bytes]) -> list[bytes]:
    """The next level of the tree; an odd node out is carried up as it is."""
    above = [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        above.append(level[-1])
    return above


def path(leaves: Sequence[bytes], index: int) -> list[tuple[str, bytes]]:
    """Inclusion path of one leaf: the siblings from bottom to top.

    Returns:
        ``("left" | "right", hash)``: on which side of the running hash the sibling goes.
    """
    assert 0 <= index < len(leaves)
    level = list(leaves)
    steps: list[tuple[str, bytes]] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(("left" if sibling < index else "right", level[sibling]))
        level = _above(level)
        index //= 2
    return steps


def chain_hash(
    previous: bytes,
    *,
    shard: int,
    number: int,
    first_timestamp: int,
    last_timestamp: int,
    rows: int,
    batch_root: bytes,
) -> bytes:
    """Hash of one batch, binding it to all before it in its shard."""
    return sha256(
        _CHAIN.pack(
            b"ledger batch 1",
            previous,
            shard,
            number,
            first_timestamp,
            last_timestamp,
            rows,
            batch_root,
        )
    ).digest()
