"""What may become of a dispute, and what each step does with the money. Pure.

The citizen says an order should not have cost what it did. While that is looked into, the citizen
may be given the money provisionally, out of the city's own dispute account; whoever is in the
wrong in the end pays the account back. The one place that says which step follows which; the
picture in ``docs/orders.md`` is drawn from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from cardcore.business.dispute_errors import DisputeStateError


class DisputeStatus(StrEnum):
    """Where a dispute stands; the last three are final."""

    OPEN = "open"
    CONTESTED = "contested"
    FOR_CITIZEN = "for_citizen"
    FOR_MERCHANT = "for_merchant"
    WITHDRAWN = "withdrawn"


class DisputeStep(StrEnum):
    """What happens to a dispute."""

    CREDIT = "credit"
    CONTEST = "contest"
    ACCEPT = "accept"
    DECIDE_FOR_CITIZEN = "decide_for_citizen"
    DECIDE_FOR_MERCHANT = "decide_for_merchant"
    WITHDRAW = "withdraw"
    RESPONSE_OVERDUE = "response_overdue"
    DECISION_OVERDUE = "decision_overdue"


class Bearer(StrEnum):
    """Who pays the dispute account back."""

    MERCHANT = "merchant"
    CITIZEN = "citizen"


_S, _D = DisputeStatus, DisputeStep
UNDECIDED: Final = frozenset({_S.OPEN, _S.CONTESTED})
# What is disputed and not (or not any more) answered by this may be refunded or disputed anew.
CLAIMING: Final = UNDECIDED | {_S.FOR_CITIZEN}
STEPS: Final[Mapping[tuple[DisputeStatus, DisputeStep], DisputeStatus]] = {
    (_S.OPEN, _D.CREDIT): _S.OPEN,
    (_S.OPEN, _D.CONTEST): _S.CONTESTED,
    (_S.OPEN, _D.ACCEPT): _S.FOR_CITIZEN,
    # A merchant that does not answer in time has lost; so has an office that does not decide.
    (_S.OPEN, _D.RESPONSE_OVERDUE): _S.FOR_CITIZEN,
    (_S.OPEN, _D.DECIDE_FOR_CITIZEN): _S.FOR_CITIZEN,
    (_S.OPEN, _D.WITHDRAW): _S.WITHDRAWN,
    (_S.CONTESTED, _D.CREDIT): _S.CONTESTED,
    (_S.CONTESTED, _D.ACCEPT): _S.FOR_CITIZEN,
    (_S.CONTESTED, _D.DECIDE_FOR_CITIZEN): _S.FOR_CITIZEN,
    (_S.CONTESTED, _D.DECIDE_FOR_MERCHANT): _S.FOR_MERCHANT,
    (_S.CONTESTED, _D.DECISION_OVERDUE): _S.FOR_CITIZEN,
    (_S.CONTESTED, _D.WITHDRAW): _S.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeMoney:
    """Where the money of a dispute stands, in fen.

    ``credited_fen``: given to the citizen out of the dispute account. ``recovered_fen``: paid
    back into it by ``bearer``, who is known once the dispute is decided and somebody owes.
    """

    amount_fen: int
    credited_fen: int = 0
    recovered_fen: int = 0
    bearer: Bearer | None = None

    def __post_init__(self) -> None:
        assert self.credited_fen in (0, self.amount_fen)
        assert 0 <= self.recovered_fen <= self.credited_fen
        assert self.bearer is not None or self.recovered_fen == 0

    @property
    def owed_fen(self) -> int:
        """What the bearer still owes the dispute account; 0 while nobody is found to."""
        return 0 if self.bearer is None else self.credited_fen - self.recovered_fen

    def recover(self, fen: int) -> "DisputeMoney":
        """``fen`` were taken from the bearer."""
        assert fen <= self.owed_fen
        return replace(self, recovered_fen=self.recovered_fen + fen)


def step(
    status: DisputeStatus, money: DisputeMoney, taken: DisputeStep
) -> tuple[DisputeStatus, DisputeMoney, int]:
    """Take one step.

    Returns:
        The new status, the new state of the money (nothing recovered yet), and how much is to be
        credited to the citizen now.

    Raises:
        DisputeStateError: the state does not allow it, or the citizen was credited before.
    """
    then = STEPS.get((status, taken))
    if then is None or (taken is DisputeStep.CREDIT and money.credited_fen):
        raise DisputeStateError(field="dispute_id", status=status.value, step=taken.value)
    credit_fen = 0
    if then is DisputeStatus.FOR_CITIZEN or taken is DisputeStep.CREDIT:
        credit_fen = money.amount_fen - money.credited_fen
    money = replace(money, credited_fen=money.credited_fen + credit_fen)
    if then is DisputeStatus.FOR_CITIZEN:
        money = replace(money, bearer=Bearer.MERCHANT)
    elif then not in UNDECIDED and money.credited_fen:
        money = replace(money, bearer=Bearer.CITIZEN)
    return then, money, credit_fen
