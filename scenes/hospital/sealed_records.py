"""What the scene uses of the core for what is sealed. ``cardcore.service.CardCore`` serves it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller, Scope
from cardcore.sealed_service import SealedText, ShownPerson
from cardcore.user.access_log import Access
from cardcore.user.life_events import Doing
from cardcore.user.people_request import GrantConsentRequest
from cardcore.user.personal_data import Field

# In the scene's own name; who has looked is written down by the ``Access`` of the look.
RECORDS: Final = Caller(
    client_id="scene:hospital",
    merchant_id=None,
    scopes=frozenset(
        {
            Scope.PERSONAL_READ.value,
            Scope.USERS_READ.value,
            Scope.USERS_WRITE.value,
            Scope.VERIFY.value,
        }
    ),
)


class SealedRecords(Protocol):
    """The verbs; each documents its refusals in ``cardcore``."""

    async def seal_text(
        self, caller: Caller, connection: AsyncConnection, user_id: UUID, field: Field, text: str
    ) -> bytes:
        """Seal with the person's key."""
        ...

    async def open_texts(
        self,
        caller: Caller,
        connection: AsyncConnection,
        texts: Sequence[SealedText],
        access: Access,
    ) -> list[str]:
        """Open, and write the look down."""
        ...

    async def show_masked(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_ids: Sequence[UUID],
        access: Access,
    ) -> list[ShownPerson]:
        """Show masked, and write the looks down."""
        ...

    def pseudonyms_at(
        self, caller: Caller, merchant_id: str, user_ids: Sequence[UUID]
    ) -> list[str]:
        """Names of people with one merchant."""
        ...

    async def ids_of(
        self, caller: Caller, connection: AsyncConnection, user_id: UUID
    ) -> list[UUID]:
        """All ids of a person."""
        ...

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
        """Is there a consent in force?"""
        ...

    async def write_consent(
        self,
        caller: Caller,
        connection: AsyncConnection,
        user_id: UUID,
        request: GrantConsentRequest,
        doing: Doing,
    ) -> UUID:
        """Write a consent down."""
        ...

    async def consent_ends_at(
        self, caller: Caller, connection: AsyncConnection, consent_id: UUID
    ) -> datetime:
        """When a consent ends by itself."""
        ...

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
        """Put something into the person's history."""
        ...
