"""Many rows at once, by COPY in its binary format: what a row costs by INSERT is paid once for all.

Rows are packed column by column. Most columns repeat few values (a merchant, a line, a state), so
each value is packed once a call; that makes a row of twenty columns a matter of two microseconds.

Source: PostgreSQL documentation, "COPY", binary format; ``array_send``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, repeat
from struct import Struct
from typing import Any, Final, Self
from uuid import UUID

from psycopg import sql
from psycopg.adapt import Dumper
from psycopg.pq import Format
from pydantic_core import to_json
from typing_extensions import override

from cardcore.connections import RawConnection

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_UUID_SIZE: Final = b"\0\0\0\x10"
_INT2: Final = Struct(">ih").pack
_INT4: Final = Struct(">ii").pack
_INT8: Final = Struct(">iq").pack
_SIZE: Final = Struct(">i").pack
_ARRAY: Final = Struct(">iiIii").pack
_EMPTY_ARRAY: Final = Struct(">iiI").pack
# PostgreSQL counts days and microseconds from here.
_DAY_ZERO: Final = date(2000, 1, 1).toordinal()
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TRUE: Final = b"\0\0\0\x01\x01"
_FALSE: Final = b"\0\0\0\x01\0"

Packer = Callable[[Sequence[Any]], Iterable[bytes]]


class _Packed(dict[Any, bytes]):
    """Values packed once each; NULL is known from the start."""

    def __init__(self, pack: Callable[[Any], bytes]) -> None:
        super().__init__({None: _NULL})
        self._pack = pack

    def __missing__(self, value: object) -> bytes:
        packed = self[value] = self._pack(value)
        return packed


def _each_once(pack: Callable[[Any], bytes]) -> Packer:
    return lambda values: map(_Packed(pack).__getitem__, values)


def _text(value: str) -> bytes:
    data = value.encode()
    return _SIZE(len(data)) + data


def _date(value: date) -> bytes:
    return _INT4(4, value.toordinal() - _DAY_ZERO)


def _instant(value: datetime) -> bytes:
    since = value - _EPOCH
    return _INT8(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _uuid(value: UUID | str | int | None) -> bytes:
    if isinstance(value, UUID):
        return _UUID_SIZE + value.int.to_bytes(16, "big")
    if isinstance(value, str):
        return _UUID_SIZE + bytes.fromhex(value.replace("-", ""))
    return _NULL if value is None else _UUID_SIZE + value.to_bytes(16, "big")


def _uuids(values: Sequence[UUID | str | int | None]) -> Iterable[bytes]:
    return map(_uuid, values)


def _bigints(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if one is None else _INT8(8, one) for one in values]


def _booleans(values: Sequence[bool]) -> list[bytes]:
    return [_TRUE if one else _FALSE for one in values]


def _bytes(values: Sequence[bytes | None]) -> list[bytes]:
    return [_NULL if one is None else _SIZE(len(one)) + one for one in values]


def _documents(values: Sequence[object]) -> list[bytes]:
    texts = [to_json(one) for one in values]
    return [_SIZE(len(one) + 1) + b"\x01" + one for one in texts]  # the format's version


_PACKERS: Final[dict[str, Packer]] = {
    "uuid": _uuids,
    "text": _each_once(_text),
    "smallint": _each_once(lambda value: _INT2(2, value)),
    "integer": _each_once(lambda value: _INT4(4, value)),
    "bigint": _bigints,
    "boolean": _booleans,
    "date": _each_once(_date),
    "timestamptz": _each_once(_instant),
    "bytea": _bytes,
    "jsonb": _documents,
}


@dataclass(frozen=True, slots=True)
class BulkTable:
    """A table that is appended to in bulk: the statement, and how each column is packed."""

    statement: sql.Composed
    packers: tuple[Packer, ...]

    @classmethod
    def of(cls, table: str, columns: str) -> Self:
        """A table by ``schema.name`` and ``name:type`` of its columns, blanks between.

        A ``uuid`` is given as ``UUID``, its text or its number; ``jsonb`` as what JSON can write.
        """
        named = [one.split(":") for one in columns.split()]
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(", ").join(sql.Identifier(name) for name, _ in named),
        )
        return cls(statement, tuple(_PACKERS[kind] for _, kind in named))

    def pack(self, rows: Iterable[Sequence[Any]]) -> list[bytes]:
        """Rows as COPY takes them, each without the number of its columns."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return []
        cells = [pack(column) for pack, column in zip(self.packers, columns, strict=True)]
        return list(map(b"".join, zip(*cells, strict=True)))


async def copy_rows(raw: RawConnection, table: BulkTable, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows to a table in the caller's transaction.

    Args:
        raw: an open connection, not in a pipeline.
        table: where to.
        rows: values in the order of its columns.
    """
    await copy_packed(raw, table, table.pack(rows))


async def copy_packed(raw: RawConnection, table: BulkTable, rows: Sequence[bytes]) -> None:
    """As ``copy_rows``, of rows that are packed."""
    if not rows:
        return
    width = len(table.packers).to_bytes(2, "big")
    body = chain.from_iterable(zip(repeat(width), rows, strict=False))
    async with raw.cursor() as cursor, cursor.copy(table.statement) as copy:
        await copy.write(b"".join((_HEADER, *body, _TRAILER)))


class PackedArray:
    """An array in binary form, ready to be sent as a parameter."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class UUIDArray(PackedArray):
    """``uuid[]``."""


class TextArray(PackedArray):
    """``text[]``."""


class BigintArray(PackedArray):
    """``bigint[]``."""


class DateArray(PackedArray):
    """``date[]``."""


class TimestamptzArray(PackedArray):
    """``timestamptz[]``."""


# By the type of the elements: the array's class, the oids of element and array.
_ARRAYS: Final[dict[str, tuple[type[PackedArray], int, int]]] = {
    "uuid": (UUIDArray, 2950, 2951),
    "text": (TextArray, 25, 1009),
    "bigint": (BigintArray, 20, 1016),
    "date": (DateArray, 1082, 1182),
    "timestamptz": (TimestamptzArray, 1184, 1185),
}


class _ArrayDumper(Dumper):
    format = Format.BINARY

    @override
    def dump(self, obj: PackedArray) -> bytes:
        return obj.data


_DUMPERS: Final[dict[type[PackedArray], type[Dumper]]] = {
    kind: type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": oid})
    for kind, _, oid in _ARRAYS.values()
}


def packed_array(kind: str, values: Sequence[Any]) -> PackedArray:
    """Many values as one parameter (``%b``); the driver's own lists cost microseconds a value.

    Args:
        kind: the type of the elements.
        values: as ``BulkTable`` takes them.
    """
    array, element, _ = _ARRAYS[kind]
    if not values:
        return array(_EMPTY_ARRAY(0, 0, element))
    head = _ARRAY(1, int(None in values), element, len(values), 1)
    return array(b"".join((head, *_PACKERS[kind](values))))


def teach_arrays(raw: RawConnection) -> None:
    """Make a connection able to send packed arrays; nothing else changes of it."""
    for kind, dumper in _DUMPERS.items():
        raw.adapters.register_dumper(kind, dumper)
