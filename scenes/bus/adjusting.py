"""From signed adjustments to charges and givings-back: one order a person, day and operator. Pure.

What is above zero becomes an order, what is below zero goes back out of the orders that hold this
journey's money, newest first. Which entry belongs to which order is kept, so that the next
adjustment finds it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from cardcore.business.quote import Payer, QuoteLine
from cardcore.charges.charge import Charge, ChargeResult, GiveBack
from scenes.bus.rides import Adjustment
from scenes.bus.stored_weeks import Entry, PersonOfWeek, StoredWeek
from scenes.bus.week_pricing import PricedJourney, PricedWeek

SCENE: Final = "bus"
RIDES: Final = "rides"
REASON: Final = "repriced"


class _Part(NamedTuple):
    """What of one journey and payer a charge or giving back moves, always above zero."""

    week: PersonOfWeek
    business_on: date
    merchant_id: str
    journey_id: str
    payer: Payer
    amount_fen: int


@dataclass(slots=True)
class Adjusting:
    """What is to be booked for a number of weeks, and after booking the entries it became."""

    charges: list[Charge] = field(default_factory=list)
    returns: list[GiveBack] = field(default_factory=list)
    _charged: list[list[_Part]] = field(default_factory=list)
    _returned: list[list[_Part]] = field(default_factory=list)

    def entries(
        self, charged: Sequence[ChargeResult], returned: Sequence[ChargeResult], now: datetime
    ) -> list[Entry]:
        """The entries of what was booked."""
        found = []
        for parts, result in zip(self._charged, charged, strict=True):
            if result.effect_id is not None:
                found += [_entry(part, now, order_id=result.effect_id) for part in parts]
        for parts, asked, result in zip(self._returned, self.returns, returned, strict=True):
            if result.effect_id is not None:
                found += [
                    _entry(part, now, order_id=asked.order_id, refund_id=result.effect_id)
                    for part in parts
                ]
        return found

    def waiting(
        self, charged: Sequence[ChargeResult], returned: Sequence[ChargeResult]
    ) -> set[PersonOfWeek]:
        """Weeks of which something could not be booked."""
        return {
            parts[0].week
            for parts, result in (
                *zip(self._charged, charged, strict=True),
                *zip(self._returned, returned, strict=True),
            )
            if result.effect_id is None
        }

    def add(
        self, week: PersonOfWeek, priced: PricedWeek, stored: StoredWeek, names: Sequence[str]
    ) -> None:
        """Take in one week's adjustments; ``names`` are two numbers nobody has used."""
        journeys = {one.journey.journey_id: one for one in priced.journeys}
        charges: dict[tuple[date, str], list[_Part]] = {}
        returns: dict[UUID, list[_Part]] = {}
        for one in priced.adjustments:
            business_on, merchant_id = _place(one, journeys, stored)
            if one.amount_fen > 0:
                part = _Part(
                    week=week,
                    business_on=business_on,
                    merchant_id=merchant_id,
                    journey_id=one.ride_id,
                    payer=one.payer,
                    amount_fen=one.amount_fen,
                )
                charges.setdefault((business_on, merchant_id), []).append(part)
                continue
            left_fen = -one.amount_fen
            held = stored.booked[one.ride_id][one.payer]
            for order_id in sorted(held, reverse=True):
                fen = min(held[order_id], left_fen)
                if fen > 0:
                    part = _Part(
                        week=week,
                        business_on=business_on,
                        merchant_id=merchant_id,
                        journey_id=one.ride_id,
                        payer=one.payer,
                        amount_fen=fen,
                    )
                    returns.setdefault(order_id, []).append(part)
                    left_fen -= fen
            assert left_fen == 0
        for number, ((business_on, merchant_id), parts) in enumerate(sorted(charges.items())):
            self._charged.append(parts)
            self.charges.append(
                _charge(parts, business_on, merchant_id, journeys, f"{names[0]}-{number}")
            )
        for number, (order_id, parts) in enumerate(sorted(returns.items())):
            self._returned.append(parts)
            self.returns.append(
                GiveBack(
                    order_id=order_id,
                    out_refund_no=f"{names[1]}-{number}",
                    reason=REASON,
                    amounts=_by_payer(parts),
                )
            )


def _place(
    one: Adjustment, journeys: Mapping[str, PricedJourney], stored: StoredWeek
) -> tuple[date, str]:
    """Business date and operator of a journey; one that is gone has those of its entries."""
    known = stored.places.get(one.ride_id)
    if known is not None:
        return known
    return journeys[one.ride_id].business_on, stored.by_id[one.ride_id].merchant_id


def _charge(
    parts: Sequence[_Part],
    business_on: date,
    merchant_id: str,
    journeys: Mapping[str, PricedJourney],
    name: str,
) -> Charge:
    last = journeys[parts[0].journey_id]
    for part in parts[1:]:
        last = max(last, journeys[part.journey_id], key=_began_at)
    rides = len({part.journey_id for part in parts})
    version = "" if last.charge is None else last.charge.version
    amounts = _by_payer(parts)
    lines = []
    for payer, fen in amounts.items():
        citizen = payer is Payer.CITIZEN
        reason_zh, reason_en = _reasons(business_on, rides, citizen=citizen)
        lines.append(
            QuoteLine(
                payer=payer,
                amount_fen=fen,
                rule_id="rides" if citizen else "concessions",
                rule_version=version,
                reason_zh=reason_zh,
                reason_en=reason_en,
            )
        )
    return Charge(
        user_id=parts[0].week[0],
        merchant_id=merchant_id,
        terminal_id=last.journey.began.terminal_id,
        scene=SCENE,
        type=RIDES,
        out_trade_no=name,
        business_on=business_on,
        occurred_at=last.journey.began_at,
        lines=tuple(lines),
        details={"journeys": sorted({part.journey_id for part in parts})},
    )


def _began_at(one: PricedJourney) -> datetime:
    return one.journey.began_at


@lru_cache(maxsize=1_024)
def _reasons(business_on: date, rides: int, *, citizen: bool) -> tuple[str, str]:
    """What the line says to the person, in Chinese and in English."""
    return (
        f"{business_on.month}月{business_on.day}日乘车{rides}次" + ("" if citizen else "优惠"),
        f"{rides} ride(s) of {business_on}" + ("" if citizen else ", concession"),
    )


_PAYERS: Final = tuple(Payer)


def _by_payer(parts: Sequence[_Part]) -> dict[Payer, int]:
    """Sums by payer, the citizen's first."""
    if len(parts) == 1:
        return {parts[0].payer: parts[0].amount_fen}
    sums: dict[Payer, int] = {}
    for part in parts:
        sums[part.payer] = sums.get(part.payer, 0) + part.amount_fen
    return {payer: sums[payer] for payer in _PAYERS if payer in sums}


def _entry(part: _Part, now: datetime, *, order_id: UUID, refund_id: UUID | None = None) -> Entry:
    return Entry(
        journey_id=part.journey_id,
        user_id=part.week[0],
        week_on=part.week[1],
        business_on=part.business_on,
        merchant_id=part.merchant_id,
        payer=part.payer,
        amount_fen=part.amount_fen if refund_id is None else -part.amount_fen,
        order_id=order_id,
        refund_id=refund_id,
        recorded_at=now,
    )
