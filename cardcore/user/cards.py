"""The register of cards: issuing, binding, loss, replacement, closing. Taps: ``card_taps``.

Every change locks the card's row and leaves an event, an audit row and a thin outbox row in the
caller's transaction. The event carries the state it led to, so a repeated request gets its answer
and a tap of last week finds the holder of last week.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.ids import RandomBytes, new_id
from cardcore.user.card_errors import CardBoundError, CardUnknownError
from cardcore.user.card_life import ENDS_TOKENS, CardState, CardStatus, CardVerb, state_after
from cardcore.user.card_request import (
    BindCardRequest,
    IssueCardRequest,
    ReplaceCardRequest,
)
from cardcore.user.card_rows import (
    CARD_SUITE,
    card_view,
    issued_view,
    key_version_of,
    locked_card,
    require_active,
    view_of,
)
from cardcore.user.card_tables import card, card_event, card_token
from cardcore.user.card_vault import CardVault, format_of, mask_number, read_formats
from cardcore.user.card_views import CardView, IssuedCardView
from cardcore.user.status_indices import allocate_index

# Behind the last record of a tap that may still come in.
INDEX_KEPT: Final = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Who changes a card, why, when."""

    client_id: str
    reason: str
    now: datetime


class Cards:
    """The register, on a connection the caller holds open.

    Args:
        vault: keeps the numbers.
        random_bytes: source of tokens and ids.
    """

    def __init__(self, vault: CardVault, random_bytes: RandomBytes) -> None:
        self._vault = vault
        self._random_bytes = random_bytes

    async def issue(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        request: IssueCardRequest,
        *,
        index: bytes,
        note: Note,
    ) -> tuple[UUID, IssuedCardView]:
        """A new card, bound to a user.

        Args:
            connection: the transaction.
            user_id: the holder.
            request: the card.
            index: blind index of its number, see ``CardVault.index``.
            note: who, why, when.

        Returns:
            The event's id, and the card with its tokens.

        Raises:
            CardNumberError: not a number of ours, or of a key that is not there.
            CardBoundError: the number is registered.
            UserUnknownError, UserFrozenError: no such holder.
        """
        domains = [(one.scene, one.merchant_id) for one in request.domains]
        return await self._register(
            connection, user_id, request, domains=domains, index=index, note=note
        )

    async def bind(
        self,
        connection: AsyncConnection,
        request: BindCardRequest,
        *,
        index: bytes,
        note: Note,
    ) -> tuple[UUID, IssuedCardView]:
        """Give an unbound card a holder, with tokens of its own.

        Raises:
            CardUnknownError: no card has this number.
            CardBoundError: it has a holder.
            CardStateError: it is frozen or closed.
            UserUnknownError, UserFrozenError: no such holder.
        """
        found = (
            await connection.execute(
                select(card).where(card.c.number_index == index).with_for_update()
            )
        ).one_or_none()
        if found is None:
            raise CardUnknownError(field="number")
        if found.user_id is not None:
            raise CardBoundError(field="number")
        await require_active(connection, request.user_id)
        event_id = await self._change(
            connection, found, CardVerb.BIND, user_id=request.user_id, note=note
        )
        domains = [(one.scene, one.merchant_id) for one in request.domains]
        await self._give_tokens(connection, found.card_id, event_id, domains, note.now)
        return event_id, await issued_view(connection, event_id)

    async def change(
        self, connection: AsyncConnection, card_id: UUID, verb: CardVerb, note: Note
    ) -> tuple[UUID, CardView]:
        """Any verb that needs nothing but the card.

        Raises:
            CardUnknownError: no such card.
            CardStateError: not in this state, see ``card_life``.
        """
        found = await locked_card(connection, card_id)
        event_id = await self._change(connection, found, verb, user_id=None, note=note)
        return event_id, await card_view(connection, event_id)

    async def replace(
        self,
        connection: AsyncConnection,
        card_id: UUID,
        request: ReplaceCardRequest,
        *,
        index: bytes,
        note: Note,
    ) -> tuple[UUID, IssuedCardView]:
        """A new card in the place of another; the holder's money stays where it is, in funds.

        Raises: as ``change`` and ``issue`` do.
        """
        old = await locked_card(connection, card_id)
        token = card_token.c
        domains = [
            (row.scene, row.merchant_id)
            for row in await connection.execute(
                select(token.scene, token.merchant_id)
                .where(token.card_id == card_id, token.revoked_at.is_(None))
                .order_by(token.scene, token.merchant_id)
            )
        ]
        await self._change(connection, old, CardVerb.REPLACE, user_id=None, note=note)
        return await self._register(
            connection,
            old.user_id,
            request,
            domains=[one for one in domains if one != (None, None)],
            index=index,
            note=note,
            replaces=card_id,
        )

    async def of_user(self, connection: AsyncConnection, user_id: UUID) -> list[CardView]:
        """The cards of a user, newest first, numbers masked."""
        rows = await connection.execute(
            select(card).where(card.c.user_id == user_id).order_by(card.c.card_id.desc())
        )
        return [view_of(row, row) for row in rows]

    async def close_of_user(self, connection: AsyncConnection, user_id: UUID, note: Note) -> int:
        """Close what a leaving person still has; returns how many cards."""
        rows = (
            await connection.execute(
                select(card)
                .where(
                    card.c.user_id == user_id,
                    card.c.status.not_in([CardStatus.CLOSED.value, CardStatus.REPLACED.value]),
                )
                .order_by(card.c.card_id)
                .with_for_update()
            )
        ).all()
        for row in rows:
            await self._change(connection, row, CardVerb.CLOSE, user_id=None, note=note)
        return len(rows)

    async def move(self, connection: AsyncConnection, user_id: UUID, survivor_id: UUID) -> None:
        """Give all cards of a merged user to the survivor; tokens and states stay as they are."""
        alias = select(card.c.alias).where(card.c.user_id == user_id, card.c.alias.is_not(None))
        await connection.execute(
            update(tables.code_token)
            .where(tables.code_token.c.token.in_(alias))
            .values(user_id=survivor_id)
        )
        await connection.execute(
            update(card).where(card.c.user_id == user_id).values(user_id=survivor_id)
        )

    async def _register(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        request: IssueCardRequest | ReplaceCardRequest,
        *,
        domains: Sequence[tuple[str | None, str | None]],
        index: bytes,
        note: Note,
        replaces: UUID | None = None,
    ) -> tuple[UUID, IssuedCardView]:
        issuer_id = format_of(request.number, await read_formats(connection)).issuer_id
        key_version = await key_version_of(connection, issuer_id, request)
        await require_active(connection, user_id)
        known = await connection.execute(select(card.c.card_id).where(card.c.number_index == index))
        if known.one_or_none() is not None:
            raise CardBoundError(field="number")
        card_id = new_id(note.now, self._random_bytes)
        await connection.execute(
            insert(card).values(
                card_id=card_id,
                kind=request.kind,
                issuer_id=issuer_id,
                key_version=key_version,
                number_sealed=await self._vault.seal(card_id, request.number),
                number_index=index,
                number_masked=mask_number(request.number),
                user_id=user_id,
                status=CardStatus.ACTIVE.value,
                alias=await self._give_alias(connection, user_id, request.valid_to, note.now),
                status_index=await self._give_index(connection, issuer_id, request),
                valid_from=request.valid_from,
                valid_to=request.valid_to,
                replaces=replaces,
                tap_counter=0,
                recorded_at=note.now,
            )
        )
        state = CardState(status=CardStatus.ACTIVE, user_id=user_id)
        event_id = await self._tell(connection, card_id, 1, CardVerb.ISSUE, state, note)
        if request.kind in CARD_SUITE:
            await self._give_tokens(connection, card_id, event_id, domains, note.now)
        return event_id, await issued_view(connection, event_id)

    async def _change(
        self,
        connection: AsyncConnection,
        row: Row[Any],
        verb: CardVerb,
        *,
        user_id: UUID | None,
        note: Note,
    ) -> UUID:
        """One verb on a locked row; returns the event's id."""
        before = CardState(
            status=CardStatus(row.status), user_id=row.user_id, liability_from=row.liability_from
        )
        after = state_after(verb, before, at=note.now, user_id=user_id)
        if row.alias is not None:
            await connection.execute(
                delete(tables.code_token).where(tables.code_token.c.token == row.alias)
            )
        alias = None
        if after.is_good:
            assert after.user_id is not None
            alias = await self._give_alias(connection, after.user_id, row.valid_to, note.now)
        await connection.execute(
            update(card)
            .where(card.c.card_id == row.card_id)
            .values(
                status=after.status.value,
                user_id=after.user_id,
                liability_from=after.liability_from,
                alias=alias,
            )
        )
        if verb in ENDS_TOKENS:
            await connection.execute(
                update(card_token)
                .where(card_token.c.card_id == row.card_id, card_token.c.revoked_at.is_(None))
                .values(revoked_at=note.now)
            )
        event_count = (
            await connection.execute(
                select(func.count()).where(card_event.c.card_id == row.card_id)
            )
        ).scalar_one()
        return await self._tell(connection, row.card_id, event_count + 1, verb, after, note)

    async def _give_alias(
        self, connection: AsyncConnection, user_id: UUID, valid_to: date, now: datetime
    ) -> bytes:
        """A new name for orders to find the holder by."""
        alias = self._random_bytes(8)
        await connection.execute(
            insert(tables.code_token).values(
                token=alias, user_id=user_id, issued_at=now, expires_at=_end_of(valid_to)
            )
        )
        return alias

    async def _give_index(
        self,
        connection: AsyncConnection,
        issuer_id: int,
        request: IssueCardRequest | ReplaceCardRequest,
    ) -> int | None:
        """An index in the status list. A legacy card has no room for it, a printed one no chip."""
        if request.kind != "cpu":
            return None
        return await allocate_index(
            connection,
            issuer_id,
            expires_at=_end_of(request.valid_to) + INDEX_KEPT,
            random_bytes=self._random_bytes,
        )

    async def _give_tokens(
        self,
        connection: AsyncConnection,
        card_id: UUID,
        event_id: UUID,
        domains: Sequence[tuple[str | None, str | None]],
        now: datetime,
    ) -> None:
        await connection.execute(
            insert(card_token),
            [
                {
                    "token": self._random_bytes(8),
                    "card_id": card_id,
                    "scene": scene,
                    "merchant_id": merchant_id,
                    "event_id": event_id,
                    "recorded_at": now,
                }
                for scene, merchant_id in domains or [(None, None)]
            ],
        )

    async def _tell(
        self,
        connection: AsyncConnection,
        card_id: UUID,
        event_no: int,
        verb: CardVerb,
        state: CardState,
        note: Note,
    ) -> UUID:
        """The event, its audit row, its outbox row."""
        event_id = new_id(note.now, self._random_bytes)
        await connection.execute(
            insert(card_event).values(
                event_id=event_id,
                card_id=card_id,
                event_no=event_no,
                kind=verb.value,
                status=state.status.value,
                user_id=state.user_id,
                liability_from=state.liability_from,
                reason=note.reason,
                client_id=note.client_id,
                recorded_at=note.now,
            )
        )
        await connection.execute(
            insert(tables.audit_event).values(
                recorded_at=note.now,
                client_id=note.client_id,
                action=f"card.{verb.value}",
                object=f"card/{card_id}",
                outcome="done",
            )
        )
        await connection.execute(
            insert(tables.outbox).values(
                topic=f"card.{verb.value}",
                subject_id=card_id,
                recorded_at=note.now,
                payload={"card_id": str(card_id), "event_id": str(event_id)},
            )
        )
        return event_id


def _end_of(valid_to: date) -> datetime:
    # Two days later than the last day: whatever the zone and the cut-off are.
    return datetime.combine(valid_to + timedelta(days=2), time(), UTC)
