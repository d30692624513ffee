"""What terminals must know of cards: which to refuse or ask about while they are offline.

Cards with an index go into the status list, a bit that says no. The others go into the list of
truncated hashes, named by their tokens: a hit says "ask online". A card number is in neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.user.card_life import CardStatus
from cardcore.user.card_tables import card, card_token
from codes import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatuses:
    """``indexed``: index in the issuer's status list → status, good cards left out.

    ``denied``: names for ``codes.card_hash_list``, tokens as 16 hex digits, rising.
    """

    indexed: Mapping[int, Status]
    denied: Sequence[str]


async def card_statuses(connection: AsyncConnection, *, issuer_id: int, on: date) -> CardStatuses:
    """Everything about one issuer's cards that a terminal package must carry on a business date.

    Not good is a card that is not active, is bound to nobody, or whose holder is not active: it is
    suspended while that can end, revoked when it cannot. A revoked token of a card that is good
    again can only be named. Cards past their validity are left out: terminals read that from the
    card itself.
    """
    token, person = card_token.c, tables.person.c
    rows = await connection.execute(
        select(
            token.token,
            token.revoked_at,
            card.c.status,
            card.c.status_index,
            person.status.label("holder"),
        )
        .join(card, card.c.card_id == token.card_id)
        .outerjoin(tables.person, person.user_id == card.c.user_id)
        .where(card.c.issuer_id == issuer_id, card.c.valid_to >= on)
        .where(
            token.revoked_at.is_not(None)
            | (card.c.status != CardStatus.ACTIVE.value)
            | (person.status != "active")
        )
        .order_by(token.token)
    )
    indexed: dict[int, Status] = {}
    denied = []
    for row in rows:
        ended = row.status in (CardStatus.REPLACED.value, CardStatus.CLOSED.value)
        # An unbound card has no holder, so this holds for it too.
        suspended = row.status != CardStatus.ACTIVE.value or row.holder != "active"
        if row.status_index is None:
            denied.append(row.token.hex())
        elif ended or suspended:
            indexed[row.status_index] = Status.REVOKED if ended else Status.SUSPENDED
        else:
            # The card is good and an old token of it is not: only its name can say so.
            denied.append(row.token.hex())
    return CardStatuses(indexed=indexed, denied=denied)
