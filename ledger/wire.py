"""Bytes sent to PostgreSQL: arrays and COPY rows in its binary formats, packed by hand.

Packing a row with one ``struct.Struct`` is what makes the write path set-based at a microsecond
a row. Unsigned fields are packed unsigned into signed columns of the same width (two's
complement), so the full unsigned range of the event model survives; ``unsigned_*`` undo it.

Source: PostgreSQL documentation, "COPY", binary format; ``array_send``.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from struct import Struct
from typing import Final

from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.books import TransferRecord
from ledger.events import Account

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"

DAYS_1970_TO_2000: Final = 10_957  # PostgreSQL counts days from 2000-01-01

_ARRAY_HEADER: Final = Struct(">iiIii")
_EMPTY_ARRAY: Final = Struct(">iiI")
_INT8: Final = Struct(">iq").pack
_UUID_SIZE: Final = b"\0\0\0\x10"


class PackedArray:
    """A one-dimensional array in binary form, ready to be sent."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class UUIDArray(PackedArray):
    """``uuid[]``."""


class BigintArray(PackedArray):
    """``bigint[]``."""


class BooleanArray(PackedArray):
    """``boolean[]``."""


class ByteaArray(PackedArray):
    """``bytea[]``."""


class _PackedArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        return obj.data


class _UUIDArrayDumper(_PackedArrayDumper):
    oid = 2951


class _BigintArrayDumper(_PackedArrayDumper):
    oid = 1016


class _BooleanArrayDumper(_PackedArrayDumper):
    oid = 1000


class _ByteaArrayDumper(_PackedArrayDumper):
    oid = 1001


def register(connection: AsyncConnection[object]) -> None:
    """Teach a connection the packed arrays. They are our own types: nothing else changes."""
    connection.adapters.register_dumper(UUIDArray, _UUIDArrayDumper)
    connection.adapters.register_dumper(BigintArray, _BigintArrayDumper)
    connection.adapters.register_dumper(BooleanArray, _BooleanArrayDumper)
    connection.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)


def _array(oid: int, elements: Sequence[bytes], count: int | None = None) -> bytes:
    if not elements:
        return _EMPTY_ARRAY.pack(0, 0, oid)
    header = _ARRAY_HEADER.pack(1, 0, oid, len(elements) if count is None else count, 1)
    return header + b"".join(elements)


def uuid_array(ids: Iterable[int]) -> UUIDArray:
    """Pack 128-bit ids."""
    return UUIDArray(_array(2950, list(map(uuid_element, ids))))


def bigint_array(values: Iterable[int]) -> BigintArray:
    """Pack signed 64-bit integers."""
    return BigintArray(_array(20, list(map(_INT8, repeat(8), values))))


def uuid_element(value: int) -> bytes:
    """One element of a ``uuid[]``."""
    return _UUID_SIZE + value.to_bytes(16, "big")


def packed_bigints(rows: Sequence[bytes], columns: int) -> BigintArray:
    """Rows of so many packed elements each, one after the other in a flat array."""
    return BigintArray(_array(20, rows, len(rows) * columns))


def packed_uuids(rows: Sequence[bytes], columns: int) -> UUIDArray:
    """Rows of so many packed elements each, one after the other in a flat array."""
    return UUIDArray(_array(2950, rows, len(rows) * columns))


def boolean_array(values: Iterable[bool]) -> BooleanArray:
    """Pack booleans."""
    return BooleanArray(
        _array(16, [b"\0\0\0\x01\x01" if value else b"\0\0\0\x01\0" for value in values])
    )


def bytea_array(values: Iterable[bytes]) -> ByteaArray:
    """Pack strings of bytes."""
    return ByteaArray(_array(17, [len(value).to_bytes(4, "big") + value for value in values]))


# -- COPY rows --------------------------------------------------------------------------------

