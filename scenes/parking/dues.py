"""What is still to be paid for a stay: its price less what was paid. Pure.

Who pays before the exit has some minutes to leave: a stay that was paid in full when it was paid,
and ended within those minutes, owes nothing more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scenes.parking.tariffs import Fee, Parked, Tariff, fee_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Money that was paid for a stay and not given back; ``at`` is when."""

    at: datetime
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """``due_fen`` is negative where more was paid than the stay costs now."""

    fee: Fee
    paid_fen: int
    due_fen: int


def due_of(tariff: Tariff, parked: Parked, paid: Sequence[Paid]) -> Due:
    """What is due for a car that was there from its entry to ``parked.left_at``."""
    grace = timedelta(minutes=tariff.leave_within_min)
    priced_at = parked.left_at
    for one in paid:
        if parked.left_at - grace <= one.at < priced_at:
            then = replace(parked, left_at=one.at)
            paid_then_fen = sum(other.amount_fen for other in paid if other.at <= one.at)
            if fee_of(tariff, then).amount_fen <= paid_then_fen:
                priced_at = one.at
    fee = fee_of(tariff, replace(parked, left_at=priced_at))
    paid_fen = sum(one.amount_fen for one in paid)
    return Due(fee=fee, paid_fen=paid_fen, due_fen=fee.amount_fen - paid_fen)


def missed_entry_due(tariff: Tariff, paid: Sequence[Paid]) -> Due:
    """The same for a stay whose entry nobody saw: the tariff's price for that."""
    fee = Fee(
        amount_fen=tariff.entry_missed_fen,
        minutes=0,
        covered_minutes=0,
        free=tariff.entry_missed_fen == 0,
        stretches=(),
        capped_fen=0,
        discount_fen=0,
    )
    paid_fen = sum(one.amount_fen for one in paid)
    return Due(fee=fee, paid_fen=paid_fen, due_fen=fee.amount_fen - paid_fen)
