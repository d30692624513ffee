"""The verbs about what a person may present, is entitled to, has delegated and agreed to."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from cardcore.acts import Acting, Acts, Outcome
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import NotFoundError, PersonStateError
from cardcore.parts import Parts
from cardcore.user.access_log import Access, Purpose, note_access, read_accesses
from cardcore.user.consents import grant_consent, read_consents, withdraw_consent
from cardcore.user.credentials import (
    CredentialStep,
    find_credential,
    read_credentials,
    take_step,
)
from cardcore.user.delegations import grant_delegation, read_delegations, revoke_delegation
from cardcore.user.entitlements import grant_entitlements, read_entitlements, revoke_entitlement
from cardcore.user.life import Status
from cardcore.user.people_request import (
    AccessQuery,
    Act,
    DiscloseRequest,
    FindUserRequest,
    GrantConsentRequest,
    GrantDelegationRequest,
    GrantEntitlementRequest,
    ReplaceCredentialRequest,
)
from cardcore.user.people_views import (
    ConsentsView,
    CredentialsView,
    DataAccessesView,
    DelegationsView,
    DisclosureView,
    EntitlementsView,
    FoundUserView,
    LifeEventView,
)
from cardcore.user.personal_data import Field
from cardcore.user.plates import proof_states

Done = tuple[LifeEventView, bool]


class RightsService:
    """Serves credentials, entitlements, delegations, consents and the access log."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        self._parts = parts
        self._acts = acts

    # -- credentials -----------------------------------------------------------------------------

    async def step_credential(
        self,
        caller: Caller,
        credential_id: UUID,
        step: CredentialStep,
        request: Act | ReplaceCredentialRequest,
        idempotency_key: str,
    ) -> Done:
        """Report a loss, freeze, replace or close one credential; the others go on.

        Raises:
            NotFoundError: no such credential.
            PersonStateError: the step is not possible now.
        """

        async def work(acting: Acting) -> Outcome:
            whose = (await find_credential(acting.connection, credential_id)).user_id
            replaced_by = getattr(request, "replacement_id", None)
            await take_step(
                acting.connection, credential_id, step, acting.doing, replaced_by=replaced_by
            )
            return Outcome(user_id=whose, of=str(credential_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind=f"credential_{step}",
            subject=f"credential/{credential_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def list_credentials(self, caller: Caller, user_id: UUID) -> CredentialsView:
        """What a person may present, labels masked. The look is written down."""
        caller.require(Scope.USERS_READ)
        access = self._looking(caller, Purpose.SERVICE)
        async with transaction(self._parts.engine) as (connection, _):
            person = await self._acts.people.resolve(connection, user_id)
            key = await self._acts.data.key_of(connection, person.user_id)
            proofs = await proof_states(connection, person.user_id)
            found = await read_credentials(connection, key, person.user_id, proofs)
            if key and any(one.label_masked for one in found):
                await note_access(connection, access, person.user_id, [Field.PLATE])
        return CredentialsView(credentials=found)

    # -- entitlements ----------------------------------------------------------------------------

    async def grant_entitlement(
        self, caller: Caller, user_id: UUID, request: GrantEntitlementRequest, idempotency_key: str
    ) -> Done:
        """Give a person a concession class; the event's ``object`` is the entitlement."""

        async def work(acting: Acting) -> Outcome:
            person = await self._active(acting, user_id)
            key = await self._acts.people.key_of(acting.connection, person)
            (entitlement_id,) = await grant_entitlements(
                acting.connection,
                key,
                person.user_id,
                [request],
                granted_by=request.operator or caller.client_id,
                now=acting.doing.at,
            )
            return Outcome(user_id=person.user_id, of=str(entitlement_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="entitlement_granted",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def revoke_entitlement(
        self, caller: Caller, entitlement_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """Take a concession class back from this instant on. Raises ``NotFoundError``."""

        async def work(acting: Acting) -> Outcome:
            whose = await revoke_entitlement(acting.connection, entitlement_id, acting.doing)
            return Outcome(user_id=whose, of=str(entitlement_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="entitlement_revoked",
            subject=f"entitlement/{entitlement_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def list_entitlements(self, caller: Caller, user_id: UUID) -> EntitlementsView:
        """All concessions a person has or had."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, user_id)
            return EntitlementsView(entitlements=await read_entitlements(connection, names))

    # -- delegations -----------------------------------------------------------------------------

    async def grant_delegation(
        self, caller: Caller, user_id: UUID, request: GrantDelegationRequest, idempotency_key: str
    ) -> Done:
        """Let somebody pay for a person; the event's ``object`` is the delegation.

        Raises:
            PersonStateError: one of them is not active, they are the same, or it has ended.
            FundUnknownError: there is no such kind of fund.
        """

        async def work(acting: Acting) -> Outcome:
            person = await self._active(acting, user_id)
            payer = await self._acts.people.resolve(acting.connection, request.payer_id)
            if payer.status != Status.ACTIVE or payer.user_id == person.user_id:
                raise PersonStateError(field="payer_id", status=payer.status)
            if request.valid_to <= acting.doing.at:
                raise PersonStateError("the delegation has ended already", field="valid_to")
            key = await self._acts.people.key_of(acting.connection, person)
            delegation_id = await grant_delegation(
                acting.connection,
                key,
                person.user_id,
                payer.user_id,
                request,
                client_id=caller.client_id,
                now=acting.doing.at,
            )
            return Outcome(user_id=person.user_id, of=str(delegation_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="delegation_granted",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def revoke_delegation(
        self, caller: Caller, delegation_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """End a delegation now. Raises ``NotFoundError``."""

        async def work(acting: Acting) -> Outcome:
            whose = await revoke_delegation(acting.connection, delegation_id, acting.doing)
            return Outcome(user_id=whose, of=str(delegation_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="delegation_revoked",
            subject=f"delegation/{delegation_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def list_delegations(self, caller: Caller, user_id: UUID) -> DelegationsView:
        """Who pays for this person, and for whom this person pays."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, user_id)
            return DelegationsView(delegations=await read_delegations(connection, names))

    # -- consents --------------------------------------------------------------------------------

    async def grant_consent(
        self, caller: Caller, user_id: UUID, request: GrantConsentRequest, idempotency_key: str
    ) -> Done:
        """Write down what a person has agreed to; the event's ``object`` is the consent."""

        async def work(acting: Acting) -> Outcome:
            person = await self._active(acting, user_id)
            consent_id = await grant_consent(
                acting.connection,
                person.user_id,
                request,
                client_id=caller.client_id,
                now=acting.doing.at,
            )
            return Outcome(user_id=person.user_id, of=str(consent_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="consent_granted",
            subject=f"user/{user_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def withdraw_consent(
        self, caller: Caller, consent_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        """Write down that a person takes a consent back. Possible at any time, in any state.

        Raises:
            NotFoundError: no such consent, or not the calling citizen's own.
            PersonStateError: it was withdrawn before.
        """

        async def work(acting: Acting) -> Outcome:
            whose = await withdraw_consent(acting.connection, consent_id, acting.doing)
            if caller.user_id is not None:
                own = await self._acts.people.names_of(acting.connection, caller.user_id)
                if whose not in own:
                    raise NotFoundError(field="consent_id")
            return Outcome(user_id=whose, of=str(consent_id))

        return await self._acts.perform(
            caller,
            Scope.USERS_WRITE,
            kind="consent_withdrawn",
            subject=f"consent/{consent_id}",
            request=request,
            key=idempotency_key,
            work=work,
        )

    async def list_consents(self, caller: Caller, user_id: UUID) -> ConsentsView:
        """All consents a person has ever given."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, user_id)
            return ConsentsView(consents=await read_consents(connection, names))

    # -- looking at personal data ----------------------------------------------------------------

    async def list_accesses(
        self, caller: Caller, user_id: UUID, query: AccessQuery
    ) -> DataAccessesView:
        """Who looked at a person's data, newest first."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._acts.people.names_of(connection, user_id)
            found = await read_accesses(
                connection, names, before_seq=query.before, limit=query.limit
            )
        more = len(found) == query.limit
        return DataAccessesView(accesses=found, next_before=found[-1].seq if more else None)

    async def disclose(
        self, caller: Caller, user_id: UUID, request: DiscloseRequest
    ) -> DisclosureView:
        """Personal data in clear, for a stated purpose that the citizen can read.

        Raises:
            UserUnknownError: no such user.
            PersonStateError: they were erased.
        """
        caller.require(Scope.PERSONAL_READ)
        access = Access(
            client_id=caller.client_id,
            operator=request.operator,
            purpose=request.purpose,
            at=self._parts.clock(),
            in_clear=True,
        )
        async with transaction(self._parts.engine) as (connection, _):
            person = await self._acts.people.resolve(connection, user_id)
            if person.erased_at is not None:
                raise PersonStateError("this person was erased", field="user_id")
            seen = await self._acts.people.disclose(connection, person, request.fields, access)
        return DisclosureView(
            user_id=person.user_id, **{field.value: value for field, value in seen.items()}
        )

    async def find_user(self, caller: Caller, request: FindUserRequest) -> FoundUserView:
        """Whom a number leads to today: an id, nothing personal.

        Raises:
            UserUnknownError: nobody.
            RequestInvalidError: the number is none.
        """
        caller.require(Scope.PERSONAL_READ)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            found = await self._acts.people.find(
                connection, request, today=business_date(now, self._parts.cut_off)
            )
            person = await self._acts.people.resolve(connection, found)
            asked = next(
                field
                for field in (Field.ID_NO, Field.PHONE, Field.PLATE)
                if getattr(request, field.value) is not None
            )
            access = Access(
                client_id=caller.client_id,
                operator=request.operator,
                purpose=Purpose.SERVICE,
                at=now,
            )
            await note_access(connection, access, person.user_id, [asked])
        return FoundUserView(user_id=person.user_id, level=person.level, status=person.status)

    # -- parts -----------------------------------------------------------------------------------

    async def _active(self, acting: Acting, user_id: UUID) -> Row[Any]:
        person = await self._acts.person(acting, user_id)
        if person.status != Status.ACTIVE:
            raise PersonStateError(field="user_id", status=person.status)
        return person

    def _looking(self, caller: Caller, purpose: Purpose) -> Access:
        return Access(client_id=caller.client_id, purpose=purpose, at=self._parts.clock())
