"""The cards of the fake core, kept in memory, by the real table of their life."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid4

from cardcore.caller import Caller, Scope
from cardcore.errors import IdempotencyKeyReusedError
from cardcore.user.card_errors import CardBoundError, CardUnknownError
from cardcore.user.card_life import CardState, CardStatus, CardVerb, state_after
from cardcore.user.card_request import (
    BindCardRequest,
    CardReasonRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_vault import mask_number
from cardcore.user.card_views import CardsView, CardTokenView, CardView, IssuedCardView

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ViewT = TypeVar("ViewT", bound=CardView)


class FakeCards:
    """Same calls as ``CardService``. Every user exists."""

    def __init__(self) -> None:
        self._cards: dict[UUID, IssuedCardView] = {}
        self._numbers: dict[str, UUID] = {}
        self._card_answers: dict[tuple[str, str], tuple[str, CardView]] = {}

    async def issue_card(
        self, caller: Caller, user_id: UUID, request: IssueCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        caller.require(Scope.CARDS_WRITE)
        asked = f"issue/{user_id}/{request}"
        return self._once(caller, idempotency_key, asked, IssuedCardView) or (
            self._keep_card(caller, idempotency_key, asked, self._new(user_id, request, None)),
            False,
        )

    async def replace_card(
        self, caller: Caller, card_id: UUID, request: ReplaceCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        caller.require(Scope.CARDS_WRITE)
        asked = f"replace/{card_id}/{request}"
        known = self._once(caller, idempotency_key, asked, IssuedCardView)
        if known is not None:
            return known
        user_id = self._card(card_id).user_id
        self._changed(card_id, CardVerb.REPLACE)
        assert user_id is not None
        new = self._new(user_id, request, card_id)
        return self._keep_card(caller, idempotency_key, asked, new), False

    async def bind_card(
        self, caller: Caller, request: BindCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        caller.require(Scope.CARDS_WRITE)
        asked = f"bind/{request}"
        known = self._once(caller, idempotency_key, asked, IssuedCardView)
        if known is not None:
            return known
        if request.number not in self._numbers:
            raise CardUnknownError(field="number")
        card_id = self._numbers[request.number]
        if self._card(card_id).user_id is not None:
            raise CardBoundError(field="number")
        view = self._changed(card_id, CardVerb.BIND, request.user_id)
        return self._keep_card(caller, idempotency_key, asked, view), False

    async def change_card(
        self,
        caller: Caller,
        card_id: UUID,
        verb: CardVerb,
        request: CardReasonRequest,
        idempotency_key: str,
    ) -> tuple[CardView, bool]:
        caller.require(Scope.CARDS_WRITE)
        asked = f"{verb}/{card_id}/{request}"
        known = self._once(caller, idempotency_key, asked, CardView)
        if known is not None:
            return known
        changed = self._changed(card_id, verb)
        view = CardView(**{name: getattr(changed, name) for name in CardView.model_fields})
        return self._keep_card(caller, idempotency_key, asked, view), False

    async def user_cards(self, caller: Caller, user_id: UUID) -> CardsView:
        caller.require(Scope.CARDS_READ)
        return CardsView(
            cards=[
                CardView(**{name: getattr(card, name) for name in CardView.model_fields})
                for card in reversed(self._cards.values())
                if card.user_id == user_id
            ]
        )

    def _new(
        self,
        user_id: UUID,
        request: IssueCardRequest | ReplaceCardRequest,
        replaces: UUID | None,
    ) -> IssuedCardView:
        if request.number in self._numbers:
            raise CardBoundError(field="number")
        card = IssuedCardView(
            card_id=uuid4(),
            user_id=user_id,
            kind=request.kind,
            number_masked=mask_number(request.number),
            status="active",
            valid_from=request.valid_from,
            valid_to=request.valid_to,
            liability_from=None,
            replaces=replaces,
            issuer_id=14084,
            key_version=1,
            status_index=None,
            tokens=[CardTokenView(token="00" * 8, scene=None, merchant_id=None)],
        )
        self._numbers[request.number] = card.card_id
        self._cards[card.card_id] = card
        return card

    def _card(self, card_id: UUID) -> IssuedCardView:
        if card_id not in self._cards:
            raise CardUnknownError(field="card_id")
        return self._cards[card_id]

    def _changed(
        self, card_id: UUID, verb: CardVerb, user_id: UUID | None = None
    ) -> IssuedCardView:
        card = self._card(card_id)
        before = CardState(
            status=CardStatus(card.status),
            user_id=card.user_id,
            liability_from=card.liability_from,
        )
        after = state_after(verb, before, at=NOW, user_id=user_id)
        self._cards[card_id] = card.model_copy(
            update={
                "status": after.status.value,
                "user_id": after.user_id,
                "liability_from": after.liability_from,
            }
        )
        return self._cards[card_id]

    def _once(
        self, caller: Caller, key: str, asked: str, kind: type[ViewT]
    ) -> tuple[ViewT, bool] | None:
        kept = self._card_answers.get((caller.client_id, key))
        if kept is None:
            return None
        if kept[0] != asked:
            raise IdempotencyKeyReusedError
        assert isinstance(kept[1], kind)
        return kept[1], True

    def _keep_card(self, caller: Caller, key: str, asked: str, view: ViewT) -> ViewT:
        self._card_answers[caller.client_id, key] = (asked, view)
        return view
