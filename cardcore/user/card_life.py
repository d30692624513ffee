"""The life of a card as a table: which verb is allowed in which state, and what it leads to. Pure.

Money lies in funds, not in the card: nothing here touches a balance. Source: docs/cards.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from cardcore.user.card_errors import CardStateError


class CardStatus(StrEnum):
    """What may be done with a card."""

    ACTIVE = "active"
    LOST = "lost"
    FROZEN = "frozen"
    REPLACED = "replaced"
    CLOSED = "closed"


class CardVerb(StrEnum):
    """What happens to a card; the values name its events."""

    ISSUE = "issued"
    BIND = "bound"
    UNBIND = "unbound"
    LOSE = "lost"
    FIND = "found"
    FREEZE = "frozen"
    UNFREEZE = "unfrozen"
    REPLACE = "replaced"
    CLOSE = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardState:
    """A card's state. ``user_id`` None: bound to nobody.

    ``liability_from`` is the instant from which the issuer, not the holder, answers for what is
    done with the card; None while the holder does.
    """

    status: CardStatus
    user_id: UUID | None
    liability_from: datetime | None = None

    @property
    def is_good(self) -> bool:
        """May it be tapped?"""
        return self.status is CardStatus.ACTIVE and self.user_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """``bound`` says whether the card must have a holder before, None where it does not matter."""

    allowed: frozenset[CardStatus]
    leads_to: CardStatus
    bound: bool | None = None


_S: Final = CardStatus
_LIVING: Final = frozenset({_S.ACTIVE, _S.LOST, _S.FROZEN})
_ACTIVE: Final = frozenset({_S.ACTIVE})
RULES: Final[dict[CardVerb, _Rule]] = {
    CardVerb.BIND: _Rule(allowed=_ACTIVE, leads_to=_S.ACTIVE, bound=False),
    # A lost card is not unbound: whoever found it could bind it to themselves.
    CardVerb.UNBIND: _Rule(allowed=_ACTIVE, leads_to=_S.ACTIVE, bound=True),
    CardVerb.LOSE: _Rule(allowed=frozenset({_S.ACTIVE, _S.FROZEN}), leads_to=_S.LOST, bound=True),
    CardVerb.FIND: _Rule(allowed=frozenset({_S.LOST}), leads_to=_S.ACTIVE),
    CardVerb.FREEZE: _Rule(allowed=_ACTIVE, leads_to=_S.FROZEN),
    CardVerb.UNFREEZE: _Rule(allowed=frozenset({_S.FROZEN}), leads_to=_S.ACTIVE),
    CardVerb.REPLACE: _Rule(allowed=_LIVING, leads_to=_S.REPLACED, bound=True),
    CardVerb.CLOSE: _Rule(allowed=_LIVING, leads_to=_S.CLOSED),
}
# After these no tap of the card is good again until a new token was written into it.
ENDS_TOKENS: Final = frozenset({CardVerb.UNBIND, CardVerb.REPLACE, CardVerb.CLOSE})


def state_after(
    verb: CardVerb, state: CardState, *, at: datetime, user_id: UUID | None = None
) -> CardState:
    """The state that ``verb`` leads to.

    Args:
        verb: any but ``ISSUE``, which begins a life.
        state: before.
        at: instant of the verb; liability passes to the issuer then, if it had not before.
        user_id: the new holder, with ``BIND`` alone.

    Raises:
        CardStateError: not allowed in this state.
    """
    assert (verb is CardVerb.BIND) == (user_id is not None)
    rule = RULES[verb]
    is_bound = state.user_id is not None
    if state.status not in rule.allowed or rule.bound not in (None, is_bound):
        status = state.status.value if is_bound else "unbound"
        raise CardStateError(f"not while the card is {status}", status=status)
    if verb is CardVerb.BIND:
        return replace(state, user_id=user_id)
    if verb is CardVerb.UNBIND:
        return replace(state, user_id=None)
    liability_from = None if rule.leads_to is _S.ACTIVE else state.liability_from or at
    return replace(state, status=rule.leads_to, liability_from=liability_from)
