"""Payouts: the custodian bank is told what to pay, and asked what became of it. Paid once.

What the bank is to pay is held on the payable. Before it is told, ``told_at`` is written: who finds
it afterwards asks first, and tells again only where the bank says it knows nothing, under the same
number. A payout ends when the bank says paid or refused; silence ends nothing.
"""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.channel import ChannelAnswer, ChannelSilentError, ChannelState
from cardcore.books import transaction
from cardcore.connections import RawConnection
from cardcore.ids import part_id
from cardcore.settlement.booking import HOLD_PART, RESULT_PART
from cardcore.settlement.custodian import CustodianBank
from cardcore.settlement.states import PayoutState, StatementState, WindowState, end_of
from cardcore.settlement.windows import lock_window
from ledger import Ledger, Transfer, TransferFlags

PATIENCE: Final = timedelta(seconds=60)
PAYOUTS_PER_ROUND_MAX: Final = 200

_HELD: Final = """
SELECT p.payout_id, p.amount_fen, e.payee, p.told_at IS NOT NULL AS told
  FROM cardcore.settlement_payout p
  JOIN cardcore.settlement_payee e
    ON e.merchant_id = p.merchant_id AND e.version = p.payee_version
 WHERE p.state = 'held' AND (p.told_at IS NULL OR p.told_at < %s)
 ORDER BY p.recorded_at, p.payout_id LIMIT %s
"""
_RESOLVED: Final = {ChannelState.PAID: PayoutState.PAID, ChannelState.REFUSED: PayoutState.REFUSED}
_UNKNOWN: Final = ChannelAnswer(state=ChannelState.UNKNOWN)


class Payouts:
    """Tells the bank, asks it, and books what it says."""

    def __init__(self, engine: AsyncEngine, book: Ledger, bank: CustodianBank | None) -> None:
        self._engine = engine
        self._book = book
        self._bank = bank

    async def pay_due(self, now: datetime) -> int:
        """Tell the bank of new payouts, ask about those it was told of; returns how many.

        Without a bank, what is to be paid waits.
        """
        if self._bank is None:
            return 0
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute(_HELD, (now - PATIENCE, PAYOUTS_PER_ROUND_MAX))
            rows = await found.fetchall()
        for payout_id, amount_fen, payee, told in rows:
            answer: ChannelAnswer | None = _UNKNOWN
            if told:
                answer = await _ask(self._bank.paid(str(payout_id)))
            if (
                answer is not None
                and answer.state is ChannelState.UNKNOWN
                and await self._note_told(payout_id, now)
            ):
                answer = await _ask(self._bank.pay(str(payout_id), amount_fen, payee))
            if answer is not None:
                await self.resolve(payout_id, answer, now)
        return len(rows)

    async def resolve(self, payout_id: UUID, answer: ChannelAnswer, now: datetime) -> None:
        """Book what the bank did, once; its first word stands, a later other one changes nothing.

        Whether it did what it said is found by comparing its bill.
        """
        state = _RESOLVED.get(answer.state)
        if state is None:
            return
        async with transaction(self._engine) as (_, raw):
            number = await _window_of(raw, payout_id)
            # The window before the ledger, as booking does it: else each might wait for the other.
            await lock_window(raw, number)
            found = await raw.execute(
                "SELECT amount_fen FROM cardcore.settlement_payout"
                " WHERE payout_id = %s AND state = 'held' FOR UPDATE",
                (payout_id,),
            )
            row = await found.fetchone()
            if row is None:
                return
            amount_fen = row[0]
            await self._post(raw, payout_id, amount_fen, state)
            await raw.execute(
                "UPDATE cardcore.settlement_payout SET state = %s, bank_no = %s, reason = %s,"
                " resolved_at = %s WHERE payout_id = %s",
                (state.value, answer.channel_no, answer.reason, now, payout_id),
            )
            await end_window(raw, number, now)

    async def _post(
        self, raw: RawConnection, payout_id: UUID, amount_fen: int, state: PayoutState
    ) -> None:
        paid = state is PayoutState.PAID
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(payout_id, RESULT_PART).int,
                    pending_id=part_id(payout_id, HOLD_PART).int,
                    amount=amount_fen if paid else 0,
                    flags=TransferFlags.post_pending_transfer
                    if paid
                    else TransferFlags.void_pending_transfer,
                    user_data_128=payout_id.int,
                )
            ],
            connection=raw,
        )
        assert result == "created", result

    async def _note_told(self, payout_id: UUID, now: datetime) -> bool:
        """Write down that the bank is being told; False where another round is telling it."""
        async with transaction(self._engine) as (_, raw):
            noted = await raw.execute(
                "UPDATE cardcore.settlement_payout SET told_at = %s"
                " WHERE payout_id = %s AND state = 'held'"
                " AND (told_at IS NULL OR told_at < %s)",
                (now, payout_id, now - PATIENCE),
            )
        return noted.rowcount == 1


async def _window_of(raw: RawConnection, payout_id: UUID) -> int:
    found = await raw.execute(
        "SELECT number FROM cardcore.settlement_payout WHERE payout_id = %s", (payout_id,)
    )
    row = await found.fetchone()
    assert row is not None, "only what is held is asked about"
    number: int = row[0]
    return number


async def _ask(question: Awaitable[ChannelAnswer]) -> ChannelAnswer | None:
    """What the bank says; None where it says nothing."""
    try:
        return await question
    except ChannelSilentError:
        return None


async def end_window(raw: RawConnection, number: int, now: datetime) -> WindowState | None:
    """End a window whose statements are booked and whose payouts have all ended.

    Returns:
        What it ended as; None where it did not end now.
    """
    if await lock_window(raw, number) is not WindowState.PROCESSING:
        return None
    found = await raw.execute(
        "SELECT count(*) FILTER (WHERE state <> %s), count(*) FILTER (WHERE held_back = %s)"
        "  FROM cardcore.settlement_statement WHERE number = %s",
        (StatementState.BOOKED.value, "custody_short", number),
    )
    unbooked, short = await found.fetchone() or (0, 0)
    found = await raw.execute(
        "SELECT state, count(*) FROM cardcore.settlement_payout WHERE number = %s GROUP BY state",
        (number,),
    )
    counts: dict[Any, int] = dict(await found.fetchall())
    ended = end_of({PayoutState(state): count for state, count in counts.items()})
    if unbooked or ended is None:
        return None
    ended = WindowState.FAILED if short else ended
    await raw.execute(
        "UPDATE cardcore.settlement_window SET state = %s, ended_at = %s WHERE number = %s",
        (ended.value, now, number),
    )
    return ended
