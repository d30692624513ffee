"""The file an issuer of another city gets for a business date. Pure.

One row per ride, in the order in which they were booked, then one that says how many and how much.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from cardcore.calendar import LOCAL_ZONE

HEAD = ("ride_id", "account", "merchant", "terminal", "occurred_at", "generated_at", "amount_fen")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearedRide:
    """A ride as its issuer is told of it."""

    ride_id: UUID
    account: str
    merchant_id: str
    terminal_id: str
    occurred_at: datetime
    generated_at: datetime
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingFile:
    """The bytes, with what must agree with them."""

    content: bytes
    rides_count: int
    sum_fen: int

    @property
    def sha256(self) -> bytes:
        """Digest of the bytes."""
        return hashlib.sha256(self.content).digest()


def write_clearing_file(issuer: str, on: date, rides: Sequence[ClearedRide]) -> ClearingFile:
    """A day's file; the same rides make the same bytes."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(("issuer", issuer, "business_on", on.isoformat()))
    rows.writerow(HEAD)
    for ride in rides:
        rows.writerow(
            (
                ride.ride_id,
                ride.account,
                ride.merchant_id,
                ride.terminal_id,
                ride.occurred_at.astimezone(LOCAL_ZONE).isoformat(),
                ride.generated_at.astimezone(LOCAL_ZONE).isoformat(),
                ride.amount_fen,
            )
        )
    sum_fen = sum(ride.amount_fen for ride in rides)
    rows.writerow(("count", len(rides), "sum_fen", sum_fen))
    return ClearingFile(content=text.getvalue().encode(), rides_count=len(rides), sum_fen=sum_fen)
