"""``/v1/me/…``: what a citizen reads about himself, and the consents he takes back."""

from typing import Any, Final
from uuid import UUID

from adapters.http.citizens import SESSION
from adapters.http.examples import ACT
from adapters.http.lifecycle import answered
from adapters.http.operation import Answer, Call, Noun
from cardcore.account.arrears_lists import ArrearsView
from cardcore.business.views import NamedOrdersView
from cardcore.caller import Caller, Scope
from cardcore.errors import PersonStateError
from cardcore.user.people_request import AccessQuery, Act, OrdersQuery
from cardcore.user.people_views import (
    ConsentsView,
    CredentialsView,
    DataAccessesView,
    DelegationsView,
    EntitlementsView,
    HistoryView,
    LifeEventView,
)

MINE: Final = Noun("mine", "What a citizen reads about himself, in a session of his own.")


def _himself(call: Call[Any], scope: Scope) -> Caller:
    return Caller(
        client_id=call.caller.client_id,
        merchant_id=None,
        scopes=frozenset({scope.value}),
        user_id=_own_id(call.caller),
    )


def _own_id(caller: Caller) -> UUID:
    assert caller.user_id is not None, "a citizen's session has a user"
    return caller.user_id


@MINE.operation(
    "GET",
    "/v1/me/orders",
    summary="My orders",
    body=OrdersQuery,
    reply=NamedOrdersView,
    access="citizen",
    refusals=SESSION,
)
async def my_orders(call: Call[OrdersQuery]) -> Answer:
    """Newest first. `next_before` of a page leads to the next."""
    return Answer(view=await call.core.mine.orders(call.caller, call.body))


@MINE.operation(
    "GET",
    "/v1/me/arrears",
    summary="What I owe",
    reply=ArrearsView,
    access="citizen",
    refusals=SESSION,
)
async def my_arrears(call: Call[None]) -> Answer:
    """For rides that were accepted while my funds were short. It is paid when money comes."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.arrears_of(himself, _own_id(himself)))


@MINE.operation(
    "GET",
    "/v1/me/data-accesses",
    summary="Who looked at my data",
    body=AccessQuery,
    reply=DataAccessesView,
    access="citizen",
    refusals=SESSION,
)
async def my_data_accesses(call: Call[AccessQuery]) -> Answer:
    """Newest first: who, what for, which fields, masked or in clear."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.list_accesses(himself, _own_id(himself), call.body))


@MINE.operation(
    "GET",
    "/v1/me/history",
    summary="What was done to my records",
    reply=HistoryView,
    access="citizen",
    refusals=SESSION,
)
async def my_history(call: Call[None]) -> Answer:
    """By whom, why and when, oldest first."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.read_history(himself, _own_id(himself)))


@MINE.operation(
    "GET",
    "/v1/me/credentials",
    summary="What I may present beside cards",
    reply=CredentialsView,
    access="citizen",
    refusals=SESSION,
)
async def my_credentials(call: Call[None]) -> Answer:
    """Device keys, printed codes and plates."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.list_credentials(himself, _own_id(himself)))


@MINE.operation(
    "GET",
    "/v1/me/entitlements",
    summary="My concessions",
    reply=EntitlementsView,
    access="citizen",
    refusals=SESSION,
)
async def my_entitlements(call: Call[None]) -> Answer:
    """Those held, ended and revoked."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.list_entitlements(himself, _own_id(himself)))


@MINE.operation(
    "GET",
    "/v1/me/delegations",
    summary="Who pays for me, and for whom I pay",
    reply=DelegationsView,
    access="citizen",
    refusals=SESSION,
)
async def my_delegations(call: Call[None]) -> Answer:
    """Both directions, those ended and revoked included."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.list_delegations(himself, _own_id(himself)))


@MINE.operation(
    "GET",
    "/v1/me/consents",
    summary="What I have agreed to",
    reply=ConsentsView,
    access="citizen",
    refusals=SESSION,
)
async def my_consents(call: Call[None]) -> Answer:
    """All that I ever gave, with the instant of withdrawal."""
    himself = _himself(call, Scope.USERS_READ)
    return Answer(view=await call.core.list_consents(himself, _own_id(himself)))


@MINE.operation(
    "POST",
    "/v1/me/consents/{consent_id}/withdrawal",
    summary="Withdraw a consent of mine",
    body=Act,
    reply=LifeEventView,
    status=201,
    keyed=True,
    access="citizen",
    refusals=(PersonStateError, *SESSION),
    examples={"act": ACT},
)
async def withdraw_my_consent(call: Call[Act]) -> Answer:
    """From this instant on. Somebody else's consent is not there."""
    himself = _himself(call, Scope.USERS_WRITE)
    return answered(
        await call.core.withdraw_consent(himself, call.id("consent_id"), call.body, call.key)
    )
