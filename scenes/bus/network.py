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
    """One stop, platform or station. ``zone_id`` is "" where the feed has no zones."""

    stop_id: str
    name: str
    zone_id: str
    parent_id: str
    location_type: int


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
    """

    fare_id: str
    price_fen: int
    prepaid: bool
    transfers: int | None
    transfer_duration_s: int | None


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
