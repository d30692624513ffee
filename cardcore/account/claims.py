"""Claims: money that left a person's funds and waits in suspense until a channel has paid it out.

Two steps, because the bank is not in our transaction: first the fund is emptied into suspense
with a claim that says whose it is; when the channel has paid, the custodian bank holds less.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import CUSTODY, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.views import ClaimView
from cardcore.connections import RawConnection
from cardcore.errors import (
    NotFoundError,
    OrderConflictError,
    PersonStateError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from cardcore.user.people_tables import payout_claim
from ledger import Ledger, Transfer, TransferFlags

_c = payout_claim.c
_PAID_PART = 0xFFFF


class Claims:
    """Opens, settles and reads claims on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def empty(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        user_id: UUID,
        balances: Sequence[tuple[UUID, int]],
        reason: str,
        payee_sealed: bytes | None,
        now: datetime,
    ) -> UUID:
        """Move what funds hold into suspense, as one claim of the person.

        ``balances``: funds and what they hold, each above zero, at least one.
        """
        claim_id = new_id(now, self._random_bytes)
        last = len(balances)
        results = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(claim_id, position).int,
                    debit_account_id=fund_id.int,
                    credit_account_id=SUSPENSE.int,
                    amount=fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.PAYOUT,
                    flags=TransferFlags.linked if position < last else TransferFlags(0),
                    user_data_128=claim_id.int,
                )
                for position, (fund_id, fen) in enumerate(balances, start=1)
            ],
            connection=raw,
        )
        if "exceeds_credits" in results:
            # An order was faster: what it took is not there to be paid out.
            raise ServiceUnavailableError("the balance has just changed")
        assert set(results) == {"created"}, results
        await self.write(
            connection,
            claim_id,
            user_id=user_id,
            amount_fen=sum(fen for _, fen in balances),
            reason=reason,
            payee_sealed=payee_sealed,
            now=now,
        )
        return claim_id

    async def write(
        self,
        connection: AsyncConnection,
        claim_id: UUID,
        *,
        user_id: UUID,
        amount_fen: int,
        reason: str,
        payee_sealed: bytes | None,
        now: datetime,
    ) -> None:
        """Write the claim's row for money that is in suspense by the same transaction."""
        await connection.execute(
            insert(payout_claim).values(
                claim_id=claim_id,
                user_id=user_id,
                amount_fen=amount_fen,
                reason=reason,
                payee_sealed=payee_sealed,
                status="open",
                recorded_at=now,
            )
        )

    async def write_homeless(
        self,
        connection: AsyncConnection,
        shares: Iterable[tuple[UUID, int]],
        landing: Mapping[UUID, UUID],
        *,
        reason: str,
        now: datetime,
    ) -> None:
        """Claims for money that went back to funds whose owners have closed since.

        It waits for the owner of each fund, who need not be the person the order was for.
        ``landing`` as ``fund_life.landing_accounts`` gives it.
        """
        homeless = [(one, fen) for one, fen in shares if landing.get(one) == SUSPENSE]
        if not homeless:
            return
        fund = tables.fund.c
        found = await connection.execute(
            select(fund.fund_id, fund.user_id).where(fund.fund_id.in_([one for one, _ in homeless]))
        )
        owner = {row.fund_id: row.user_id for row in found}
        sums: Counter[UUID] = Counter()
        for fund_id, fen in homeless:
            sums[owner[fund_id]] += fen
        for user_id, fen in sums.items():
            await self.write(
                connection,
                new_id(now, self._random_bytes),
                user_id=user_id,
                amount_fen=fen,
                reason=reason,
                payee_sealed=None,
                now=now,
            )

    async def settle(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        claim_id: UUID,
        channel: str,
        channel_no: str,
        now: datetime,
    ) -> UUID:
        """Book that a channel has paid a claim out.

        Returns:
            Whose claim it was.

        Raises:
            NotFoundError: no such claim.
            PersonStateError: it was paid before, under another number.
            OrderConflictError: the number names the payment of another claim.
        """
        row = await self._row(connection, claim_id, lock=True)
        user_id: UUID = row.user_id
        if row.status == "paid":
            if (row.channel, row.channel_no) == (channel, channel_no):
                return user_id
            raise PersonStateError("this claim was paid before", field="claim_id", status="paid")
        taken = await connection.execute(
            select(_c.claim_id).where(_c.channel == channel, _c.channel_no == channel_no)
        )
        if taken.one_or_none() is not None:
            raise OrderConflictError("this channel_no names another payment", field="channel_no")
        results = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(claim_id, _PAID_PART).int,
                    debit_account_id=SUSPENSE.int,
                    credit_account_id=CUSTODY.int,
                    amount=row.amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.PAYOUT_PAID,
                    user_data_128=claim_id.int,
                )
            ],
            connection=raw,
        )
        assert list(results) == ["created"], results
        await connection.execute(
            update(payout_claim)
            .where(_c.claim_id == claim_id)
            .values(status="paid", channel=channel, channel_no=channel_no, paid_at=now)
        )
        return user_id

    async def read(self, connection: AsyncConnection, claim_id: UUID) -> ClaimView:
        """One claim as it stands. Raises ``NotFoundError``."""
        row = await self._row(connection, claim_id)
        return ClaimView(
            claim_id=claim_id,
            user_id=row.user_id,
            amount_fen=row.amount_fen,
            reason=row.reason,
            status=row.status,
            channel=row.channel,
            channel_no=row.channel_no,
            recorded_at=row.recorded_at,
            paid_at=row.paid_at,
        )

    async def open_of(self, connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[UUID]:
        """Claims of a person that are not paid yet."""
        found = await connection.execute(
            select(_c.claim_id)
            .where(_c.user_id.in_(user_ids), _c.status == "open")
            .order_by(_c.claim_id)
        )
        return list(found.scalars())

    async def _row(
        self, connection: AsyncConnection, claim_id: UUID, *, lock: bool = False
    ) -> Row[Any]:
        asked = select(payout_claim).where(_c.claim_id == claim_id)
        row = (await connection.execute(asked.with_for_update() if lock else asked)).one_or_none()
        if row is None:
            raise NotFoundError(field="claim_id")
        return row
