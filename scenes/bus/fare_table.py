"""All prices of the bus network as of one activation, in memory and immutable. Pure.

Prices come from several sources (an operator's feed, a set of distance lines); each line belongs
to exactly one. Pricing an order reads this table alone; a new activation is a new table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, Self

from scenes.bus.fares import SectionalFares
from scenes.bus.leg_fares import LINE_FIELD, LegFare, LineUnknownError, Ride
from scenes.bus.network import Feed, OnwardStops
from scenes.bus.product_fares import ProductFares

UNPUBLISHED: Final = 0


class LineFares(Protocol):
    """One source of prices for one or many lines."""

    @property
    def line_ids(self) -> frozenset[str]:
        """The lines it prices."""
        ...

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride on one of them. Raises ``FareRefusedError`` kin."""
        ...

    def stops_after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Where the vehicle goes on to after a visit; none where that is not known."""
        ...


class LineConflictError(Exception):
    """Two sources price the same line; nobody could say which one is right."""

    code: ClassVar[str] = "line_conflict"
    retryable: ClassVar[bool] = False

    def __init__(self, line_ids: Iterable[str]) -> None:
        self.line_ids = tuple(sorted(line_ids))
        super().__init__(f"priced by more than one source: {', '.join(self.line_ids)}")


def fares_of(feed: Feed) -> LineFares:
    """The prices of a feed: its products where it has them, else its older fares."""
    if feed.products is not None:
        return ProductFares(feed.products, feed.timezone, OnwardStops(feed))
    return SectionalFares(feed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FareTable:
    """Prices by line. ``activation_no`` is 0 before anything was activated."""

    activation_no: int = UNPUBLISHED
    by_line: Mapping[str, LineFares] = field(default_factory=dict)

    @classmethod
    def of(cls, activation_no: int, sources: Iterable[LineFares]) -> Self:
        """A table of all sources. Raises ``LineConflictError``."""
        by_line: dict[str, LineFares] = {}
        for source in sources:
            twice = source.line_ids & by_line.keys()
            if twice:
                raise LineConflictError(twice)
            by_line.update(dict.fromkeys(source.line_ids, source))
        return cls(activation_no=activation_no, by_line=by_line)

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride. Raises ``FareRefusedError`` kin."""
        fares = self.by_line.get(ride.line_id)
        if fares is None:
            raise LineUnknownError(f"no line {ride.line_id!r}", field=LINE_FIELD)
        return fares.leg_fare(ride)

    def stops_after(self, line_id: str, stop: str, sequence: int | None) -> frozenset[str]:
        """Where the line goes on to after a visit; none of a line nobody knows."""
        fares = self.by_line.get(line_id)
        return frozenset() if fares is None else fares.stops_after(line_id, stop, sequence)
