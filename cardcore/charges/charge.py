"""What a scene asks to be booked, and what became of it. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from cardcore.business.quote import Payer, QuoteLine


class Charge(NamedTuple):
    """What one person owes one merchant for something that is over.

    Attributes:
        user_id: whoever it was then; someone merged since is charged as their survivor.
        out_trade_no: names the charge for ever; the same one is never booked twice.
        business_on: the day it belongs to; a closed one gives way to the first open one.
        occurred_at: the instant its transfers count for, aware.
        lines: what each payer bears, at least one, all above zero, the citizen's first.
    """

    user_id: UUID
    merchant_id: str
    terminal_id: str
    scene: str
    type: str
    out_trade_no: str
    business_on: date
    occurred_at: datetime
    lines: tuple[QuoteLine, ...]
    details: Mapping[str, object] = MappingProxyType({})

    @property
    def nominal_fen(self) -> int:
        """All payers' parts."""
        return sum([line.amount_fen for line in self.lines])

    @property
    def citizen_fen(self) -> int:
        """The citizen's part."""
        return sum([line.amount_fen for line in self.lines if line.payer is Payer.CITIZEN])


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """What payers get back of one order, each from their own lines, last line first.

    ``out_refund_no`` names it for ever. ``amounts`` are all above zero.
    """

    order_id: UUID
    out_refund_no: str
    reason: str
    amounts: Mapping[Payer, int]

    def __post_init__(self) -> None:
        assert self.amounts
        assert all(fen > 0 for fen in self.amounts.values())


class OvertakenError(Exception):
    """Another writer moved the same accounts meanwhile: roll back and do the whole again."""


class ChargeResult(NamedTuple):
    """What became of one charge or giving back: its order or refund, or why it must wait.

    ``refusal`` is "" where it was booked, else stable: ``user_unknown``, ``over_limit``,
    ``left_exceeded`` (more than is left of the order) or ``books_refused`` (the ledger's answer,
    such as a merchant's payable that was settled already).
    """

    effect_id: UUID | None
    refusal: str = ""
