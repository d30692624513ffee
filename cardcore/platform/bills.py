"""Bills: the movements of one merchant and one closed business day, as a file that never changes.

A bill is made when it is first asked for, or by the worker. Where a movement of the day is booked
later (a record that was off-line for days), the worker makes the next version; every version stays.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import tables as core_tables
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import MerchantUnknownError, NotFoundError
from cardcore.platform import tables
from cardcore.platform.bill_file import GRACE, BillFile, Movement, day_of, write_bill
from cardcore.platform.errors import BillNotReadyError
from cardcore.platform.views import BillView
from cardcore.ports import Clock

# How long the worker looks back for movements that came late; off-line records may take a week.
LATE_DAYS: Final = 8
DAY_MIN: Final = date(2000, 1, 1)


class Bills:
    """Makes and reads bills."""

    def __init__(self, engine: AsyncEngine, clock: Clock, cut_off: time) -> None:
        self._engine = engine
        self._clock = clock
        self._cut_off = cut_off

    async def read(
        self, caller: Caller, merchant_id: str, business_on: date, version: int | None
    ) -> BillView:
        """The newest version of a bill, or the one that is named.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
            BillNotReadyError: the day is not closed.
            NotFoundError: there is no such version.
        """
        return (await self._read(caller, merchant_id, business_on, version))[0]

    async def file(
        self, caller: Caller, merchant_id: str, business_on: date, version: int | None
    ) -> bytes:
        """The file itself. Raises as ``read``."""
        return (await self._read(caller, merchant_id, business_on, version))[1]

    async def make_due(self, now: datetime) -> int:
        """Make what is missing or was overtaken, of the last days; returns how many."""
        today = business_date(now - GRACE, self._cut_off)
        made = 0
        async with transaction(self._engine) as (connection, _):
            merchants = (
                (await connection.execute(select(core_tables.merchant.c.merchant_id)))
                .scalars()
                .all()
            )
        for merchant_id in sorted(merchants):
            for days in range(LATE_DAYS, 0, -1):
                business_on = today - timedelta(days=days)
                async with transaction(self._engine) as (connection, raw):
                    made += await self._correct(connection, raw, merchant_id, business_on, now)
        return made

    async def _read(
        self, caller: Caller, merchant_id: str, business_on: date, version: int | None
    ) -> tuple[BillView, bytes]:
        caller.require(Scope.BILLS_READ)
        if caller.merchant_id not in (None, merchant_id):
            raise MerchantUnknownError(field="merchant_id")
        now = self._clock()
        _, ends = day_of(max(business_on, DAY_MIN), self._cut_off)
        if now < ends + GRACE:
            raise BillNotReadyError(ready_at=(ends + GRACE).isoformat())
        async with transaction(self._engine) as (connection, raw):
            await _lock(connection, merchant_id)
            found = await self._find(connection, merchant_id, business_on, version)
            if found is None and version is None:
                await self._make(connection, raw, merchant_id, business_on, 1, now)
                found = await self._find(connection, merchant_id, business_on, version)
        if found is None:
            raise NotFoundError(field="version")
        return found

    async def _correct(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        merchant_id: str,
        business_on: date,
        now: datetime,
    ) -> int:
        """Make the day's first bill where money moved, the next where it no longer holds."""
        await _lock(connection, merchant_id)
        known = await self._find(connection, merchant_id, business_on, None)
        begins, ends = day_of(business_on, self._cut_off)
        sums = (
            await connection.execute(
                _SUMS, {"merchant": merchant_id, "on": business_on, "begins": begins, "ends": ends}
            )
        ).one()
        there = (0, 0, 0, 0)
        if known is not None:
            bill = known[0]
            there = (bill.rows, bill.paid_fen, bill.refunded_fen, bill.other_fen)
        if there == tuple(int(one) for one in sums):
            return 0
        version = 1 if known is None else known[0].version + 1
        await self._make(connection, raw, merchant_id, business_on, version, now)
        return 1

    async def _make(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        merchant_id: str,
        business_on: date,
        version: int,
        now: datetime,
    ) -> None:
        bill = await self._write(raw, merchant_id, business_on)
        await connection.execute(
            insert(tables.bill).values(
                merchant_id=merchant_id,
                business_on=business_on,
                version=version,
                rows=bill.rows,
                paid_fen=bill.paid_fen,
                refunded_fen=bill.refunded_fen,
                other_fen=bill.other_fen,
                sha256=bill.sha256,
                content=bill.content,
                made_at=now,
            )
        )

    async def _write(self, raw: RawConnection, merchant_id: str, business_on: date) -> BillFile:
        begins, ends = day_of(business_on, self._cut_off)
        cursor = await raw.execute(
            _MOVEMENTS.encode(),
            {"merchant": merchant_id, "on": business_on, "begins": begins, "ends": ends},
        )
        names = [column.name for column in cursor.description or ()]
        return write_bill(
            [Movement(**dict(zip(names, row, strict=True))) for row in await cursor.fetchall()]
        )

    async def _find(
        self,
        connection: AsyncConnection,
        merchant_id: str,
        business_on: date,
        version: int | None,
    ) -> tuple[BillView, bytes] | None:
        bill = tables.bill.c
        query = select(tables.bill).where(
            bill.merchant_id == merchant_id, bill.business_on == business_on
        )
        if version is not None:
            query = query.where(bill.version == version)
        row = (await connection.execute(query.order_by(bill.version.desc()).limit(1))).first()
        if row is None:
            return None
        view = BillView(
            merchant_id=row.merchant_id,
            business_on=row.business_on,
            version=row.version,
            rows=row.rows,
            paid_fen=row.paid_fen,
            refunded_fen=row.refunded_fen,
            other_fen=row.other_fen,
            net_fen=row.paid_fen - row.refunded_fen + row.other_fen,
            sha256=bytes(row.sha256).hex(),
            made_at=row.made_at,
        )
        return view, bytes(row.content)


