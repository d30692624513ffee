"""What is asked when one person offers to pay for another, or asks them to."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from cardcore.model import AmountFen, Instant, Model, Name
from cardcore.user.delegation import DelegationUse


class InviteRequest(Model):
    """The terms of a delegation that another person is invited to.

    ``inviter_pays``: the inviter offers to pay, or asks to be paid for. ``guardian``: a parent
    for a child; ``agent``: a grown person for an elder. Limits are fen per order, business day
    and, where one is set, month, over the scenes named. It begins when it is accepted.
    """

    inviter_pays: bool
    kind: Literal["guardian", "agent"]
    scenes: Annotated[list[Name], Field(min_length=1, max_length=16)]
    use: DelegationUse = DelegationUse.WHEN_SHORT
    order_fen_max: AmountFen
    day_fen_max: AmountFen
    month_fen_max: AmountFen | None = None
    valid_to: Instant

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.day_fen_max < self.order_fen_max:
            raise ValueError("day_fen_max lies below order_fen_max")
        if self.month_fen_max is not None and self.month_fen_max < self.day_fen_max:
            raise ValueError("month_fen_max lies below day_fen_max")
        return self


class InvitationCode(Model):
    """The code of an invitation as somebody typed it: case, dashes and blanks do not count."""

    code: Annotated[str, StringConstraints(min_length=12, max_length=40)]
