"""Receipts: what a payer of subsidies, or an issuer of another city, owed has come to the bank.

It goes to the merchants it is owed to, in proportion to what each waits for, and becomes part of
what the next window settles:

    custody → merchant's payable, and merchant's subsidy payable → payer's receivable

so that custody covers the payable from the moment it exists.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from cardcore.account.chart import (
    CUSTODY,
    LEDGER_CNY,
    TransferCode,
    account_id,
    subsidy_receivable,
)
from cardcore.bulk import BulkTable, copy_rows
from cardcore.connections import RawConnection
from cardcore.errors import OrderConflictError
from cardcore.ids import part_id
from cardcore.settlement.errors import ReceiptExceedsError
from cardcore.settlement.fees import apportion
from cardcore.settlement.request import ReceiptRequest
from ledger import Ledger, Transfer, TransferFlags

MERCHANTS_MAX: Final = 30_000  # two transfers each, and ids of parts have 16 bits
_ISSUER: Final = "issuer:"
_OUTSTANDING: Final = """
WITH owed AS (
    SELECT merchant_id, sum(amount_fen)::bigint AS fen FROM cardcore.settlement_accrual
     WHERE payer_id = %(payer)s GROUP BY merchant_id),
came AS (
    SELECT l.merchant_id, sum(l.amount_fen)::bigint AS fen
      FROM cardcore.settlement_receipt_line l JOIN cardcore.settlement_receipt r USING (receipt_id)
     WHERE r.payer_id = %(payer)s GROUP BY l.merchant_id)
SELECT merchant_id, o.fen - coalesce(c.fen, 0), m.payable_id, m.subsidy_payable_id
  FROM owed o LEFT JOIN came c USING (merchant_id) JOIN cardcore.merchant m USING (merchant_id)
 WHERE o.fen > coalesce(c.fen, 0) ORDER BY merchant_id LIMIT %(limit)s
"""
_LINES: Final = BulkTable.of(
    "cardcore.settlement_receipt_line", "receipt_id:uuid merchant_id:text amount_fen:bigint"
)


def receivable_of(payer: str) -> UUID:
    """The account of what a payer owes: a payer of subsidies, or ``issuer:<hex>``."""
    if payer.startswith(_ISSUER):
        return account_id(f"issuer_receivable:{payer.removeprefix(_ISSUER)}")
    return subsidy_receivable(payer)


async def book_receipt(
    raw: RawConnection,
    book: Ledger,
    receipt_id: UUID,
    request: ReceiptRequest,
    *,
    client_id: str,
    now: datetime,
    on: date,
) -> dict[str, int]:
    """Book a receipt; returns what each merchant gets of it, in fen.

    Raises:
        OrderConflictError: the bank's number was booked before.
        ReceiptExceedsError: the payer owes less, as far as windows are computed.
    """
    payer_id = receivable_of(request.payer)
    # One receipt of a payer at a time: two at once would share out the same debts.
    await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"receipt/{request.payer}",))
    found = await raw.execute(
        "SELECT FROM cardcore.settlement_receipt WHERE bank_no = %s", (request.bank_no,)
    )
    if await found.fetchone() is not None:
        raise OrderConflictError("this bank_no was booked before", field="bank_no")
    found = await raw.execute(_OUTSTANDING, {"payer": payer_id, "limit": MERCHANTS_MAX})
    owed = await found.fetchall()
    owed_fen = sum(row[1] for row in owed)
    if request.amount_fen > owed_fen:
        raise ReceiptExceedsError(field="amount_fen", owed_fen=owed_fen)
    shares = apportion(request.amount_fen, [row[1] for row in owed])
    await _move(raw, book, receipt_id, request.payer, owed, shares)
    await raw.execute(
        "INSERT INTO cardcore.settlement_receipt (receipt_id, payer, payer_id, amount_fen, bank_no,"
        " client_id, business_on, recorded_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            receipt_id,
            request.payer,
            payer_id,
            request.amount_fen,
            request.bank_no,
            client_id,
            on,
            now,
        ),
    )
    given = {row[0]: fen for row, fen in zip(owed, shares, strict=True) if fen}
    await copy_rows(raw, _LINES, [(receipt_id, *line) for line in given.items()])
    return given


async def _move(
    raw: RawConnection,
    book: Ledger,
    receipt_id: UUID,
    payer: str,
    owed: Sequence[tuple[Any, ...]],
    shares: Sequence[int],
) -> None:
    is_issuer = payer.startswith(_ISSUER)
    transfers: list[Transfer] = []
    for (merchant_id, _, payable_id, subsidy_payable_id), fen in zip(owed, shares, strict=True):
        if not fen:
            continue
        waiting = account_id(f"issuer_payable:{merchant_id}") if is_issuer else subsidy_payable_id
        for code, debit, credit in (
            (TransferCode.RECEIVABLE_PAID, CUSTODY, payable_id),
            (TransferCode.RECEIVABLE_CLEARED, waiting, receivable_of(payer)),
        ):
            transfers.append(
                Transfer(
                    id=part_id(receipt_id, len(transfers) + 1).int,
                    debit_account_id=debit.int,
                    credit_account_id=credit.int,
                    amount=fen,
                    ledger=LEDGER_CNY,
                    code=code,
                    flags=TransferFlags.linked,
                    user_data_128=receipt_id.int,
                )
            )
    # All or nothing: the last of a chain is not linked to what would follow.
    transfers[-1] = replace(transfers[-1], flags=TransferFlags(0))
    results = await book.create_transfers(transfers, connection=raw)
    if set(results) != {"created"}:
        # A refund of a subsidy behind the last cut has lowered what is owed.
        raise ReceiptExceedsError(field="amount_fen")
