"""Shares: what one merchant owes another of rides they carried together.

A scene tells, for one of its business dates, what each merchant gets beyond what was charged on its
own rides; the sums are zero over all of them. Told again, only the difference is moved: late taps
change a past day. Who gives is matched with who gets in the order of their names, so that the same
nets make the same transfers.
"""

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from cardcore.account.chart import LEDGER_CNY, TransferCode
from cardcore.bulk import BulkTable, copy_rows
from cardcore.connections import RawConnection
from cardcore.errors import MerchantUnknownError
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags

SHARES_AT_ONCE: Final = 1_000
_SHARES: Final = BulkTable.of(
    "cardcore.settlement_share",
    "share_id:uuid scene:text business_on:date from_merchant:text to_merchant:text"
    " amount_fen:bigint told_by:text told_at:timestamptz",
)


_WAITING: Final = """
SELECT s.share_id, s.scene, s.business_on, s.from_merchant, s.to_merchant, s.amount_fen, s.told_by,
       f.payable_id, t.payable_id
  FROM cardcore.settlement_share s
  JOIN cardcore.merchant f ON f.merchant_id = s.from_merchant
  JOIN cardcore.merchant t ON t.merchant_id = s.to_merchant
 WHERE s.number IS NULL ORDER BY s.share_id LIMIT %s FOR UPDATE OF s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window that books, its instant, and what ids are made of."""

    number: int
    now: datetime
    random_bytes: RandomBytes


def matched(nets: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Who gives whom how much, so that each ends with its net. Pure.

    Args:
        nets: by merchant, in fen; they sum to zero.

    Returns:
        ``(from, to, amount_fen)``, each amount above zero, fewer than there are merchants.
    """
    assert sum(nets.values()) == 0
    givers = deque((name, -fen) for name, fen in sorted(nets.items()) if fen < 0)
    getters = deque((name, fen) for name, fen in sorted(nets.items()) if fen > 0)
    moves: list[tuple[str, str, int]] = []
    while givers:
        (giver, gives), (getter, gets) = givers.popleft(), getters.popleft()
        fen = min(gives, gets)
        moves.append((giver, getter, fen))
        if gives > fen:
            givers.appendleft((giver, gives - fen))
        if gets > fen:
            getters.appendleft((getter, gets - fen))
    return moves


async def tell_shares(
    raw: RawConnection,
    *,
    scene: str,
    on: date,
    nets: Mapping[str, int],
    told_by: str,
    now: datetime,
    random_bytes: RandomBytes,
) -> int:
    """Write down what of a date's shares is not told yet; returns how many moves that makes.

    Raises:
        MerchantUnknownError: one of them is not registered.
    """
    # One teller of a date at a time: two at once would both tell the difference.
    await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"shares/{scene}/{on}",))
    found = await raw.execute(
        "SELECT merchant_id FROM cardcore.merchant WHERE merchant_id = ANY (%s)", (list(nets),)
    )
    known = {merchant for (merchant,) in await found.fetchall()}
    if nets.keys() - known:
        raise MerchantUnknownError(field="nets")
    left = dict(nets)
    found = await raw.execute(
        # What could not be moved of a share waits in a row of its own.
        "SELECT from_merchant, to_merchant, sum(coalesce(moved_fen, amount_fen))::bigint"
        "  FROM cardcore.settlement_share"
        " WHERE scene = %s AND business_on = %s GROUP BY 1, 2",
        (scene, on),
    )
    for giver, getter, fen in await found.fetchall():
        left[giver] = left.get(giver, 0) + fen
        left[getter] = left.get(getter, 0) - fen
    moves = matched(left)
    await copy_rows(
        raw,
        _SHARES,
        [
            (new_id(now, random_bytes), scene, on, giver, getter, fen, told_by, now)
            for giver, getter, fen in moves
        ],
    )
    return len(moves)


async def book_shares(raw: RawConnection, book: Ledger, window: Window) -> dict[str, int]:
    """Move the shares that wait, in a window; returns what each merchant got less what it gave.

    A giver whose payable holds less gives what there is; the rest waits for the next window.
    """
    found = await raw.execute(_WAITING, (SHARES_AT_ONCE,))
    rows = await found.fetchall()
    holding = await _holding(raw, book, {row[-2] for row in rows})
    rows = [row for row in rows if row[-2] in holding]
    ids = [part_id(row[0], 1).int for row in rows]
    results = await book.create_transfers(
        [
            Transfer(
                id=id_,
                debit_account_id=row[-2].int,
                credit_account_id=row[-1].int,
                amount=row[5],
                ledger=LEDGER_CNY,
                code=TransferCode.SETTLEMENT_SHARE,
                flags=TransferFlags.balancing_debit,
                user_data_128=row[0].int,
            )
            for id_, row in zip(ids, rows, strict=True)
        ],
        connection=raw,
    )
    assert set(results) <= {"created"}, results
    moved = {one.id: one.amount for one in await book.lookup_transfers(ids, connection=raw)}
    got: dict[str, int] = {}
    rests = []
    for id_, row in zip(ids, rows, strict=True):
        share_id, scene, on, giver, getter, amount, told_by, *_ = row
        await raw.execute(
            "UPDATE cardcore.settlement_share SET number = %s, moved_fen = %s WHERE share_id = %s",
            (window.number, moved[id_], share_id),
        )
        got[giver] = got.get(giver, 0) - moved[id_]
        got[getter] = got.get(getter, 0) + moved[id_]
        if moved[id_] < amount:
            rest_id, rest = new_id(window.now, window.random_bytes), amount - moved[id_]
            rests.append((rest_id, scene, on, giver, getter, rest, told_by, window.now))
    await copy_rows(raw, _SHARES, rests)
    return got


async def _holding(raw: RawConnection, book: Ledger, accounts: AbstractSet[UUID]) -> set[UUID]:
    """Those of the payables that hold something that is not held for the bank."""
    found = await book.lookup_accounts([one.int for one in accounts], connection=raw)
    return {
        UUID(int=one.id)
        for one in found
        if one.credits_posted - one.debits_posted - one.debits_pending > 0
    }
