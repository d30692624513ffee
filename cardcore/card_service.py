"""The verbs about cards: issue, bind, report lost, replace, unbind, close. Taps come as orders."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    BindCardRequest,
    CardReasonRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_rows import card_view, issued_view
from cardcore.user.card_vault import CardVault
from cardcore.user.card_views import CardsView, CardView, IssuedCardView
from cardcore.user.cards import Cards, Note

ViewT = TypeVar("ViewT", bound=BaseModel)
_Perform = Callable[[AsyncConnection], Awaitable[tuple[UUID, ViewT]]]
_View = Callable[[AsyncConnection, UUID], Awaitable[ViewT]]
_Numbered = IssueCardRequest | BindCardRequest | ReplaceCardRequest


class CardService:
    """Serves cards to the card centre's own callers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._vault = CardVault(parts.hsm)
        self._cards = Cards(self._vault, parts.random_bytes)

    async def issue_card(
        self, caller: Caller, user_id: UUID, request: IssueCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        """A new card for a user, with the tokens to be written into it.

        Raises:
            CardNumberError, CardBoundError, UserUnknownError, UserFrozenError: see ``Cards.issue``.
        """
        index = await self._number_index(caller, request.number)
        note = self._card_note(caller, "first issue")

        async def perform(connection: AsyncConnection) -> tuple[UUID, IssuedCardView]:
            return await self._cards.issue(connection, user_id, request, index=index, note=note)

        return await self._once_per_key(
            caller,
            idempotency_key,
            _digest(f"issue_card/{user_id}", request, index),
            "card.issue",
            f"user/{user_id}",
            note,
            perform,
            issued_view,
        )

    async def bind_card(
        self, caller: Caller, request: BindCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        """Give an unbound card, named by its number, a holder and new tokens.

        Raises:
            CardUnknownError, CardBoundError, CardStateError: see ``Cards.bind``.
        """
        index = await self._number_index(caller, request.number)
        note = self._card_note(caller, "bound by number")

        async def perform(connection: AsyncConnection) -> tuple[UUID, IssuedCardView]:
            return await self._cards.bind(connection, request, index=index, note=note)

        return await self._once_per_key(
            caller,
            idempotency_key,
            _digest("bind_card", request, index),
            "card.bind",
            f"user/{request.user_id}",
            note,
            perform,
            issued_view,
        )

    async def replace_card(
        self, caller: Caller, card_id: UUID, request: ReplaceCardRequest, idempotency_key: str
    ) -> tuple[IssuedCardView, bool]:
        """A new card in the place of a lost or worn one; balances stay, they are not in the card.

        Raises:
            CardUnknownError, CardStateError, CardNumberError, CardBoundError: see ``Cards``.
        """
        index = await self._number_index(caller, request.number)
        note = self._card_note(caller, request.reason)

        async def perform(connection: AsyncConnection) -> tuple[UUID, IssuedCardView]:
            return await self._cards.replace(connection, card_id, request, index=index, note=note)

        return await self._once_per_key(
            caller,
            idempotency_key,
            _digest(f"replace_card/{card_id}", request, index),
            "card.replace",
            f"card/{card_id}",
            note,
            perform,
            issued_view,
        )

    async def change_card(
        self,
        caller: Caller,
        card_id: UUID,
        verb: CardVerb,
        request: CardReasonRequest,
        idempotency_key: str,
    ) -> tuple[CardView, bool]:
        """Report lost or found, freeze or unfreeze, unbind, close.

        Raises:
            CardUnknownError: no such card.
            CardStateError: not in its state.
        """
        caller.require(Scope.CARDS_WRITE)
        note = self._card_note(caller, request.reason)

        async def perform(connection: AsyncConnection) -> tuple[UUID, CardView]:
            return await self._cards.change(connection, card_id, verb, note)

        return await self._once_per_key(
            caller,
            idempotency_key,
            request_digest(f"card.{verb.value}/{card_id}", request),
            f"card.{verb.value}",
            f"card/{card_id}",
            note,
            perform,
            card_view,
        )

    async def user_cards(self, caller: Caller, user_id: UUID) -> CardsView:
        """The cards of a user, newest first, numbers masked. Nobody's cards are an empty list."""
        caller.require(Scope.CARDS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return CardsView(cards=await self._cards.of_user(connection, user_id))

    async def _number_index(self, caller: Caller, number: str) -> bytes:
        caller.require(Scope.CARDS_WRITE)
        return await self._vault.index(number)

    def _card_note(self, caller: Caller, reason: str) -> Note:
        return Note(client_id=caller.client_id, reason=reason, now=self._parts.clock())

    async def _once_per_key(
        self,
        caller: Caller,
        key: str,
        digest: bytes,
        action: str,
        subject: str,
        note: Note,
        perform: _Perform[ViewT],
        view: _View[ViewT],
    ) -> tuple[ViewT, bool]:
        async def effect(
            connection: AsyncConnection,
            raw: RawConnection,  # noqa: ARG001  (the form of ``once``)
        ) -> tuple[UUID, ViewT]:
            return await perform(connection)

        async def recall(connection: AsyncConnection, _: RawConnection, event_id: UUID) -> ViewT:
            return await view(connection, event_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=key,
            digest=digest,
            action=action,
            subject=subject,
            now=note.now,
            perform=effect,
            recall=recall,
        )


def _digest(action: str, request: _Numbered, index: bytes) -> bytes:
    # A plain hash of a number would give it away to anybody who tries all numbers: its blind index
    # stands in its place.
    return request_digest(f"{action}/{index.hex()}", request.model_copy(update={"number": ""}))
