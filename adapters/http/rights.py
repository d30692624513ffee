"""What a user may present, is entitled to, has delegated and agreed to."""

from typing import Final

from adapters.http.examples import (
    ACT,
    BIND_PLATE,
    CONSENT,
    DELEGATION,
    ENTITLEMENT,
    REPLACE_CREDENTIAL,
)
from adapters.http.lifecycle import act_of, answered
from adapters.http.operation import Answer, Call, Declared, Noun
from cardcore.caller import Scope
from cardcore.errors import FundUnknownError, NotFoundError, PersonExistsError, UserUnknownError
from cardcore.user.credentials import CredentialStep
from cardcore.user.people_request import (
    Act,
    BindPlateRequest,
    GrantConsentRequest,
    GrantDelegationRequest,
    GrantEntitlementRequest,
    ReplaceCredentialRequest,
)
from cardcore.user.people_views import (
    ConsentsView,
    CredentialsView,
    DelegationsView,
    EntitlementsView,
)

RIGHTS: Final = Noun("rights", "Credentials, entitlements, delegations, consents.")

WRITE: Final = Scope.USERS_WRITE


# -- credentials ---------------------------------------------------------------------------------


@RIGHTS.operation(
    "GET",
    "/v1/users/{user_id}/credentials",
    summary="What a user may present beside cards",
    reply=CredentialsView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_credentials(call: Call[None]) -> Answer:
    """Device keys, printed codes and plates, those given up included; plates masked."""
    return Answer(view=await call.core.list_credentials(call.caller, call.id("user_id")))


@RIGHTS.operation(
    "POST",
    "/v1/users/{user_id}/plates",
    **act_of(
        "Bind a plate",
        BindPlateRequest,
        BIND_PLATE,
        UserUnknownError,
        PersonExistsError,
        scope=WRITE,
    ),
)
async def bind_plate(call: Call[BindPlateRequest]) -> Answer:
    """A plate of GA 36; a car has one account. The event's `object` is the credential.

    Without a `proof` it is only said to be theirs. Who shows one takes the plate over from somebody
    who has shown nothing.
    """
    return answered(
        await call.core.bind_plate(call.caller, call.id("user_id"), call.body, call.key)
    )


@RIGHTS.operation(
    "POST",
    "/v1/credentials/{credential_id}/proof-withdrawal",
    **act_of("Withdraw the proof of a plate", Act, ACT, NotFoundError, scope=WRITE),
)
async def withdraw_plate_proof(call: Call[Act]) -> Answer:
    """The car was sold, or the papers were not real. Nobody pays by this plate any more."""
    return answered(
        await call.core.withdraw_plate_proof(
            call.caller, call.id("credential_id"), call.body, call.key
        )
    )


def _stepping(summary: str) -> Declared:
    return act_of(summary, Act, ACT, scope=WRITE)


async def _step(call: Call[Act] | Call[ReplaceCredentialRequest], step: CredentialStep) -> Answer:
    return answered(
        await call.core.step_credential(
            call.caller, call.id("credential_id"), step, call.body, call.key
        )
    )


@RIGHTS.operation(
    "POST", "/v1/credentials/{credential_id}/loss", **_stepping("Report a credential lost")
)
async def lose_credential(call: Call[Act]) -> Answer:
    """Refused at once; the user's others go on. From now on misuse is not the citizen's loss."""
    return await _step(call, CredentialStep.LOSS)


@RIGHTS.operation(
    "POST", "/v1/credentials/{credential_id}/found", **_stepping("Take back a loss report")
)
async def find_credential(call: Call[Act]) -> Answer:
    """It works again."""
    return await _step(call, CredentialStep.FOUND)


@RIGHTS.operation(
    "POST", "/v1/credentials/{credential_id}/freeze", **_stepping("Freeze a credential")
)
async def freeze_credential(call: Call[Act]) -> Answer:
    """Refused until unfrozen; the user's others go on."""
    return await _step(call, CredentialStep.FREEZE)


@RIGHTS.operation(
    "POST", "/v1/credentials/{credential_id}/unfreeze", **_stepping("Unfreeze a credential")
)
async def unfreeze_credential(call: Call[Act]) -> Answer:
    """It works again."""
    return await _step(call, CredentialStep.UNFREEZE)


@RIGHTS.operation(
    "POST", "/v1/credentials/{credential_id}/closure", **_stepping("Close a credential")
)
async def close_credential(call: Call[Act]) -> Answer:
    """For good."""
    return await _step(call, CredentialStep.CLOSE)


@RIGHTS.operation(
    "POST",
    "/v1/credentials/{credential_id}/replacement",
    **act_of("Replace a credential", ReplaceCredentialRequest, REPLACE_CREDENTIAL, scope=WRITE),
)
async def replace_credential(call: Call[ReplaceCredentialRequest]) -> Answer:
    """By another of the same user and kind; the old one never works again."""
    return await _step(call, CredentialStep.REPLACE)


# -- entitlements --------------------------------------------------------------------------------


@RIGHTS.operation(
    "GET",
    "/v1/users/{user_id}/entitlements",
    summary="A user's entitlements",
    reply=EntitlementsView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_entitlements(call: Call[None]) -> Answer:
    """Those held, ended and revoked. The evidence is sealed and not shown."""
    return Answer(view=await call.core.list_entitlements(call.caller, call.id("user_id")))


@RIGHTS.operation(
    "POST",
    "/v1/users/{user_id}/entitlements",
    **act_of(
        "Grant an entitlement",
        GrantEntitlementRequest,
        ENTITLEMENT,
        UserUnknownError,
        scope=WRITE,
    ),
)
async def grant_entitlement(call: Call[GrantEntitlementRequest]) -> Answer:
    """A concession class with its evidence and days. The event's `object` is the entitlement."""
    return answered(
        await call.core.grant_entitlement(call.caller, call.id("user_id"), call.body, call.key)
    )


@RIGHTS.operation(
    "POST",
    "/v1/entitlements/{entitlement_id}/revocation",
    **act_of("Revoke an entitlement", Act, ACT, scope=WRITE),
)
async def revoke_entitlement(call: Call[Act]) -> Answer:
    """From this instant on; it is kept as it was."""
    return answered(
        await call.core.revoke_entitlement(
            call.caller, call.id("entitlement_id"), call.body, call.key
        )
    )


# -- delegations ---------------------------------------------------------------------------------


@RIGHTS.operation(
    "GET",
    "/v1/users/{user_id}/delegations",
    summary="Who pays for a user, and for whom the user pays",
    reply=DelegationsView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_delegations(call: Call[None]) -> Answer:
    """Both directions, those ended and revoked included."""
    return Answer(view=await call.core.list_delegations(call.caller, call.id("user_id")))


@RIGHTS.operation(
    "POST",
    "/v1/users/{user_id}/delegations",
    **act_of(
        "Let somebody pay for a user",
        GrantDelegationRequest,
        DELEGATION,
        UserUnknownError,
        FundUnknownError,
        scope=WRITE,
    ),
)
async def grant_delegation(call: Call[GrantDelegationRequest]) -> Answer:
    """In the scenes named, up to its limits, until it ends.

    `use` says when they pay where an order does not say who does: `first`, `when_short` or
    `when_asked`.
    """
    return answered(
        await call.core.grant_delegation(call.caller, call.id("user_id"), call.body, call.key)
    )


@RIGHTS.operation(
    "POST",
    "/v1/delegations/{delegation_id}/revocation",
    **act_of("Revoke a delegation", Act, ACT, scope=WRITE),
)
async def revoke_delegation(call: Call[Act]) -> Answer:
    """From this instant on."""
    return answered(
        await call.core.revoke_delegation(
            call.caller, call.id("delegation_id"), call.body, call.key
        )
    )


# -- consents ------------------------------------------------------------------------------------


@RIGHTS.operation(
    "GET",
    "/v1/users/{user_id}/consents",
    summary="What a user has agreed to",
    reply=ConsentsView,
    scope=Scope.USERS_READ,
    refusals=(UserUnknownError,),
)
async def list_consents(call: Call[None]) -> Answer:
    """All that were ever given, with the instant of withdrawal."""
    return Answer(view=await call.core.list_consents(call.caller, call.id("user_id")))


@RIGHTS.operation(
    "POST",
    "/v1/users/{user_id}/consents",
    **act_of("Write down a consent", GrantConsentRequest, CONSENT, UserUnknownError, scope=WRITE),
)
async def grant_consent(call: Call[GrantConsentRequest]) -> Answer:
    """Purpose, recipient, scope, from, to. The event's `object` is the consent."""
    return answered(
        await call.core.grant_consent(call.caller, call.id("user_id"), call.body, call.key)
    )


@RIGHTS.operation(
    "POST",
    "/v1/consents/{consent_id}/withdrawal",
    **act_of("Withdraw a consent", Act, ACT, scope=WRITE),
)
async def withdraw_consent(call: Call[Act]) -> Answer:
    """Possible at any time, in any state."""
    return answered(
        await call.core.withdraw_consent(call.caller, call.id("consent_id"), call.body, call.key)
    )
