"""Taking bills, comparing books, and ending what differs.

A bill is taken as it came: the same file again changes nothing, another one of the same date is its
next version. A difference ends when the books agree again, or by two operators; nothing is adjusted
by itself.
"""

from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore import audit
from cardcore.account.channel import ChannelSilentError
from cardcore.account.chart import CUSTODY, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.books import transaction
from cardcore.bulk import BulkTable, copy_rows
from cardcore.calendar import business_date
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes, new_id, part_id
from cardcore.settlement.channel_bill import ChannelBill, read_bill
from cardcore.settlement.comparing import (
    CUSTODIAN,
    DAYS_APART,
    ORDERS,
    Compared,
    Comparing,
    compare_bill,
    compare_orders,
)
from cardcore.settlement.custodian import CustodianBank
from cardcore.settlement.errors import (
    AdjustmentRefusedError,
    BillInvalidError,
    DifferenceClosedError,
    DifferenceUnknownError,
)
from cardcore.settlement.request import ResolveDifference
from cardcore.settlement.views import BillTakenView, ComparedView
from ledger import Ledger, Transfer

FETCHED_DAYS: Final = 7
WORKER: Final = "worker"
_ROWS: Final = BulkTable.of(
    "cardcore.settlement_bill_row",
    "bill_id:uuid row_no:integer channel_no:text our_no:text direction:text amount_fen:bigint"
    " state:text moved_at:timestamptz",
)
_INSERT: Final = """
INSERT INTO cardcore.settlement_bill
    (bill_id, source, business_on, version, rows, in_fen, out_fen, content, sha256, taken_by,
     taken_at)
SELECT %(bill_id)s, %(source)s, %(on)s, coalesce(max(version), 0) + 1, %(rows)s, %(in_fen)s,
       %(out_fen)s, %(content)s, sha256(%(content)s::bytea), %(by)s, %(now)s
  FROM cardcore.settlement_bill WHERE source = %(source)s AND business_on = %(on)s
"""
_KNOWN: Final = """
SELECT version, rows, in_fen, out_fen, sha256 FROM cardcore.settlement_bill
 WHERE source = %(source)s AND business_on = %(on)s AND sha256 = sha256(%(content)s::bytea)
"""
# Windows that are booked and whose orders were not compared since they were computed.
_UNCOMPARED: Final = """
SELECT number, business_on FROM cardcore.settlement_window w
 WHERE state IN ('processing', 'settled', 'failed') AND NOT EXISTS (
    SELECT FROM cardcore.settlement_comparison c
     WHERE c.source = 'orders' AND c.business_on = w.business_on AND c.compared_at >= w.closed_at)
 ORDER BY number LIMIT 20
"""


