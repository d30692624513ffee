"""The demo's bus network: the bundled one, or a real feed and real distance lines from folders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.wiring import City
from scenes.bus.distance_lines import DistanceLine
from scenes.bus.leg_fares import FareBasis, FareRefusedError, Ride
from scenes.bus.network import Feed

# Fen for one unit of the currencies a feed may be priced in, where nobody says otherwise; the
# foreign rates are the demo's own.
MINOR_PER_UNIT: Final = {"CNY": 100, "EUR": 800, "HKD": 90, "JPY": 5, "KRW": 1, "USD": 700}
_PUBLISHED: Final = frozenset(
    {FareBasis.FLAT, FareBasis.SECTIONAL, FareBasis.DISTANCE, FareBasis.PRODUCT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRide:
    """A ride with a published price."""

    line: str
    on_stop: str
    off_stop: str
    fare_fen: int
    basis: str

    def details(self) -> dict[str, str]:
        """As a validator sends it."""
        return {"line": self.line, "on_stop": self.on_stop, "off_stop": self.off_stop}


def choose_feed_ride(city: City, feed: Feed, at: datetime) -> ChosenRide:
    """The first ride of the feed whose price is published at that instant and not zero."""
    for line, patterns in feed.patterns.items():
        for pattern in patterns:
            stops = [visit.stop_id for visit in pattern]
            ride = _first_priced(city, line, stops, at)
            if ride is not None:
                return ride
    raise LookupError("the feed publishes no price for any ride")


def choose_distance_ride(city: City, lines: Mapping[str, DistanceLine], at: datetime) -> ChosenRide:
    """The first ride along a distance line from its first stop to its last."""
    for line_id, line in lines.items():
        stops = [line.marks[0].stop, line.marks[-1].stop]
        ride = _first_priced(city, line_id, stops, at)
        if ride is not None:
            return ride
    raise LookupError("no line has a price")


def _first_priced(city: City, line: str, stops: list[str], at: datetime) -> ChosenRide | None:
    for on_stop, off_stop in _pairs(stops):
        try:
            leg = city.bus.table.leg_fare(
                Ride(line_id=line, on_stop=on_stop, off_stop=off_stop, boarded_at=at, left_at=at)
            )
        except FareRefusedError:
            continue
        if leg.basis in _PUBLISHED and leg.amount_fen and leg.concessions_allowed:
            return ChosenRide(
                line=line,
                on_stop=on_stop,
                off_stop=off_stop,
                fare_fen=leg.amount_fen,
                basis=leg.basis.value,
            )
    return None


def _pairs(stops: list[str]) -> Iterator[tuple[str, str]]:
    """Longest rides first: their prices differ most from the flat ones."""
    for gap in range(len(stops) - 1, 0, -1):
        for start in range(len(stops) - gap):
            if stops[start] != stops[start + gap]:
                yield stops[start], stops[start + gap]
