"""Acts on people's records: done once, journaled, answered with the journal's own line.

Freezing, merging, granting, withdrawing and their kin have one form: they are named by an
idempotency key, they change some rows, and they leave one event that says who did it and why. The
event never changes, so a repeated request is answered word for word as before.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.user.life_events import Doing, read_event, record_event
from cardcore.user.people import People
from cardcore.user.people_views import LifeEventView
from cardcore.user.personal_data import PersonalData

AnsweredT = TypeVar("AnsweredT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """What an act works with: its transaction, and who does it, why and when."""

    connection: AsyncConnection
    raw: RawConnection
    doing: Doing
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an act did: to whom, and to what of theirs."""

    user_id: UUID
    of: str | None = None


Work = Callable[[Acting], Awaitable[Outcome]]


class Acts:
    """Performs acts. The services of people's life, rights and data share one."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.data = PersonalData(parts.hsm)
        self.people = People(self.data)

    async def perform(
        self,
        caller: Caller,
        scope: Scope,
        *,
        kind: str,
        subject: str,
        request: BaseModel,
        key: str,
        work: Work,
    ) -> tuple[LifeEventView, bool]:
        """Do ``work`` once and write the event down.

        Args:
            caller: who asks.
            scope: what they need for it.
            kind: name of the event, such as ``freeze``.
            subject: what it is done to, as a path without anything personal: ``user/<id>``.
            request: what was asked; ``reason``, ``note`` and ``operator`` are taken from it.
            key: the idempotency key.
            work: changes the rows; refuses by raising.

        Returns:
            The event, and whether it is one of before.

        Raises:
            ForbiddenError: the caller lacks the scope.
            CardcoreError: what ``work`` refuses.
        """
        caller.require(scope)
        now = self.parts.clock()
        doing = Doing(
            client_id=caller.client_id,
            reason=getattr(request, "reason", "user_request"),
            at=now,
            operator=getattr(request, "operator", None),
            note=getattr(request, "note", None),
        )

        async def act(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, LifeEventView]:
            acting = Acting(connection=connection, raw=raw, doing=doing, caller=caller)
            outcome = await work(acting)
            event_id = await record_event(
                connection,
                doing,
                user_id=outcome.user_id,
                kind=kind,
                key=await self.data.key_of(connection, outcome.user_id) if doing.note else None,
                of=outcome.of,
            )
            return event_id, await read_event(connection, event_id)

        async def recall(
            connection: AsyncConnection, _: RawConnection, event_id: UUID
        ) -> LifeEventView:
            return await read_event(connection, event_id)

        return await once(
            self.parts.engine,
            caller=caller,
            key=key,
            digest=request_digest(f"{kind}/{subject}", request),
            action=kind,
            subject=subject,
            now=now,
            perform=act,
            recall=recall,
        )

    async def person(self, acting: Acting, user_id: UUID) -> Row[Any]:
        """Whoever an id means today, locked for the act."""
        meant = await self.people.resolve(acting.connection, user_id)
        return await self.people.read(acting.connection, meant.user_id, lock=True)
