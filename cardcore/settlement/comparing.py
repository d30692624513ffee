"""Comparing books in one statement each: what stands in one and not in the other.

    orders × ledger      what orders say was taken and given back × all that was posted about them
    ledger × bill        our movements with the custodian bank or a channel × its bill of a date

Kinds: ``amount``; ``ours_only`` 短款, we booked what they have not; ``theirs_only`` 长款, they have
what we did not book; ``state``, one says paid and the other not; ``duplicate``, the same movement
twice in their bill; ``cross_day``, the same movement on another date there, which is written down
and closed at once: nothing is missing. In orders × ledger "ours" is the ledger, "theirs" the order.
What agrees again is closed as ``gone``; what two operators have explained is not opened again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from cardcore.account.chart import TransferCode
from cardcore.bulk import BulkTable, copy_rows
from cardcore.calendar import day_begins
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes, new_id, new_ids
from cardcore.settlement.windows import lay_out_parties, settled_by, spans_of
from ledger.cuts import begin_abouts, sum_abouts

ORDERS: Final = "orders"
CUSTODIAN: Final = "custodian"
# A movement may stand in the bill of a neighbouring date, over a weekend at most.
DAYS_APART: Final = timedelta(days=3)
CENTRE: Final = "card_centre"

_OURS_OF_BANK: Final = """
INSERT INTO pg_temp.ours (our_no, channel_no, direction, amount_fen, paid, at)
SELECT payout_id::text, bank_no, 'out', amount_fen, state = 'paid', coalesce(resolved_at, told_at)
  FROM cardcore.settlement_payout
 WHERE told_at IS NOT NULL AND coalesce(resolved_at, told_at) >= %(from)s
   AND coalesce(resolved_at, told_at) < %(to)s
UNION ALL
SELECT NULL, bank_no, 'in', amount_fen, true, recorded_at FROM cardcore.settlement_receipt
 WHERE recorded_at >= %(from)s AND recorded_at < %(to)s
"""
_OURS_OF_CHANNEL: Final = """
INSERT INTO pg_temp.ours (our_no, channel_no, direction, amount_fen, paid, at)
SELECT intent_id::text, channel_no, 'in', amount_fen, status = 'paid',
       coalesce(resolved_at, recorded_at)
  FROM cardcore.topup_intent
 WHERE channel = %(source)s AND coalesce(resolved_at, recorded_at) >= %(from)s
   AND coalesce(resolved_at, recorded_at) < %(to)s
UNION ALL
SELECT NULL, channel_no, 'in', amount_fen, true, recorded_at FROM cardcore.topup t
 WHERE channel = %(source)s AND recorded_at >= %(from)s AND recorded_at < %(to)s
   AND NOT EXISTS (SELECT FROM cardcore.topup_intent i WHERE i.intent_id = t.topup_id)
UNION ALL
SELECT NULL, channel_no, 'in', amount_fen, true, recorded_at FROM cardcore.subsidy_movement
 WHERE channel = %(source)s AND recorded_at >= %(from)s AND recorded_at < %(to)s
UNION ALL
SELECT withdrawal_id::text, channel_no, 'out', amount_fen, status = 'paid',
       coalesce(resolved_at, recorded_at)
  FROM cardcore.withdrawal
 WHERE channel = %(source)s AND coalesce(resolved_at, recorded_at) >= %(from)s
   AND coalesce(resolved_at, recorded_at) < %(to)s
"""
_MAKE_OURS: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS ours (
    ours_no bigint GENERATED ALWAYS AS IDENTITY, our_no text, channel_no text,
    direction text NOT NULL, amount_fen bigint NOT NULL, paid boolean NOT NULL,
    at timestamptz NOT NULL
) ON COMMIT DELETE ROWS
"""
_MAKE_DIFFERENT: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS different (
    kind text NOT NULL, item text NOT NULL, ours_fen bigint, theirs_fen bigint
) ON COMMIT DELETE ROWS
"""
# Signed: what came in is above zero, so that a movement in the wrong direction differs.
_COMPARE_BILL: Final = """
WITH newest AS (
    SELECT DISTINCT ON (business_on) bill_id, business_on FROM cardcore.settlement_bill
     WHERE source = %(source)s AND business_on BETWEEN %(on)s - 3 AND %(on)s + 3
     ORDER BY business_on, version DESC),
