"""Every ride of a feed with its price, to be held against what the publisher says. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from cardcore.spreadsheet_text import neutral
from scenes.bus.fare_table import LineFares
from scenes.bus.leg_fares import FareUnknownError, LegFare, Medium, Ride
from scenes.bus.network import Feed


class PricedRide(NamedTuple):
    """A ride along a pattern; ``leg`` is None where the feed has not a single price for it."""

    ride: Ride
    pattern_no: int
    leg: LegFare | None


def price_patterns(
    feed: Feed,
    fares: LineFares,
    *,
    at: datetime | None = None,
    medium: Medium = Medium.CARD,
    categories: frozenset[str] = frozenset(),
) -> Iterator[PricedRide]:
    """Each ride that each pattern allows, from any visit to any later one.

    Args:
        feed: the network.
        fares: its prices, by ``fare_table.fares_of``.
        at: when the ride begins and ends, for prices that hold at hours.
        medium: what is paid with.
        categories: the rider's classes.
    """
    for line_id, patterns in feed.patterns.items():
        for pattern_no, pattern in enumerate(patterns):
            for place, boarding in enumerate(pattern):
                for alighting in pattern[place + 1 :]:
                    ride = Ride(
                        line_id=line_id,
                        on_stop=boarding.stop_id,
                        off_stop=alighting.stop_id,
                        on_sequence=boarding.sequence,
                        off_sequence=alighting.sequence,
                        medium=medium,
                        boarded_at=at,
                        left_at=at,
                        categories=categories,
                    )
                    yield PricedRide(ride, pattern_no, _leg_fare(fares, ride))


def price_list(
    rides: Iterable[PricedRide], bases: "Counter[str]"
) -> Iterator[tuple[str | int, ...]]:
    """Rows of a price list, its header first; the rider's price stands beside the full one.

    Text is safe in a spreadsheet. ``bases`` counts how the prices were found.
    """
    yield (
        "line",
        "pattern",
        "on_sequence",
        "on_stop",
        "off_sequence",
        "off_stop",
        "fare_fen",
        "category_fen",
        "basis",
        "rule",
    )
    for ride, pattern_no, leg in rides:
        basis = FareUnknownError.code if leg is None else leg.basis.value
        bases[basis] += 1
        yield (
            neutral(ride.line_id),
            pattern_no,
            ride.on_sequence or 0,
            neutral(ride.on_stop),
            ride.off_sequence or 0,
            neutral(ride.off_stop or ""),
            "" if leg is None else leg.amount_fen,
            "" if leg is None or leg.category_fen is None else leg.category_fen,
            basis,
            "" if leg is None else neutral(leg.rule_id),
        )


def _leg_fare(fares: LineFares, ride: Ride) -> LegFare | None:
    try:
        return fares.leg_fare(ride)
    except FareUnknownError:
        return None
