"""What scenes keep of people under the person's own key: sealed, opened, agreed to, told.

A scene that keeps something personal keeps bytes it cannot open. It asks here for the sealing and,
with a purpose that the citizen reads afterwards, for the opening. Whoever is erased takes the key
along, and with it whatever a scene has sealed. Not served over HTTP: a scene calls in its own name,
inside its own transaction, so that the look and its trace are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.acts import Acts
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError
from cardcore.parts import Parts
from cardcore.user.access_log import Access, note_access
from cardcore.user.consents import consented, grant_consent
from cardcore.user.life_events import Doing, record_event
from cardcore.user.people_request import GrantConsentRequest
from cardcore.user.people_tables import consent
from cardcore.user.personal_data import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedText:
    """Bytes a scene keeps: whose, and as what they were sealed."""

    user_id: UUID
    field: Field
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPerson:
    """What may be shown of a person: masked as everywhere; None where it is not known.

    ``user_id`` is the one that stands: of a merged person, the survivor's.
    """

    user_id: UUID
    level: str
    status: str
    name: str | None
    id_no: str | None
    phone: str | None


class SealedService:
    """Serves scenes that keep something personal."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        self._parts = parts
        self._acts = acts

    async def seal_text(
        self, caller: Caller, connection: AsyncConnection, user_id: UUID, field: Field, text: str
    ) -> bytes:
        """``text`` under the person's key.

        Raises:
            UserUnknownError: no such person.
            PersonStateError: they were erased.
        """
        _require_scene(caller, Scope.PERSONAL_READ)
        person = await self._acts.people.read(connection, user_id)
        return (await self._acts.people.key_of(connection, person)).seal(field, text)

    async def open_texts(
        self,
        caller: Caller,
        connection: AsyncConnection,
        texts: Sequence[SealedText],
        access: Access,
    ) -> list[str]:
        """What was sealed, in the same order. One look per person is written down.

        Raises:
            PersonStateError: one of them was erased.
        """
        _require_scene(caller, Scope.PERSONAL_READ)
        opened: dict[int, str] = {}
        for user_id in dict.fromkeys(text.user_id for text in texts):
            own = [(at, text) for at, text in enumerate(texts) if text.user_id == user_id]
            person = await self._acts.people.read(connection, user_id)
            key = await self._acts.people.key_of(connection, person)
            await note_access(connection, access, user_id, {text.field for _, text in own})
            opened |= {at: key.open(text.field, text.sealed) for at, text in own}
        return [opened[at] for at in range(len(texts))]

    async def show_masked(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_ids: Sequence[UUID],
        access: Access,
    ) -> list[ShownPerson]:
        """People as lists may show them, in the same order. One look per person is written down."""
        _require_scene(caller, Scope.PERSONAL_READ)
        shown = []
        for user_id in user_ids:
            person = await self._acts.people.resolve(connection, user_id)
            seen = await self._acts.people.masked(connection, person, access)
            shown.append(
                ShownPerson(
                    user_id=person.user_id,
                    level=person.level,
                    status=person.status,
                    name=seen.name,
                    id_no=seen.id_no,
                    phone=seen.phone,
                )
            )
        return shown

    async def ids_of(
        self, caller: Caller, connection: AsyncConnection, user_id: UUID
    ) -> list[UUID]:
        """All ids of a person: the one that stands, then those merged into it."""
        _require_scene(caller, Scope.USERS_READ)
        return await self._acts.people.names_of(connection, user_id)

    async def has_agreed(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_id: UUID,
        *,
        purpose: str,
        recipient: str,
        scope: str,
    ) -> bool:
        """Has the person agreed to this, now? See ``consents``."""
        _require_scene(caller, Scope.USERS_READ)
        names = await self._acts.people.names_of(connection, user_id)
        at = self._parts.clock()
        return await consented(
            connection, names, purpose=purpose, recipient=recipient, scope=scope, at=at
        )

    async def write_consent(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_id: UUID,
        request: GrantConsentRequest,
        doing: Doing,
    ) -> UUID:
        """Write down what the person has just agreed to; returns the consent's id."""
        _require_scene(caller, Scope.USERS_WRITE)
        person = await self._acts.people.resolve(connection, user_id)
        consent_id = await grant_consent(
            connection, person.user_id, request, client_id=doing.client_id, now=doing.at
        )
        await record_event(
            connection,
            doing,
            user_id=person.user_id,
            kind="consent_granted",
            key=None,
            of=str(consent_id),
        )
        return consent_id

    async def consent_ends_at(
        self, caller: Caller, connection: AsyncConnection, consent_id: UUID
    ) -> datetime:
        """When a consent that was written here ends by itself."""
        _require_scene(caller, Scope.USERS_READ)
        ends_at: datetime | None = await connection.scalar(
            select(consent.c.valid_to).where(consent.c.consent_id == consent_id)
        )
        assert ends_at is not None, "the scene has the id from write_consent"
        return ends_at

    async def tell_person(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_id: UUID,
        *,
        kind: str,
        of: str,
        doing: Doing,
    ) -> None:
        """Put something into the person's own history; the embedding app hears of it (outbox)."""
        _require_scene(caller, Scope.USERS_READ)
        person = await self._acts.people.resolve(connection, user_id)
        key = await self._acts.people.key_of(connection, person) if doing.note else None
        await record_event(connection, doing, user_id=person.user_id, kind=kind, key=key, of=of)


def _require_scene(caller: Caller, scope: Scope) -> None:
    caller.require(scope)
    if caller.merchant_id is not None:
        raise ForbiddenError("what scenes have sealed is not opened for merchants")
