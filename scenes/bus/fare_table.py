"""All prices of one version of the bus network, in memory and immutable. Pure.

A line is priced in one way: by its own distance sentence, by the feed's newer fares, or by the
feed's zone pairs. Pricing an order reads this table alone; a new version is a new table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from scenes.bus.distance_lines import DistanceLine
from scenes.bus.fares import LINE_FIELD, LegFare, LineUnknownError, Ride, SectionalFares

UNPUBLISHED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FareTable:
    """Prices of one version. ``version_no`` is 0 before anything was imported."""

    version_no: int = UNPUBLISHED
    sectional: SectionalFares | None = None
    distance: Mapping[str, DistanceLine] = field(default_factory=dict)

    def leg_fare(self, ride: Ride) -> LegFare:
        """The fare of one ride. Raises ``FareRefusedError`` kin."""
        line = self.distance.get(ride.line_id)
        if line is not None:
            return line.leg_fare(ride)
        if self.sectional is None:
            raise LineUnknownError(f"no line {ride.line_id!r}", field=LINE_FIELD)
        return self.sectional.leg_fare(ride)

    @property
    def line_ids(self) -> frozenset[str]:
        """All lines that can be priced."""
        of_feed = frozenset[str]() if self.sectional is None else self.sectional.line_ids
        return of_feed | self.distance.keys()
