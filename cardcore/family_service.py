"""Two people agree that one pays for the other: one invites, the other accepts; either ends it.

Both have proved who they are within the last minutes, each in an app of their own: no open
session left on a table binds anybody's money. What they may agree on alone is bounded by
``cardcore/user/invitation_rules.py``; more is written down at a counter.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.acts import Acting, Acts, Outcome
from cardcore.books import transaction
from cardcore.business.scene_errors import LevelTooLowError
from cardcore.caller import Caller, Scope
from cardcore.errors import InvitationRefusedError, PersonStateError
from cardcore.ids import new_id
from cardcore.parts import Parts
from cardcore.spoken_code import make_spoken_code
from cardcore.user.access_log import Access, Purpose
from cardcore.user.code_judging import scene_bit
from cardcore.user.delegations import grant_delegation, read_delegations
from cardcore.user.invitation_request import InvitationCode, InviteRequest
from cardcore.user.invitation_rules import CODE_GROUP, CODE_LENGTH, PAYER_LEVEL, admit_terms
from cardcore.user.invitation_views import (
    FamilyDelegationView,
    FamilyView,
    InvitationsView,
    InvitationView,
    MadeInvitationView,
    ShownInvitationView,
)
from cardcore.user.invitations import (
    accept_invitation,
    open_invitation,
    read_invitations,
    shown,
    withdraw_invitation,
    write_invitation,
)
from cardcore.user.life import Status
from cardcore.user.people_request import GrantDelegationRequest
from cardcore.user.people_views import LifeEventView


class FamilyService:
    """Serves citizens in sessions of their own. Every caller here has a ``user_id``."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        self._parts = parts
        self._acts = acts

    async def family(self, caller: Caller) -> FamilyView:
        """Who pays for the citizen, and for whom the citizen pays. The looks are written down."""
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, _own(caller))
            found = await read_delegations(connection, names)
            others = {one.payer_id if one.user_id in names else one.user_id for one in found}
            known = {one: await self._name(connection, caller, one) for one in others}
        return FamilyView(
            delegations=[
                FamilyDelegationView(
                    **one.model_dump(),
                    other_name_masked=known[one.payer_id if one.user_id in names else one.user_id],
                )
                for one in found
            ]
        )

    async def invitations(self, caller: Caller) -> InvitationsView:
        """The citizen's own invitations, newest first. Codes are not among it."""
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, _own(caller))
            return InvitationsView(invitations=await read_invitations(connection, names, now=now))

    async def invite(self, caller: Caller, request: InviteRequest) -> MadeInvitationView:
        """Make an invitation. A lost answer is no loss: the code in it is worth nothing unseen.

        Raises:
            AuthenticationStaleError: the citizen has not just proved who they are.
            LimitExceededError, PersonStateError: as ``admit_terms`` says, or too many are open.
            SceneUnknownError: there is no such scene.
            LevelTooLowError: the inviter pays, and is not registered by name.
        """
        now = self._parts.clock()
        caller.require_fresh(now)
        for scene in request.scenes:
            scene_bit(scene)
        admit_terms(request, now=now)
        random_bytes = self._parts.random_bytes
        code = make_spoken_code(random_bytes, length=CODE_LENGTH, group=CODE_GROUP)
        async with transaction(self._parts.engine) as (connection, _):
            inviter = await self._acts.people.resolve(connection, _own(caller))
            inviter = await self._acts.people.read(connection, inviter.user_id, lock=True)
            if request.inviter_pays:
                _require_payer(inviter)
            await write_invitation(
                connection,
                invitation_id=new_id(now, random_bytes),
                inviter_id=inviter.user_id,
                request=request,
                code=code,
                now=now,
            )
            row = await open_invitation(connection, code, now=now)
        return MadeInvitationView(**shown(row, now=now), code=code)

    async def open_code(self, caller: Caller, request: InvitationCode) -> ShownInvitationView:
        """What an invitation says, before it is accepted. The inviter is told of the look.

        Raises:
            InvitationRefusedError: unknown, used, withdrawn, expired, or the citizen's own.
        """
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            row = await open_invitation(connection, request.code, now=now)
            names = await self._acts.people.names_of(connection, _own(caller))
            if row.inviter_id in names:
                raise InvitationRefusedError(field="code")
            name = await self._name(connection, caller, row.inviter_id)
        return ShownInvitationView(**shown(row, now=now), inviter_name_masked=name)

    async def accept(
        self, caller: Caller, request: InvitationCode, idempotency_key: str
    ) -> tuple[LifeEventView, bool]:
        """Accept an invitation: the delegation begins now; the event's ``object`` names it.

        Raises:
            AuthenticationStaleError: the citizen has not just proved who they are.
            InvitationRefusedError: as ``open_code``.
            PersonStateError: the inviter is not active.
            LevelTooLowError: whoever pays is not registered by name.
        """

        async def work(acting: Acting) -> Outcome:
            now = acting.doing.at
            caller.require_fresh(now)
            row = await open_invitation(acting.connection, request.code, now=now, lock=True)
            accepting = await self._acts.person(acting, _own(caller))
            inviter = await self._acts.people.resolve(acting.connection, row.inviter_id)
            if inviter.user_id == accepting.user_id:
                raise InvitationRefusedError(field="code")
            for person in (inviter, accepting):
                if person.status != Status.ACTIVE:
                    raise PersonStateError(field="code", status=person.status)
            payer, user = (inviter, accepting) if row.inviter_pays else (accepting, inviter)
            _require_payer(payer)
            delegation_id = await grant_delegation(
                acting.connection,
                await self._acts.people.key_of(acting.connection, user),
                user.user_id,
                payer.user_id,
                _terms(row, payer.user_id, now),
                client_id=caller.client_id,
                now=now,
            )
            await accept_invitation(acting.connection, row.invitation_id, delegation_id, now=now)
            return Outcome(user_id=user.user_id, of=str(delegation_id))

        return await self._acts.perform(
            _as_itself(caller),
            Scope.USERS_WRITE,
            kind="delegation_granted",
            subject=f"user/{_own(caller)}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def withdraw(self, caller: Caller, invitation_id: UUID) -> InvitationView:
        """Take an invitation back; doing so again changes nothing. Raises ``NotFoundError``."""
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, _own(caller))
            await withdraw_invitation(connection, invitation_id, names, now=now)
            found = await read_invitations(connection, names, now=now, limit=1_000)
        return next(one for one in found if one.invitation_id == invitation_id)

    async def _name(self, connection: AsyncConnection, caller: Caller, user_id: UUID) -> str | None:
        person = await self._acts.people.resolve(connection, user_id)
        access = Access(client_id=caller.client_id, purpose=Purpose.SERVICE, at=self._parts.clock())
        return await self._acts.people.masked_name(connection, person, access)


def _own(caller: Caller) -> UUID:
    assert caller.user_id is not None, "a citizen's session has a user"
    return caller.user_id


def _as_itself(caller: Caller) -> Caller:
    return Caller(
        client_id=caller.client_id,
        merchant_id=None,
        scopes=frozenset({Scope.USERS_WRITE.value}),
        user_id=caller.user_id,
    )


def _require_payer(payer: Row[Any]) -> None:
    if payer.level != PAYER_LEVEL:
        raise LevelTooLowError(field="payer", level_min=PAYER_LEVEL)


def _terms(row: Row[Any], payer_id: UUID, now: datetime) -> GrantDelegationRequest:
    return GrantDelegationRequest(
        payer_id=payer_id,
        kind=row.kind,
        scenes=row.scenes,
        use=row.use,
        order_fen_max=row.order_fen_max,
        day_fen_max=row.day_fen_max,
        month_fen_max=row.month_fen_max,
        valid_from=now,
        valid_to=row.valid_to,
    )
