"""The money of a dispute: crediting the citizen, and taking it back from whoever bears it.

The citizen is credited out of the city's dispute account, which may go below zero: what it is
short of is what merchants and citizens still owe it. It stands under suspense, so custody covers
the citizen's credit from the first instant on.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import payments_of
from cardcore.account.arrears_payments import take_back
from cardcore.account.chart import ARREARS, DISPUTES, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.claims import Claims
from cardcore.account.fund_life import landing_accounts
from cardcore.business.dispute_claims import credit_id, recovery_id
from cardcore.business.dispute_states import (
    Bearer,
    DisputeMoney,
)
from cardcore.business.dispute_tables import dispute_line
from cardcore.business.orders import load_orders
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes
from ledger import Ledger, Transfer, TransferFlags

_l = dispute_line.c


class DisputeTransfers:
    """Works on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._claims = Claims(book, random_bytes)

    async def credit(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        row: Row[Any],
        event_id: UUID,
        now: datetime,
    ) -> None:
        """Give the disputed amount back to where it came from, out of the dispute account."""
        shares = await self._shares(connection, raw, row)
        landing = await landing_accounts(connection, [fund_id for fund_id, _ in shares])
        transfers = [
            Transfer(
                id=credit_id(event_id, position).int,
                debit_account_id=DISPUTES.int,
                credit_account_id=landing.get(fund_id, fund_id).int,
                amount=fen,
                ledger=LEDGER_CNY,
                code=TransferCode.DISPUTE_CREDIT,
                flags=(TransferFlags.linked if position + 1 < len(shares) else TransferFlags(0)),
                user_data_128=row.dispute_id.int,
            )
            for position, (fund_id, fen) in enumerate(shares)
        ]
        results = await self._book.create_transfers(transfers, connection=raw)
        assert set(results) == {"created"}, results
        await self._claims.write_homeless(connection, shares, landing, reason="dispute", now=now)

    async def recover(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        row: Row[Any],
        event_id: UUID,
        money: DisputeMoney,
    ) -> int:
        """Take what the bearer owes as far as there is something, into the dispute account."""
        taken_fen = 0
        if not money.owed_fen:
            return taken_fen
        debtors = await self._debtors(connection, raw, row, money)
        found = await self._book.lookup_accounts([one.int for one in debtors], connection=raw)
        for position, account in enumerate(found):
            available_fen = account.credits_posted - account.debits_posted - account.debits_pending
            fen = min(money.owed_fen - taken_fen, max(available_fen, 0))
            if fen:
                results = await self._book.create_transfers(
                    [
                        Transfer(
                            id=recovery_id(event_id, position).int,
                            debit_account_id=account.id,
                            credit_account_id=DISPUTES.int,
                            amount=fen,
                            ledger=LEDGER_CNY,
                            code=TransferCode.DISPUTE_RECOVERY,
                            user_data_128=row.dispute_id.int,
                        )
                    ],
                    connection=raw,
                )
                # Somebody was faster: what is owed stays owed, and the worker asks again.
                taken_fen += fen if list(results) == ["created"] else 0
        return taken_fen

    async def _debtors(
        self, connection: AsyncConnection, raw: RawConnection, row: Row[Any], money: DisputeMoney
    ) -> list[UUID]:
        """Accounts of the bearer, in the order in which they are asked."""
        if money.bearer is Bearer.MERCHANT:
            merchant = tables.merchant.c
            payable = await connection.scalar(
                select(merchant.payable_id).where(merchant.merchant_id == row.merchant_id)
            )
            assert payable is not None
            return [payable]
        fund_ids = [fund_id for fund_id, _ in await self._shares(connection, raw, row)]
        landing = await landing_accounts(connection, fund_ids)
        landed = [landing.get(fund_id, fund_id) for fund_id in fund_ids]
        return list(dict.fromkeys(one for one in landed if one != SUSPENSE))

    async def _shares(
        self, connection: AsyncConnection, raw: RawConnection, row: Row[Any]
    ) -> list[tuple[UUID, int]]:
        """Funds the disputed amount came from, and how much from each."""
        order = (await load_orders(raw, [row.order_id]))[row.order_id]
        lines = {line.line_no: line for line in order.lines}
        payments = await payments_of(connection, row.order_id)
        shares = []
        for one in await connection.execute(
            select(_l.line_no, _l.amount_fen)
            .where(_l.dispute_id == row.dispute_id)
            .order_by(_l.line_no.desc())
        ):
            line = lines[one.line_no]
            if line.fund == ARREARS:
                # The oldest payments: refunds take the latest, and the two never meet.
                paid = take_back(one.amount_fen, payments[one.line_no])
                shares += [(payment.fund_id, fen) for payment, fen in paid]
                continue
            assert line.debit_account_id is not None
            shares.append((line.debit_account_id, one.amount_fen))
        return shares
