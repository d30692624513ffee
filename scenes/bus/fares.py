"""The leg fare: what one ride costs before transfers, concessions and caps. Pure.

Prices of GTFS fares v1: flat, by line, by zone pair, by zones passed.

Two rules the reference leaves open, decided in ADR-0040:

- *Loop lines.* Where a line passes a stop twice and publishes as many prices for one stop pair as
  there are ways to ride it, the longer way costs the higher price; which way was ridden is told by
  the stop sequences of the taps. Taps without sequences pay the lower price.
- *Maximum fare.* A pair nobody published a price for, and a ride without a tap-off, cost the
  highest fare from the boarding stop onward; failing that the line's highest; failing that the
  network's highest.

Source: GTFS Schedule reference, fare_attributes.txt and fare_rules.txt.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Final

from scenes.bus.leg_fares import (
    LINE_FIELD,
    OFF_STOP_FIELD,
    ON_STOP_FIELD,
    FareBasis,
    FareUnknownError,
    LegFare,
    Ride,
    StopUnknownError,
)
from scenes.bus.network import FareAttribute, FareRule, Feed, OnwardStops, PatternStop
from scenes.bus.transfers import TransferRight


@dataclass(frozen=True, slots=True, order=True)
class _Price:
    """One published price; ordering is by price, then by fare id, so that answers repeat."""

    price_fen: int
    fare_id: str


_Key = tuple[str, str, str]
_ANYWHERE: Final[_Key] = ("", "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ContainsFare:
    origin_id: str
    destination_id: str
    zones: frozenset[str]
    price: _Price


class SectionalFares:
    """The GTFS v1 prices of one feed, ready for look-up. Immutable once built.

    A look-up is a few dictionary reads; only fares by zones passed walk along the pattern.
    """

    __slots__ = (
        "_by_key",
        "_by_visits",
        "_contains",
        "_line_maxima",
        "_network_max",
        "_onward",
        "_pattern_of",
        "_patterns",
        "_rights",
        "_shapes",
        "_zone_of",
    )

    def __init__(self, feed: Feed) -> None:
        self._zone_of: Mapping[str, str] = {
            stop.stop_id: stop.zone_id for stop in feed.stops.values()
        }
        self._patterns = feed.patterns
        self._onward = OnwardStops(feed)
        self._pattern_of = {
            trip.trip_id: (trip.line_id, trip.pattern_no) for trip in feed.trips.values()
        }
        self._rights = {
            fare.fare_id: TransferRight(count_max=fare.transfers, window_s=fare.transfer_duration_s)
            for fare in feed.fares.values()
            if fare.transfers != 0
        }
        by_key, self._contains = _group(feed)
        self._by_key: Mapping[_Key, tuple[_Price, ...]] = {
            key: tuple(sorted(prices)) for key, prices in by_key.items()
        }
        wildcards = {tuple(bool(part) for part in key) for key in self._by_key}
        self._shapes = tuple(
            shape for shape in product((True, False), repeat=3) if shape in wildcards
        )
        self._by_visits = self._loop_prices(feed.fares)
        self._line_maxima: dict[str, _Price | None] = {}
        every = [price for prices in self._by_key.values() for price in prices]
        every += [fare.price for fares in self._contains.values() for fare in fares]
        self._network_max = max(every, default=None)

    @property
    def line_ids(self) -> frozenset[str]:
        """All lines."""
        return frozenset(self._patterns)

    @property
    def loop_prices(self) -> Mapping[tuple[str, int, int, int], int]:
        """Fen by (line, pattern, on sequence, off sequence), where the sequence decides."""
        return MappingProxyType({key: price.price_fen for key, price in self._by_visits.items()})

    def stops_after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Where the vehicle goes on to after a visit."""
        return self._onward.after(line_id, stop, sequence)

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride on one of the feed's lines.

        Raises:
            StopUnknownError: a stop is not in the feed.
            FareUnknownError: the feed has not a single price.
        """
        self._check_stops(ride)
        found = self._flat(ride) if ride.off_stop is None else self._pair(ride, ride.off_stop)
        return found or self._maximum(ride)

    def _check_stops(self, ride: Ride) -> None:
        for stop, name in ((ride.on_stop, ON_STOP_FIELD), (ride.off_stop, OFF_STOP_FIELD)):
            if stop is not None and stop not in self._zone_of:
                raise StopUnknownError(f"no stop {stop!r}", field=name)

    def _flat(self, ride: Ride) -> LegFare | None:
        """A price that does not ask where the ride ended."""
        zone = self._zone_of[ride.on_stop]
        keys = [(ride.line_id, zone, ""), (ride.line_id, "", ""), ("", zone, ""), _ANYWHERE]
        prices = [self._by_key[key][0] for key in keys if key in self._by_key]
        return self._leg_fare(min(prices), FareBasis.FLAT) if prices else None

    def _pair(self, ride: Ride, off_stop: str) -> LegFare | None:
        if self._by_visits and ride.on_sequence is not None and ride.off_sequence is not None:
            for pattern_no in self._pattern_numbers(ride):
                found = self._by_visits.get(
                    (ride.line_id, pattern_no, ride.on_sequence, ride.off_sequence)
                )
                if found is not None and self._visits_fit(ride, pattern_no):
                    return self._leg_fare(found, FareBasis.SEQUENCE)
        best = self._cheapest(ride.line_id, self._zone_of[ride.on_stop], self._zone_of[off_stop])
        passed = self._cheapest_contained(ride) if self._contains else None
        if passed is not None and (best is None or passed < best[0]):
            return self._leg_fare(passed, FareBasis.SECTIONAL)
        return None if best is None else self._leg_fare(*best)

    def _cheapest(
        self, line_id: str, origin: str, destination: str
    ) -> tuple[_Price, FareBasis] | None:
        """Every matching rule is an offer; the rider takes the cheapest."""
        best: tuple[_Price, FareBasis] | None = None
        for by_line, by_origin, by_destination in self._shapes:
            if (by_origin and not origin) or (by_destination and not destination):
                continue  # a stop outside all zones matches no zone rule
            prices = self._by_key.get(
                (
                    line_id if by_line else "",
                    origin if by_origin else "",
                    destination if by_destination else "",
                )
            )
            if prices is not None and (best is None or prices[0] < best[0]):
                zoned = by_origin or by_destination
                best = (prices[0], FareBasis.SECTIONAL if zoned else FareBasis.FLAT)
        return best

    def _cheapest_contained(self, ride: Ride) -> _Price | None:
        """The cheapest fare whose zones are exactly the zones ridden through."""
        offers: list[_Price] = []
        fares = self._contains.get(ride.line_id, ()) + self._contains.get("", ())
        if not fares:
            return None
        for pattern_no in self._pattern_numbers(ride):
            for zones in self._zones_passed(ride, self._patterns[ride.line_id][pattern_no]):
                offers += [
                    fare.price
                    for fare in fares
                    if fare.zones == frozenset(zones)
                    and fare.origin_id in ("", zones[0])
                    and fare.destination_id in ("", zones[-1])
                ]
        return min(offers, default=None)

    def _zones_passed(self, ride: Ride, pattern: tuple[PatternStop, ...]) -> Iterator[list[str]]:
        for on_index, boarding in enumerate(pattern):
            if boarding.stop_id != ride.on_stop or ride.on_sequence not in (
                None,
                boarding.sequence,
            ):
                continue
            for off_index in range(on_index + 1, len(pattern)):
                alighting = pattern[off_index]
                if alighting.stop_id == ride.off_stop and ride.off_sequence in (
                    None,
                    alighting.sequence,
                ):
                    yield [
                        self._zone_of[visit.stop_id] for visit in pattern[on_index : off_index + 1]
                    ]

    def _pattern_numbers(self, ride: Ride) -> range:
        line_id, pattern_no = self._pattern_of.get(ride.trip_id, ("", 0))
        if line_id == ride.line_id:
            return range(pattern_no, pattern_no + 1)
        return range(len(self._patterns[ride.line_id]))

    def _visits_fit(self, ride: Ride, pattern_no: int) -> bool:
        """Whether the sequences told by the validator are the stops told by it."""
        pattern = self._patterns[ride.line_id][pattern_no]
        return {
            PatternStop(ride.on_sequence or 0, ride.on_stop),
            PatternStop(ride.off_sequence or 0, ride.off_stop or ""),
        } <= set(pattern)

    def _maximum(self, ride: Ride) -> LegFare:
        onward = self._highest(ride.line_id, self._pattern_numbers(ride), ride.on_stop)
        if onward is not None:
            return self._leg_fare(onward, FareBasis.MAXIMUM_FROM_STOP)
        if ride.line_id not in self._line_maxima:
            numbers = range(len(self._patterns[ride.line_id]))
            self._line_maxima[ride.line_id] = self._highest(ride.line_id, numbers, None)
        of_line = self._line_maxima[ride.line_id]
        if of_line is not None:
            return self._leg_fare(of_line, FareBasis.MAXIMUM_OF_LINE)
        if self._network_max is None:
            raise FareUnknownError(f"no price for {ride.line_id!r} nor any line", field=LINE_FIELD)
        return self._leg_fare(self._network_max, FareBasis.MAXIMUM_OF_NETWORK)

    def _highest(self, line_id: str, numbers: range, on_stop: str | None) -> _Price | None:
        """The highest price of any ride on these patterns, from one stop or from all."""
        highest: _Price | None = None
        for pattern_no in numbers:
            pattern = self._patterns[line_id][pattern_no]
            for on_index, boarding in enumerate(pattern):
                if on_stop not in (None, boarding.stop_id):
                    continue
                for alighting in pattern[on_index + 1 :]:
                    price = self._visit_price(line_id, pattern_no, boarding, alighting)
                    if price is not None and (highest is None or price > highest):
                        highest = price
        return highest

    def _visit_price(
        self, line_id: str, pattern_no: int, boarding: PatternStop, alighting: PatternStop
    ) -> _Price | None:
        by_visits = self._by_visits.get(
            (line_id, pattern_no, boarding.sequence, alighting.sequence)
        )
        if by_visits is not None:
            return by_visits
        best = self._cheapest(
            line_id, self._zone_of[boarding.stop_id], self._zone_of[alighting.stop_id]
        )
        passed = None
        if self._contains:
            passed = self._cheapest_contained(
                Ride(
                    line_id=line_id,
                    on_stop=boarding.stop_id,
                    off_stop=alighting.stop_id,
                    on_sequence=boarding.sequence,
                    off_sequence=alighting.sequence,
                )
            )
        return min((price for price in (best and best[0], passed) if price), default=None)

    def _leg_fare(self, price: _Price, basis: FareBasis) -> LegFare:
        return LegFare(
            amount_fen=price.price_fen,
            basis=basis,
            rule_id=f"{basis}:{price.fare_id}",
            transfer_right=self._rights.get(price.fare_id),
        )

    def _loop_prices(
        self, fares: Mapping[str, FareAttribute]
    ) -> dict[tuple[str, int, int, int], _Price]:
        """Prices of the pairs that a loop line can ride in more than one way."""
        found: dict[tuple[str, int, int, int], _Price] = {}
        for (line_id, origin, destination), prices in self._by_key.items():
            kinds = {
                (fares[price.fare_id].prepaid, fares[price.fare_id].transfers) for price in prices
            }
            if len(prices) < 2 or len(kinds) > 1 or not (line_id and origin and destination):
                continue
            for pattern_no, pattern in enumerate(self._patterns[line_id]):
                ways = [
                    (off_index - on_index, boarding.sequence, alighting.sequence)
                    for on_index, boarding in enumerate(pattern)
                    if self._zone_of[boarding.stop_id] == origin
                    for off_index, alighting in enumerate(pattern)
                    if off_index > on_index and self._zone_of[alighting.stop_id] == destination
                ]
                if len(ways) == len(prices):
                    for (_, on_sequence, off_sequence), price in zip(
                        sorted(ways), prices, strict=True
                    ):
                        found[line_id, pattern_no, on_sequence, off_sequence] = price
        return found


def _group(
    feed: Feed,
) -> tuple[dict[_Key, set[_Price]], dict[str, tuple[_ContainsFare, ...]]]:
    """Prices by (line, origin, destination), and by line those that name zones passed."""
    by_key: dict[_Key, set[_Price]] = defaultdict(set)
    zones: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    # A fare without rules holds everywhere in a feed that has no rules. Beside rules it is one that
    # nobody can place (a pass, a child's ticket): it must not undercut the fares that have them.
    rules = feed.fare_rules or tuple(FareRule(fare_id, "", "", "", "") for fare_id in feed.fares)
    for rule in rules:
        fare = feed.fares[rule.fare_id]
        for line_id in _lines_of(rule, fare, feed):
            if rule.contains_id:
                name = (line_id, rule.fare_id, rule.origin_id, rule.destination_id)
                zones[name].add(rule.contains_id)
            else:
                price = _Price(fare.price_fen, rule.fare_id)
                by_key[line_id, rule.origin_id, rule.destination_id].add(price)
    contains: dict[str, tuple[_ContainsFare, ...]] = {}
    for (line_id, fare_id, origin, destination), passed in sorted(zones.items()):
        contains_fare = _ContainsFare(
            origin_id=origin,
            destination_id=destination,
            zones=frozenset(passed),
            price=_Price(feed.fares[fare_id].price_fen, fare_id),
        )
        contains[line_id] = (*contains.get(line_id, ()), contains_fare)
    return by_key, contains


def _lines_of(rule: FareRule, fare: FareAttribute, feed: Feed) -> list[str]:
    """The lines a rule is on, "" for all: one operator's fare stays on that operator's lines."""
    if rule.line_id or not fare.agency_id:
        return [rule.line_id]
    own = [line.line_id for line in feed.lines.values() if line.agency_id in ("", fare.agency_id)]
    return [""] if len(own) == len(feed.lines) else own
