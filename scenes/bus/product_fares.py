"""What rides cost by fare products: leg rules, joins, transfers between legs. Pure.

Order: joined legs become one; each leg takes the cheapest product its matching rules offer to this
rider and medium; then each transfer is charged by its rule.

Empty fields of a rule, as the reference has them: where the feed uses ``rule_priority`` an empty
field matches anything and the highest priority wins; where it does not, an empty network or area
matches those that no rule of the file names. Timeframes left empty match any time.

Where the reference is silent (ADR-0042): among rules of equal standing the rider takes the
cheapest; no total falls below zero; a leg without a matching rule costs the highest product its
line could ask for and takes part in no transfer.

Source: GTFS Schedule reference, fare_leg_rules, fare_leg_join_rules, fare_transfer_rules.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

from scenes.bus.fare_products import (
    UNLIMITED,
    DurationType,
    FareProduct,
    FareProducts,
    JoinRule,
    LegRule,
    MediumType,
    TransferRule,
    TransferType,
)
from scenes.bus.leg_fares import (
    LINE_FIELD,
    OFF_STOP_FIELD,
    ON_STOP_FIELD,
    FareBasis,
    FareUnknownError,
    LegFare,
    Medium,
    Ride,
    StopUnknownError,
)
from scenes.bus.network import OnwardStops

NOBODY_KNOWN: Final = ""
_ACCEPTED: Final[Mapping[Medium, frozenset[MediumType]]] = {
    Medium.CARD: frozenset({MediumType.CARD, MediumType.EMV, MediumType.APP}),
    Medium.CASH: frozenset({MediumType.NONE, MediumType.PAPER}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """One effective leg: rides joined into one, and the product chosen for them."""

    rides: tuple[Ride, ...]
    group_id: str
    price_fen: int
    basis: FareBasis
    rule_id: str

    def departs_at(self) -> datetime | None:
        return self.rides[0].boarded_at

    def arrives_at(self) -> datetime | None:
        return self.rides[-1].left_at or self.rides[-1].boarded_at


class ProductFares:
    """The fare products of one feed. Immutable."""

    __slots__ = (
        "_categories",
        "_listed",
        "_onward",
        "_products",
        "_rules",
        "_stops",
        "_zone",
        "_zone_of_stop",
    )

    def __init__(self, products: FareProducts, timezone: str, onward: OnwardStops) -> None:
        rules = products.leg_rules
        self._products = products
        self._onward = onward
        self._zone = ZoneInfo(timezone)
        self._zone_of_stop = {
            stop_id: ZoneInfo(name) for stop_id, name in products.zone_of_stop.items()
        }
        self._stops = products.areas_of_stop.keys()
        self._categories = frozenset(
            row.category_id for rows in products.products.values() for row in rows
        )
        grouped: dict[tuple[str, str], dict[str, list[LegRule]]] = {}
        for rule in rules:
            by_end = grouped.setdefault((rule.network_id, rule.from_area_id), {})
            by_end.setdefault(rule.to_area_id, []).append(rule)
        self._rules: Mapping[tuple[str, str], Mapping[str, Sequence[LegRule]]] = grouped
        self._listed = {
            "network": frozenset(rule.network_id for rule in rules),
            "from": frozenset(rule.from_area_id for rule in rules),
            "to": frozenset(rule.to_area_id for rule in rules),
            "from_group": frozenset(rule.from_group_id for rule in products.transfer_rules),
            "to_group": frozenset(rule.to_group_id for rule in products.transfer_rules),
        }

    @property
    def line_ids(self) -> frozenset[str]:
        """All lines of the feed."""
        return frozenset(self._products.network_of_line)

    @property
    def categories(self) -> frozenset[str]:
        """The rider categories any product is sold to; "" where one is sold to anybody."""
        return self._categories

    def stops_after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Where the vehicle goes on to after a visit."""
        return self._onward.after(line_id, stop, sequence)

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride alone.

        ``category_fen`` is set where the feed sells to one of the rider's categories for less.

        Raises:
            StopUnknownError: a stop is not in the feed.
            FareUnknownError: there is no product the rider could be charged.
        """
        full = self._leg((ride,), NOBODY_KNOWN)
        offers = [
            self._leg((ride,), category).price_fen
            for category in sorted(ride.categories & self._categories)
        ]
        cheapest_fen = min(offers, default=full.price_fen)
        return LegFare(
            amount_fen=full.price_fen,
            basis=full.basis,
            rule_id=full.rule_id,
            category_fen=cheapest_fen if cheapest_fen < full.price_fen else None,
        )

    def journey(self, rides: Sequence[Ride], category: str = NOBODY_KNOWN) -> list[LegFare]:
        """The fares of rides in a row, with joins and transfers.

        Args:
            rides: one person's rides in order of boarding, at least one.
            category: whom the products are sold to; by default a rider of whom nothing is known.

        Returns:
            One fare a ride; together they are what the journey costs, none below zero. A ride
            that was joined to the one before costs nothing by itself.
        """
        legs = [self._leg(joined, category) for joined in self._join(rides)]
        charges = self._charge(legs, category)
        fares: list[LegFare] = []
        for leg, charge_fen in zip(legs, _without_negatives(charges), strict=True):
            fares.append(LegFare(amount_fen=charge_fen, basis=leg.basis, rule_id=leg.rule_id))
            fares += [
                LegFare(amount_fen=0, basis=FareBasis.PRODUCT, rule_id=f"join:{leg.rule_id}")
            ] * (len(leg.rides) - 1)
        return fares

    # ---- joins -------------------------------------------------------------------------------

    def _join(self, rides: Sequence[Ride]) -> list[tuple[Ride, ...]]:
        joined: list[tuple[Ride, ...]] = []
        for ride in rides:
            if joined and any(
                self._joins(rule, joined[-1][-1], ride) for rule in self._products.join_rules
            ):
                joined[-1] += (ride,)
            else:
                joined.append((ride,))
        return joined

    def _joins(self, rule: JoinRule, earlier: Ride, later: Ride) -> bool:
        if earlier.off_stop is None:
            return False
        network_of = self._products.network_of_line
        if rule.from_network_id and (
            network_of.get(earlier.line_id) != rule.from_network_id
            or network_of.get(later.line_id) != rule.to_network_id
        ):
            return False
        station_of = self._products.station_of_stop
        here = {earlier.off_stop, station_of.get(earlier.off_stop)}
        there = {later.on_stop, station_of.get(later.on_stop)}
        if rule.from_stop_id:
            return rule.from_stop_id in here and rule.to_stop_id in there
        return station_of.get(earlier.off_stop) == station_of.get(later.on_stop)

    # ---- legs --------------------------------------------------------------------------------

    def _leg(self, rides: tuple[Ride, ...], category: str) -> _Leg:
        self._check_stops(rides)
        medium = rides[0].medium
        known_end = rides[-1].off_stop is not None
        offers = sorted(
            (price_fen, rule.product_id, rule.leg_group_id)
            for rule in self._matching(rides)
            if (price_fen := self._price_fen(rule.product_id, category, medium)) is not None
        )
        if offers and (known_end or len({offer[0] for offer in offers}) == 1):
            price_fen, product_id, group_id = offers[0]
            basis = FareBasis.PRODUCT
        else:
            price_fen, product_id, basis = self._maximum(rides, category, medium, offers)
            group_id = ""
        return _Leg(
            rides=rides,
            group_id=group_id,
            price_fen=max(price_fen, 0),
            basis=basis,
            rule_id=f"{basis}:{product_id}",
        )

    def _check_stops(self, rides: tuple[Ride, ...]) -> None:
        for ride in rides:
            for stop, name in ((ride.on_stop, ON_STOP_FIELD), (ride.off_stop, OFF_STOP_FIELD)):
                if stop is not None and stop not in self._stops:
                    raise StopUnknownError(f"no stop {stop!r}", field=name)

    def _matching(self, rides: tuple[Ride, ...]) -> list[LegRule]:
        """The rules that hold for a leg; every ``to`` rule where it is not known where it ended."""
        boarded, left = rides[0], rides[-1]
        networks = {self._products.network_of_line.get(ride.line_id, "") for ride in rides}
        network = frozenset(networks if len(networks) == 1 else ())
        from_areas = self._products.areas_of_stop[boarded.on_stop]
        to_areas = None if left.off_stop is None else self._products.areas_of_stop[left.off_stop]
        arrives_at = left.left_at or left.boarded_at
        found = [
            rule
            for rule in self._candidates(network, from_areas, to_areas)
            if self._in_time(rule.from_timeframe_id, boarded.boarded_at, boarded.on_stop)
            and self._in_time(rule.to_timeframe_id, arrives_at, left.off_stop or boarded.on_stop)
        ]
        if self._products.uses_priority and found:
            highest = max(rule.priority for rule in found)
            found = [rule for rule in found if rule.priority == highest]
        return found

    def _candidates(
        self,
        network: frozenset[str],
        from_areas: frozenset[str],
        to_areas: frozenset[str] | None,
    ) -> Iterator[LegRule]:
        """The rules whose network and areas hold: a few look-ups, however many rules there are."""
        networks = self._wanted("network", network)
        origins = self._wanted("from", from_areas)
        ends = None if to_areas is None else self._wanted("to", to_areas)
        for place in product(networks, origins):
            by_end = self._rules.get(place, {})
            for end in by_end if ends is None else ends:
                yield from by_end.get(end, ())

    def _wanted(self, name: str, present: frozenset[str]) -> list[str]:
        """What a rule's field may say to hold where these networks or areas are present."""
        named = present - {""}
        if self._products.uses_priority or not named & self._listed[name]:
            return [*named, ""]
        return [*named]

    def _in_time(self, group_id: str, at: datetime | None, stop: str) -> bool:
        """Whether an instant lies in a timeframe, by the clock of the stop."""
        if not group_id:
            return True
        if at is None:
            return False
        local = at.astimezone(self._zone_of_stop.get(stop, self._zone))
        second = local.hour * 3600 + local.minute * 60 + local.second
        return any(
            frame.starts_s <= second < frame.ends_s and frame.service.runs_on(local.date())
            for frame in self._products.timeframes[group_id]
        )

    def _maximum(
        self,
        rides: tuple[Ride, ...],
        category: str,
        medium: Medium,
        offers: Sequence[tuple[int, str, str]],
    ) -> tuple[int, str, FareBasis]:
        """The highest product a leg without a known fare could have been charged."""
        if offers:
            return *offers[-1][:2], FareBasis.MAXIMUM_FROM_STOP
        network = self._products.network_of_line.get(rides[0].line_id, "")
        rules = self._products.leg_rules
        for basis, candidates in (
            (FareBasis.MAXIMUM_OF_LINE, [r for r in rules if r.network_id in ("", network)]),
            (FareBasis.MAXIMUM_OF_NETWORK, list(rules)),
        ):
            prices = [
                (price_fen, rule.product_id)
                for rule in candidates
                if (price_fen := self._price_fen(rule.product_id, category, medium)) is not None
            ]
            if prices:
                return *max(prices), basis
        raise FareUnknownError(f"no product for line {rides[0].line_id!r}", field=LINE_FIELD)

    # ---- prices ------------------------------------------------------------------------------

    def _price_fen(self, product_id: str, category: str, medium: Medium) -> int | None:
        """The cheapest price of a product for a category by a medium; None: not sold to them.

        A product sold by none of our media is taken at its price by the others. What is sold to
        anybody is sold to every category too. Where no category of the feed is a default, a rider
        of whom nothing is known pays the highest.
        """
        rows = self._products.products[product_id]
        ours = [row for row in rows if row.medium is None or row.medium in _ACCEPTED[medium]]
        rows = tuple(ours) or rows
        eligible = [row.amount_fen for row in rows if row.default or row.category_id == category]
        if eligible:
            return min(eligible)
        return None if category or self._products.has_default else _highest(rows)

    # ---- transfers ---------------------------------------------------------------------------

    def _charge(self, legs: Sequence[_Leg], category: str) -> list[int]:
        """What each leg adds to its journey; may be below zero where a transfer replaces more."""
        charges = [legs[0].price_fen]
        total_fen = legs[0].price_fen  # of the sub-journey so far
        run_first = sub_first = run_count = 0
        for place in range(1, len(legs)):
            earlier, later = legs[place - 1], legs[place]
            same = earlier.group_id == later.group_id
            first, count = (run_first, run_count + 1) if same else (place - 1, 1)
            rule = self._transfer_rule(earlier, later, legs[first], count)
            if rule is None:
                charges.append(later.price_fen)
                total_fen, run_first, sub_first, run_count = later.price_fen, place, place, 0
                continue
            paid_fen = self._transfer_fen(rule, category, later.rides[0].medium)
            before_fen = total_fen
            if rule.transfer_type is TransferType.TRANSFER_ALONE and sub_first == place - 1:
                total_fen = paid_fen
            elif rule.transfer_type is TransferType.BOTH_LEGS_PLUS_TRANSFER:
                total_fen += paid_fen + later.price_fen
            else:
                total_fen += paid_fen
            total_fen = max(total_fen, 0)
            charges.append(total_fen - before_fen)
            run_first, run_count = (first, count) if same else (place, 0)
        return charges

    def _transfer_rule(
        self, earlier: _Leg, later: _Leg, first: _Leg, count: int
    ) -> TransferRule | None:
        """The rule of a transfer: the smallest count that still covers it, in file order."""
        found = [
            rule
            for rule in self._products.transfer_rules
            if self._of_group("from_group", rule.from_group_id, earlier.group_id)
            and self._of_group("to_group", rule.to_group_id, later.group_id)
            and _count_of(rule) >= count
            and _within(rule, earlier if rule.count is None else first, later)
        ]
        return min(found, key=_count_of, default=None)

    def _of_group(self, name: str, wanted: str, group_id: str) -> bool:
        if not group_id:
            return False
        return wanted == group_id if wanted else group_id not in self._listed[name]

    def _transfer_fen(self, rule: TransferRule, category: str, medium: Medium) -> int:
        if not rule.product_id:
            return 0
        return self._price_fen(rule.product_id, category, medium) or 0


