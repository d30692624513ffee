"""What ``cardcore`` calls for a car park's orders. Pure.

Stays and month cards are priced by the scene's service, from what its lanes have seen and what was
paid already; the order carries the figures that price follows from, and each line names the car
park's tariff and its version. Every other business of the scene (a car park with a system of its
own) has the amount its merchant names.
"""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from cardcore.business.plain_pricing import PlainPricer
from cardcore.business.quote import Payer, PricingFacts, QuoteLine, Subject
from cardcore.errors import AmountInvalidError
from cardcore.field_faults import details_as
from cardcore.model import Model

STAY: Final = "stay"
MONTH_CARD: Final = "month_card"
_Text = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Count = Annotated[int, Field(strict=True, ge=0)]


class StayDetails(Model):
    """What an order for a stay is about; ``paid_before_fen`` was paid for it before."""

    car_park: _Text
    tariff_version: _Count
    stay_id: UUID
    plate: _Text
    entered_at: datetime | None
    left_at: datetime | None
    minutes: _Count
    fee_fen: _Count
    discount_fen: _Count
    paid_before_fen: int
    lane: _Text
    readings: list[UUID]


class MonthCardDetails(Model):
    """What an order for a month card is about."""

    car_park: _Text
    tariff_version: _Count
    plate: _Text
    kind: Literal["month_card"] = MONTH_CARD
    valid_from: datetime
    valid_to: datetime
    months: _Count


class ParkingPricer:
    """Prices the scene's orders. Implements ``ScenePricer``."""

    def __init__(self) -> None:
        self._plain = PlainPricer()

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:
        """One line of the citizen.

        Raises:
            RequestInvalidError: details are not of the type's form.
            AmountInvalidError: a stay or a month card without its amount.
        """
        if facts.type == STAY:
            stay = details_as(StayDetails, facts.details)
            hours, minutes = divmod(stay.minutes, 60)
            return [
                _line(
                    facts,
                    stay,
                    f"停车 {hours} 小时 {minutes} 分",
                    f"parked for {hours} h {minutes} min",
                )
            ]
        if facts.type == MONTH_CARD:
            card = details_as(MonthCardDetails, facts.details)
            return [_line(facts, card, f"月卡 {card.months} 个月", f"month card, {card.months}")]
        return self._plain.price(facts, subject)


def _line(
    facts: PricingFacts, details: StayDetails | MonthCardDetails, zh: str, en: str
) -> QuoteLine:
    if facts.amount_fen is None:
        raise AmountInvalidError("a stay names its amount", field="business.amount_fen")
    return QuoteLine(
        payer=Payer.CITIZEN,
        amount_fen=facts.amount_fen,
        rule_id=f"tariff:{details.car_park}",
        rule_version=str(details.tariff_version),
        reason_zh=zh,
        reason_en=en,
    )
