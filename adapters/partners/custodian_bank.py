"""A custodian bank that is not there: for the sandbox and for tests.

It keeps what it did in tables of its own, so that it remembers after a restart. It can be told to
refuse, to fall silent before or after it has moved the money, to answer late, to pay twice and to
lie: to say that it paid and move nothing, or another amount. By its amount a payment behaves as in
``BY_AMOUNT``, otherwise as ``behaviour`` says.
"""

from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cardcore.account.channel import ChannelAnswer, ChannelSilentError, ChannelState
from cardcore.calendar import day_begins
from cardcore.ports import Clock
from cardcore.settlement.channel_bill import BillRow, write_bill


class Behaviour(StrEnum):
    """What the bank does with the next payment."""

    PAY = "pay"
    REFUSE = "refuse"
    LATER = "later"  # nothing yet; ``settle`` does it
    SILENT_BEFORE = "silent_before"  # the request is lost
    SILENT_AFTER = "silent_after"  # the money has moved, the answer is lost
    TWICE = "twice"  # the money moves twice under one number
    LIE = "lie"  # it says paid and moves nothing
    LESS = "less"  # it says paid and moves a fen less


BY_AMOUNT: Final = {
    91: Behaviour.REFUSE,
    92: Behaviour.SILENT_BEFORE,
    93: Behaviour.SILENT_AFTER,
    94: Behaviour.LATER,
    95: Behaviour.TWICE,
    96: Behaviour.LIE,
    97: Behaviour.LESS,
}
"""By the amount's last two digits, in the sandbox: how to force each outcome."""

_SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS bank_simulator;
CREATE TABLE IF NOT EXISTS bank_simulator.payment (
    our_no     text   PRIMARY KEY,
    amount_fen bigint NOT NULL,
    payee      text   NOT NULL,
    state      text   NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY
);
CREATE TABLE IF NOT EXISTS bank_simulator.movement (
    bank_no    text        NOT NULL,
    our_no     text        NOT NULL,
    direction  text        NOT NULL,
    amount_fen bigint      NOT NULL,
    moved_at   timestamptz NOT NULL,
    number     bigint      GENERATED ALWAYS AS IDENTITY
);
"""


class SimulatedBank:
    """Implements ``CustodianBank``."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self.behaviour = Behaviour.PAY
        self.told = 0  # how often it was told to pay

    async def prepare(self) -> None:
        """Make the simulator's tables."""
        async with self._pool.connection() as connection:
            await connection.execute(_SCHEMA)

    async def pay(self, our_no: str, amount_fen: int, payee: str) -> ChannelAnswer:
        """See the protocol."""
        self.told += 1
        behaviour = BY_AMOUNT.get(amount_fen % 100, self.behaviour)
        if behaviour is Behaviour.SILENT_BEFORE:
            raise ChannelSilentError
        state = {
            Behaviour.REFUSE: ChannelState.REFUSED,
            Behaviour.LATER: ChannelState.PENDING,
        }.get(behaviour, ChannelState.PAID)
        moved = {Behaviour.LIE: (), Behaviour.LESS: (amount_fen - 1,)}.get(
            behaviour, (amount_fen,) * (2 if behaviour is Behaviour.TWICE else 1)
        )
        async with self._pool.connection() as connection:
            made = await connection.execute(
                "INSERT INTO bank_simulator.payment (our_no, amount_fen, payee, state)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (our_no, amount_fen, payee, state.value),
            )
            if made.rowcount and state is ChannelState.PAID:
                for fen in moved:
                    await self._move(connection, our_no, "out", fen)
        if behaviour is Behaviour.SILENT_AFTER:
            raise ChannelSilentError
        return await self.paid(our_no)

    async def paid(self, our_no: str) -> ChannelAnswer:
        """See the protocol."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT state, number FROM bank_simulator.payment WHERE our_no = %s", (our_no,)
            )
            row = await found.fetchone()
        if row is None:
            return ChannelAnswer(state=ChannelState.UNKNOWN)
        state = ChannelState(row[0])
        return ChannelAnswer(
            state=state,
            channel_no=f"B{row[1]:012d}" if state is ChannelState.PAID else None,
            reason="account_closed" if state is ChannelState.REFUSED else None,
        )

    async def bill(self, on: date) -> bytes | None:
        """See the protocol: ready once the business date is over, of all that really moved."""
        begins, ends = day_begins(on), day_begins(on + timedelta(days=1))
        if self._clock() < ends:
            return None
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT bank_no, our_no, direction, amount_fen, moved_at"
                " FROM bank_simulator.movement WHERE moved_at >= %s AND moved_at < %s"
                " ORDER BY number",
                (begins, ends),
            )
            rows = await found.fetchall()
        return write_bill(
            [
                BillRow(
                    channel_no=bank_no,
                    our_no=our_no,
                    direction=direction,
                    amount_fen=amount_fen,
                    state="paid",
                    moved_at=moved_at,
                )
                for bank_no, our_no, direction, amount_fen, moved_at in rows
            ]
        )

    # -- what a real bank would do by itself ------------------------------------------------------

    async def settle(self, our_no: str, state: ChannelState = ChannelState.PAID) -> None:
        """Decide a payment that was put off."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "UPDATE bank_simulator.payment SET state = %s WHERE our_no = %s AND state ="
                " 'pending' RETURNING amount_fen",
                (state.value, our_no),
            )
            row = await found.fetchone()
            if row is not None and state is ChannelState.PAID:
                await self._move(connection, our_no, "out", row[0])

    async def receive(self, bank_no: str, amount_fen: int) -> None:
        """Money of a payer comes in."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO bank_simulator.movement"
                " (bank_no, our_no, direction, amount_fen, moved_at) VALUES (%s, '', 'in', %s, %s)",
                (bank_no, amount_fen, self._clock()),
            )

    async def _move(
        self, connection: AsyncConnection[Any], our_no: str, direction: str, amount_fen: int
    ) -> None:
        await connection.execute(
            "INSERT INTO bank_simulator.movement (bank_no, our_no, direction, amount_fen, moved_at)"
            " SELECT 'B' || lpad(number::text, 12, '0'), our_no, %s, %s, %s"
            " FROM bank_simulator.payment WHERE our_no = %s",
            (direction, amount_fen, self._clock(), our_no),
        )