near AS (
    SELECT r.our_no, r.channel_no FROM cardcore.settlement_bill_row r JOIN newest USING (bill_id)),
theirs AS (
    SELECT r.row_no, r.channel_no, nullif(r.our_no, '') AS our_no, r.state = 'paid' AS paid,
           CASE r.direction WHEN 'in' THEN r.amount_fen ELSE -r.amount_fen END AS fen,
           coalesce(a.ours_no, c.ours_no) AS ours_no
      FROM cardcore.settlement_bill_row r
      JOIN newest n ON n.bill_id = r.bill_id AND n.business_on = %(on)s
      LEFT JOIN pg_temp.ours a ON a.our_no = r.our_no
      LEFT JOIN pg_temp.ours c ON a.ours_no IS NULL AND c.channel_no = r.channel_no),
numbered AS (
    SELECT *, row_number() OVER (
               PARTITION BY coalesce(ours_no::text, 'their ' || channel_no) ORDER BY row_no) AS nth
      FROM theirs),
paired AS (
    SELECT t.*, coalesce(t.our_no, t.channel_no) AS item, o.paid AS ours_paid,
           CASE o.direction WHEN 'in' THEN o.amount_fen ELSE -o.amount_fen END AS ours_fen,
           o.at >= %(begins)s AND o.at < %(ends)s AS same_day
      FROM numbered t LEFT JOIN pg_temp.ours o USING (ours_no)),
found AS (
    SELECT 'duplicate' AS kind, channel_no || '/' || row_no AS item, NULL::bigint AS ours, fen
      FROM paired WHERE nth > 1 AND paid
    UNION ALL
    SELECT 'theirs_only', item, NULL, fen FROM paired
     WHERE nth = 1 AND ours_no IS NULL AND paid
    UNION ALL
    SELECT 'state', item, CASE WHEN ours_paid THEN ours_fen ELSE 0 END,
           CASE WHEN paid THEN fen ELSE 0 END
      FROM paired WHERE nth = 1 AND paid <> ours_paid
    UNION ALL
    SELECT 'amount', item, ours_fen, fen FROM paired
     WHERE nth = 1 AND paid AND ours_paid AND fen <> ours_fen
    UNION ALL
    SELECT 'cross_day', item, ours_fen, fen FROM paired
     WHERE nth = 1 AND paid AND ours_paid AND fen = ours_fen AND NOT same_day
    UNION ALL
    SELECT 'ours_only', coalesce(o.our_no, o.channel_no),
           CASE o.direction WHEN 'in' THEN o.amount_fen ELSE -o.amount_fen END, NULL
      FROM pg_temp.ours o
     WHERE o.paid AND o.at >= %(begins)s AND o.at < %(ends)s
       AND NOT EXISTS (SELECT FROM near n WHERE n.our_no = o.our_no)
       AND NOT EXISTS (SELECT FROM near n WHERE n.channel_no = o.channel_no)),
written AS (INSERT INTO pg_temp.different SELECT * FROM found)
SELECT count(*) FILTER (WHERE nth = 1 AND paid AND ours_paid AND fen = ours_fen AND same_day)
  FROM paired
"""
# Orders of the window's postings, and orders dated as it is.
_ASK_ORDERS: Final = """
INSERT INTO pg_temp.about
SELECT about FROM pg_temp.posting WHERE code = ANY (%(orders)s) AND about IS NOT NULL
UNION
SELECT o.order_id FROM cardcore.merchant m JOIN cardcore.business_order o USING (merchant_id)
 WHERE o.business_on = %(on)s AND o.captured_fen > 0
