"""The one business-day rule: which local day an instant belongs to. Pure.

The day changes at a cut-off, not at midnight: a bus that leaves at 23:50 and arrives at 00:20
made one day's money. The answer is stored on the row, so a later change of rule moves nothing.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

LOCAL_ZONE: Final = ZoneInfo("Asia/Shanghai")
CUT_OFF_DEFAULT: Final = time(4, 30)


def business_date(at: datetime, cut_off: time = CUT_OFF_DEFAULT) -> date:
    """Business date of an aware instant.

    Args:
        at: aware instant, any zone.
        cut_off: local time of day at which the next business day begins.
    """
    assert at.tzinfo is not None
    local = at.astimezone(LOCAL_ZONE)
    shift = timedelta(
        hours=cut_off.hour,
        minutes=cut_off.minute,
        seconds=cut_off.second,
        microseconds=cut_off.microsecond,
    )
    return (local - shift).date()


def day_begins(on: date, cut_off: time = CUT_OFF_DEFAULT) -> datetime:
    """First instant of a business date, in UTC."""
    return datetime.combine(on, cut_off, LOCAL_ZONE).astimezone(UTC)
