"""Limits on what goes into or out of a fund: of one movement, and of one business date. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta

from cardcore.errors import LimitExceededError


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnoverLimits:
    """What one movement and one business date may come to; None does not stand.

    ``name`` is what a refusal calls the limits by: ``topup:purse``.
    """

    name: str
    single_fen_max: int | None
    day_fen_max: int | None


def check_limits(amount_fen: int, *, used_fen: int, limits: TurnoverLimits, on: date) -> None:
    """Let a movement through, or say which limit stands against it and from when it may be tried.

    Args:
        amount_fen: what is to move, > 0.
        used_fen: what has moved on ``on`` before.
        limits: of the fund's kind.
        on: the business date.

    Raises:
        LimitExceededError: ``facts`` have the limit, its figure, what is used of it and, for the
            limit of a day, the business date from which it begins anew.
    """
    if limits.single_fen_max is not None and amount_fen > limits.single_fen_max:
        raise LimitExceededError(
            field="amount_fen", limit=f"{limits.name}:single", limit_fen=limits.single_fen_max
        )
    if limits.day_fen_max is not None and used_fen + amount_fen > limits.day_fen_max:
        raise LimitExceededError(
            field="amount_fen",
            limit=f"{limits.name}:day",
            limit_fen=limits.day_fen_max,
            used_fen=used_fen,
            renews_on=(on + timedelta(days=1)).isoformat(),
        )
