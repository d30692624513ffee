"""Balances as they were: by the instant they were recorded, by the day they count for.

Two different questions. "What did we know on Friday at noon" is answered from the counters that
every transfer carries; "what belonged to Friday" from the totals per business day, which a late
or back-dated transfer still changes. The totals are rolled up in the background (``roll_up``);
what is not rolled up yet is added when they are read, so the answer is always whole.
"""

import datetime as dt
from dataclasses import dataclass

from ledger.business_day import instant_ns
from ledger.events import Balances
from ledger.queries import Queries
from ledger.store import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBalance:
    """What was posted to an account up to and including a business day, in smallest units."""

    debits_posted: int
    credits_posted: int

    @property
    def posted(self) -> int:
        """Credits less debits."""
        return self.credits_posted - self.debits_posted


async def roll_up(book: Queries) -> int:
    """Bring the day totals up to date.

    Returns:
        How many transfers were added to the totals.
    """
    added = 0
    async with book.reading() as cursor:
        await cursor.execute("SELECT shard FROM ledger.shard ORDER BY shard")
        numbers = [shard for (shard,) in await cursor.fetchall()]
    for shard in numbers:
        async with book.reading() as cursor:
            added += await _roll_up_shard(cursor, shard)
    return added


async def _roll_up_shard(cursor: Cursor, shard: int) -> int:
    await cursor.execute(
        "INSERT INTO ledger.roll_up VALUES (%s, 0) ON CONFLICT DO NOTHING", (shard,)
    )
    await cursor.execute(
        "SELECT through_timestamp FROM ledger.roll_up WHERE shard = %s FOR UPDATE", (shard,)
    )
    [after] = await cursor.fetchone() or (0,)
    # Batches of a shard commit in order: what is not visible yet comes after this.
    await cursor.execute("SELECT last_timestamp FROM ledger.shard WHERE shard = %s", (shard,))
    [through] = await cursor.fetchone() or (0,)
    await cursor.execute(
        """
        WITH moved AS (
            SELECT debit_account, credit_account, amount, effective_on FROM ledger.transfer
            WHERE shard = %s AND "timestamp" > %s AND "timestamp" <= %s AND flags & 10 = 0
        ), sides AS (
            SELECT debit_account AS account, effective_on, amount AS debit, 0 AS credit FROM moved
            UNION ALL SELECT credit_account, effective_on, 0, amount FROM moved
        ), added AS (
            INSERT INTO ledger.day_total AS total
            SELECT account, effective_on, sum(debit), sum(credit), count(*)
            FROM sides GROUP BY account, effective_on ORDER BY account, effective_on
            ON CONFLICT (account, day) DO UPDATE SET
                debits_posted = total.debits_posted + excluded.debits_posted,
                credits_posted = total.credits_posted + excluded.credits_posted,
                transfers = total.transfers + excluded.transfers
        ), mark AS (
            UPDATE ledger.roll_up SET through_timestamp = %s WHERE shard = %s
        )
        SELECT count(*) FROM moved
        """,
        (shard, after, through, through, shard),
    )
    [count] = await cursor.fetchone() or (0,)
    return int(count)


_EFFECTIVE_SQL = """
WITH account AS (SELECT number FROM ledger.account WHERE id = %(id)s::uuid),
rolled AS (
    SELECT debits_posted, credits_posted FROM ledger.day_total
    WHERE account = (SELECT number FROM account) AND day <= %(day)s
), floor AS (
    SELECT coalesce(min(coalesce(u.through_timestamp, 0)), 0) AS after
    FROM ledger.shard s LEFT JOIN ledger.roll_up u USING (shard)
), fresh AS (
    SELECT t.amount AS debits_posted, 0::bigint AS credits_posted
    FROM ledger.transfer t LEFT JOIN ledger.roll_up u USING (shard)
    WHERE t.debit_account = (SELECT number FROM account)
      AND t."timestamp" > (SELECT after FROM floor)
      AND t."timestamp" > coalesce(u.through_timestamp, 0)
      AND t.effective_on <= %(day)s AND t.flags & 10 = 0
    UNION ALL
    SELECT 0, t.amount
    FROM ledger.transfer t LEFT JOIN ledger.roll_up u USING (shard)
    WHERE t.credit_account = (SELECT number FROM account)
      AND t."timestamp" > (SELECT after FROM floor)
      AND t."timestamp" > coalesce(u.through_timestamp, 0)
      AND t.effective_on <= %(day)s AND t.flags & 10 = 0
)
SELECT coalesce(sum(debits_posted), 0)::bigint, coalesce(sum(credits_posted), 0)::bigint
FROM (SELECT * FROM rolled UNION ALL SELECT * FROM fresh) AS parts
"""


async def balance_effective_on(book: Queries, account_id: int, day: dt.date) -> DayBalance:
    """What belongs to an account up to and including a business day, by effective date."""
    async with book.reading() as cursor:
        return await effective_on(cursor, account_id, day)


