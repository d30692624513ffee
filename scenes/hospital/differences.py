"""Comparing the books of one day in one statement: what stands in one and not in another.

    insurer: settlements that stand with the insurer  × those that stand here
    his:     what the hospital's system has collected × payments that are paid
    channel: what the channel's bill says has moved   × what payments, returns, deposits have moved
    order:   payments, and what went back of them     × the city's orders

What is still on its way (a payment that has not ended) is no difference yet. The kind of a
difference says whose move it is.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from cardcore.business.takings import lay_out_takings
from cardcore.connections import RawConnection
from scenes.hospital.messages import SettlementDetail

_COPY: Final = """
COPY scene_hospital.insurer_item (merchant_id, settled_on, setl_id, psn_no, mdtrt_id, msgid,
    total_fen, fund_fen, account_fen, cancelled) FROM STDIN
"""
_ORDERS: Final = """
SELECT order_id FROM scene_hospital.payment
 WHERE merchant_id = %(merchant_id)s AND business_on = %(on)s
   AND order_id IS NOT NULL
"""
# A book that has not come yet misses nothing.
_CAME: Final = """
SELECT EXISTS (SELECT 1 FROM scene_hospital.his_item
                WHERE merchant_id = %(merchant_id)s AND business_on = %(on)s)
    OR EXISTS (SELECT 1 FROM scene_hospital.his_day
                WHERE merchant_id = %(merchant_id)s AND business_on = %(on)s),
       EXISTS (SELECT 1 FROM scene_hospital.channel_bill
                WHERE merchant_id = %(merchant_id)s AND business_on = %(on)s)
