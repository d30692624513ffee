"""What a citizen does with what is theirs: the core's own verbs, behind the question whose it is.

A citizen's session reaches the same verbs as the card centre does, but only for the caller's own
orders, cards, credentials, disputes and delegations. What belongs to somebody else is not there.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.books import transaction
from cardcore.business.dispute_request import OpenDisputeRequest
from cardcore.business.dispute_tables import dispute
from cardcore.business.dispute_views import DisputesView, DisputeView
from cardcore.business.explain import explain
from cardcore.business.orders import OrderRecord, load_order
from cardcore.business.views import (
    ExplainView,
    NamedOrdersView,
    NamedOrderView,
    OrdersView,
    OrderView,
)
from cardcore.caller import Caller, Scope
from cardcore.errors import NotFoundError
from cardcore.parts import Parts
from cardcore.user.authorisation_request import AuthoriseRequest
from cardcore.user.authorisation_views import AuthorisationView
from cardcore.user.card_errors import CardUnknownError
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import CardReasonRequest
from cardcore.user.card_tables import card
from cardcore.user.card_views import CardsView, CardView
from cardcore.user.credentials import CredentialStep, find_credential
from cardcore.user.delegations import read_delegations
from cardcore.user.people import People
from cardcore.user.people_request import Act, OrdersQuery
from cardcore.user.people_views import LifeEventView
from cardcore.user.personal_data import PersonalData
from cardcore.user.request import IssueCodeRequest
from cardcore.user.views import IssuedCodeView

LOST: str = "reported lost by the holder"


class CoreVerbs(Protocol):
    """The verbs of the core that a citizen's acts come to."""

    async def issue_code(
        self, caller: Caller, user_id: UUID, request: IssueCodeRequest
    ) -> IssuedCodeView:
        """A dynamic code."""
        ...

    async def authorise(
        self, caller: Caller, user_id: UUID, request: AuthoriseRequest
    ) -> AuthorisationView:
        """An authorisation for a phone's key."""
        ...

    async def list_orders(self, caller: Caller, user_id: UUID, query: OrdersQuery) -> OrdersView:
        """A person's orders."""
        ...

    async def user_cards(self, caller: Caller, user_id: UUID) -> CardsView:
        """The cards of a user."""
        ...

    async def change_card(
        self,
        caller: Caller,
        card_id: UUID,
        verb: CardVerb,
        request: CardReasonRequest,
        idempotency_key: str,
    ) -> tuple[CardView, bool]:
        """A step in a card's life."""
        ...

    async def step_credential(
        self,
        caller: Caller,
        credential_id: UUID,
        step: CredentialStep,
        request: Act,
        idempotency_key: str,
    ) -> tuple[LifeEventView, bool]:
        """A step in a credential's life."""
        ...

    async def revoke_delegation(
        self, caller: Caller, delegation_id: UUID, request: Act, idempotency_key: str
    ) -> tuple[LifeEventView, bool]:
        """End a delegation."""
        ...

    async def open_dispute(
        self, caller: Caller, order_id: UUID, request: OpenDisputeRequest, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Dispute an order."""
        ...

    async def read_dispute(self, caller: Caller, dispute_id: UUID) -> DisputeView:
        """A dispute as it stands."""
        ...

    async def withdraw_dispute(
        self, caller: Caller, dispute_id: UUID, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Take a dispute back."""
        ...


class CitizenService:
    """Serves citizens in sessions of their own. Every caller here has a ``user_id``."""

    def __init__(self, core: CoreVerbs, parts: Parts) -> None:
        self._core = core
        self._parts = parts
        self._people = People(PersonalData(parts.hsm))

    # -- codes -----------------------------------------------------------------------------------

    async def code(self, caller: Caller, request: IssueCodeRequest) -> IssuedCodeView:
        """A dynamic code for the page that asks."""
        return await self._core.issue_code(_with(caller, Scope.CODES_ISSUE), _own(caller), request)

    async def authorise(self, caller: Caller, request: AuthoriseRequest) -> AuthorisationView:
        """Let the key of the page make codes without a network for a while."""
        return await self._core.authorise(_with(caller, Scope.CODES_ISSUE), _own(caller), request)

    # -- orders and disputes ---------------------------------------------------------------------

    async def orders(self, caller: Caller, query: OrdersQuery) -> NamedOrdersView:
        """All orders under the citizen's ids, newest first, merchants by name."""
        found = await self._core.list_orders(_with(caller, Scope.USERS_READ), _own(caller), query)
        async with transaction(self._parts.engine) as (connection, _):
            named = await _named(connection, found.orders)
        return NamedOrdersView(user_id=found.user_id, orders=named, next_before=found.next_before)

    async def order(self, caller: Caller, order_id: UUID) -> NamedOrderView:
        """One order as it stands. Raises ``NotFoundError`` for somebody else's."""
        async with transaction(self._parts.engine) as (connection, raw):
            record = await load_order(raw, caller, order_id)
            await self._require_own(connection, caller, record)
            (named,) = await _named(connection, [record.view(now=self._parts.clock())])
            return named

    async def explain(self, caller: Caller, order_id: UUID) -> ExplainView:
        """Every fen of an order; of other payers their part, not their name."""
        async with transaction(self._parts.engine) as (connection, raw):
            record = await load_order(raw, caller, order_id)
            await self._require_own(connection, caller, record)
            return await explain(connection, raw, self._parts.book, record)

    async def disputes(self, caller: Caller) -> DisputesView:
        """All disputes of the citizen, newest first."""
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, _own(caller))
            found = await connection.execute(
                select(dispute.c.dispute_id)
                .where(dispute.c.user_id.in_(names))
                .order_by(dispute.c.dispute_id.desc())
            )
            ids = list(found.scalars())
        centre = _unbound(caller, Scope.DISPUTES_READ)
        return DisputesView(disputes=[await self._core.read_dispute(centre, one) for one in ids])

    async def open_dispute(
        self, caller: Caller, order_id: UUID, request: OpenDisputeRequest, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Dispute an order of one's own."""
        async with transaction(self._parts.engine) as (connection, raw):
            record = await load_order(raw, caller, order_id)
            await self._require_own(connection, caller, record)
        centre = _unbound(caller, Scope.DISPUTES_WRITE)
        return await self._core.open_dispute(centre, order_id, request, idempotency_key)

    async def withdraw_dispute(
        self, caller: Caller, dispute_id: UUID, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Take a dispute of one's own back."""
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, _own(caller))
            owner = await connection.scalar(
                select(dispute.c.user_id).where(dispute.c.dispute_id == dispute_id)
            )
            if owner not in names:
                raise NotFoundError(field="dispute_id")
        centre = _unbound(caller, Scope.DISPUTES_WRITE)
        return await self._core.withdraw_dispute(centre, dispute_id, idempotency_key)

    # -- cards, devices, family ------------------------------------------------------------------

    async def cards(self, caller: Caller) -> CardsView:
        """The citizen's cards, newest first, numbers masked."""
        return await self._core.user_cards(_with(caller, Scope.CARDS_READ), _own(caller))

    async def lose_card(
        self, caller: Caller, card_id: UUID, idempotency_key: str
    ) -> tuple[CardView, bool]:
        """Report a card of one's own lost. Taking that back needs somebody who sees the card.

        Raises:
            CardUnknownError: not the citizen's.
            CardStateError: it is lost already, or has ended.
        """
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, _own(caller))
            holder = await connection.scalar(
                select(card.c.user_id).where(card.c.card_id == card_id)
            )
            if holder not in names:
                raise CardUnknownError(field="card_id")
        return await self._core.change_card(
            _with(caller, Scope.CARDS_WRITE),
            card_id,
            CardVerb.LOSE,
            CardReasonRequest(reason=LOST),
            idempotency_key,
        )

    async def lose_credential(
        self, caller: Caller, credential_id: UUID, idempotency_key: str
    ) -> tuple[LifeEventView, bool]:
        """Report a phone, a printed code or a plate of one's own lost."""
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, _own(caller))
            if (await find_credential(connection, credential_id)).user_id not in names:
                raise NotFoundError(field="credential_id")
        return await self._core.step_credential(
            _with(caller, Scope.USERS_WRITE),
            credential_id,
            CredentialStep.LOSS,
            Act(reason="loss"),
            idempotency_key,
        )

    async def revoke_delegation(
        self, caller: Caller, delegation_id: UUID, idempotency_key: str
    ) -> tuple[LifeEventView, bool]:
        """End a delegation: whoever pays may, and whoever is paid for."""
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, _own(caller))
            known = {one.delegation_id for one in await read_delegations(connection, names)}
            if delegation_id not in known:
                raise NotFoundError(field="delegation_id")
        return await self._core.revoke_delegation(
            _with(caller, Scope.USERS_WRITE),
            delegation_id,
            Act(reason="user_request"),
            idempotency_key,
        )

    async def _require_own(
        self, connection: AsyncConnection, caller: Caller, record: OrderRecord
    ) -> None:
        if record.user_id not in await self._people.names_of(connection, _own(caller)):
            raise NotFoundError(field="order_id")