async def _lock(connection: AsyncConnection, merchant_id: str) -> None:
    """One bill of a merchant is made at a time: two at once would make two versions of one."""
    merchant = core_tables.merchant.c.merchant_id
    found = await connection.execute(
        select(merchant).where(merchant == merchant_id).with_for_update()
    )
    if found.one_or_none() is None:
        raise MerchantUnknownError(field="merchant_id")


# Payments and refunds carry their business day; a capture is of the day it was made on.
_PARTS: Final = """
    SELECT 'payment' AS kind, order_id AS entry_id, order_id, out_trade_no, '' AS out_refund_no,
           scene, terminal_id, nominal_fen AS amount_fen, recorded_at
    FROM cardcore.business_order
    WHERE merchant_id = {merchant} AND business_on = {on} AND mode = 'pay' AND nominal_fen > 0
    UNION ALL
    SELECT 'capture', c.capture_id, o.order_id, o.out_trade_no, '', o.scene, o.terminal_id,
           c.amount_fen, c.recorded_at
    FROM cardcore.capture c JOIN cardcore.business_order o ON o.order_id = c.order_id
    WHERE o.merchant_id = {merchant} AND c.recorded_at >= {begins} AND c.recorded_at < {ends}
      AND c.amount_fen > 0
    UNION ALL
    SELECT 'refund', r.refund_id, o.order_id, o.out_trade_no, r.out_refund_no, o.scene,
           o.terminal_id, r.amount_fen, r.recorded_at
    FROM cardcore.refund r JOIN cardcore.business_order o ON o.order_id = r.order_id
    WHERE r.merchant_id = {merchant} AND r.business_on = {on}
    UNION ALL
    SELECT 'arrears', o.order_id, o.order_id, o.out_trade_no, '', o.scene, o.terminal_id,
           sum(a.amount_fen)::bigint, o.recorded_at
    FROM cardcore.business_order o JOIN cardcore.arrears a ON a.order_id = o.order_id
    WHERE o.merchant_id = {merchant} AND o.business_on = {on}
    GROUP BY o.order_id
    UNION ALL
    SELECT 'arrears_paid', p.payment_id, o.order_id, o.out_trade_no, '', o.scene, o.terminal_id,
           p.amount_fen, p.recorded_at
    FROM cardcore.arrears_payment p JOIN cardcore.business_order o ON o.order_id = p.order_id
    WHERE o.merchant_id = {merchant} AND p.recorded_at >= {begins} AND p.recorded_at < {ends}
    UNION ALL
    SELECT 'arrears_waived', r.refund_id, o.order_id, o.out_trade_no, r.out_refund_no, o.scene,
           o.terminal_id, sum(l.waived_fen)::bigint, r.recorded_at
    FROM cardcore.refund r JOIN cardcore.refund_line l ON l.refund_id = r.refund_id
    JOIN cardcore.business_order o ON o.order_id = r.order_id
    WHERE r.merchant_id = {merchant} AND r.business_on = {on} AND l.waived_fen > 0
    GROUP BY r.refund_id, o.order_id
    UNION ALL
    SELECT 'dispute', e.event_id, o.order_id, o.out_trade_no, '', o.scene, o.terminal_id,
           e.taken_fen, e.recorded_at
    FROM (SELECT d.order_id, e.event_id, e.recorded_at, e.borne_by_after,
                 e.recovered_after_fen - coalesce(lag(e.recovered_after_fen) OVER (
                     PARTITION BY e.dispute_id ORDER BY e.seq), 0) AS taken_fen
            FROM cardcore.dispute d JOIN cardcore.dispute_event e ON e.dispute_id = d.dispute_id
           WHERE d.merchant_id = {merchant}) e
    JOIN cardcore.business_order o ON o.order_id = e.order_id
    WHERE e.borne_by_after = 'merchant' AND e.taken_fen > 0
      AND e.recorded_at >= {begins} AND e.recorded_at < {ends}
"""
_MOVEMENTS: Final = _PARTS.format(
    merchant="%(merchant)s", on="%(on)s", begins="%(begins)s", ends="%(ends)s"
)
_SUMS: Final = text(
    "SELECT count(*) AS rows,"  # noqa: S608  (our constants)
    " coalesce(sum(amount_fen) FILTER (WHERE kind IN ('payment', 'capture')), 0) AS paid_fen,"
    " coalesce(sum(amount_fen) FILTER (WHERE kind = 'refund'), 0) AS refunded_fen,"
    " coalesce(sum(CASE WHEN kind IN ('arrears_paid', 'arrears_waived')"
    "   THEN amount_fen ELSE -amount_fen END)"
    "   FILTER (WHERE kind NOT IN ('payment', 'capture', 'refund')), 0) AS other_fen FROM ("
    + _PARTS.format(merchant=":merchant", on=":on", begins=":begins", ends=":ends")
    + ") AS moved"
)
