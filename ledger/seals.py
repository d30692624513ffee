"""Day seals: a signature over everything that was booked since the last one.

Signed message, big-endian: "ledger seal 1" ‖ number 8 ‖ day 4 (days since 1970-01-01, signed) ‖
sealed_at 8 (ns) ‖ previous 32 ‖ root 32 ‖ batches 8. ``previous`` is the SHA-256 of the message
before it (zeros for the first), ``root`` the Merkle root (as in ``merkle``) of the batches covered,
in order of shard and number, with the leaf SHA-256(0x00 ‖ 0x04 ‖ shard 2 ‖ number 8 ‖ chain 32).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Any, Final, Protocol

from ledger import merkle
from ledger.business_day import day_number
from ledger.queries import Queries
from ledger.store import Cursor

_MESSAGE: Final = Struct(">13sqiq32s32sq")
_LEAF: Final = Struct(">BBhq32s")
_SEAL_LOCK: Final = 0x1ED65EA1  # advisory lock: one sealing at a time

SEAL_COLUMNS: Final = "number, day, sealed_at, previous, root, batches, key_label, signature"


class Signer(Protocol):
    """The part of a security module that seals need."""

    async def sign(self, label: str, message: bytes) -> bytes:
        """Signature of the key ``label`` over ``message``."""
        ...


class Verifier(Protocol):
    """Checks what a ``Signer`` made."""

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """Return when the signature is of this key, else raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One day seal."""

    number: int
    day: dt.date
    sealed_at: int
    previous: bytes
    root: bytes
    batches: int
    key_label: str
    signature: bytes

    @property
    def message(self) -> bytes:
        """What is signed."""
        return _MESSAGE.pack(
            b"ledger seal 1",
            self.number,
            day_number(self.day),
            self.sealed_at,
            self.previous,
            self.root,
            self.batches,
        )

    @property
    def digest(self) -> bytes:
        """What the next seal names as ``previous``."""
        return sha256(self.message).digest()


def seal_leaf(shard: int, number: int, chain: bytes) -> bytes:
    """Leaf hash of one batch in the tree of a seal."""
    return sha256(_LEAF.pack(0, 4, shard, number, chain)).digest()


def seal_of(row: Sequence[Any]) -> Seal:
    """A seal from ``SEAL_COLUMNS``."""
    number, day, sealed_at, previous, root, batches, key_label, signature = row
    return Seal(
        number=number,
        day=day,
        sealed_at=sealed_at,
        previous=bytes(previous),
        root=bytes(root),
        batches=batches,
        key_label=key_label,
        signature=bytes(signature),
    )


async def read_seals(cursor: Cursor) -> list[Seal]:
    """All seals in order."""
    await cursor.execute(f"SELECT {SEAL_COLUMNS} FROM ledger.seal ORDER BY number")  # noqa: S608  (constant)
    return [seal_of(row) for row in await cursor.fetchall()]


async def seal_leaves(cursor: Cursor, number: int) -> list[tuple[int, int, bytes]]:
    """Shard, number and leaf hash of the batches that a seal covers, in order of its tree."""
    await cursor.execute(
        "SELECT b.shard, b.number, b.chain FROM ledger.seal_range r "
        "JOIN ledger.batch b ON b.shard = r.shard "
        "AND b.number BETWEEN r.first_number AND r.last_number "
        "WHERE r.seal = %s ORDER BY b.shard, b.number",
        (number,),
    )
    return [
        (shard, batch, seal_leaf(shard, batch, bytes(chain)))
        for shard, batch, chain in await cursor.fetchall()
    ]


async def seal_day(
    book: Queries, signer: Signer, *, key_label: str, day: dt.date, now_ns: int
) -> Seal | None:
    """Seal all batches that no seal covers yet.

    Args:
        book: the ledger.
        signer: holds the key ``key_label``.
        key_label: of a signing key.
        day: business date to write on the seal.
        now_ns: instant to write on the seal.

    Returns:
        The seal, or None where nothing was booked since the last one.

    Raises:
        whatever ``signer`` raises; nothing was written then.
    """
    async with book.reading() as cursor:
        await cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_SEAL_LOCK,))
        seals = await read_seals(cursor)
        await cursor.execute(
            "SELECT b.shard, b.number, b.chain FROM ledger.batch b WHERE b.number > coalesce("
            "(SELECT max(r.last_number) FROM ledger.seal_range r WHERE r.shard = b.shard), 0) "
            "ORDER BY b.shard, b.number"
        )
        batches = await cursor.fetchall()
        if not batches:
            return None
        seal = Seal(
            number=len(seals) + 1,
            day=day,
            sealed_at=now_ns,
            previous=seals[-1].digest if seals else bytes(32),
            root=merkle.root([seal_leaf(shard, n, bytes(chain)) for shard, n, chain in batches]),
            batches=len(batches),
            key_label=key_label,
            signature=b"",
        )
        signature = await signer.sign(key_label, seal.message)
        await cursor.execute(
            f"INSERT INTO ledger.seal ({SEAL_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",  # noqa: S608  (constant)
            (
                seal.number,
                day,
                now_ns,
                seal.previous,
                seal.root,
                seal.batches,
                key_label,
                signature,
            ),
        )
        numbers: dict[int, list[int]] = {}
        for shard, number, _ in batches:
            numbers.setdefault(shard, []).append(number)
        for shard, covered in numbers.items():
            await cursor.execute(
                "INSERT INTO ledger.seal_range (seal, shard, first_number, last_number) "
                "VALUES (%s, %s, %s, %s)",
                (seal.number, shard, covered[0], covered[-1]),
            )
    return Seal(
        number=seal.number, day=day, sealed_at=now_ns, previous=seal.previous, root=seal.root,
        batches=seal.batches, key_label=key_label, signature=signature,
    )  # fmt: skip
