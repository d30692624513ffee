"""Counts and warnings as events without persons (传染病多点触发预警). Pure.

One event per day, group and point, and one per day and group for what they come to together. There
is no field for a person, a hospital or a place; a count below five is null and ``few``. The same
figures are the same event; figures that change are another, with the higher ``sequence``.
Source: CloudEvents 1.0 with the extension ``sequence``.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from cardcore.calendar import LOCAL_ZONE
from scenes.hospital.early_warning import (
    BACK_DAYS,
    CELL_MIN,
    WINDOW_DAYS,
    Level,
    Score,
    level_of,
    score_of,
    shown,
)
from scenes.hospital.guidance.knowledge import SymptomGroup

COUNTS: Final = "cardcore.health.counts"
LEVEL: Final = "cardcore.health.level"
SOURCE: Final = "/cardcore/early-warning"
_NAMESPACE: Final = UUID("2f1f7a52-9f0b-5b53-8f0c-6f7f3f0a9d11")

# Days of one group at one point; every day that was counted, zeros too.
Counts = Mapping[date, int]


def read_back(first: date) -> date:
    """From which day counts must be known to judge ``first``."""
    return first - timedelta(days=BACK_DAYS + WINDOW_DAYS)


def health_events(
    groups: Sequence[SymptomGroup],
    counts: Mapping[str, Mapping[str, Counts]],
    days: Sequence[date],
) -> Iterator[dict[str, Any]]:
    """The events of some days; ``counts`` by group and point."""
    for day in days:
        for group in groups:
            points = {
                point: several
                for point, several in counts.get(group.group, {}).items()
                if day in several
            }
            scores = {
                point: [score_of(several, day - timedelta(days=back)) for back in (2, 1, 0)]
                for point, several in points.items()
            }
            for point, several in points.items():
                yield _counts_event(group, point, day, several[day], scores[point][-1])
            if points:
                yield _level_event(group, day, level_of(scores), sorted(points))


def _counts_event(
    group: SymptomGroup, point: str, day: date, count: int, score: Score | None
) -> dict[str, Any]:
    told = shown(count)
    data = {
        **_named(group, day),
        "point": point,
        "count": told,
        "few": told is None,
        "expected": None if score is None else round(score.expected, 1),
        "score": None if score is None or told is None else round(score.score, 1),
    }
    # A few are all the same few: a count between one and four shows in no attribute.
    return _event(
        COUNTS, f"{group.group}/{point}", day, told or (CELL_MIN - 1 if count else 0), data
    )


def _level_event(
    group: SymptomGroup, day: date, level: Level, points: Sequence[str]
) -> dict[str, Any]:
    data = {**_named(group, day), "level": level.value, "points": list(points)}
    return _event(LEVEL, group.group, day, list(Level).index(level), data)


def _named(group: SymptomGroup, day: date) -> dict[str, Any]:
    return {
        "counted_on": day.isoformat(),
        "group": group.group,
        "group_zh": group.name.zh,
        "group_en": group.name.en,
    }


def _event(
    kind: str, subject: str, day: date, sequence: int, data: dict[str, Any]
) -> dict[str, Any]:
    ended = datetime.combine(day + timedelta(days=1), time(), LOCAL_ZONE)
    name = "\0".join((kind, subject, *(str(value) for value in data.values())))
    return {
        "specversion": "1.0",
        "id": str(uuid5(_NAMESPACE, name)),
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": ended.isoformat(),
        "sequence": f"{sequence:020d}",
        "datacontenttype": "application/json",
        "data": data,
    }
