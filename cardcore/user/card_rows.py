"""The register of cards as it is read: a card's row, its state after an event, its key."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import UserFrozenError, UserUnknownError
from cardcore.user.card_errors import CardNumberError, CardUnknownError
from cardcore.user.card_request import (
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_tables import card, card_event, card_key, card_token
from cardcore.user.card_views import CardTokenView, CardView, IssuedCardView

CARD_SUITE: Final = {"cpu": "sm4", "legacy": "3des"}


async def card_view(connection: AsyncConnection, event_id: UUID) -> CardView:
    """The card as an event left it."""
    row, event = await _card_and_event(connection, event_id)
    return view_of(row, event)


async def issued_view(connection: AsyncConnection, event_id: UUID) -> IssuedCardView:
    """The card as an event left it, with the tokens the event made."""
    row, event = await _card_and_event(connection, event_id)
    token = card_token.c
    tokens = await connection.execute(
        select(token.token, token.scene, token.merchant_id)
        .where(token.event_id == event_id)
        .order_by(token.scene, token.merchant_id)
    )
    return IssuedCardView(
        **view_of(row, event).model_dump(),
        issuer_id=row.issuer_id,
        key_version=row.key_version,
        status_index=row.status_index,
        tokens=[
            CardTokenView(token=one.token.hex(), scene=one.scene, merchant_id=one.merchant_id)
            for one in tokens
        ],
    )


async def _card_and_event(connection: AsyncConnection, event_id: UUID) -> tuple[Row[Any], Row[Any]]:
    event = (
        await connection.execute(select(card_event).where(card_event.c.event_id == event_id))
    ).one()
    row = (await connection.execute(select(card).where(card.c.card_id == event.card_id))).one()
    return row, event


def view_of(row: Row[Any], state: Row[Any]) -> CardView:
    """The card with its number masked; ``state``: the row or an event of it."""
    return CardView(
        card_id=row.card_id,
        user_id=state.user_id,
        kind=row.kind,
        number_masked=row.number_masked,
        status=state.status,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        liability_from=state.liability_from,
        replaces=row.replaces,
    )


async def locked_card(connection: AsyncConnection, card_id: UUID) -> Row[Any]:
    """The row, to be changed in this transaction. Raises ``CardUnknownError``."""
    row = (
        await connection.execute(select(card).where(card.c.card_id == card_id).with_for_update())
    ).one_or_none()
    if row is None:
        raise CardUnknownError(field="card_id")
    return row


async def require_active(connection: AsyncConnection, user_id: UUID) -> None:
    """Pass for a user who may hold a card. Raises ``UserUnknownError``, ``UserFrozenError``."""
    status = (
        await connection.execute(
            select(tables.person.c.status).where(tables.person.c.user_id == user_id)
        )
    ).scalar_one_or_none()
    if status is None:
        raise UserUnknownError(field="user_id")
    if status != "active":
        raise UserFrozenError(field="user_id")


async def key_version_of(
    connection: AsyncConnection, issuer_id: int, request: IssueCardRequest | ReplaceCardRequest
) -> int | None:
    """The master key the card was made with: the one it names, else the newest of its kind."""
    if request.kind not in CARD_SUITE:
        return None
    key = card_key.c
    versions = select(key.key_version).where(
        key.issuer_id == issuer_id, key.suite == CARD_SUITE[request.kind]
    )
    if request.key_version is not None:
        versions = versions.where(key.key_version == request.key_version)
    found = (
        await connection.execute(versions.order_by(key.key_version.desc()).limit(1))
    ).scalar_one_or_none()
    if found is None:
        raise CardNumberError("no such key for cards of this kind", field="key_version")
    version: int = found
    return version