def _own(caller: Caller) -> UUID:
    assert caller.user_id is not None, "a citizen's session has a user"
    return caller.user_id


def _with(caller: Caller, scope: Scope) -> Caller:
    """The citizen, allowed one verb of the core."""
    return Caller(
        client_id=caller.client_id,
        merchant_id=None,
        scopes=frozenset({scope.value}),
        user_id=caller.user_id,
    )


def _unbound(caller: Caller, scope: Scope) -> Caller:
    """As ``_with``, once it is known whose the object is: it may lie under a former id."""
    return Caller(client_id=caller.client_id, merchant_id=None, scopes=frozenset({scope.value}))


async def _named(connection: AsyncConnection, orders: Sequence[OrderView]) -> list[NamedOrderView]:
    """Orders with the names their merchants have today."""
    merchant = tables.merchant.c
    asked = select(merchant.merchant_id, merchant.name_zh, merchant.name_en).where(
        merchant.merchant_id.in_({order.merchant_id for order in orders})
    )
    names = {row.merchant_id: row for row in await connection.execute(asked)} if orders else {}
    return [
        NamedOrderView(
            **dict(order),
            merchant_name_zh=names[order.merchant_id].name_zh,
            merchant_name_en=names[order.merchant_id].name_en,
        )
        for order in orders
    ]
