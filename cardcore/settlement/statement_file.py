"""A merchant's settlement file: its bytes, what is signed of it, and one row proved alone. Pure.

The file is CSV (RFC 4180, UTF-8, CRLF): a head line, then one line per posting to the merchant's
payable, in the ledger's order. The head that is signed (Ed25519) is text, one ``name=value`` a
line, among them count, sum, SHA-256 of the file and the Merkle root of its lines:

    leaf(line) = SHA-256(0x00 ‖ 0x05 ‖ the line's bytes without CRLF)
    node       = SHA-256(0x01 ‖ left ‖ right), the tree of RFC 9162 section 2.1

so that a merchant who holds one line, its path and the signed head knows that the line was
settled, without the file and without us (``check_row.py``). Without a line the root is SHA-256 of
nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cardcore.account.chart import TransferCode
from cardcore.calendar import LOCAL_ZONE
from ledger import merkle

HEAD: Final = "row,kind,transfer_id,about,out_trade_no,scene,amount_fen,recorded_at"
TITLE: Final = "cardcore settlement 1"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: Final[Mapping[int, str]] = {
    TransferCode.PAYMENT: "payment",
    TransferCode.REFUND: "refund",
    TransferCode.ARREARS_PAID: "arrears_paid",
    TransferCode.RECEIVABLE_PAID: "payer_paid",
    TransferCode.DISPUTE_RECOVERY: "dispute",
    TransferCode.ADJUSTMENT: "adjustment",
    TransferCode.SETTLEMENT_SHARE: "share",
    TransferCode.SETTLEMENT_FEE: "fee",
    TransferCode.SETTLEMENT_PAYOUT: "payout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """One posting: ``amount_fen`` is positive to the merchant, ``about`` mostly an order."""

    transfer_id: UUID
    code: int
    about: UUID | None
    out_trade_no: str
    scene: str
    amount_fen: int
    timestamp_ns: int

    def line(self, number: int) -> bytes:
        """Its line, without the line's end."""
        at = _EPOCH + timedelta(microseconds=self.timestamp_ns // 1000)
        cells = (
            str(number),
            KINDS.get(self.code, "other"),
            str(self.transfer_id),
            "" if self.about is None else str(self.about),
            _plain(self.out_trade_no),
            self.scene,
            str(self.amount_fen),
            at.astimezone(LOCAL_ZONE).isoformat(timespec="microseconds"),
        )
        return ",".join(cells).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFile:
    """The bytes, with what must agree with them."""

    content: bytes
    rows: int
    sum_fen: int
    root: bytes

    @property
    def sha256(self) -> bytes:
        """Digest of the bytes."""
        return hashlib.sha256(self.content).digest()


class FileWriter:
    """Takes rows in the ledger's order; keeps bytes and leaves, never the rows."""

    def __init__(self) -> None:
        self._content = bytearray(HEAD.encode() + b"\r\n")
        self._leaves: list[bytes] = []
        self._sum_fen = 0

    def add(self, rows: Iterable[PostingRow]) -> None:
        """Append rows."""
        for row in rows:
            line = row.line(len(self._leaves) + 1)
            self._content += line + b"\r\n"
            self._leaves.append(leaf(line))
            self._sum_fen += row.amount_fen

    def finish(self) -> StatementFile:
        """The file of all that was added."""
        return StatementFile(
            content=bytes(self._content),
            rows=len(self._leaves),
            sum_fen=self._sum_fen,
            root=root_of(self._leaves),
        )


def leaf(line: bytes) -> bytes:
    """Leaf hash of a line."""
    return hashlib.sha256(b"\x00\x05" + line).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over leaf hashes; of none, SHA-256 of nothing."""
    return merkle.root(leaves) if leaves else hashlib.sha256(b"").digest()


def signed_head(fields: Mapping[str, object]) -> str:
    """What is signed: the title, then a line for each field, in their order."""
    return "\n".join([TITLE, *(f"{name}={value}" for name, value in fields.items())]) + "\n"


def prove_row(content: bytes, row_no: int) -> tuple[str, list[tuple[str, str]]] | None:
    """A row's line and the path from it to the root; None where there is no such row."""
    lines = content.split(b"\r\n")[1:-1]
    if not 1 <= row_no <= len(lines):
        return None
    path = merkle.path([leaf(line) for line in lines], row_no - 1)
    return lines[row_no - 1].decode(), [(side, sibling.hex()) for side, sibling in path]


def _plain(text: str) -> str:
    """A cell that a spreadsheet will not run (OWASP, CSV injection), and that needs no quotes."""
    assert not {",", '"', "\r", "\n"} & {*text}, "numbers of ours are printed numbers"
    return "'" + text if text.startswith(_FORMULA) else text
