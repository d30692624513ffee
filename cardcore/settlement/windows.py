"""Windows: cut out of the ledger, summed per merchant. What a window says never changes.

A window is closed by a cut of the ledger (``ledger.cuts``): its own order decides which side a
posting lies on, so one that commits late is in the next window however early its ride was. The
sums are made in one statement each over all merchants.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from cardcore.account.chart import TransferCode, account_id
from cardcore.bulk import BulkTable, copy_rows
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes, new_id
from cardcore.settlement.errors import WindowStateError, WindowUnknownError
from cardcore.settlement.fees import Turnover, fees_of
from cardcore.settlement.net import Figures
from cardcore.settlement.shares import Window, book_shares
from cardcore.settlement.states import WindowState
from cardcore.settlement.tariffs import read_tariff
from ledger import Ledger
from ledger.cuts import lay_out_postings, read_cut

_SETTLING: Final = (
    TransferCode.SETTLEMENT_SHARE,
    TransferCode.SETTLEMENT_FEE,
    TransferCode.SETTLEMENT_PAYOUT,
)
_PARTY: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS party (
    account uuid PRIMARY KEY, merchant_id text NOT NULL, owed boolean NOT NULL
) ON COMMIT DELETE ROWS
"""
# Everything of a merchant's payable is in exactly one of the sums.
_SUMS: Final = """
SELECT y.merchant_id,
       count(*) FILTER (WHERE NOT y.owed) AS postings,
       sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = %(payment)s) AS gross,
       -sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = %(refund)s) AS refunds,
       sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = %(arrears)s) AS arrears,
       sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = %(receipt)s) AS cleared,
       -sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = %(dispute)s) AS disputes,
       sum(p.amount) FILTER (WHERE NOT y.owed AND p.code = ANY (%(settling)s)) AS settlement,
       sum(p.amount) FILTER (WHERE NOT y.owed) AS posted,
       sum(p.amount) FILTER (WHERE y.owed AND p.code <> %(cleared)s) AS subsidies
  FROM pg_temp.posting p JOIN pg_temp.party y USING (account)
 GROUP BY y.merchant_id
"""
_TURNOVERS: Final = """
SELECT y.merchant_id, o.scene,
       coalesce(sum(p.amount) FILTER (WHERE p.code <> %(refund)s), 0)::bigint AS taken,
       coalesce(-sum(p.amount) FILTER (WHERE p.code = %(refund)s), 0)::bigint AS returned
  FROM pg_temp.posting p JOIN pg_temp.party y USING (account)
  JOIN cardcore.business_order o ON o.order_id = p.about
 WHERE NOT y.owed AND p.code = ANY (%(turned)s)
 GROUP BY y.merchant_id, o.scene ORDER BY y.merchant_id, o.scene
"""
_ACCRUALS: Final = """
SELECT y.merchant_id, p.other, sum(p.amount)::bigint
  FROM pg_temp.posting p JOIN pg_temp.party y USING (account)
 WHERE y.owed AND p.code <> %(cleared)s
 GROUP BY y.merchant_id, p.other HAVING sum(p.amount) <> 0
"""
# What the bank has refused since: claimed first, so that no refusal falls between two questions.
_CLAIM_REFUSED: Final = """
WITH claimed AS (
    UPDATE cardcore.settlement_payout SET carried_into = %s
     WHERE state = 'refused' AND carried_into IS NULL
    RETURNING merchant_id, amount_fen)
SELECT merchant_id, sum(amount_fen)::bigint FROM claimed GROUP BY merchant_id
"""
# Out of each merchant's last statement: money, and fees that could not be taken.
_CARRIED: Final = """
SELECT DISTINCT ON (merchant_id) merchant_id, carried_out_fen, fee_owed_fen - fee_taken_fen
  FROM cardcore.settlement_statement ORDER BY merchant_id, number DESC
"""
_STATEMENTS: Final = BulkTable.of(
    "cardcore.settlement_statement",
    "number:bigint merchant_id:text statement_id:uuid state:text postings:bigint gross_fen:bigint"
    " refunds_fen:bigint arrears_fen:bigint cleared_fen:bigint disputes_fen:bigint"
    " adjustments_fen:bigint settlement_fen:bigint subsidies_fen:bigint carried_in_fen:bigint"
    " tariff_version:bigint fee_fen:bigint fee_owed_fen:bigint shares_fen:bigint",
)
_TURNOVER_ROWS: Final = BulkTable.of(
    "cardcore.settlement_turnover",
    "number:bigint merchant_id:text scene:text taken_fen:bigint returned_fen:bigint fee_fen:bigint",
)
_ACCRUAL_ROWS: Final = BulkTable.of(
    "cardcore.settlement_accrual", "number:bigint merchant_id:text payer_id:uuid amount_fen:bigint"
)
_CUTS: Final = BulkTable.of(
    "cardcore.settlement_cut", "number:bigint shard:smallint after:bigint through:bigint"
)
_PARTIES: Final = BulkTable.of("pg_temp.party", "account:uuid merchant_id:text owed:boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """What a window settles: its own postings and those of aborted ones before it."""

    number: int
    numbers: list[int]
    spans: list[tuple[dict[int, int], dict[int, int]]]


class Windows:
    """Closes windows and computes what merchants get of them."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def close(self, raw: RawConnection, *, on: date, by: str, now: datetime) -> int:
        """Close the open window here and now, and open the next.

        Args:
            raw: the transaction.
            on: the business date it is named by.
            by: who closes it.
            now: the instant, for people; the ledger's order alone decides what lies in it.

        Returns:
            Its number.
        """
        number = await lock_open(raw)
        async with raw.cursor() as cursor:
            await cursor.execute(
                "SELECT shard, max(through) FROM cardcore.settlement_cut GROUP BY shard"
            )
            before = dict(await cursor.fetchall())
            through = await read_cut(cursor)
        await copy_rows(
            raw,
            _CUTS,
            [(number, shard, before.get(shard, 0), end) for shard, end in through.items()],
        )
        await raw.execute(
            "UPDATE cardcore.settlement_window SET state = 'closed', closed_at = %s,"
            " closed_by = %s, business_on = %s WHERE number = %s",
            (now, by, on, number),
        )
        await raw.execute(
            "INSERT INTO cardcore.settlement_window (number, state, opened_at)"
            " VALUES (%s, 'open', %s)",
            (number + 1, now),
        )
        return number

    async def compute(self, raw: RawConnection, number: int, now: datetime) -> int:
        """Write the statements of a closed window; a window that has them is left alone.

        Returns:
            How many merchants have one.
        """
        if await lock_window(raw, number) is not WindowState.CLOSED:
            return 0
        asked = await _range(raw, number)
        await lay_out_parties(raw, asked.spans)
        figures, counts = await _figures(raw)
        turnovers = await _turnovers(raw)
        accruals = await _fetch(raw, _ACCRUALS)
        version, rates = await read_tariff(raw)
        fees = fees_of(turnovers, rates)
        fee_of: dict[str, int] = defaultdict(int)
        for one, fee_fen in zip(turnovers, fees, strict=True):
            fee_of[one.merchant_id] += fee_fen
        carried = await _carried(raw, number)
        shares = await book_shares(
            raw,
            self._book,
            Window(number=number, now=now, random_bytes=self._random_bytes),
        )
        moved = {merchant for merchant, (fen, owed) in carried.items() if fen or owed}
        rows = []
        for merchant in sorted({*figures, *shares, *moved}):
            carried_in_fen, fee_before_fen = carried.get(merchant, (0, 0))
            rows.append(
                (
                    number,
                    merchant,
                    new_id(now, self._random_bytes),
                    "computed",
                    counts.get(merchant, 0),
                    *astuple(figures.get(merchant, Figures())),
                    carried_in_fen,
                    version,
                    fee_of[merchant],
                    fee_of[merchant] + fee_before_fen,
                    shares.get(merchant, 0),
                )
            )
        await copy_rows(raw, _STATEMENTS, rows)
        await copy_rows(
            raw,
            _TURNOVER_ROWS,
            [
                (number, one.merchant_id, one.scene, one.taken_fen, one.returned_fen, fee_fen)
                for one, fee_fen in zip(turnovers, fees, strict=True)
            ],
        )
        await copy_rows(raw, _ACCRUAL_ROWS, [(number, *row) for row in accruals])
        await raw.execute(
            "UPDATE cardcore.settlement_window SET state = 'processing' WHERE number = %s",
            (number,),
        )
        await raw.execute(
            "UPDATE cardcore.settlement_window SET settled_in = %s"
            " WHERE number = ANY (%s) AND number <> %s",
            (number, asked.numbers, number),
        )
        return len(rows)


async def abort_window(raw: RawConnection, number: int, now: datetime) -> None:
    """Give up a closed window of which nothing was booked; the next one settles its postings.

    Raises:
        WindowUnknownError: no such window.
        WindowStateError: it is not closed, or booking has begun.
    """
    state = await lock_window(raw, number)
    if state is not WindowState.CLOSED:
        raise WindowStateError(state=state.value, number=number)
    await raw.execute(
        "UPDATE cardcore.settlement_window SET state = 'aborted', ended_at = %s WHERE number = %s",
        (now, number),
    )


async def lock_open(raw: RawConnection) -> int:
    """Number of the window that is open, locked, so that two do not close it at once."""
    while True:
        found = await raw.execute(
            "SELECT number FROM cardcore.settlement_window WHERE state = 'open' FOR UPDATE"
        )
        row = await found.fetchone()
        if row is not None:
            return int(row[0])
        # Another closed it while we waited; the one it opened is visible to a new statement.


async def lock_window(raw: RawConnection, number: int) -> WindowState:
    """A window's state, locked. Raises ``WindowUnknownError``."""
    found = await raw.execute(
        "SELECT state FROM cardcore.settlement_window WHERE number = %s FOR UPDATE", (number,)
    )
    row = await found.fetchone()
    if row is None:
        raise WindowUnknownError(field="number")
    return WindowState(row[0])


async def spans_of(
    raw: RawConnection, numbers: Sequence[int]
) -> list[tuple[dict[int, int], dict[int, int]]]:
    """The ranges of windows: from one cut, to the next."""
    spans = []
    for number in numbers:
        found = await raw.execute(
            "SELECT shard, after, through FROM cardcore.settlement_cut WHERE number = %s", (number,)
        )
        rows = await found.fetchall()
        spans.append(
            (
                {shard: after for shard, after, _ in rows},
                {shard: through for shard, _, through in rows},
            )
        )
    return spans


async def settled_by(raw: RawConnection, number: int) -> list[int]:
    """The windows whose postings a window settles: aborted ones, then itself."""
    found = await raw.execute(
        "SELECT number FROM cardcore.settlement_window WHERE settled_in = %s ORDER BY number",
        (number,),
    )
    return [one for (one,) in await found.fetchall()] + [number]


async def lay_out_parties(
    raw: RawConnection,
    spans: Sequence[tuple[Mapping[int, int], Mapping[int, int]]],
    merchant_id: str | None = None,
) -> None:
    """Fill ``pg_temp.posting`` and ``pg_temp.party`` with what merchants were posted in ranges.

    ``party`` says whose account it is, and whether it is only ``owed`` until a payer pays.
    Consecutive ranges are laid out as one.
    """
    await raw.execute(_PARTY)
    await raw.execute("TRUNCATE pg_temp.party")
    found = await raw.execute(
        "SELECT merchant_id, payable_id, subsidy_payable_id FROM cardcore.merchant"
        " WHERE %(one)s::text IS NULL OR merchant_id = %(one)s",
        {"one": merchant_id},
    )
    parties: list[tuple[UUID, str, bool]] = []
    for merchant, payable, subsidy in await found.fetchall():
        parties.append((payable, merchant, False))
        parties.append((subsidy, merchant, True))
        parties.append((account_id(f"issuer_payable:{merchant}"), merchant, True))
    await copy_rows(raw, _PARTIES, parties)
    after, through = spans[0][0], spans[-1][1]
    async with raw.cursor() as cursor:
        await lay_out_postings(
            cursor, [account.int for account, _, _ in parties], after=after, through=through
        )


async def _range(raw: RawConnection, number: int) -> _Range:
    found = await raw.execute(
        "SELECT number FROM cardcore.settlement_window"
        " WHERE state = 'aborted' AND settled_in IS NULL AND number < %s ORDER BY number",
        (number,),
    )
    numbers = [one for (one,) in await found.fetchall()] + [number]
    # Windows are settled in order: what was aborted and is not settled lies right before this one.
    assert numbers == list(range(numbers[0], number + 1)), numbers
    return _Range(number=number, numbers=numbers, spans=await spans_of(raw, numbers))


_CODES: Final[dict[str, Any]] = {
    "payment": int(TransferCode.PAYMENT),
    "refund": int(TransferCode.REFUND),
    "arrears": int(TransferCode.ARREARS_PAID),
    "receipt": int(TransferCode.RECEIVABLE_PAID),
    "cleared": int(TransferCode.RECEIVABLE_CLEARED),
    "dispute": int(TransferCode.DISPUTE_RECOVERY),
    "settling": [int(code) for code in _SETTLING],
    "turned": [
        int(code) for code in (TransferCode.PAYMENT, TransferCode.REFUND, TransferCode.ARREARS_PAID)
    ],
}


async def _fetch(raw: RawConnection, query: str) -> list[tuple[Any, ...]]:
    found = await raw.execute(query.encode(), _CODES)
    return await found.fetchall()


async def _carried(raw: RawConnection, number: int) -> dict[str, tuple[int, int]]:
    """What each merchant carries into a window: money, and fees owed."""
    found = await raw.execute(_CLAIM_REFUSED, (number,))
    refused = dict(await found.fetchall())
    carried = {merchant: (fen, owed) for merchant, fen, owed in await _fetch(raw, _CARRIED)}
    # Who was paid has a statement: every refusal finds its merchant.
    return {
        merchant: (fen + refused.get(merchant, 0), owed)
        for merchant, (fen, owed) in carried.items()
    }


async def _figures(raw: RawConnection) -> tuple[dict[str, Figures], dict[str, int]]:
    figures, counts = {}, {}
    for merchant, postings, *sums in await _fetch(raw, _SUMS):
        gross, refunds, arrears, cleared, disputes, settlement, posted, subsidies = (
            int(one or 0) for one in sums
        )
        known = gross - refunds + arrears + cleared - disputes + settlement
        figures[merchant] = Figures(
            gross_fen=gross,
            refunds_fen=refunds,
            arrears_fen=arrears,
            cleared_fen=cleared,
            disputes_fen=disputes,
            adjustments_fen=posted - known,
            settlement_fen=settlement,
            subsidies_fen=subsidies,
        )
        assert figures[merchant].posted_fen == posted
        counts[merchant] = postings
    return figures, counts


async def _turnovers(raw: RawConnection) -> list[Turnover]:
    return [
        Turnover(merchant_id=merchant, scene=scene, taken_fen=taken, returned_fen=returned)
        for merchant, scene, taken, returned in await _fetch(raw, _TURNOVERS)
    ]
