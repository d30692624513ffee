"""What may become of a settlement window, of a payout and of a difference. Pure.

window   open → closed → processing → settled | failed
                closed → aborted: nothing of it was booked; the next window settles it
payout   held → paid | refused: refused money lies on the payable again, the next window pays it
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class WindowState(StrEnum):
    """State of a window."""

    OPEN = "open"
    CLOSED = "closed"
    PROCESSING = "processing"
    SETTLED = "settled"
    FAILED = "failed"
    ABORTED = "aborted"


class StatementState(StrEnum):
    """How far a merchant's statement in a window is booked."""

    COMPUTED = "computed"
    BOOKED = "booked"


class PayoutState(StrEnum):
    """State of a payout; ``held`` as long as nobody knows what the bank did."""

    HELD = "held"
    PAID = "paid"
    REFUSED = "refused"


WINDOW_STEPS: Final[Mapping[WindowState, frozenset[WindowState]]] = {
    WindowState.OPEN: frozenset({WindowState.CLOSED}),
    WindowState.CLOSED: frozenset({WindowState.PROCESSING, WindowState.ABORTED}),
    WindowState.PROCESSING: frozenset({WindowState.SETTLED, WindowState.FAILED}),
    WindowState.SETTLED: frozenset(),
    WindowState.FAILED: frozenset(),
    WindowState.ABORTED: frozenset(),
}
ENDED: Final = frozenset({WindowState.SETTLED, WindowState.FAILED, WindowState.ABORTED})


def may_become(state: WindowState, other: WindowState) -> bool:
    """Whether a window may go from one state to the other."""
    return other in WINDOW_STEPS[state]


def end_of(payouts: Mapping[PayoutState, int]) -> WindowState | None:
    """What a window whose statements are all booked ends as; None while a payout is under way.

    Args:
        payouts: how many payouts of the window stand in each state.
    """
    if payouts.get(PayoutState.HELD, 0):
        return None
    return WindowState.FAILED if payouts.get(PayoutState.REFUSED, 0) else WindowState.SETTLED
