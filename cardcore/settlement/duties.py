"""What falls due of settlement: closing at the cut-off, computing, booking, paying, files.

Each step is a transaction of its own and harmless when done twice. Whoever dies between two leaves
a window that says how far it came; the next round goes on from there.
"""

from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.calendar import business_date, day_begins
from cardcore.ids import RandomBytes
from cardcore.settlement.booking import book_some
from cardcore.settlement.custodian import CustodianBank
from cardcore.settlement.files import Files, Signer
from cardcore.settlement.payouts import Payouts, end_window
from cardcore.settlement.states import WindowState
from cardcore.settlement.windows import Windows, lock_open
from ledger import Ledger

WORKER: Final = "worker"
# What is booked at the cut-off's last instant commits a little later.
GRACE: Final = timedelta(minutes=10)
# How long a window that was closed by itself may be given up, before anything of it is booked. One
# that the card centre has closed is wanted now.
REVIEWED_FOR: Final = timedelta(minutes=30)
# The oldest window that is closed, or has statements that are not booked.
_NEXT: Final = """
SELECT number, state, closed_by, closed_at FROM cardcore.settlement_window w
 WHERE state = 'closed' OR state = 'processing' AND EXISTS (
    SELECT FROM cardcore.settlement_statement s
     WHERE s.number = w.number AND s.state = 'computed')
 ORDER BY number LIMIT 1
"""


class SettlementDuties:
    """The worker's part of settlement."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        book: Ledger,
        bank: CustodianBank | None,
        signer: Signer,
        random_bytes: RandomBytes,
        cut_off: time,
    ) -> None:
        self._engine = engine
        self._book = book
        self._windows = Windows(book, random_bytes)
        self._payouts = Payouts(engine, book, bank)
        self._files = Files(engine, signer)
        self._cut_off = cut_off

    async def settle_due(self, now: datetime) -> int:
        """One round of everything; returns how much was done."""
        done = await self.close_due(now)
        done += await self.book_due(now)
        done += await self._payouts.pay_due(now)
        return done + await self._files.make_due(now)

    async def close_due(self, now: datetime) -> int:
        """Close the open window once the business date it was open on is over."""
        today = business_date(now - GRACE, self._cut_off)
        over, ends_at = today - timedelta(days=1), day_begins(today, self._cut_off)
        async with transaction(self._engine) as (_, raw):
            # Locked first: of two workers the second finds what the first has closed.
            await lock_open(raw)
            found = await raw.execute("SELECT max(closed_at) FROM cardcore.settlement_window")
            row = await found.fetchone()
            if row is not None and row[0] is not None and row[0] >= ends_at:
                return 0
            await self._windows.close(raw, on=over, by=WORKER, now=now)
        return 1

    async def book_due(self, now: datetime) -> int:
        """Compute and book closed windows, the oldest first, each whole before the next."""
        done = 0
        while (number := await self._next(now)) is not None:
            async with transaction(self._engine) as (_, raw):
                done += await self._windows.compute(raw, number, now)
            while True:
                async with transaction(self._engine) as (_, raw):
                    booked = await book_some(raw, self._book, number, now)
                if not booked:
                    break
                done += booked
            async with transaction(self._engine) as (_, raw):
                await end_window(raw, number, now)
        return done

    async def _next(self, now: datetime) -> int | None:
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(_NEXT)
            row = await found.fetchone()
        if row is None:
            return None
        number, state, closed_by, closed_at = row
        waits = state == WindowState.CLOSED and closed_by == WORKER
        # Later windows wait with it: what it settles must not be settled by two.
        return None if waits and closed_at > now - REVIEWED_FOR else int(number)
