"""The days a service runs. Pure.

Source: GTFS Schedule reference, calendar.txt and calendar_dates.txt.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The days a service runs: weekdays within bounds, and exceptions."""

    weekdays: frozenset[int] = frozenset()
    starts_on: date = date.max
    ends_on: date = date.min
    added: frozenset[date] = frozenset()
    removed: frozenset[date] = frozenset()

    def runs_on(self, day: date) -> bool:
        """Whether the service runs on this calendar day."""
        if day in self.added:
            return True
        within = self.starts_on <= day <= self.ends_on and day.weekday() in self.weekdays
        return within and day not in self.removed
