"""A bill as a file: what stands in it, and how it is written. Pure.

CSV as RFC 4180 has it, UTF-8, one head line, one line per movement of money, sorted by instant and
id, so that the same movements give the same bytes. Amounts are fen, refunds negative. A cell that a
spreadsheet would run as a formula is led by an apostrophe (OWASP, CSV injection).
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from cardcore.calendar import LOCAL_ZONE

HEAD: Final = (
    "kind",
    "entry_id",
    "order_id",
    "out_trade_no",
    "out_refund_no",
    "scene",
    "terminal_id",
    "amount_fen",
    "recorded_at",
)
# What is booked at the cut-off's last instant commits a little later.
GRACE: Final = timedelta(minutes=10)
PAID: Final = ("payment", "capture")
REFUND: Final = "refund"
TAKEN: Final = (REFUND, "arrears", "dispute")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One movement of what a merchant is owed; ``amount_fen`` is positive, ``kind`` says which way.

    To the merchant: ``payment``, ``capture``, ``arrears_paid`` (what was owed has come) and
    ``arrears_waived`` (part of a refund that was never paid, so it is not taken). From them:
    ``refund``, ``arrears`` (part of a payment that is still owed) and ``dispute`` (paid back for a
    dispute they bear).
    """

    kind: str
    entry_id: UUID
    order_id: UUID
    out_trade_no: str
    out_refund_no: str
    scene: str
    terminal_id: str
    amount_fen: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFile:
    """The file with its own sums."""

    rows: int
    paid_fen: int
    refunded_fen: int
    other_fen: int
    content: bytes

    @property
    def sha256(self) -> bytes:
        """Digest of the content."""
        return hashlib.sha256(self.content).digest()


def write_bill(movements: Sequence[Movement]) -> BillFile:
    """The file of these movements."""
    ordered = sorted(movements, key=lambda one: (one.recorded_at, one.entry_id, one.kind))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEAD)
    writer.writerows(_cells(one) for one in ordered)
    return BillFile(
        rows=len(ordered),
        paid_fen=sum(one.amount_fen for one in ordered if one.kind in PAID),
        refunded_fen=sum(one.amount_fen for one in ordered if one.kind == REFUND),
        other_fen=sum(_signed(one) for one in ordered if one.kind not in (*PAID, REFUND)),
        content=text.getvalue().encode("utf-8"),
    )


def day_of(business_on: date, cut_off: time) -> tuple[datetime, datetime]:
    """First instant of a business day, and first instant of the next."""
    begins = datetime.combine(business_on, cut_off, LOCAL_ZONE)
    ends = datetime.combine(business_on + timedelta(days=1), cut_off, LOCAL_ZONE)
    return begins, ends


def _cells(one: Movement) -> list[str | int]:
    return [
        one.kind,
        str(one.entry_id),
        str(one.order_id),
        _plain(one.out_trade_no),
        _plain(one.out_refund_no),
        _plain(one.scene),
        _plain(one.terminal_id),
        _signed(one),
        one.recorded_at.astimezone(LOCAL_ZONE).isoformat(timespec="microseconds"),
    ]


def _signed(one: Movement) -> int:
    return -one.amount_fen if one.kind in TAKEN else one.amount_fen


def _plain(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text
