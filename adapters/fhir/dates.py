"""Dates as FHIR searches by them: a prefix and a stretch of time. Pure.

A date without a time is a day of ours; a value stands for the whole of its precision, a month for
the month. Source: FHIR R4B, ``search.html#date`` and ``search.html#prefix``.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, not_, or_

from cardcore.calendar import LOCAL_ZONE

_PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_DATE: Final = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(?P<fraction>\.\d{1,6})?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_DECEMBER: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a date parameter asks: a prefix, and from ``starts_at`` to before ``ends_at``."""

    prefix: str
    starts_at: datetime
    ends_at: datetime


def read_when(text: str) -> When:
    """The value of a date parameter.

    Raises:
        ValueError: no date of FHIR's, or a prefix that is not known here; the message says which.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("not a date of FHIR's")
    prefix = found["prefix"] or "eq"
    if prefix not in _PREFIXES:
        raise ValueError(f"the prefix {prefix} is not known")
    try:
        starts_at, ends_at = _stretch(found)
    except OverflowError:
        raise ValueError("beyond the calendar") from None
    return When(prefix=prefix, starts_at=starts_at, ends_at=ends_at)


def _stretch(found: re.Match[str]) -> tuple[datetime, datetime]:
    """The first instant a written date means, and the first one that it does not."""
    if found["day"] is None:
        year, month = int(found["year"]), int(found["month"] or 1)
        starts_at = datetime(year, month, 1, tzinfo=LOCAL_ZONE)
        if found["month"] is None:
            return starts_at, starts_at.replace(year=year + 1)
        following = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
        return starts_at, datetime(*following, 1, tzinfo=LOCAL_ZONE)
    zone = found["zone"] or ""
    time = f"T{found['hour'] or '00'}:{found['minute'] or '00'}:{found['second'] or '00'}"
    fraction = (found["fraction"] or ".").ljust(7, "0")
    text = f"{found['year']}-{found['month']}-{found['day']}{time}{fraction}{zone}"
    starts_at = datetime.fromisoformat(text)
    if starts_at.tzinfo is None:
        starts_at = starts_at.replace(tzinfo=LOCAL_ZONE)
    if found["hour"] is None:
        lasts = timedelta(days=1)
    elif found["second"] is None:
        lasts = timedelta(minutes=1)
    elif found["fraction"] is None:
        lasts = timedelta(seconds=1)
    else:
        lasts = timedelta(microseconds=10 ** (7 - len(found["fraction"])))
    return starts_at, starts_at + lasts


def matching(
    when: When, starts_at: ColumnElement[datetime], ends_at: ColumnElement[datetime] | None = None
) -> ColumnElement[bool]:
    """Rows whose time meets ``when``.

    Args:
        when: what is asked.
        starts_at: when the row's time begins.
        ends_at: when it ends; a null there: not yet. None: it is one instant.
    """
    low, high = when.starts_at, when.ends_at
    if ends_at is None:
        within = and_(starts_at >= low, starts_at < high)
        reaches_beyond = starts_at >= high
        ends_before = starts_at < low
    else:
        within = and_(starts_at >= low, ends_at.is_not(None), ends_at < high)
        reaches_beyond = or_(ends_at.is_(None), ends_at >= high)
        ends_before = and_(ends_at.is_not(None), ends_at < low)
    return {
        "eq": within,
        "ne": not_(within),
        "gt": reaches_beyond,
        "lt": starts_at < low,
        "ge": or_(reaches_beyond, within),
        "le": or_(starts_at < low, within),
        "sa": starts_at >= high,
        "eb": ends_before,
    }[when.prefix]