"""
_COMPARE_ORDERS: Final = """
WITH posted AS (
    SELECT id, coalesce(sum(amount) FILTER (WHERE code = ANY (%(takes)s)), 0)::bigint AS taken,
           coalesce(sum(amount) FILTER (WHERE code = ANY (%(gives)s)), 0)::bigint AS given
      FROM pg_temp.about_sum GROUP BY id),
pairs AS (
    SELECT a.id, o.order_id IS NOT NULL AS known, o.status, o.business_on, o.captured_fen,
           o.refunded_fen, coalesce(p.taken, 0) AS taken, coalesce(p.given, 0) AS given,
           f.ride_id IS NOT NULL AS is_foreign
      FROM pg_temp.about a LEFT JOIN cardcore.business_order o ON o.order_id = a.id
      LEFT JOIN posted p USING (id) LEFT JOIN cardcore.foreign_ride f ON f.ride_id = a.id),
found AS (
    SELECT CASE WHEN NOT known THEN 'ours_only'
                WHEN taken = 0 AND captured_fen > 0 THEN 'theirs_only'
                WHEN status IN ('voided', 'expired', 'held') THEN 'state'
                ELSE 'amount' END AS kind,
           id::text AS item, CASE WHEN taken > 0 OR given > 0 THEN taken - given END AS ours,
           captured_fen - refunded_fen AS theirs
      FROM pairs
     WHERE NOT is_foreign AND (NOT known OR taken <> captured_fen OR given <> refunded_fen)),
written AS (INSERT INTO pg_temp.different SELECT * FROM found)
SELECT count(*) FILTER (WHERE known AND taken = captured_fen AND given = refunded_fen),
       count(*) FILTER (WHERE known AND taken = captured_fen AND given = refunded_fen
                              AND business_on <> %(on)s)
  FROM pairs
"""
_GONE: Final = """
UPDATE cardcore.settlement_difference d SET closed_at = %(now)s, resolution = 'gone'
 WHERE d.source = %(source)s AND d.business_on = %(on)s AND d.closed_at IS NULL
   AND NOT EXISTS (SELECT FROM pg_temp.different x WHERE (x.kind, x.item) = (d.kind, d.item)
                      AND x.ours_fen IS NOT DISTINCT FROM d.ours_fen
                      AND x.theirs_fen IS NOT DISTINCT FROM d.theirs_fen)
"""
_FRESH: Final = """
SELECT x.kind, x.item, x.ours_fen, x.theirs_fen FROM pg_temp.different x
 WHERE NOT EXISTS (
    SELECT FROM cardcore.settlement_difference d
     WHERE d.source = %(source)s AND d.business_on = %(on)s AND (d.kind, d.item) = (x.kind, x.item)
       AND x.ours_fen IS NOT DISTINCT FROM d.ours_fen
       AND x.theirs_fen IS NOT DISTINCT FROM d.theirs_fen
       AND d.resolution IS DISTINCT FROM 'gone')
 ORDER BY x.kind, x.item
"""
_ROWS: Final = BulkTable.of(
    "cardcore.settlement_difference",
    "difference_id:uuid source:text business_on:date kind:text item:text ours_fen:bigint"
    " theirs_fen:bigint owner:text found_at:timestamptz resolution:text closed_at:timestamptz",
)
_THEIR_MOVE: Final = frozenset({"amount", "ours_only", "duplicate"})
_TAKES: Final = [int(TransferCode.PAYMENT), int(TransferCode.SUBSIDY)]
_GIVES: Final = [int(TransferCode.REFUND), int(TransferCode.SUBSIDY_REFUND)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison found: pairs that agree, of them on another date, and what stands open."""

    matched: int
    other_day: int
    differences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """One comparison: of which date, when it is made, and by which cut-off dates begin."""

    on: date
    now: datetime
    cut_off: time
    random_bytes: RandomBytes


