"""Which business date an instant belongs to. Pure.

China has one zone without daylight saving time, so the offset is a constant. The cut-off is the
local time of day at which a new business day starts: 04:30 keeps a night bus on its day.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from ledger.events import NS_PER_S

DAY_S: Final = 86_400
DAY_NS: Final = DAY_S * NS_PER_S
SHANGHAI_UTC_OFFSET_S: Final = 8 * 3600
EPOCH: Final = dt.date(1970, 1, 1)

_EPOCH_INSTANT: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDay:
    """A calendar of business days.

    ``utc_offset_s``: local time less UTC. ``cut_off_s``: seconds after local midnight at which
    the business day begins.
    """

    utc_offset_s: int = SHANGHAI_UTC_OFFSET_S
    cut_off_s: int = 0

    def number(self, instant_ns: int) -> int:
        """Days since 1970-01-01 of the business day that holds the instant."""
        return (instant_ns + (self.utc_offset_s - self.cut_off_s) * NS_PER_S) // DAY_NS

    def date(self, instant: dt.datetime) -> dt.date:
        """The business date that holds an aware instant."""
        assert instant.tzinfo is not None
        return date_of(self.number(int(instant.timestamp()) * NS_PER_S))

    def bounds_ns(self, day: dt.date) -> tuple[int, int]:
        """First and last instant of a business day, inclusive, in ns."""
        start = (day_number(day) * DAY_S - self.utc_offset_s + self.cut_off_s) * NS_PER_S
        return start, start + DAY_NS - 1


def date_of(day: int) -> dt.date:
    """The date of a day number."""
    return EPOCH + dt.timedelta(days=day)


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def instant_ns(instant: dt.datetime) -> int:
    """Nanoseconds since 1970 of an aware instant, exact to its microsecond."""
    assert instant.tzinfo is not None
    return (instant - _EPOCH_INSTANT) // _MICROSECOND * 1000
