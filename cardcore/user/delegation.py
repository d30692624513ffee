"""May somebody else pay for this person here? Pure, over the facts of one order.

A guardian's fund may pay a child's ride, an agent's an elder's purchase: in the scenes the
delegation names, up to its limits per order and per business day, until it ends or is revoked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cardcore.errors import FundUnknownError, LimitExceededError, UserFrozenError


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """``payer_id`` pays for ``user_id``. ``payer_active``: the payer's own state allows it."""

    delegation_id: UUID
    user_id: UUID
    payer_id: UUID
    kind: str
    scenes: frozenset[str]
    order_fen_max: int
    day_fen_max: int
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None
    payer_active: bool

    def covers(self, scene: str, at: datetime) -> bool:
        """Does it speak of this scene at this instant?"""
        revoked = self.revoked_at is not None and self.revoked_at <= at
        return scene in self.scenes and self.valid_from <= at < self.valid_to and not revoked


def payer_of(
    delegations: Sequence[Delegation],
    *,
    scene: str,
    amount_fen: int,
    spent_fen: Mapping[UUID, int],
    at: datetime,
) -> Delegation:
    """The delegation by which this amount may be paid: of those that cover it, the first that fits.

    Args:
        delegations: those of the person, in the order in which they are to be tried.
        scene: where it is to be paid.
        amount_fen: the citizen's share, > 0.
        spent_fen: by delegation id, what was paid by it on this business day.
        at: instant of the order.

    Raises:
        FundUnknownError: nobody pays for this person here.
        UserFrozenError: the one who would pay is frozen, closed or gone.
        LimitExceededError: every delegation's limit stands against it; ``facts`` name the last
            one's, and what is left of it.
    """
    assert amount_fen > 0
    covering = [one for one in delegations if one.covers(scene, at)]
    if not covering:
        raise FundUnknownError("nobody pays for this user in this scene", field="account")
    able = [one for one in covering if one.payer_active]
    if not able:
        raise UserFrozenError("whoever pays for this user is not active", field="account")
    refusal: LimitExceededError | None = None
    for one in able:
        spent = spent_fen.get(one.delegation_id, 0)
        if amount_fen <= one.order_fen_max and spent + amount_fen <= one.day_fen_max:
            return one
        per_order = amount_fen > one.order_fen_max
        refusal = LimitExceededError(
            field="account",
            limit="delegation_order" if per_order else "delegation_day",
            limit_fen=one.order_fen_max if per_order else one.day_fen_max,
            left_fen=one.order_fen_max if per_order else max(one.day_fen_max - spent, 0),
            delegation_id=str(one.delegation_id),
        )
    assert refusal is not None
    raise refusal
