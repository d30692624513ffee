"""Short ways of saying what a test does with cards."""

from datetime import date
from typing import Any
from uuid import UUID

from adapters import demo_city
from cardcore.business.request import CardTapText, OrderRequest, User
from cardcore.business.views import OrderView
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    CardDomain,
    CardReasonRequest,
    IssueCardRequest,
)
from cardcore.user.card_taps import TapPlace
from cardcore.user.card_views import CardView, IssuedCardView
from codes.card_tap import CardTap
from tests.city_life import CENTRE, VALIDATOR, Life
from tests.virtual_card import VirtualCard, card_number

VALID: dict[str, Any] = {"valid_from": date(2026, 1, 1), "valid_to": date(2026, 12, 31)}
REASON = CardReasonRequest(reason="test")
BUS = TapPlace(scene="bus", merchant_id=demo_city.BUS_MERCHANT, terminal_id=demo_city.BUS_TERMINAL)


async def issue(
    life: Life,
    user_id: UUID,
    *domains: CardDomain,
    order: int | None = None,
    **changes: Any,  # noqa: ANN401  (any field)
) -> tuple[IssuedCardView, VirtualCard]:
    """A card of a person, and the thing in their hand; its token is the first one."""
    number = card_number(next(life.numbers) if order is None else order)
    given = VALID | changes
    request = IssueCardRequest(number=number, domains=list(domains), **given)
    key = f"issue-{next(life.numbers)}"
    view, _ = await life.city.core.issue_card(CENTRE, user_id, request, key)
    token = bytes.fromhex(view.tokens[0].token) if view.tokens else bytes(8)
    return view, VirtualCard(life.city.hsm, number, token)


async def change(life: Life, card_id: UUID, verb: CardVerb) -> CardView:
    key = f"{verb}-{next(life.numbers)}"
    view, _ = await life.city.core.change_card(CENTRE, card_id, verb, REASON, key)
    return view


def ride(life: Life, tap: CardTap | str) -> OrderRequest:
    """A ride on the flat line, paid by tap."""
    text = tap if isinstance(tap, str) else tap.to_text()
    user = User(card=CardTapText(tap=text))
    return life.ride("").model_copy(update={"user": user})


async def pay(life: Life, tap: CardTap | str) -> OrderView:
    order, _ = await life.city.core.order(VALIDATOR, ride(life, tap), f"tap-{next(life.numbers)}")
    return order


async def rows(life: Life, question: str) -> list[tuple[Any, ...]]:
    async with life.city.pool.connection() as connection:
        return list(await (await connection.execute(question.encode())).fetchall())
