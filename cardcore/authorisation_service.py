"""The verbs about what is checked off-line: authorisations for phones, printed codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import UserFrozenError
from cardcore.parts import Parts
from cardcore.user.authorisation_request import AuthoriseRequest, PrintCodeRequest
from cardcore.user.authorisation_views import AuthorisationView, PrintedCodeView
from cardcore.user.authorisations import Authorisations, Holder
from cardcore.user.entitlements import concessions_on
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData


class AuthorisationService:
    """Issues authorisations and printed codes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._register = People(PersonalData(parts.hsm))
        self._authorisations = Authorisations(parts.codes, parts.random_bytes)

    async def authorise(
        self, caller: Caller, user_id: UUID, request: AuthoriseRequest
    ) -> AuthorisationView:
        """Let a phone's key make codes off-line for a while. Ends what that key held before."""
        caller.require(Scope.CODES_ISSUE)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            holder = await self._holder(connection, user_id, now)
            return await self._authorisations.authorise(connection, holder, request, now=now)

    async def print_code(
        self, caller: Caller, user_id: UUID, request: PrintCodeRequest
    ) -> PrintedCodeView:
        """A code on paper."""
        caller.require(Scope.CODES_ISSUE)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            holder = await self._holder(connection, user_id, now)
            return await self._authorisations.print_code(connection, holder, request, now=now)

    async def _holder(self, connection: AsyncConnection, user_id: UUID, now: datetime) -> Holder:
        person = await self._register.resolve(connection, user_id)
        if person.status != "active":
            raise UserFrozenError(field="user_id")
        on = business_date(now, self._parts.cut_off)
        return Holder(
            user_id=person.user_id,
            level=person.level,
            concessions=await concessions_on(connection, person.user_id, on),
        )