def _highest(rows: Sequence[FareProduct]) -> int:
    return max(row.amount_fen for row in rows)


def _count_of(rule: TransferRule) -> float:
    return math.inf if rule.count in (None, UNLIMITED) else float(rule.count)


def _within(rule: TransferRule, first: _Leg, last: _Leg) -> bool:
    """Whether a transfer keeps its time limit; one that cannot be timed does not."""
    if rule.limit_s is None or rule.duration_type is None:
        return True
    from_departure = rule.duration_type in (
        DurationType.DEPARTURE_TO_ARRIVAL,
        DurationType.DEPARTURE_TO_DEPARTURE,
    )
    to_arrival = rule.duration_type in (
        DurationType.DEPARTURE_TO_ARRIVAL,
        DurationType.ARRIVAL_TO_ARRIVAL,
    )
    starts_at = first.departs_at() if from_departure else first.arrives_at()
    ends_at = last.arrives_at() if to_arrival else last.departs_at()
    if starts_at is None or ends_at is None:
        return False
    return (ends_at - starts_at).total_seconds() <= rule.limit_s


def _without_negatives(charges: Sequence[int]) -> list[int]:
    """The same sum with no charge below zero: a rebate is taken off the rides just before it."""
    settled = list(charges)
    for place in range(len(settled) - 1, 0, -1):
        if settled[place] < 0:
            settled[place - 1] += settled[place]
            settled[place] = 0
    assert settled[0] >= 0
    return settled
