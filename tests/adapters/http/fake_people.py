"""People's life, rights and data in the fake core: every act is done, nobody is known."""

from typing import TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import BaseModel

from cardcore.account.views import ClaimView
from cardcore.business.views import OrdersView
from cardcore.caller import Caller, Scope
from cardcore.errors import IdempotencyKeyReusedError, NotFoundError, UserUnknownError
from cardcore.user.credentials import CredentialStep
from cardcore.user.people_request import (
    AccessQuery,
    Act,
    BindPlateRequest,
    CloseRequest,
    ContactRequest,
    DiscloseRequest,
    FindUserRequest,
    FundAct,
    GrantConsentRequest,
    GrantDelegationRequest,
    GrantEntitlementRequest,
    MergeRequest,
    OrdersQuery,
    ReplaceCredentialRequest,
    SettleClaimRequest,
    UpgradeRequest,
)
from cardcore.user.people_views import (
    ConsentsView,
    CredentialsView,
    DataAccessesView,
    DelegationsView,
    DisclosureView,
    EntitlementsView,
    FoundUserView,
    HistoryView,
    LifeEventView,
)
from tests.adapters.http.fake_cards import NOW

ViewT = TypeVar("ViewT", bound=BaseModel)
Done = tuple[LifeEventView, bool]


