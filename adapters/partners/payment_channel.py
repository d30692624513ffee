"""A payment channel that is not there: for the sandbox and for tests.

It keeps what it did in a table of its own, so that it remembers after a restart, and can be told to
refuse, to fall silent before or after it has moved the money, and to answer late. By its amount a
movement behaves as in ``BY_AMOUNT``, otherwise as ``behaviour`` says.
"""

import hashlib
import hmac
from enum import StrEnum
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cardcore.account.channel import (
    ChannelAnswer,
    ChannelNotice,
    ChannelSignatureError,
    ChannelSilentError,
    ChannelState,
)

NAME: Final = "simulator"


class Behaviour(StrEnum):
    """What the simulator does with the next movement."""

    PAY = "pay"
    REFUSE = "refuse"
    LATER = "later"  # nothing yet; ``settle`` does it
    SILENT_BEFORE = "silent_before"  # the request is lost
    SILENT_AFTER = "silent_after"  # the money has moved, the answer is lost


BY_AMOUNT: Final = {
    91: Behaviour.REFUSE,
    92: Behaviour.SILENT_BEFORE,
    93: Behaviour.SILENT_AFTER,
    94: Behaviour.LATER,
}
"""By the amount's last two digits, in the sandbox: how to force each outcome."""

_SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS channel_simulator;
CREATE TABLE IF NOT EXISTS channel_simulator.movement (
    our_no     text   PRIMARY KEY,
    amount_fen bigint NOT NULL,
    state      text   NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY
);
"""


class SimulatedChannel:
    """Implements ``PaymentChannel``."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], key: bytes) -> None:
        self._pool = pool
        self._key = key
        self.behaviour = Behaviour.PAY

    async def prepare(self) -> None:
        """Make the simulator's table."""
        async with self._pool.connection() as connection:
            await connection.execute(_SCHEMA)

    async def collect(self, our_no: str, amount_fen: int) -> ChannelAnswer:
        """See the protocol."""
        return await self._move(our_no, amount_fen)

    async def collected(self, our_no: str) -> ChannelAnswer:
        """See the protocol."""
        return await self._read(our_no)

    async def pay_out(self, our_no: str, amount_fen: int, payee: str) -> ChannelAnswer:
        """See the protocol."""
        assert payee
        return await self._move(our_no, amount_fen)

    async def paid_out(self, our_no: str) -> ChannelAnswer:
        """See the protocol."""
        return await self._read(our_no)

    def check(self, notice: ChannelNotice) -> None:
        """See the protocol."""
        if not hmac.compare_digest(notice.signature, self._signature(notice)):
            raise ChannelSignatureError

    # -- what a real channel would do by itself --------------------------------------------------

    async def settle(self, our_no: str, state: ChannelState = ChannelState.PAID) -> None:
        """Decide a movement that was put off."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE channel_simulator.movement SET state = %s WHERE our_no = %s",
                (state.value, our_no),
            )

    async def notice(self, our_no: str) -> ChannelNotice:
        """The signed notice about a movement, as the channel sends it, once or ten times."""
        answer = await self._read(our_no)
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT amount_fen FROM channel_simulator.movement WHERE our_no = %s", (our_no,)
            )
            row = await found.fetchone()
        assert row is not None
        unsigned = ChannelNotice(
            our_no=our_no,
            amount_fen=row[0],
            state=answer.state,
            channel_no=answer.channel_no,
            reason=answer.reason,
            signature="0",
        )
        return unsigned.model_copy(update={"signature": self._signature(unsigned)})

    def _signature(self, notice: ChannelNotice) -> str:
        return hmac.new(self._key, notice.signed, hashlib.sha256).hexdigest()

    async def _move(self, our_no: str, amount_fen: int) -> ChannelAnswer:
        behaviour = BY_AMOUNT.get(amount_fen % 100, self.behaviour)
        if behaviour is Behaviour.SILENT_BEFORE:
            raise ChannelSilentError
        state = {
            Behaviour.REFUSE: ChannelState.REFUSED,
            Behaviour.LATER: ChannelState.PENDING,
        }.get(behaviour, ChannelState.PAID)
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO channel_simulator.movement (our_no, amount_fen, state)"
                " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (our_no, amount_fen, state.value),
            )
        if behaviour is Behaviour.SILENT_AFTER:
            raise ChannelSilentError
        return await self._read(our_no)

    async def _read(self, our_no: str) -> ChannelAnswer:
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT state, number FROM channel_simulator.movement WHERE our_no = %s", (our_no,)
            )
            row = await found.fetchone()
        if row is None:
            return ChannelAnswer(state=ChannelState.UNKNOWN)
        state = ChannelState(row[0])
        return ChannelAnswer(
            state=state,
            channel_no=f"S{row[1]:012d}" if state is ChannelState.PAID else None,
            reason="declined" if state is ChannelState.REFUSED else None,
        )
