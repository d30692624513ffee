"""May somebody else pay for this person here? Pure, over the facts of one order.

A guardian's fund may pay a child's ride, an agent's an elder's purchase: in the scenes the
delegation names, up to its limits, until it ends or is revoked. Whoever pays has said how: first,
only where the person's own funds are short, or only where an order asks for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from cardcore.errors import FundUnknownError, LimitExceededError, UserFrozenError

# The scene's plan says which of the payer's funds pay.
ANY_FUND: Final = "auto"


class DelegationUse(StrEnum):
    """When a delegation pays where the order does not say who does."""

    FIRST = "first"
    WHEN_SHORT = "when_short"
    WHEN_ASKED = "when_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """``payer_id`` pays for ``user_id``. ``payer_active``: the payer's own state allows it.

    ``fund`` is the kind of the payer's fund that pays, or ``auto`` for the scene's plan;
    ``payer_funds`` are the kinds and ids of the payer's active funds. No ``month_fen_max`` is no
    limit of its own for a month.
    """

    delegation_id: UUID
    user_id: UUID
    payer_id: UUID
    kind: str
    use: DelegationUse
    fund: str
    scenes: frozenset[str]
    order_fen_max: int
    day_fen_max: int
    month_fen_max: int | None
    valid_from: datetime
    valid_to: datetime
    payer_active: bool
    payer_funds: tuple[tuple[str, UUID], ...]
    payer_former_ids: frozenset[UUID] = frozenset()

    def is_of(self, payer_id: UUID) -> bool:
        """Does this id, today's or one from before a merge, name whoever pays?"""
        return payer_id == self.payer_id or payer_id in self.payer_former_ids

    def covers(self, scene: str, at: datetime) -> bool:
        """Does it speak of this scene at this instant?"""
        return scene in self.scenes and self.valid_from <= at < self.valid_to

    def admit(self, amount_fen: int) -> None:
        """Raise unless it may pay so much at once.

        Raises:
            LimitExceededError: ``delegation_order``.
        """
        if amount_fen > self.order_fen_max:
            raise LimitExceededError(
                field="account.payer",
                limit="delegation_order",
                limit_fen=self.order_fen_max,
                asked_fen=amount_fen,
                delegation_id=str(self.delegation_id),
            )


def asked_in_turn(able: Iterable[Delegation]) -> Sequence[Delegation | None]:
    """Who is asked to pay where the order does not say who does; None is the person themselves."""
    able = list(able)
    first = [one for one in able if one.use is DelegationUse.FIRST]
    short = [one for one in able if one.use is DelegationUse.WHEN_SHORT]
    return [*first, None, *short]


def payers_of(
    delegations: Iterable[Delegation], *, scene: str, at: datetime
) -> Sequence[Delegation]:
    """Those who may pay here and now, in the order in which they are to be asked.

    Args:
        delegations: those of the person, oldest first.
        scene: where it is to be paid.
        at: instant of the order.

    Raises:
        FundUnknownError: nobody pays for this person here.
        UserFrozenError: whoever would pay is frozen, closed or gone.
    """
    covering = [one for one in delegations if one.covers(scene, at)]
    if not covering:
        raise FundUnknownError("nobody pays for this user in this scene", field="account.payer")
    able = [one for one in covering if one.payer_active]
    if not able:
        raise UserFrozenError("whoever pays for this user is not active", field="account.payer")
    return able
