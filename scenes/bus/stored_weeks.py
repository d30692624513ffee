"""What lies in the books of one person's week: taps, corrections, what was booked. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from cardcore.business.quote import Payer
from scenes.bus.journeys import Correction
from scenes.bus.taps import Tap

PersonOfWeek = tuple[UUID, date]


class StoredTap(NamedTuple):
    """A tap as it was written, with what belongs on its journey."""

    tap: Tap
    medium: str
    merchant_id: str
    driver_id: str
    order_id: UUID | None
    state: str


@dataclass(slots=True)
class StoredWeek:
    """What is stored of one person around one week.

    ``booked`` is by journey, payer and order: what of the order's money is this journey's.
    ``journeys`` has the fingerprints of those that are written.
    """

    taps: list[StoredTap] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    booked: dict[str, dict[Payer, dict[UUID, int]]] = field(default_factory=dict)
    places: dict[str, tuple[date, str]] = field(default_factory=dict)
    journeys: dict[str, int] = field(default_factory=dict)
    _by_id: dict[str, StoredTap] = field(default_factory=dict)

    @property
    def by_id(self) -> Mapping[str, StoredTap]:
        """The taps by their ids, once all are read."""
        if not self._by_id:
            self._by_id = {tap.tap.tap_id: tap for tap in self.taps}
        return self._by_id


class Entry(NamedTuple):
    """One signed amount that was booked for a journey."""

    journey_id: str
    user_id: UUID
    week_on: date
    business_on: date
    merchant_id: str
    payer: Payer
    amount_fen: int
    order_id: UUID
    refund_id: UUID | None
    recorded_at: datetime