async def effective_on(cursor: Cursor, account_id: int, day: dt.date) -> DayBalance:
    """As ``balance_effective_on``, in an open transaction."""
    await cursor.execute(_EFFECTIVE_SQL, {"id": f"{account_id:032x}", "day": day})
    debits, credits_ = await cursor.fetchone() or (0, 0)
    return DayBalance(debits_posted=debits, credits_posted=credits_)


_BY_CODE_SQL = """
WITH floor AS (
    SELECT coalesce(min(coalesce(u.through_timestamp, 0)), 0) AS after
    FROM ledger.shard s LEFT JOIN ledger.roll_up u USING (shard)
), fresh AS (
    SELECT t.debit_account, t.credit_account, t.amount
    FROM ledger.transfer t LEFT JOIN ledger.roll_up u USING (shard)
    WHERE t."timestamp" > (SELECT after FROM floor)
      AND t."timestamp" > coalesce(u.through_timestamp, 0)
      AND t.effective_on <= %(day)s AND t.flags & 10 = 0
), parts AS (
    SELECT account, debits_posted AS debits, credits_posted AS credits
    FROM ledger.day_total WHERE day <= %(day)s
    UNION ALL SELECT debit_account, amount, 0 FROM fresh
    UNION ALL SELECT credit_account, 0, amount FROM fresh
)
SELECT a.code, sum(p.debits)::bigint, sum(p.credits)::bigint
FROM parts p JOIN ledger.account a ON a.number = p.account
WHERE a.ledger = %(ledger)s GROUP BY a.code
"""
_COUNTERS_SQL = """
SELECT code, sum(debits_posted)::bigint, sum(credits_posted)::bigint
FROM ledger.account WHERE ledger = %(ledger)s GROUP BY code
"""


async def totals_by_code(cursor: Cursor, ledger: int, day: dt.date) -> dict[int, DayBalance]:
    """What was posted to all accounts of a code up to and including a business day.

    Accounts are those of one ledger; a code without transfers is left out.
    """
    await cursor.execute(_BY_CODE_SQL, {"ledger": ledger, "day": day})
    return {
        code: DayBalance(debits_posted=debits, credits_posted=credits_)
        for code, debits, credits_ in await cursor.fetchall()
    }


async def counters_by_code(cursor: Cursor, ledger: int) -> dict[int, DayBalance]:
    """What the counters of all accounts of a code say now; codes that moved nothing left out."""
    await cursor.execute(_COUNTERS_SQL, {"ledger": ledger})
    return {
        code: DayBalance(debits_posted=debits, credits_posted=credits_)
        for code, debits, credits_ in await cursor.fetchall()
        if debits or credits_
    }


_RECORDED_SQL = """
WITH account AS (SELECT number FROM ledger.account WHERE id = %(id)s::uuid),
last AS (
    (SELECT "timestamp", coalesce(debit_debits_pending, 0) AS debits_pending,
            debit_debits_posted AS debits_posted,
            coalesce(debit_credits_pending, 0) AS credits_pending,
            debit_credits_posted AS credits_posted
     FROM ledger.transfer
     WHERE debit_account = (SELECT number FROM account) AND "timestamp" <= %(at)s
     ORDER BY "timestamp" DESC LIMIT 1)
    UNION ALL
    (SELECT "timestamp", coalesce(credit_debits_pending, 0), credit_debits_posted,
            coalesce(credit_credits_pending, 0), credit_credits_posted
     FROM ledger.transfer
     WHERE credit_account = (SELECT number FROM account) AND "timestamp" <= %(at)s
     ORDER BY "timestamp" DESC LIMIT 1)
    ORDER BY "timestamp" DESC LIMIT 1
), expired AS (
    SELECT coalesce(sum(t.amount) FILTER (WHERE t.debit_account = account.number), 0) AS debits,
           coalesce(sum(t.amount) FILTER (WHERE t.credit_account = account.number), 0) AS credits
    FROM account, last, ledger.resolution r JOIN ledger.transfer t ON t.id = r.pending_id
    WHERE r.status = 4 AND r."timestamp" > last."timestamp" AND r."timestamp" <= %(at)s
)
SELECT (debits_pending - expired.debits)::bigint, debits_posted,
       (credits_pending - expired.credits)::bigint, credits_posted
FROM last, expired
"""


async def balances_recorded_at(book: Queries, account_id: int, instant: dt.datetime) -> Balances:
    """The counters of an account as the books stood at an aware instant."""
    async with book.reading() as cursor:
        await cursor.execute(_RECORDED_SQL, {"id": f"{account_id:032x}", "at": instant_ns(instant)})
        row = await cursor.fetchone()
    return Balances(0, 0, 0, 0) if row is None else Balances(*row)