class FakePeople:
    """Same calls as ``LifecycleService`` and ``RightsService``."""

    def __init__(self) -> None:
        self._acts: dict[tuple[str, str], tuple[str, LifeEventView]] = {}

    async def upgrade_user(
        self, caller: Caller, user_id: UUID, request: UpgradeRequest, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_WRITE, "upgrade", user_id, request, idempotency_key)

    async def change_contact(
        self, caller: Caller, user_id: UUID, request: ContactRequest, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_WRITE, "contact", user_id, request, idempotency_key)

    async def freeze_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "freeze", user_id, request, idempotency_key)

    async def unfreeze_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "unfreeze", user_id, request, idempotency_key)

    async def report_death(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "death", user_id, request, idempotency_key)

    async def withdraw_death(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_ADMIN, "death_withdrawn", user_id, request, idempotency_key
        )

    async def freeze_fund(
        self, caller: Caller, user_id: UUID, request: FundAct, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_ADMIN, "fund_freeze", user_id, request, idempotency_key
        )

    async def unfreeze_fund(
        self, caller: Caller, user_id: UUID, request: FundAct, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_ADMIN, "fund_unfreeze", user_id, request, idempotency_key
        )

    async def merge_users(
        self, caller: Caller, user_id: UUID, request: MergeRequest, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "merge", user_id, request, idempotency_key)

    async def close_user(
        self, caller: Caller, user_id: UUID, request: CloseRequest, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "close", user_id, request, idempotency_key)

    async def erase_user(
        self, caller: Caller, user_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.USERS_ADMIN, "erase", user_id, request, idempotency_key)

    async def settle_claim(
        self, caller: Caller, claim_id: UUID, request: SettleClaimRequest, idempotency_key: str
    ) -> Done:
        return self._act(caller, Scope.FUNDS_WRITE, "payout", claim_id, request, idempotency_key)

    async def read_claim(self, caller: Caller, claim_id: UUID) -> ClaimView:
        caller.require(Scope.FUNDS_WRITE)
        raise NotFoundError(field="claim_id")

    async def read_history(self, caller: Caller, user_id: UUID) -> HistoryView:
        caller.require(Scope.USERS_READ)
        return HistoryView(user_id=user_id, events=[one for _, one in self._acts.values()])

    async def list_orders(self, caller: Caller, user_id: UUID, query: OrdersQuery) -> OrdersView:
        caller.require(Scope.USERS_READ)
        return OrdersView(user_id=user_id, orders=[], next_before=query.before)

    async def bind_plate(
        self, caller: Caller, user_id: UUID, request: BindPlateRequest, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "plate_bound", user_id, request, idempotency_key
        )

    async def withdraw_plate_proof(
        self, caller: Caller, credential_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(
            caller,
            Scope.USERS_WRITE,
            "plate_proof_withdrawn",
            credential_id,
            request,
            idempotency_key,
        )

    async def step_credential(
        self,
        caller: Caller,
        credential_id: UUID,
        step: CredentialStep,
        request: Act | ReplaceCredentialRequest,
        idempotency_key: str,
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, f"credential_{step}", credential_id, request, idempotency_key
        )

    async def list_credentials(self, caller: Caller, user_id: UUID) -> CredentialsView:
        caller.require(Scope.USERS_READ)
        return CredentialsView(credentials=[])

    async def grant_entitlement(
        self, caller: Caller, user_id: UUID, request: GrantEntitlementRequest, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "entitlement_granted", user_id, request, idempotency_key
        )

    async def revoke_entitlement(
        self, caller: Caller, entitlement_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(
            caller,
            Scope.USERS_WRITE,
            "entitlement_revoked",
            entitlement_id,
            request,
            idempotency_key,
        )

    async def list_entitlements(self, caller: Caller, user_id: UUID) -> EntitlementsView:
        caller.require(Scope.USERS_READ)
        return EntitlementsView(entitlements=[])

    async def grant_delegation(
        self, caller: Caller, user_id: UUID, request: GrantDelegationRequest, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "delegation_granted", user_id, request, idempotency_key
        )

    async def revoke_delegation(
        self, caller: Caller, delegation_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "delegation_revoked", delegation_id, request, idempotency_key
        )

    async def list_delegations(self, caller: Caller, user_id: UUID) -> DelegationsView:
        caller.require(Scope.USERS_READ)
        return DelegationsView(delegations=[])

    async def grant_consent(
        self, caller: Caller, user_id: UUID, request: GrantConsentRequest, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "consent_granted", user_id, request, idempotency_key
        )

    async def withdraw_consent(
        self, caller: Caller, consent_id: UUID, request: Act, idempotency_key: str
    ) -> Done:
        return self._act(
            caller, Scope.USERS_WRITE, "consent_withdrawn", consent_id, request, idempotency_key
        )

    async def list_consents(self, caller: Caller, user_id: UUID) -> ConsentsView:
        caller.require(Scope.USERS_READ)
        return ConsentsView(consents=[])

    async def list_accesses(
        self, caller: Caller, user_id: UUID, query: AccessQuery
    ) -> DataAccessesView:
        caller.require(Scope.USERS_READ)
        return DataAccessesView(accesses=[], next_before=query.before)

    async def disclose(
        self, caller: Caller, user_id: UUID, request: DiscloseRequest
    ) -> DisclosureView:
        caller.require(Scope.PERSONAL_READ)
        return DisclosureView(user_id=user_id)

    async def find_user(self, caller: Caller, request: FindUserRequest) -> FoundUserView:
        caller.require(Scope.PERSONAL_READ)
        raise UserUnknownError

    def _act(
        self,
        caller: Caller,
        scope: Scope,
        kind: str,
        subject: UUID,
        request: BaseModel,
        key: str,
    ) -> Done:
        caller.require(scope)
        asked = f"{kind}/{subject}/{request.model_dump_json()}"
        known = self._acts.get((caller.client_id, key))
        if known is not None:
            if known[0] != asked:
                raise IdempotencyKeyReusedError
            return known[1], True
        event = LifeEventView(
            event_id=uuid5(NAMESPACE_OID, f"{caller.client_id}/{key}"),
            user_id=subject,
            kind=kind,
            object=None,
            reason=getattr(request, "reason", "user_request"),
            client_id=caller.client_id,
            operator=getattr(request, "operator", None),
            recorded_at=NOW,
        )
        self._acts[caller.client_id, key] = (asked, event)
        return event, False
