"""What ``cardcore`` calls to price a bus ride. Pure; the table it reads is swapped as a whole.

Order of the rules for a single ride: leg fare, then concession. Transfers and caps look at a
person's whole day, so they are settled by ``rides`` when the day is priced.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from cardcore.business.quote import Payer, PricingFacts, QuoteLine, Subject
from cardcore.calendar import LOCAL_ZONE
from cardcore.errors import AmountInvalidError, RequestInvalidError
from cardcore.field_faults import details_as
from cardcore.model import Model
from scenes.bus.concessions import ConcessionPolicy, FareShares, shares_by_category
from scenes.bus.fare_table import FareTable
from scenes.bus.leg_fares import LINE_FIELD, FareBasis, LegFare, LineUnknownError, Ride

FARE: Final = "fare"  # a whole ride, paid at once
TAP_ON: Final = "tap_on"  # recorded; charged when the person's day is priced
TAP_OFF: Final = "tap_off"
BOARDING: Final = "boarding"  # a tap-on that holds the maximum fare until then

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Sequence = Annotated[int, Field(strict=True, ge=0, le=100_000)]


class BusDetails(Model):
    """What a validator tells of a ride.

    ``line`` and the stops are identifiers of the active tables. ``off_stop`` is left out on flat
    lines; elsewhere leaving it out is an incomplete journey. The sequences tell a loop line's two
    visits of one stop apart.
    """

    line: Identifier
    direction: Literal["up", "down"] | None = None
    on_stop: Identifier
    off_stop: Identifier | None = None
    vehicle: Identifier | None = None
    trip: Identifier | None = None
    on_sequence: Sequence | None = None
    off_sequence: Sequence | None = None

    def ride(self, at: datetime, categories: frozenset[str]) -> Ride:
        """The ride these details tell of, tapped at an instant by a rider of these classes."""
        return Ride(
            line_id=self.line,
            on_stop=self.on_stop,
            off_stop=self.off_stop,
            trip_id=self.trip or "",
            on_sequence=self.on_sequence,
            off_sequence=self.off_sequence,
            boarded_at=at,
            left_at=None if self.off_stop is None else at,
            categories=categories,
        )


class TapOffDetails(Model):
    """What a validator tells of a tap-off."""

    line: Identifier
    direction: Literal["up", "down"] | None = None
    off_stop: Identifier
    vehicle: Identifier | None = None
    trip: Identifier | None = None
    off_sequence: Sequence | None = None


_BASIS_ZH: Final = {
    FareBasis.FLAT: "一票制票价",
    FareBasis.SECTIONAL: "分段票价",
    FareBasis.SEQUENCE: "环线分段票价（按站序）",
    FareBasis.DISTANCE: "里程票价",
    FareBasis.PRODUCT: "票种票价",
    FareBasis.MAXIMUM_FROM_STOP: "最高票价（自上车站起）",
    FareBasis.MAXIMUM_OF_LINE: "本线最高票价",
    FareBasis.MAXIMUM_OF_NETWORK: "线网最高票价",
}
_BASIS_EN: Final = {
    FareBasis.FLAT: "flat fare",
    FareBasis.SECTIONAL: "sectional fare",
    FareBasis.SEQUENCE: "sectional fare of a loop line, by stop sequence",
    FareBasis.DISTANCE: "distance fare",
    FareBasis.PRODUCT: "fare product",
    FareBasis.MAXIMUM_FROM_STOP: "maximum fare from the boarding stop",
    FareBasis.MAXIMUM_OF_LINE: "maximum fare of the line",
    FareBasis.MAXIMUM_OF_NETWORK: "maximum fare of the network",
}


class BusPricer:
    """Prices rides from the active table and policy. Implements ``ScenePricer``."""

    details_model = BusDetails

    def __init__(self, table: FareTable, policy: ConcessionPolicy) -> None:
        self._active = (table, policy)

    @property
    def table(self) -> FareTable:
        """The table rides are priced from now."""
        return self._active[0]

    def activate(self, table: FareTable, policy: ConcessionPolicy) -> None:
        """Price from now on by these. One assignment: no ride sees half of each."""
        self._active = (table, policy)

    def price(self, facts: PricingFacts, subject: Subject) -> list[QuoteLine]:
        """The citizen's line, and the subsidy's line where there is a subsidy.

        Raises:
            RequestInvalidError: type or details are not of this scene.
            AmountInvalidError: the validator named an amount; the fare is ours to set.
            FareRefusedError: line, stop or fare unknown.
        """
        if facts.type in (TAP_ON, TAP_OFF):
            return _recorded(facts, self._active)
        if facts.type not in (FARE, BOARDING):
            raise RequestInvalidError(f"bus has no type {facts.type!r}", field="business.type")
        if facts.amount_fen is not None:
            raise AmountInvalidError("the fare is set by the tables", field="business.amount_fen")
        details = read_details(facts.details)
        table, policy = self._active
        if facts.type == BOARDING and details.off_stop is not None:
            raise RequestInvalidError(
                "a boarding does not know where it ends", field="business.details.off_stop"
            )
        leg = table.leg_fare(details.ride(facts.occurred_at, subject.concessions))
        classes = subject.concessions if leg.concessions_allowed else frozenset[str]()
        local_time = facts.occurred_at.astimezone(LOCAL_ZONE).time()
        shares = policy.share(leg.amount_fen, classes, subject.business_on, local_time)
        if leg.category_fen is not None and leg.category_fen < shares.citizen_fen:
            shares = shares_by_category(leg.amount_fen, leg.category_fen)
        return quote_lines(leg, shares, table.activation_no, policy.version)


def read_details(details: dict[str, object]) -> BusDetails:
    """Validate the details. Raises ``FieldsInvalidError``."""
    return details_as(BusDetails, details)


def _recorded(facts: PricingFacts, active: tuple[FareTable, ConcessionPolicy]) -> list[QuoteLine]:
    """A tap costs nothing by itself; its line must be known, or nobody could price it later."""
    if facts.amount_fen is not None:
        raise AmountInvalidError("the fare is set by the tables", field="business.amount_fen")
    off = facts.type == TAP_OFF
    details = facts.details
    line = details_as(TapOffDetails, details).line if off else read_details(details).line
    table, _ = active
    if line not in table.by_line:
        raise LineUnknownError(f"no line {line!r}", field=LINE_FIELD)
    return [
        QuoteLine(
            payer=Payer.CITIZEN,
            amount_fen=0,
            rule_id=facts.type,
            rule_version=str(table.activation_no),
            reason_zh="下车刷卡，按行程计费" if off else "上车刷卡，按行程计费",
            reason_en="tap-off, charged by journey" if off else "tap-on, charged by journey",
        )
    ]


def quote_lines(
    leg: LegFare, shares: FareShares, activation_no: int, policy_version: str
) -> list[QuoteLine]:
    """The lines of one ride: the citizen's always, the subsidy's only above zero."""
    citizen = QuoteLine(
        payer=Payer.CITIZEN,
        amount_fen=shares.citizen_fen,
        rule_id=leg.rule_id,
        rule_version=str(activation_no),
        reason_zh=_BASIS_ZH[leg.basis],
        reason_en=_BASIS_EN[leg.basis],
    )
    if shares.rule is None or shares.subsidy_fen == 0:
        return [citizen]
    subsidy = QuoteLine(
        payer=shares.rule.payer,
        amount_fen=shares.subsidy_fen,
        rule_id=f"concession:{shares.rule.concession}",
        rule_version=policy_version,
        reason_zh=f"{shares.rule.name_zh}乘车优惠",
        reason_en=f"ride concession: {shares.rule.name_en}",
    )
    return [citizen, subsidy]