"""
_COMPARE: Final = """
WITH
    theirs AS (
        SELECT * FROM scene_hospital.insurer_item
         WHERE merchant_id = %(merchant_id)s AND settled_on = %(on)s AND NOT cancelled
    ),
    ours AS (
        SELECT * FROM scene_hospital.settlement
         WHERE merchant_id = %(merchant_id)s AND settled_on = %(on)s AND cancelled_at IS NULL
    ),
    coming AS (
        SELECT payment_id, msgid, setl_id FROM scene_hospital.payment
         WHERE merchant_id = %(merchant_id)s AND (due_at IS NOT NULL OR state = 'review')
        UNION ALL
        SELECT payment_id, msgid, setl_id FROM scene_hospital.refund
         WHERE merchant_id = %(merchant_id)s AND (due_at IS NOT NULL OR state = 'review')
    ),
    paid AS (
        SELECT p.*, p.fund_fen + p.account_fen AS insurer_fen,
               p.fund_fen + p.account_fen + p.cash_fen - p.deposit_fen AS ordered_fen
          FROM scene_hospital.payment p
         WHERE p.merchant_id = %(merchant_id)s AND p.business_on = %(on)s AND p.state = 'paid'
    ),
    given AS (
        SELECT r.payment_id, sum(r.amount_fen) AS amount_fen,
               sum(r.fund_fen + r.account_fen + r.cash_fen) AS ordered_fen
          FROM scene_hospital.refund r JOIN paid p USING (payment_id)
         WHERE r.state = 'refunded' GROUP BY r.payment_id
    ),
    moved (our_no, direction, amount_fen) AS (
        SELECT 'HP' || replace(payment_id::text, '-', ''), 'in', cash_fen - deposit_fen
          FROM paid WHERE cash_fen > deposit_fen
        UNION ALL
        SELECT 'HR' || replace(refund_id::text, '-', ''), 'out', cash_fen
          FROM scene_hospital.refund
         WHERE merchant_id = %(merchant_id)s AND business_on = %(on)s
           AND state = 'refunded' AND cash_fen > 0
        UNION ALL
        SELECT CASE e.kind WHEN 'top_up' THEN t.out_trade_no
                           ELSE 'HDR' || replace(t.top_up_id::text, '-', '') END,
               CASE e.kind WHEN 'top_up' THEN 'in' ELSE 'out' END, e.amount_fen
          FROM scene_hospital.deposit_entry e JOIN scene_hospital.deposit_top_up t USING (order_id)
         WHERE t.merchant_id = %(merchant_id)s AND e.business_on = %(on)s
           AND e.kind IN ('top_up', 'returned')
    ),
    billed AS (
        SELECT c.our_no, c.direction, sum(c.amount_fen) AS amount_fen
          FROM scene_hospital.channel_item c
         WHERE c.merchant_id = %(merchant_id)s
           AND c.our_no IN (SELECT our_no FROM moved)
         GROUP BY c.our_no, c.direction
    ),
    unknown AS (
        -- Rows of the day's bill that name nothing of ours, of whatever day, that has moved.
        SELECT c.channel_no, c.amount_fen
          FROM scene_hospital.channel_item c
         WHERE c.merchant_id = %(merchant_id)s AND c.business_on = %(on)s
           AND NOT EXISTS (SELECT 1 FROM moved m
                            WHERE m.our_no = c.our_no AND m.direction = c.direction)
           AND NOT EXISTS (
               SELECT 1 FROM scene_hospital.payment p
                WHERE p.merchant_id = c.merchant_id AND c.direction = 'in'
                  AND p.payment_id = CASE WHEN c.our_no ~ '^HP[0-9a-f]{32}$'
                                          THEN substr(c.our_no, 3)::uuid END
                  AND (p.state IN ('paid', 'review') OR p.due_at IS NOT NULL))
           AND NOT EXISTS (
               SELECT 1 FROM scene_hospital.refund r
                WHERE r.merchant_id = c.merchant_id AND c.direction = 'out'
                  AND r.refund_id = CASE WHEN c.our_no ~ '^HR[0-9a-f]{32}$'
                                         THEN substr(c.our_no, 3)::uuid END
                  AND r.state <> 'refused')
           AND NOT EXISTS (
               SELECT 1 FROM scene_hospital.deposit_top_up t
                WHERE t.merchant_id = c.merchant_id AND t.state <> 'refused'
                  AND (c.direction = 'in' AND t.out_trade_no = c.our_no
                       OR c.direction = 'out'
                          AND t.top_up_id = CASE WHEN c.our_no ~ '^HDR[0-9a-f]{32}$'
                                                 THEN substr(c.our_no, 4)::uuid END))
    ),
    his AS (
        SELECT h.*, p.state, p.total_fen AS paid_fen, p.cash_fen AS paid_cash_fen
          FROM scene_hospital.his_item h LEFT JOIN scene_hospital.payment p
            ON p.payment_id = h.payment_id AND p.merchant_id = h.merchant_id
         WHERE h.merchant_id = %(merchant_id)s AND h.business_on = %(on)s
    ),
    different (kind, item, owner, expected_fen, found_fen) AS (
        SELECT 'insurer_only', t.setl_id, 'city', NULL::bigint, t.total_fen
          FROM theirs t LEFT JOIN ours o USING (setl_id)
         WHERE o.setl_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM coming c WHERE c.msgid = t.msgid OR c.setl_id = t.setl_id)
           AND NOT EXISTS (SELECT 1 FROM scene_hospital.settlement s
                            WHERE s.merchant_id = t.merchant_id AND s.setl_id = t.setl_id
                              AND s.cancelled_at IS NULL)
        UNION ALL
        SELECT 'insurer_missing', o.setl_id, 'insurer', o.total_fen, NULL
          FROM ours o LEFT JOIN theirs t USING (setl_id)
         WHERE t.setl_id IS NULL AND NOT EXISTS (
               SELECT 1 FROM coming c WHERE c.payment_id = o.payment_id)
        UNION ALL
        SELECT 'insurer_amount', o.setl_id, 'insurer', o.total_fen, t.total_fen
          FROM ours o JOIN theirs t USING (setl_id)
         WHERE (o.total_fen, o.fund_fen, o.account_fen) <> (t.total_fen, t.fund_fen, t.account_fen)
        UNION ALL
        SELECT 'his_only', h.payment_id::text, 'hospital', NULL, h.total_fen
          FROM his h WHERE h.state IS DISTINCT FROM 'paid'
        UNION ALL
        SELECT 'his_amount', h.payment_id::text, 'hospital', h.paid_fen, h.total_fen
          FROM his h WHERE h.state = 'paid'
           AND (h.total_fen, h.cash_fen) <> (h.paid_fen, h.paid_cash_fen)
        UNION ALL
        SELECT 'his_missing', p.payment_id::text, 'hospital', p.total_fen, NULL
          FROM paid p WHERE %(his_came)s AND NOT EXISTS (
               SELECT 1 FROM scene_hospital.his_item h
                WHERE h.merchant_id = p.merchant_id AND h.payment_id = p.payment_id)
           AND NOT EXISTS (SELECT 1 FROM given g
                            WHERE g.payment_id = p.payment_id AND g.amount_fen = p.total_fen)
           AND NOT EXISTS (SELECT 1 FROM coming c WHERE c.payment_id = p.payment_id)
        UNION ALL
        SELECT 'order_missing', p.payment_id::text, 'city', p.ordered_fen, NULL
          FROM paid p LEFT JOIN pg_temp.taking t USING (order_id)
         WHERE p.ordered_fen > 0 AND (t.order_id IS NULL OR t.captured_fen = 0)
        UNION ALL
        SELECT 'order_amount', p.payment_id::text, 'city',
               p.ordered_fen - coalesce(g.ordered_fen, 0), t.captured_fen - t.refunded_fen
          FROM paid p JOIN pg_temp.taking t USING (order_id) LEFT JOIN given g USING (payment_id)
         WHERE t.captured_fen <> 0
           AND t.captured_fen - t.refunded_fen <> p.ordered_fen - coalesce(g.ordered_fen, 0)
           AND NOT EXISTS (SELECT 1 FROM coming c WHERE c.payment_id = p.payment_id)
        UNION ALL
        SELECT 'order_only', p.payment_id::text, 'city', NULL, t.captured_fen - t.refunded_fen
          FROM scene_hospital.payment p JOIN pg_temp.taking t USING (order_id)
         WHERE p.merchant_id = %(merchant_id)s AND p.business_on = %(on)s
           AND p.state IN ('returned', 'refused', 'lapsed') AND t.captured_fen > t.refunded_fen
        UNION ALL
        SELECT 'channel_missing', m.our_no, 'channel', m.amount_fen, NULL
          FROM moved m LEFT JOIN billed b USING (our_no, direction)
         WHERE %(bill_came)s AND b.our_no IS NULL
        UNION ALL
        SELECT 'channel_amount', m.our_no, 'channel', m.amount_fen, b.amount_fen::bigint
          FROM moved m JOIN billed b USING (our_no, direction) WHERE b.amount_fen <> m.amount_fen
        UNION ALL
        SELECT 'channel_only', u.channel_no, 'channel', NULL, sum(u.amount_fen)::bigint
          FROM unknown u GROUP BY u.channel_no
    ),
    gone AS (
        UPDATE scene_hospital.difference d SET closed_at = %(now)s, resolution = 'gone'
         WHERE d.merchant_id = %(merchant_id)s AND d.business_on = %(on)s AND d.closed_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM different x WHERE x.kind = d.kind AND x.item = d.item)
        RETURNING 1
    ),
    fresh AS (
        INSERT INTO scene_hospital.difference
            (merchant_id, business_on, kind, item, owner, expected_fen, found_fen, found_at)
        SELECT %(merchant_id)s, %(on)s, kind, item, owner, expected_fen, found_fen, %(now)s
          FROM different
        ON CONFLICT (merchant_id, business_on, kind, item) WHERE closed_at IS NULL DO NOTHING
        RETURNING 1
    )
