"""The states of a person in the register, and what leads from one to the next. Pure.

``docs/people.md`` shows the table as a picture; a test holds the two against each other.
"""

from enum import StrEnum
from typing import Final

from cardcore.errors import PersonStateError

LEVELS: Final = ("anonymous", "phone", "real_name")


class Status(StrEnum):
    """Where a person stands. Only an active one may pay, pass or be given a code."""

    ACTIVE = "active"
    FROZEN = "frozen"
    DECEASED = "deceased"
    CLOSED = "closed"
    MERGED = "merged"


class Step(StrEnum):
    """What can happen to a person as a whole."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    DEATH = "death"
    DEATH_WITHDRAWN = "death_withdrawn"
    MERGE = "merge"
    CLOSE = "close"


STEPS: Final[dict[tuple[Status, Step], Status]] = {
    (Status.ACTIVE, Step.FREEZE): Status.FROZEN,
    (Status.FROZEN, Step.UNFREEZE): Status.ACTIVE,
    (Status.ACTIVE, Step.DEATH): Status.DECEASED,
    (Status.FROZEN, Step.DEATH): Status.DECEASED,
    # A death reported by mistake: what was frozen before must be looked at again.
    (Status.DECEASED, Step.DEATH_WITHDRAWN): Status.FROZEN,
    (Status.ACTIVE, Step.MERGE): Status.MERGED,
    (Status.ACTIVE, Step.CLOSE): Status.CLOSED,
    (Status.DECEASED, Step.CLOSE): Status.CLOSED,
}


def after(status: str, step: Step) -> Status:
    """Where ``step`` leads from ``status``.

    Raises:
        PersonStateError: it leads nowhere; ``facts`` name the state and what it allows.
    """
    there = STEPS.get((Status(status), step))
    if there is None:
        raise PersonStateError(
            f"{step} is not possible while {status}",
            field="user_id",
            status=status,
            allows=[allowed.value for at, allowed in STEPS if at.value == status],
        )
    return there


def is_higher(level: str, than: str) -> bool:
    """Does ``level`` ask for more to be known of a person than the other?"""
    return LEVELS.index(level) > LEVELS.index(than)
