"""The bill of a bank or channel, as a file: read, refused where it is not whole, and written. Pure.

CSV (RFC 4180), UTF-8 with or without a byte order mark, or GBK (read as GB 18030). A head line
names the columns in English or Chinese, in any order; columns that are not known are left alone:

    channel_no  渠道流水号   the channel's number of the movement
    our_no      商户单号     ours; empty where it names none of ours
    direction   收支         in 收, out 支
    amount_fen  金额（分）   whole fen; or ``金额（元）``, yuan with two decimals
    state       状态         paid 成功, refused 失败
    moved_at    时间         RFC 3339, or local time as YYYY-MM-DD HH:MM:SS

The last line is ``count,<rows>,in_fen,<sum>,out_fen,<sum>,sha256,<hex>``: sums of what was paid,
and the digest of all bytes before it. A file that was cut, or of which a byte was changed, does
not agree with it, or lacks it.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cardcore.calendar import LOCAL_ZONE
from cardcore.model import AMOUNT_FEN_MAX
from cardcore.settlement.errors import BillInvalidError

COLUMNS: Final = ("channel_no", "our_no", "direction", "amount_fen", "state", "moved_at")
_NAMES: Final[Mapping[str, str]] = {name: name for name in COLUMNS} | {
    "渠道流水号": "channel_no",
    "商户单号": "our_no",
    "收支": "direction",
    "金额（分）": "amount_fen",
    "金额（元）": "amount_yuan",
    "状态": "state",
    "时间": "moved_at",
}
_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "direction": {"in": "in", "out": "out", "收": "in", "支": "out"},
    "state": {"paid": "paid", "refused": "refused", "成功": "paid", "失败": "refused"},
}
_NUMBER: Final = re.compile(r"[0-9A-Za-z_.:\-]{0,64}", re.ASCII)
_FEN: Final = re.compile(r"[1-9][0-9]{0,12}", re.ASCII)
_YUAN: Final = re.compile(r"(0|[1-9][0-9]{0,10})\.([0-9]{2})", re.ASCII)
_TRAILER: Final = ("count", "in_fen", "out_fen", "sha256")
ROWS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One movement as the channel booked it."""

    channel_no: str
    our_no: str
    direction: str
    amount_fen: int
    state: str
    moved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBill:
    """The rows, with the sums of what was paid."""

    rows: Sequence[BillRow]

    @property
    def in_fen(self) -> int:
        """What came in."""
        return self._sum("in")

    @property
    def out_fen(self) -> int:
        """What went out."""
        return self._sum("out")

    def _sum(self, direction: str) -> int:
        return sum(
            one.amount_fen
            for one in self.rows
            if one.state == "paid" and one.direction == direction
        )


def write_bill(rows: Sequence[BillRow], *, encoding: str = "utf-8") -> bytes:
    """The file of these rows, as our own simulators send it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in rows:
        writer.writerow(
            (
                one.channel_no,
                one.our_no,
                one.direction,
                one.amount_fen,
                one.state,
                one.moved_at.isoformat(),
            )
        )
    return with_trailer(text.getvalue().encode(encoding), ChannelBill(rows=rows))


def with_trailer(body: bytes, bill: ChannelBill) -> bytes:
    """Head and rows with the line that must agree with them."""
    digest = hashlib.sha256(body).hexdigest()
    trailer = (
        f"count,{len(bill.rows)},in_fen,{bill.in_fen},out_fen,{bill.out_fen},sha256,{digest}\r\n"
    )
    return body + trailer.encode("ascii")


def read_bill(content: bytes) -> ChannelBill:
    """The rows of a file.

    Raises:
        BillInvalidError: it is cut, was changed, or a row is not as it should be; ``line`` says
            where.
    """
    body, trailer = _split(content)
    lines = _lines(body)
    names = _columns(lines[0])
    if len(lines) - 1 > ROWS_MAX:
        raise BillInvalidError("it has too many rows", field="count", rows_max=ROWS_MAX)
    bill = ChannelBill(
        rows=[_row(names, cells, line) for line, cells in enumerate(lines[1:], start=2)]
    )
    found = {
        "count": str(len(bill.rows)),
        "in_fen": str(bill.in_fen),
        "out_fen": str(bill.out_fen),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    for name in _TRAILER:
        if trailer[name] != found[name]:
            raise BillInvalidError(
                f"its {name} is not that of its rows", field=name, said=trailer[name]
            )
    return bill


def _split(content: bytes) -> tuple[bytes, dict[str, str]]:
    """The body and what its last line says."""
    whole = content.removesuffix(b"\r\n").removesuffix(b"\n")
    body_end = whole.rfind(b"\n") + 1
    try:
        cells = whole[body_end:].decode("ascii").split(",")
    except UnicodeDecodeError:
        cells = []
    if not body_end or cells[0::2] != list(_TRAILER) or len(cells) != 2 * len(_TRAILER):
        raise BillInvalidError("its last line is missing: the file was cut", field="sha256")
    return whole[:body_end], dict(zip(cells[0::2], cells[1::2], strict=True))


def _lines(body: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        return list(csv.reader(io.StringIO(text, newline="")))
    raise BillInvalidError("it is neither UTF-8 nor GBK", field="content")


def _columns(head: Sequence[str]) -> list[str | None]:
    names = [_NAMES.get(cell.strip()) for cell in head]
    known = [name for name in names if name is not None]
    wanted = {*COLUMNS} - ({"amount_fen"} if "amount_yuan" in known else set())
    if len(known) != len(set(known)) or not wanted <= {*known}:
        raise BillInvalidError("its head does not name the columns", field="head", line=1)
    return names


def _row(names: Sequence[str | None], cells: Sequence[str], line: int) -> BillRow:
    if len(cells) != len(names):
        raise BillInvalidError("a row has another number of cells", field="row", line=line)
    values = {
        name: cell.strip() for name, cell in zip(names, cells, strict=True) if name is not None
    }

    def refuse(field: str) -> BillInvalidError:
        return BillInvalidError("a cell is not as it should be", field=field, line=line)

    for name in ("channel_no", "our_no"):
        if not _NUMBER.fullmatch(values[name]):
            raise refuse(name)
    if not values["channel_no"]:
        raise refuse("channel_no")
    for name, known in _VALUES.items():
        if values[name] not in known:
            raise refuse(name)
    amount_fen = _fen(values)
    moved_at = _instant(values["moved_at"])
    if amount_fen is None or moved_at is None:
        raise refuse("amount_fen" if amount_fen is None else "moved_at")
    return BillRow(
        channel_no=values["channel_no"],
        our_no=values["our_no"],
        direction=_VALUES["direction"][values["direction"]],
        amount_fen=amount_fen,
        state=_VALUES["state"][values["state"]],
        moved_at=moved_at,
    )


def _fen(values: Mapping[str, str]) -> int | None:
    """The amount; None where it is none, or above any that we book."""
    if "amount_fen" in values:
        fen = int(values["amount_fen"]) if _FEN.fullmatch(values["amount_fen"]) else 0
    else:
        yuan = _YUAN.fullmatch(values["amount_yuan"])
        fen = 0 if yuan is None else int(yuan[1]) * 100 + int(yuan[2])
    return fen if 0 < fen <= AMOUNT_FEN_MAX * 1_000 else None


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=LOCAL_ZONE)
