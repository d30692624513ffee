"""``/v1/cards``: issuing, loss, replacement, unbinding, binding. Taps pay by ``/v1/orders``."""

from typing import Final

from adapters.http.examples import BIND_CARD, CARD_REASON, ISSUE_CARD, REPLACE_CARD
from adapters.http.operation import Answer, Call, Declared, Noun
from cardcore.caller import Scope
from cardcore.errors import UserFrozenError, UserUnknownError
from cardcore.user.card_errors import (
    CardBoundError,
    CardNumberError,
    CardStateError,
    CardUnknownError,
)
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    BindCardRequest,
    CardReasonRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_views import CardsView, CardView, IssuedCardView

CARDS: Final = Noun("cards", "Cards: issued, lost and found, replaced, unbound, bound anew.")


@CARDS.operation(
    "POST",
    "/v1/users/{user_id}/cards",
    summary="Issue a card",
    body=IssueCardRequest,
    reply=IssuedCardView,
    status=201,
    keyed=True,
    scope=Scope.CARDS_WRITE,
    refusals=(CardNumberError, CardBoundError, UserUnknownError, UserFrozenError),
    examples={"cpu": ISSUE_CARD},
)
async def issue_card(call: Call[IssueCardRequest]) -> Answer:
    """A new card bound to a user, with the tokens its maker writes into it.

    A token stands for the number in one domain: without `domains` there is one that is good
    anywhere. The tokens are told here and nowhere else.
    """
    view, replayed = await call.core.issue_card(
        call.caller, call.id("user_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@CARDS.operation(
    "GET",
    "/v1/users/{user_id}/cards",
    summary="List the cards of a user",
    reply=CardsView,
    scope=Scope.CARDS_READ,
)
async def user_cards(call: Call[None]) -> Answer:
    """Newest first, numbers masked, without tokens. Who has no card has an empty list."""
    return Answer(view=await call.core.user_cards(call.caller, call.id("user_id")))


@CARDS.operation(
    "POST",
    "/v1/cards/{card_id}/replacement",
    summary="Replace a card",
    body=ReplaceCardRequest,
    reply=IssuedCardView,
    status=201,
    keyed=True,
    scope=Scope.CARDS_WRITE,
    refusals=(
        CardUnknownError,
        CardStateError,
        CardNumberError,
        CardBoundError,
        UserUnknownError,
        UserFrozenError,
    ),
    examples={"lost": REPLACE_CARD},
)
async def replace_card(call: Call[ReplaceCardRequest]) -> Answer:
    """A new card with the old one's domains; the old one never works again.

    Balances stay as they are: money lies in the user's funds, not in the card.
    """
    view, replayed = await call.core.replace_card(
        call.caller, call.id("card_id"), call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@CARDS.operation(
    "POST",
    "/v1/card-bindings",
    summary="Bind an unbound card by its number",
    body=BindCardRequest,
    reply=IssuedCardView,
    status=201,
    keyed=True,
    scope=Scope.CARDS_WRITE,
    refusals=(
        CardUnknownError,
        CardStateError,
        CardBoundError,
        UserUnknownError,
        UserFrozenError,
    ),
    examples={"anew": BIND_CARD},
)
async def bind_card(call: Call[BindCardRequest]) -> Answer:
    """An unbound card gets a holder and new tokens; what stood in the card before stays dead."""
    view, replayed = await call.core.bind_card(call.caller, call.body, call.key)
    return Answer(view=view, replayed=replayed)


def _changing(summary: str) -> Declared:
    return Declared(
        summary=summary,
        body=CardReasonRequest,
        reply=CardView,
        keyed=True,
        scope=Scope.CARDS_WRITE,
        refusals=(CardUnknownError, CardStateError),
        examples={"reason": CARD_REASON},
    )


async def _change(call: Call[CardReasonRequest], verb: CardVerb) -> Answer:
    view, replayed = await call.core.change_card(
        call.caller, call.id("card_id"), verb, call.body, call.key
    )
    return Answer(view=view, replayed=replayed)


@CARDS.operation("POST", "/v1/cards/{card_id}/loss", **_changing("Report a card lost"))
async def lose_card(call: Call[CardReasonRequest]) -> Answer:
    """Refused at once online; offline with the next list. The holder's other means go on.

    From `liability_from` on the issuer answers for what is done with the card.
    """
    return await _change(call, CardVerb.LOSE)


@CARDS.operation("POST", "/v1/cards/{card_id}/found", **_changing("Revoke a loss report"))
async def find_card(call: Call[CardReasonRequest]) -> Answer:
    """The card works again, and its holder answers for it again."""
    return await _change(call, CardVerb.FIND)


@CARDS.operation("POST", "/v1/cards/{card_id}/freeze", **_changing("Freeze a card"))
async def freeze_card(call: Call[CardReasonRequest]) -> Answer:
    """As with a loss report, by the issuer's own decision."""
    return await _change(call, CardVerb.FREEZE)


@CARDS.operation("POST", "/v1/cards/{card_id}/unfreeze", **_changing("Thaw a frozen card"))
async def unfreeze_card(call: Call[CardReasonRequest]) -> Answer:
    """The card works again."""
    return await _change(call, CardVerb.UNFREEZE)


@CARDS.operation("POST", "/v1/cards/{card_id}/unbinding", **_changing("Take a card off its user"))
async def unbind_card(call: Call[CardReasonRequest]) -> Answer:
    """Its tokens end. A card that is reported lost cannot be unbound."""
    return await _change(call, CardVerb.UNBIND)


@CARDS.operation("POST", "/v1/cards/{card_id}/closure", **_changing("Close a card for ever"))
async def close_card(call: Call[CardReasonRequest]) -> Answer:
    """Its tokens end, and no verb leads out of this."""
    return await _change(call, CardVerb.CLOSE)
