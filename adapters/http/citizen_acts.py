"""``/v1/me/…``: what a citizen shows, reports lost, disputes and ends, in a session of his own."""

from typing import Final

from adapters.http.citizens import SESSION
from adapters.http.examples import AUTHORISE, DISPUTE, ISSUE_CODE
from adapters.http.lifecycle import answered
from adapters.http.operation import Answer, Call, Declared, Noun
from cardcore.business.dispute_errors import DisputeExceedsError, DisputeStateError
from cardcore.business.dispute_request import OpenDisputeRequest
from cardcore.business.dispute_views import DisputesView, DisputeView
from cardcore.business.views import ExplainView, NamedOrderView
from cardcore.errors import (
    LimitExceededError,
    NotFoundError,
    OrderStateError,
    PersonStateError,
    SceneUnknownError,
    UserFrozenError,
)
from cardcore.user.authorisation_request import AuthoriseRequest
from cardcore.user.authorisation_views import AuthorisationView
from cardcore.user.card_errors import CardStateError, CardUnknownError
from cardcore.user.card_views import CardsView, CardView
from cardcore.user.people_views import LifeEventView
from cardcore.user.request import IssueCodeRequest
from cardcore.user.views import IssuedCodeView

MY_ACTS: Final = Noun("my-acts", "What a citizen does with what is his, in a session of his own.")


@MY_ACTS.operation(
    "POST",
    "/v1/me/codes",
    vital=True,
    summary="A dynamic code for me",
    body=IssueCodeRequest,
    reply=IssuedCodeView,
    status=201,
    access="citizen",
    refusals=(UserFrozenError, SceneUnknownError, *SESSION),
    examples={"bus": ISSUE_CODE},
    headers={"Cache-Control": "no-store"},
)
async def my_code(call: Call[IssueCodeRequest]) -> Answer:
    """A fresh code for the page that asks. Each call gives another one: none is repeated."""
    return Answer(view=await call.core.mine.code(call.caller, call.body))


@MY_ACTS.operation(
    "POST",
    "/v1/me/authorisations",
    summary="Authorise the key of my phone",
    body=AuthoriseRequest,
    reply=AuthorisationView,
    status=201,
    access="citizen",
    refusals=(UserFrozenError, SceneUnknownError, LimitExceededError, *SESSION),
    examples={"phone": AUTHORISE},
    headers={"Cache-Control": "no-store"},
)
async def authorise_my_phone(call: Call[AuthoriseRequest]) -> Answer:
    """Bytes with which the page makes class D codes itself, until they end or are renewed."""
    return Answer(view=await call.core.mine.authorise(call.caller, call.body))


@MY_ACTS.operation(
    "GET",
    "/v1/me/orders/{order_id}",
    summary="One of my orders",
    reply=NamedOrderView,
    access="citizen",
    refusals=(NotFoundError, *SESSION),
)
async def my_order(call: Call[None]) -> Answer:
    """As it stands now. Somebody else's is not there."""
    return Answer(view=await call.core.mine.order(call.caller, call.id("order_id")))


@MY_ACTS.operation(
    "GET",
    "/v1/me/orders/{order_id}/explain",
    summary="Every fen of one of my orders",
    reply=ExplainView,
    access="citizen",
    refusals=(NotFoundError, *SESSION),
)
async def explain_my_order(call: Call[None]) -> Answer:
    """Who paid what, by which rule, in which transfers; refunds and disputes with it."""
    return Answer(view=await call.core.mine.explain(call.caller, call.id("order_id")))


@MY_ACTS.operation(
    "GET",
    "/v1/me/disputes",
    summary="My disputes",
    reply=DisputesView,
    access="citizen",
    refusals=SESSION,
)
async def my_disputes(call: Call[None]) -> Answer:
    """Newest first, each as it stands."""
    return Answer(view=await call.core.mine.disputes(call.caller))


@MY_ACTS.operation(
    "POST",
    "/v1/me/orders/{order_id}/disputes",
    summary="Dispute one of my orders",
    body=OpenDisputeRequest,
    reply=DisputeView,
    status=201,
    keyed=True,
    access="citizen",
    refusals=(NotFoundError, OrderStateError, DisputeExceedsError, *SESSION),
    examples={"wrong amount": DISPUTE},
)
async def dispute_my_order(call: Call[OpenDisputeRequest]) -> Answer:
    """All or part of what I paid."""
    view, replayed = await call.core.mine.open_dispute(
        call.caller, call.id("order_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@MY_ACTS.operation(
    "POST",
    "/v1/me/disputes/{dispute_id}/withdrawal",
    summary="Withdraw one of my disputes",
    reply=DisputeView,
    keyed=True,
    access="citizen",
    refusals=(NotFoundError, DisputeStateError, *SESSION),
)
async def withdraw_my_dispute(call: Call[None]) -> Answer:
    """What was credited is owed again. The request has no body."""
    view, replayed = await call.core.mine.withdraw_dispute(
        call.caller, call.id("dispute_id"), call.key
    )
    return Answer(view=view, replayed=replayed)


@MY_ACTS.operation(
    "GET",
    "/v1/me/cards",
    summary="My cards",
    reply=CardsView,
    access="citizen",
    refusals=SESSION,
)
async def my_cards(call: Call[None]) -> Answer:
    """Newest first, numbers masked."""
    return Answer(view=await call.core.mine.cards(call.caller))


@MY_ACTS.operation(
    "POST",
    "/v1/me/cards/{card_id}/loss",
    summary="Report my card lost",
    reply=CardView,
    keyed=True,
    access="citizen",
    refusals=(CardUnknownError, CardStateError, *SESSION),
)
async def lose_my_card(call: Call[None]) -> Answer:
    """Refused at once; from `liability_from` on misuse is not my loss.

    Taking the report back needs a counter that sees the card: a page in a thief's hand must not.
    The request has no body.
    """
    view, replayed = await call.core.mine.lose_card(call.caller, call.id("card_id"), call.key)
    return Answer(view=view, replayed=replayed)


def _ending(summary: str) -> Declared:
    return Declared(
        summary=summary,
        reply=LifeEventView,
        status=201,
        keyed=True,
        access="citizen",
        refusals=(NotFoundError, PersonStateError, *SESSION),
    )


@MY_ACTS.operation(
    "POST",
    "/v1/me/credentials/{credential_id}/loss",
    **_ending("Report my phone, printed code or plate lost"),
)
async def lose_my_credential(call: Call[None]) -> Answer:
    """Refused at once; my others go on. The request has no body."""
    return answered(
        await call.core.mine.lose_credential(call.caller, call.id("credential_id"), call.key)
    )


@MY_ACTS.operation(
    "POST",
    "/v1/me/delegations/{delegation_id}/revocation",
    **_ending("End a delegation of mine"),
)
async def revoke_my_delegation(call: Call[None]) -> Answer:
    """Whoever pays may end it, and whoever is paid for. The request has no body."""
    return answered(
        await call.core.mine.revoke_delegation(call.caller, call.id("delegation_id"), call.key)
    )