SELECT (SELECT count(*) FROM paid), (SELECT count(*) FROM theirs), (SELECT count(*) FROM his),
       (SELECT count(*) FROM different), (SELECT count(*) FROM fresh), (SELECT count(*) FROM gone)
"""


async def take_insurer_items(
    connection: RawConnection, merchant_id: str, on: date, rows: Sequence[SettlementDetail]
) -> None:
    """The insurer's file of a day replaces what was known of it."""
    await connection.execute(
        "DELETE FROM scene_hospital.insurer_item WHERE merchant_id = %s AND settled_on = %s",
        (merchant_id, on),
    )
    async with connection.cursor().copy(_COPY) as copy:
        for row in rows:
            await copy.write_row(
                (
                    merchant_id,
                    on,
                    row.setl_id,
                    row.psn_no,
                    row.mdtrt_id,
                    row.msgid,
                    row.medfee_sumamt,
                    row.fund_pay_sumamt,
                    row.acct_pay,
                    row.refd_setl_flag == "1",
                )
            )
    await connection.execute("ANALYZE scene_hospital.insurer_item")


async def compare_books(
    connection: RawConnection, merchant_id: str, on: date, now: datetime
) -> tuple[int, int, int, int, int, int]:
    """Compare, write new differences down, close those that are gone.

    Returns:
        How many payments, insurer's settlements and items of the hospital's system there are; how
        many differences stand, how many of them are new, how many are gone.
    """
    asked: dict[str, Any] = {"merchant_id": merchant_id, "on": on, "now": now}
    orders = await connection.execute(_ORDERS, asked)
    await lay_out_takings(connection, merchant_id, [row[0] for row in await orders.fetchall()])
    came = await connection.execute(_CAME, asked)
    his_came, bill_came = await came.fetchone() or (False, False)
    asked |= {"his_came": his_came, "bill_came": bill_came}
    found = await connection.execute(_COMPARE, asked)
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3], row[4], row[5]
