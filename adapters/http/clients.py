"""``/v1/clients``, ``/v1/audit-events``, ``/v1/scopes``: who is let in, and who did what."""

from typing import Any, Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from adapters.http.scopes import SCOPE_WORDS
from cardcore.caller import Scope
from cardcore.errors import MerchantUnknownError
from cardcore.platform.errors import ClientExistsError, ClientUnknownError, KeyUnfitError
from cardcore.platform.request import ForPurpose, NewClient, NewClientKey, Page
from cardcore.platform.views import AuditEventsView, ClientsView, ClientView, ScopesView, ScopeView

CLIENTS: Final = Noun("clients", "Systems and terminals that may call, and what was done by whom.")
_KEY: Final[dict[str, Any]] = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


@CLIENTS.operation(
    "GET",
    "/v1/scopes",
    summary="The catalogue of scopes",
    reply=ScopesView,
    public=True,
)
async def list_scopes(call: Call[None]) -> Answer:  # noqa: ARG001  (the form of every operation)
    """What each scope allows, in Chinese and English."""
    scopes = [
        ScopeView(scope=scope.value, zh=words.zh, en=words.en)
        for scope, words in SCOPE_WORDS.items()
    ]
    return Answer(view=ScopesView(scopes=scopes))


@CLIENTS.operation(
    "POST",
    "/v1/clients",
    summary="Register a client",
    body=NewClient,
    reply=ClientView,
    status=201,
    access="operator",
    scope=Scope.CLIENTS_WRITE,
    refusals=(*SESSION, ClientExistsError, MerchantUnknownError, KeyUnfitError),
    examples={
        "hospital": {
            "client_id": "hospital-his",
            "merchant_id": "hospital-01",
            "scopes": ["verify", "orders:write", "orders:read", "refunds:write"],
            "public_key": _KEY,
            "purpose": "合同 2026-31",
        }
    },
)
async def register_client(call: Call[NewClient]) -> Answer:
    """By its public key alone. The same registration again is answered with what is there."""
    return Answer(view=await call.core.platform.clients.register(call.caller, call.body))


@CLIENTS.operation(
    "GET",
    "/v1/clients",
    summary="List clients",
    body=Page,
    reply=ClientsView,
    access="operator",
    scope=Scope.CLIENTS_READ,
    refusals=SESSION,
)
async def list_clients(call: Call[Page]) -> Answer:
    """By name; go on with `next_cursor`."""
    return Answer(view=await call.core.platform.clients.list(call.caller, call.body))


@CLIENTS.operation(
    "GET",
    "/v1/clients/{client_id}",
    summary="Read a client",
    reply=ClientView,
    access="operator",
    scope=Scope.CLIENTS_READ,
    refusals=(*SESSION, ClientUnknownError),
)
async def read_client(call: Call[None]) -> Answer:
    """What it may do, and the thumbprints of its keys."""
    return Answer(view=await call.core.platform.clients.read(call.caller, call.path["client_id"]))


@CLIENTS.operation(
    "POST",
    "/v1/clients/{client_id}/keys",
    summary="Give a client its next key",
    body=NewClientKey,
    reply=ClientView,
    access="operator",
    scope=Scope.CLIENTS_WRITE,
    refusals=(*SESSION, ClientUnknownError, KeyUnfitError),
    examples={"next": {"public_key": _KEY, "former_valid_s": 86400, "purpose": "年度轮换"}},
)
async def next_client_key(call: Call[NewClientKey]) -> Answer:
    """Both keys are good for `former_valid_s` seconds, then the new one alone."""
    clients = call.core.platform.clients
    return Answer(view=await clients.next_key(call.caller, call.path["client_id"], call.body))


@CLIENTS.operation(
    "POST",
    "/v1/clients/{client_id}/revoke",
    summary="Shut a client out",
    body=ForPurpose,
    reply=ClientView,
    access="operator",
    scope=Scope.CLIENTS_WRITE,
    refusals=(*SESSION, ClientUnknownError),
    examples={"stolen": {"purpose": "终端被盗"}},
)
async def revoke_client(call: Call[ForPurpose]) -> Answer:
    """For good. Its running tokens end within seconds."""
    clients = call.core.platform.clients
    return Answer(view=await clients.revoke(call.caller, call.path["client_id"], call.body))


@CLIENTS.operation(
    "GET",
    "/v1/audit-events",
    summary="Read the audit log",
    body=Page,
    reply=AuditEventsView,
    access="operator",
    scope=Scope.AUDIT_READ,
    refusals=SESSION,
)
async def list_audit_events(call: Call[Page]) -> Answer:
    """Newest first: actor, action, object, outcome, purpose."""
    return Answer(view=await call.core.platform.audit.list(call.caller, call.body))
