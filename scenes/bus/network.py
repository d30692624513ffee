"""The bus network as fares see it: stops, lines, patterns, trips, published prices. Pure values.

Source: GTFS Schedule reference; only what a fare can depend on is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scenes.bus.fare_products import FareProducts
from scenes.bus.feed_rows import FeedFault
from scenes.bus.service_days import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop, platform or station. ``zone_id`` is "" where the feed has no zones.

    ``timezone`` is "" where the feed's own holds.
    """

    stop_id: str
    name: str
    zone_id: str
    parent_id: str
    location_type: int
    timezone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One route of the feed. ``network_id`` groups lines for the newer fares, "" where none."""

    line_id: str
    name: str
    agency_id: str
    network_id: str


@dataclass(frozen=True, slots=True)
class PatternStop:
    """One visit of a pattern: the stop sequence as published, and the stop."""

    sequence: int
    stop_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One run of a vehicle. Seconds count from the start of the service day (may pass 24 h)."""

    trip_id: str
    line_id: str
    service_id: str
    direction: int
    pattern_no: int
    starts_s: int | None
    ends_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FareAttribute:
    """One published price.

    ``transfers`` None means without limit; ``prepaid`` is payment method 1 of the reference.
    ``agency_id`` "" is any operator of the feed.
    """

    fare_id: str
    price_fen: int
    prepaid: bool
    transfers: int | None
    transfer_duration_s: int | None
    agency_id: str = ""


@dataclass(frozen=True, slots=True)
class FareRule:
    """Where a fare applies; "" in a field means anywhere. Zones, not stops."""

    fare_id: str
    line_id: str
    origin_id: str
    destination_id: str
    contains_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A whole, checked feed. ``patterns[line_id][pattern_no]`` is a tuple of visits in order.

    ``products`` are the newer fares; where a feed has them they take precedence.
    """

    timezone: str
    stops: Mapping[str, Stop]
    lines: Mapping[str, Line]
    patterns: Mapping[str, tuple[tuple[PatternStop, ...], ...]]
    trips: Mapping[str, Trip]
    services: Mapping[str, Service]
    fares: Mapping[str, FareAttribute]
    fare_rules: tuple[FareRule, ...]
    products: FareProducts | None
    notices: tuple[FeedFault, ...]

    @property
    def zones(self) -> frozenset[str]:
        """All zones any stop is in."""
        return frozenset(stop.zone_id for stop in self.stops.values()) - {""}


class OnwardStops:
    """Where a vehicle goes on to: tells where a rider can have got off. Immutable."""

    __slots__ = ("_patterns", "_platforms")

    def __init__(self, feed: Feed) -> None:
        self._patterns = feed.patterns
        stations: dict[str, set[str]] = {}
        for stop in feed.stops.values():
            if stop.parent_id:
                stations.setdefault(stop.parent_id, set()).add(stop.stop_id)
        self._platforms = {
            stop.stop_id: frozenset(stations.get(stop.parent_id, ())) | {stop.stop_id}
            for stop in feed.stops.values()
        }

    def after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Stops that any pattern of the line visits after this visit.

        Another platform of the same station counts as the stop. None of an unknown line.
        """
        onward: set[str] = set()
        for pattern in self._patterns.get(line_id, ()):
            places = [
                place
                for place, visit in enumerate(pattern)
                if visit.stop_id == stop and sequence in (None, visit.sequence)
            ]
            if places:
                for visit in pattern[places[0] + 1 :]:
                    onward |= self._platforms[visit.stop_id]
        return frozenset(onward)
