"""A priced business: lines of who pays how much by which rule. Pure values.

The citizen's share and every subsidy are separate lines, always: a free ride is a zero line of
the citizen and the full fare on the finance bureau.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from cardcore.values import value


class Payer(StrEnum):
    """Who bears a line."""

    CITIZEN = "citizen"
    FINANCE_BUREAU = "finance_bureau"
    INSURER = "insurer"
    EMPLOYER = "employer"
    SCHOOL = "school"
    MERCHANT = "merchant"


@value
class QuoteLine:
    """One payer's part: ``amount_fen`` ≥ 0, and the rule that says so."""

    payer: Payer
    amount_fen: int
    rule_id: str
    rule_version: str
    reason_zh: str
    reason_en: str

    def __post_init__(self) -> None:
        assert self.amount_fen >= 0


@value
class Subject:
    """What a scene may know of the person before it: no name, no number.

    ``concessions`` are the entitlement classes valid on ``business_on`` (``senior``,
    ``student`` …).
    """

    user_id: UUID
    level: str
    concessions: frozenset[str]
    business_on: date


@value
class PricingFacts:
    """The business as a scene's pricer sees it, its details not yet validated."""

    scene: str
    type: str
    merchant_id: str
    terminal_id: str
    amount_fen: int | None
    occurred_at: datetime
    details: dict[str, object]


@value
class Quote:
    """All lines of one business; ``nominal_fen`` is their sum."""

    lines: tuple[QuoteLine, ...]

    @property
    def nominal_fen(self) -> int:
        """The whole price, whoever pays it."""
        return sum(line.amount_fen for line in self.lines)

    @property
    def citizen_fen(self) -> int:
        """What leaves the citizen's funds."""
        return sum(line.amount_fen for line in self.lines if line.payer is Payer.CITIZEN)