class Reconciliation:
    """Compares books."""

    def __init__(
        self,
        engine: AsyncEngine,
        random_bytes: RandomBytes,
        cut_off: time,
        bank: CustodianBank | None = None,
    ) -> None:
        self._engine = engine
        self._random_bytes = random_bytes
        self._cut_off = cut_off
        self._bank = bank

    async def take_bill(
        self, source: str, on: date, content: bytes, *, by: str, now: datetime
    ) -> BillTakenView:
        """Take a bill and compare its date, and those around it whose bills are known.

        Raises:
            BillInvalidError: it is cut, was changed, or cannot be read; nothing is kept of it.
        """
        bill = read_bill(content)
        asked = {
            "bill_id": new_id(now, self._random_bytes),
            "source": source,
            "on": on,
            "content": content,
            "by": by,
            "now": now,
        }
        async with transaction(self._engine) as (_, raw):
            await raw.execute(
                "SELECT pg_advisory_xact_lock(hashtext(%s))", (f"bill/{source}/{on}",)
            )
            known = await (await raw.execute(_KNOWN, asked)).fetchone()
            if known is None:
                await self._keep(raw, bill, asked)
                known = await (await raw.execute(_KNOWN, asked)).fetchone()
            assert known is not None
        compared = [
            ComparedView(
                source=source,
                business_on=day,
                matched=found.matched,
                other_day=found.other_day,
                differences=found.differences,
            )
            for day, found in await self._compare_around(source, on, now)
        ]
        version, rows, in_fen, out_fen, sha256 = known
        return BillTakenView(
            source=source,
            business_on=on,
            version=version,
            rows=rows,
            in_fen=in_fen,
            out_fen=out_fen,
            sha256=bytes(sha256).hex(),
            compared=compared,
        )

    async def compare_due(self, now: datetime) -> int:
        """Fetch the bank's bills of the last dates, compare orders of new windows; how many."""
        return await self._fetch_bills(now) + await self._compare_windows(now)

    async def _fetch_bills(self, now: datetime) -> int:
        if self._bank is None:
            return 0
        today = business_date(now, self._cut_off)
        wanted = [today - timedelta(days=ago) for ago in range(FETCHED_DAYS, 0, -1)]
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(
                "SELECT business_on FROM cardcore.settlement_bill WHERE source = %s"
                " AND business_on = ANY (%s)",
                (CUSTODIAN, wanted),
            )
            known = {on for (on,) in await found.fetchall()}
        taken = 0
        for on in wanted:
            if on in known:
                continue
            try:
                content = await self._bank.bill(on)
            except ChannelSilentError:
                break  # the next round asks again
            if content is None:
                continue
            try:
                await self.take_bill(CUSTODIAN, on, content, by=WORKER, now=now)
                taken += 1
            except BillInvalidError as refusal:
                # It is asked for again; the journal shows since when.
                await self._note_refused(on, refusal, now)
        return taken

    async def _note_refused(self, on: date, refusal: BillInvalidError, now: datetime) -> None:
        async with transaction(self._engine) as (connection, _):
            await audit.record(
                connection,
                actor=WORKER,
                action="settlement.bill",
                subject=f"settlement_bill/{CUSTODIAN}/{on}",
                outcome=refusal.code,
                now=now,
                purpose=refusal.detail,
            )

    async def _compare_windows(self, now: datetime) -> int:
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(_UNCOMPARED)
            windows = await found.fetchall()
        for number, on in windows:
            async with transaction(self._engine) as (_, raw):
                await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                await compare_orders(raw, number, self._how(on, now))
        return len(windows)

    async def _compare_around(
        self, source: str, on: date, now: datetime
    ) -> list[tuple[date, Compared]]:
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(
                "SELECT DISTINCT business_on FROM cardcore.settlement_bill"
                " WHERE source = %s AND business_on BETWEEN %s AND %s ORDER BY 1",
                (source, on - DAYS_APART, on + DAYS_APART),
            )
            days = [day for (day,) in await found.fetchall()]
        compared = []
        for day in days:
            async with transaction(self._engine) as (_, raw):
                compared.append((day, await compare_bill(raw, source, self._how(day, now))))
        return compared

    async def _keep(self, raw: RawConnection, bill: ChannelBill, asked: dict[str, object]) -> None:
        sums = {"rows": len(bill.rows), "in_fen": bill.in_fen, "out_fen": bill.out_fen}
        await raw.execute(_INSERT, asked | sums)
        await copy_rows(
            raw,
            _ROWS,
            [
                (
                    asked["bill_id"],
                    row_no,
                    one.channel_no,
                    one.our_no,
                    one.direction,
                    one.amount_fen,
                    one.state,
                    one.moved_at,
                )
                for row_no, one in enumerate(bill.rows, start=1)
            ],
        )

    def _how(self, on: date, now: datetime) -> Comparing:
        return Comparing(on=on, now=now, cut_off=self._cut_off, random_bytes=self._random_bytes)


async def resolve_difference(
    raw: RawConnection,
    book: Ledger,
    content: ResolveDifference,
    *,
    proposal_id: UUID,
    by: str,
    now: datetime,
) -> None:
    """End a difference, in the transaction of the second operator's decision.

    Raises:
        DifferenceUnknownError: no such difference.
        DifferenceClosedError: it is closed, or is between orders and ledger and to be adjusted.
        AdjustmentRefusedError: the ledger does not allow it.
    """
    found = await raw.execute(
        "SELECT source, ours_fen, theirs_fen, closed_at FROM cardcore.settlement_difference"
        " WHERE difference_id = %s FOR UPDATE",
        (content.difference_id,),
    )
    row = await found.fetchone()
    if row is None:
        raise DifferenceUnknownError(field="difference_id")
    source, ours_fen, theirs_fen, closed_at = row
    if closed_at is not None:
        raise DifferenceClosedError(field="difference_id")
    if content.outcome == "adjusted":
        more_fen = (theirs_fen or 0) - (ours_fen or 0)
        if source == ORDERS or more_fen == 0:
            raise DifferenceClosedError("orders are corrected by refunds", field="outcome")
        (result,) = await book.create_transfers(
            [_adjustment(content.difference_id, more_fen)], connection=raw
        )
        if result != "created":
            raise AdjustmentRefusedError(result=str(result))
    await raw.execute(
        "UPDATE cardcore.settlement_difference SET resolution = %s, closed_at = %s, closed_by = %s,"
        " proposal_id = %s WHERE difference_id = %s",
        (content.outcome, now, by, proposal_id, content.difference_id),
    )


def _adjustment(difference_id: UUID, more_fen: int) -> Transfer:
    """What the bank holds more than we booked, below zero for less, against suspense."""
    debit, credit = (CUSTODY, SUSPENSE) if more_fen > 0 else (SUSPENSE, CUSTODY)
    return Transfer(
        # Derived, so that it cannot be booked twice whatever becomes of the row.
        id=part_id(difference_id, 1).int,
        debit_account_id=debit.int,
        credit_account_id=credit.int,
        amount=abs(more_fen),
        ledger=LEDGER_CNY,
        code=TransferCode.ADJUSTMENT,
        user_data_128=difference_id.int,
    )