TRANSFER_COLUMNS: Final = (
    '"timestamp", amount, debit_account, credit_account, '
    "debit_debits_posted, debit_credits_posted, credit_debits_posted, credit_credits_posted, "
    "id, ledger, effective_on, code, flags, shard, "
    "debit_debits_pending, debit_credits_pending, credit_debits_pending, credit_credits_pending, "
    "timeout, user_data_32, user_data_64, effective_at, pending_id, user_data_128, reverses_id"
)
_TRANSFER_FIXED: Final = Struct(">h" + "iq" * 8 + "i16s" + "iI" + "ii" + "iH" * 2 + "ih").pack
_NO_PENDING: Final = NULL * 4
_NO_OPTIONS: Final = NULL * 7
_UINT4: Final = Struct(">iI").pack
_UINT8: Final = Struct(">iQ").pack


def transfer_row(
    record: TransferRecord, debit_number: int, credit_number: int, shard: int
) -> bytes:
    """One row of ``ledger.transfer`` in the order of ``TRANSFER_COLUMNS``."""
    (
        id_, _, _, amount, pending_id, user_data_128, user_data_64, user_data_32, timeout, ledger,
        code, flags, timestamp, effective_at, effective_on, reverses_id, counters,
    ) = record  # fmt: skip
    d1, d2, d3, d4, c1, c2, c3, c4 = counters
    fixed = _TRANSFER_FIXED(
        25, 8, timestamp, 8, amount, 8, debit_number, 8, credit_number, 8, d2, 8, d4, 8, c2, 8, c4,
        16, id_.to_bytes(16, "big"), 4, ledger, 4, effective_on - DAYS_1970_TO_2000,
        2, code, 2, flags, 2, shard,
    )  # fmt: skip
    pending = _NO_PENDING
    if d1 or d3 or c1 or c3:
        pending = b"".join([_INT8(8, counter) if counter else NULL for counter in (d1, d3, c1, c3)])
    if (
        pending_id == user_data_128 == user_data_64 == user_data_32 == timeout == 0
        and effective_at == reverses_id == 0
    ):
        return fixed + pending + _NO_OPTIONS
    return b"".join(
        (
            fixed,
            pending,
            _UINT4(4, timeout) if timeout else NULL,
            _UINT4(4, user_data_32) if user_data_32 else NULL,
            _UINT8(8, user_data_64) if user_data_64 else NULL,
            _INT8(8, effective_at) if effective_at else NULL,
            _uuid_or_null(pending_id),
            _uuid_or_null(user_data_128),
            _uuid_or_null(reverses_id),
        )
    )


def _uuid_or_null(value: int) -> bytes:
    return _UUID_SIZE + value.to_bytes(16, "big") if value else NULL


ACCOUNT_COLUMNS: Final = (
    'id, last_timestamp, closed, "timestamp", overdraft_limit, ledger, code, flags, shard, '
    "user_data_64, user_data_32, user_data_128"
)
_ACCOUNT_FIXED: Final = Struct(">hi16siqibiqiqiIiHiHih").pack


def account_row(account: Account, flags: int, closed: int, timestamp: int, shard: int) -> bytes:
    """One row of ``ledger.account`` in the order of ``ACCOUNT_COLUMNS``."""
    return _ACCOUNT_FIXED(
        12,
        *(16, account.id.to_bytes(16, "big"), 8, timestamp, 1, closed, 8, timestamp),
        *(8, account.overdraft_limit, 4, account.ledger, 2, account.code, 2, flags, 2, shard),
    ) + b"".join(
        (
            _UINT8(8, account.user_data_64) if account.user_data_64 else NULL,
            _UINT4(4, account.user_data_32) if account.user_data_32 else NULL,
            _uuid_or_null(account.user_data_128),
        )
    )


def unsigned_16(value: int) -> int:
    """Undo the two's complement of a smallint column."""
    return value & 0xFFFF


def unsigned_32(value: int | None) -> int:
    """Undo the two's complement of an integer column; NULL is zero."""
    return 0 if value is None else value & 0xFFFFFFFF


def unsigned_64(value: int | None) -> int:
    """Undo the two's complement of a bigint column; NULL is zero."""
    return 0 if value is None else value & 0xFFFFFFFFFFFFFFFF


def id_of(value: bytes | None) -> int:
    """A 128-bit id from ``uuid_send``; NULL is zero."""
    return 0 if value is None else int.from_bytes(value, "big")


def signed(value: int, bits: int) -> int:
    """The signed integer with the same bits, as the columns hold it."""
    return value - (1 << bits) if value >> (bits - 1) else value
