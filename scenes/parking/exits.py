"""Does the gate open, and who pays how: decided from facts, in one order. Pure.

先离场后付费: a car whose owner has proved that it is theirs and has signed for it leaves at once,
and they pay afterwards. Everybody else pays first, by any code. Whatever is not sure is decided
against the charge and never against the person: a plate is no secret, so it alone never costs
anybody money.
"""

from dataclasses import dataclass
from enum import StrEnum


class Gate(StrEnum):
    """The lane's answer."""

    OPEN = "open"
    PAY_FIRST = "pay_first"


class Reason(StrEnum):
    """Why, in the order in which it is asked. Stable: lanes show it.

    The last two say that the core refused the charge: the credit line does not reach, or anything
    else.
    """

    NOTHING_DUE = "nothing_due"
    UNBOUND = "unbound"
    UNPROVEN = "unproven"
    PLATE_BARRED = "plate_barred"
    PLATE_FLAGGED = "plate_flagged"
    NO_CONTRACT = "no_contract"
    GREY_LISTED = "grey_listed"
    ON_ACCOUNT = "on_account"
    OVER_LIMIT = "over_limit"
    NOT_BOOKED = "not_booked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitFacts:
    """What is known at the exit.

    Attributes:
        due_fen: the price less what was paid for this stay.
        bound: the plate belongs to somebody.
        active: and is neither frozen nor reported stolen.
        proven: and they have proved it.
        flagged: it was seen in two places at once, and nobody has decided yet.
        contract: they have signed that they pay afterwards.
        grey_listed: they owe, and have not paid when asked several times.
    """

    due_fen: int
    bound: bool = False
    active: bool = False
    proven: bool = False
    flagged: bool = False
    contract: bool = False
    grey_listed: bool = False


def decide_exit(facts: ExitFacts) -> tuple[Gate, Reason]:
    """The first rule that applies. ``on_account`` holds only if the money is then booked."""
    if facts.due_fen <= 0:
        return Gate.OPEN, Reason.NOTHING_DUE
    refusals = (
        (not facts.bound, Reason.UNBOUND),
        (not facts.active, Reason.PLATE_BARRED),
        (not facts.proven, Reason.UNPROVEN),
        (facts.flagged, Reason.PLATE_FLAGGED),
        (not facts.contract, Reason.NO_CONTRACT),
        (facts.grey_listed, Reason.GREY_LISTED),
    )
    for applies, reason in refusals:
        if applies:
            return Gate.PAY_FIRST, reason
    return Gate.OPEN, Reason.ON_ACCOUNT
