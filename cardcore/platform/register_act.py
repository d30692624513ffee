"""One act on something registered: a transaction, and a row of the audit log however it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError
from cardcore.once import record_refusal
from cardcore.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAct:
    """An act under way. ``connection`` and ``raw`` are the same transaction."""

    connection: AsyncConnection
    raw: RawConnection
    caller: Caller
    action: str
    subject: str
    purpose: str
    now: datetime

    async def note(self) -> None:
        """Write down that it was done; not called where nothing was to be changed."""
        await audit.record(
            self.connection,
            actor=self.caller.client_id,
            action=self.action,
            subject=self.subject,
            outcome="done",
            now=self.now,
            purpose=self.purpose,
        )


@asynccontextmanager
async def register_act(
    parts: Parts, caller: Caller, action: str, subject: str, purpose: str
) -> AsyncIterator[RegisterAct]:
    """Act in one transaction; a refusal leaves its audit row and nothing else."""
    now = parts.clock()
    try:
        async with transaction(parts.engine) as (connection, raw):
            yield RegisterAct(
                connection=connection,
                raw=raw,
                caller=caller,
                action=action,
                subject=subject,
                purpose=purpose,
                now=now,
            )
    except CardcoreError as refusal:
        await record_refusal(parts.engine, caller, action, subject, refusal, now)
        raise
