"""What may become of a payment: the states and every step between them. Pure.

A payment is a saga. Before anything is said to the outside, what is about to be said is written
down as a state; a payment found in a state by somebody who did not bring it there is one whose last
word may or may not have been heard. The picture in ``docs/hospital.md`` is drawn from this table.
"""

from enum import StrEnum
from typing import Final


class PaymentState(StrEnum):
    """Where a payment stands."""

    QUOTED = "quoted"  # the split is shown, nothing is held
    HOLDING = "holding"  # the citizen has agreed; the hold is asked for
    HELD = "held"
    SETTLING = "settling"  # 2207 is being said, once
    ASKING = "asking"  # nobody knows what became of it
    REVERSING = "reversing"  # the insurer knows nothing of it, and shall not later
    SETTLED = "settled"
    CANCELLING = "cancelling"  # settled, but not to be paid: taken back
    RELEASING = "releasing"  # the hold goes back
    REVIEW = "review"  # the sums do not agree: people decide
    PAID = "paid"
    RETURNED = "returned"
    REFUSED = "refused"  # nothing was ever held
    LAPSED = "lapsed"  # nobody agreed in time


FINAL: Final = frozenset(
    {PaymentState.PAID, PaymentState.RETURNED, PaymentState.REFUSED, PaymentState.LAPSED}
)
S = PaymentState
STEPS: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    S.QUOTED: frozenset({S.HOLDING, S.LAPSED}),
    S.HOLDING: frozenset({S.HELD, S.REFUSED}),
    S.HELD: frozenset({S.SETTLING, S.SETTLED}),
    S.SETTLING: frozenset({S.SETTLED, S.ASKING, S.CANCELLING, S.RELEASING, S.REVIEW}),
    S.ASKING: frozenset({S.SETTLED, S.REVERSING, S.CANCELLING, S.RELEASING, S.REVIEW}),
    S.REVERSING: frozenset({S.RELEASING, S.REVIEW}),
    S.SETTLED: frozenset({S.PAID, S.CANCELLING, S.RELEASING}),
    S.CANCELLING: frozenset({S.RELEASING, S.REVIEW}),
    S.RELEASING: frozenset({S.RETURNED}),
    S.REVIEW: frozenset({S.ASKING, S.CANCELLING, S.REVERSING, S.RELEASING}),
    S.PAID: frozenset(),
    S.RETURNED: frozenset(),
    S.REFUSED: frozenset(),
    S.LAPSED: frozenset(),
}
# Once a payment has been here, what it settled may be taken back at any time: never believed again.
UNDOING: Final = frozenset({S.REVERSING, S.CANCELLING})


class RefundState(StrEnum):
    """Where a refund stands."""

    CANCELLING = "cancelling"  # the old settlement is taken back
    RESETTLE = "resettle"  # the rest is to be settled
    RESETTLING = "resettling"  # 2207 is being said, once
    ASKING = "asking"
    REVERSING = "reversing"
    UNSETTLING = "unsettling"  # the rest is settled, but not to stay so: taken back
    REFUNDING = "refunding"  # the money goes back the way it came
    REVIEW = "review"
    REFUNDED = "refunded"
    REFUSED = "refused"  # the insurer would not take the settlement back: nothing has changed


R = RefundState
REFUND_STEPS: Final[dict[RefundState, frozenset[RefundState]]] = {
    R.CANCELLING: frozenset({R.RESETTLE, R.REFUNDING, R.REFUSED, R.REVIEW}),
    R.RESETTLE: frozenset({R.RESETTLING}),
    R.RESETTLING: frozenset({R.REFUNDING, R.ASKING, R.UNSETTLING, R.REVIEW}),
    R.ASKING: frozenset({R.REFUNDING, R.REVERSING, R.RESETTLE, R.UNSETTLING, R.REVIEW}),
    R.REVERSING: frozenset({R.RESETTLE, R.REFUNDING, R.REVIEW}),
    R.UNSETTLING: frozenset({R.RESETTLE, R.REFUNDING, R.REVIEW}),
    R.REFUNDING: frozenset({R.REFUNDED}),
    R.REVIEW: frozenset({R.CANCELLING, R.ASKING, R.REVERSING, R.UNSETTLING, R.REFUNDING}),
    R.REFUNDED: frozenset(),
    R.REFUSED: frozenset(),
}
REFUND_FINAL: Final = frozenset({RefundState.REFUNDED, RefundState.REFUSED})
# As UNDOING, of the settlement of the rest; settling it anew begins afresh.
REFUND_UNDOING: Final = frozenset({R.REVERSING, R.UNSETTLING})
