"""Booking statements: the fee and what the bank is to pay, as transfers, some merchants at a time.

Each handful is one transaction and a statement is booked once; whoever dies in between leaves whole
handfuls, and the next goes on with those that are left.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from cardcore.account.chart import CUSTODY, FEES, LEDGER_CNY, TransferCode
from cardcore.connections import RawConnection
from cardcore.ids import part_id
from cardcore.settlement.net import due_fen
from cardcore.settlement.states import WindowState
from cardcore.settlement.windows import lock_window
from ledger import Ledger, Transfer, TransferFlags

MERCHANTS_AT_ONCE: Final = 200
FEE_PART: Final = 1
HOLD_PART: Final = 2
RESULT_PART: Final = 3

_COMPUTED: Final = """
SELECT s.merchant_id, s.statement_id, s.fee_owed_fen, s.shares_fen, s.carried_in_fen,
       s.gross_fen - s.refunds_fen + s.arrears_fen + s.cleared_fen - s.disputes_fen
           + s.adjustments_fen AS business_fen,
       m.payable_id, p.version
  FROM cardcore.settlement_statement s
  JOIN cardcore.merchant m USING (merchant_id)
  LEFT JOIN LATERAL (
      SELECT version FROM cardcore.settlement_payee p
       WHERE p.merchant_id = s.merchant_id ORDER BY version DESC LIMIT 1) p ON true
 WHERE s.number = %s AND s.state = 'computed'
 ORDER BY s.merchant_id LIMIT %s FOR UPDATE OF s
"""
_BOOK: Final = """
UPDATE cardcore.settlement_statement
   SET state = 'booked', fee_taken_fen = %s, payout_fen = %s, carried_out_fen = %s, held_back = %s
 WHERE statement_id = %s
"""
_PAYOUT: Final = """
INSERT INTO cardcore.settlement_payout
    (payout_id, number, merchant_id, amount_fen, payee_version, state, recorded_at)
VALUES (%s, %s, %s, %s, %s, 'held', %s)
"""


async def book_some(
    raw: RawConnection,
    book: Ledger,
    number: int,
    now: datetime,
    *,
    at_once: int = MERCHANTS_AT_ONCE,
) -> int:
    """Book statements of a window that are not booked yet; returns how many, 0 when all are.

    Args:
        raw: the transaction.
        book: the ledger.
        number: the window.
        now: the instant.
        at_once: how many at most.
    """
    if await lock_window(raw, number) is not WindowState.PROCESSING:
        return 0
    found = await raw.execute(_COMPUTED, (number, at_once))
    rows = await found.fetchall()
    if not rows:
        return 0
    fees = await _take_fees(raw, book, rows)
    dues = [
        due_fen(carried_in_fen=carried_in, business_fen=business, fee_fen=fee, shares_fen=shares)
        for (_, _, _, shares, carried_in, business, *_), fee in zip(rows, fees, strict=True)
    ]
    payouts = await _hold(raw, book, rows, dues)
    async with raw.cursor() as cursor:
        await cursor.executemany(
            _BOOK,
            [
                (fee, paid, due - paid, why, row[1])
                for row, fee, due, (paid, why) in zip(rows, fees, dues, payouts, strict=True)
            ],
        )
        await cursor.executemany(
            _PAYOUT,
            [
                (row[1], number, row[0], paid, row[7], now)
                for row, (paid, _) in zip(rows, payouts, strict=True)
                if paid
            ],
        )
    return len(rows)


async def _take_fees(
    raw: RawConnection, book: Ledger, rows: Sequence[tuple[Any, ...]]
) -> list[int]:
    """Take each fee as far as the payable holds it; the rest stays owed."""
    taken = await _moved(
        raw,
        book,
        [
            Transfer(
                id=part_id(row[1], FEE_PART).int,
                debit_account_id=row[6].int,
                credit_account_id=FEES.int,
                amount=row[2],
                ledger=LEDGER_CNY,
                code=TransferCode.SETTLEMENT_FEE,
                flags=TransferFlags.balancing_debit,
                user_data_128=row[1].int,
            )
            for row in rows
        ],
    )
    return [fen or 0 for fen in taken]


async def _hold(
    raw: RawConnection,
    book: Ledger,
    rows: Sequence[tuple[Any, ...]],
    dues: Sequence[int],
) -> list[tuple[int, str | None]]:
    """Hold what the bank is to pay; for each, how much, and why nothing where it is nothing."""
    wanted = [max(due, 0) if row[7] is not None else 0 for row, due in zip(rows, dues, strict=True)]
    held = await _moved(
        raw,
        book,
        [
            Transfer(
                id=part_id(row[1], HOLD_PART).int,
                debit_account_id=row[6].int,
                credit_account_id=CUSTODY.int,
                amount=fen,
                ledger=LEDGER_CNY,
                code=TransferCode.SETTLEMENT_PAYOUT,
                flags=TransferFlags.pending | TransferFlags.balancing_debit,
                user_data_128=row[1].int,
            )
            for row, fen in zip(rows, wanted, strict=True)
        ],
    )
    return [
        (fen or 0, None if fen else _why_nothing(due, fen, has_payee=row[7] is not None))
        for row, due, fen in zip(rows, dues, held, strict=True)
    ]


def _why_nothing(due: int, held_fen: int | None, *, has_payee: bool) -> str:
    if held_fen is None:
        return "custody_short"
    # Due, but taken back by refunds since: there is nothing to pay now.
    return "no_payee" if due > 0 and not has_payee else "nothing_due"


async def _moved(raw: RawConnection, book: Ledger, transfers: list[Transfer]) -> list[int | None]:
    """Book those above zero, each for itself, as far as the payer holds it.

    Returns:
        What each has moved, in the same order; None where the bank would be overdrawn.
    """
    asked = [one for one in transfers if one.amount]
    results = await book.create_transfers(asked, connection=raw)
    refused = {*results} - {"created", "exceeds_debits"}
    assert not refused, refused
    amounts: dict[int, int | None] = {one.id: None for one in asked}
    for one in await book.lookup_transfers([*amounts], connection=raw):
        amounts[one.id] = one.amount
    return [amounts.get(one.id, 0) for one in transfers]