async def compare_bill(raw: RawConnection, source: str, how: Comparing) -> Compared:
    """Compare our movements with the newest bill of a source and date."""
    begins, ends = _day(how)
    asked = {
        "source": source,
        "on": how.on,
        "begins": begins,
        "ends": ends,
        "from": begins - DAYS_APART,
        "to": ends + DAYS_APART,
    }
    # One comparison of a source and date at a time: two at once would write the same twice.
    await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (_lock_name(source, how),))
    await raw.execute(_MAKE_OURS)
    await raw.execute("TRUNCATE pg_temp.ours")
    await _begin(raw)
    await raw.execute(_OURS_OF_BANK if source == CUSTODIAN else _OURS_OF_CHANNEL, asked)
    await raw.execute("ANALYZE pg_temp.ours")
    found = await raw.execute(_COMPARE_BILL, asked)
    row = await found.fetchone()
    assert row is not None
    return await _write(raw, source, how, matched=row[0], other_day=None)


async def compare_orders(raw: RawConnection, number: int, how: Comparing) -> Compared | None:
    """Compare the orders a window settles with all that was posted about them.

    ``raw`` must be a transaction of one snapshot (REPEATABLE READ) that has asked nothing yet:
    orders go on being given back meanwhile. None where another comparison is under way.
    """
    found = await raw.execute(
        "SELECT pg_try_advisory_xact_lock(hashtext(%s))", (_lock_name(ORDERS, how),)
    )
    if await found.fetchone() != (True,):
        return None
    await lay_out_parties(raw, await spans_of(raw, await settled_by(raw, number)))
    await _begin(raw)
    asked = {"on": how.on, "orders": _TAKES + _GIVES, "takes": _TAKES, "gives": _GIVES}
    async with raw.cursor() as cursor:
        await begin_abouts(cursor)
        await cursor.execute(_ASK_ORDERS, asked)
        await sum_abouts(cursor)
    found = await raw.execute(_COMPARE_ORDERS, asked)
    row = await found.fetchone()
    assert row is not None
    return await _write(raw, ORDERS, how, matched=row[0], other_day=row[1])


def _lock_name(source: str, how: Comparing) -> str:
    return f"differences/{source}/{how.on}"


def _day(how: Comparing) -> tuple[datetime, datetime]:
    return day_begins(how.on, how.cut_off), day_begins(how.on + timedelta(days=1), how.cut_off)


async def _begin(raw: RawConnection) -> None:
    await raw.execute(_MAKE_DIFFERENT)
    await raw.execute("TRUNCATE pg_temp.different")


async def _write(
    raw: RawConnection, source: str, how: Comparing, *, matched: int, other_day: int | None
) -> Compared:
    """Close what is gone, write down what is new, and that it was compared."""
    asked: Mapping[str, Any] = {"source": source, "on": how.on, "now": how.now}
    await raw.execute(_GONE, asked)
    fresh = await (await raw.execute(_FRESH, asked)).fetchall()
    ids = new_ids(how.now, how.random_bytes, len(fresh))
    await copy_rows(
        raw,
        _ROWS,
        [
            (id_, source, how.on, kind, item, ours, theirs, _owner(source, kind), how.now)
            + (("other_day", how.now) if kind == "cross_day" else (None, None))
            for id_, (kind, item, ours, theirs) in zip(ids, fresh, strict=True)
        ],
    )
    found = await raw.execute(
        "SELECT (SELECT count(*) FROM pg_temp.different WHERE kind = 'cross_day'),"
        " count(*) FROM cardcore.settlement_difference"
        " WHERE source = %(source)s AND business_on = %(on)s AND closed_at IS NULL",
        asked,
    )
    crossed, standing = await found.fetchone() or (0, 0)
    compared = Compared(
        matched=matched,
        other_day=crossed if other_day is None else other_day,
        differences=standing,
    )
    await raw.execute(
        "INSERT INTO cardcore.settlement_comparison VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            new_id(how.now, how.random_bytes),
            source,
            how.on,
            how.now,
            compared.matched,
            compared.other_day,
            compared.differences,
        ),
    )
    return compared


def _owner(source: str, kind: str) -> str:
    """Whose move it is until somebody takes it up."""
    return source if source != ORDERS and kind in _THEIR_MOVE else CENTRE
