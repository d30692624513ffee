"""When daily counts of complaints are out of the ordinary, and when that is a warning. Pure.

A point is one kind of place that counts: guidance, fever clinics, gates, schools, pharmacies. Each
is compared with itself by the method W2 (Tokars et al., Emerging Infectious Diseases 15(4), 2009),
a form of EARS C2 (Hutwagner et al., Journal of Urban Health 80, 2003): mean and deviation of the
last seven days of the same kind, workdays or weekends, the last two days left out, so that an
outbreak does not hide in its own beginning. Our own addition is the floor of the deviation: never
below the root of the mean, never below one, so that quiet days do not make two people an alarm.

多点触发: a warning needs two points, or one point twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import sqrt
from typing import Final

BASELINE_DAYS: Final = 7
GUARD_DAYS: Final = 2
BACK_DAYS: Final = 42  # seven weekend days and the guard lie within, gaps too
WINDOW_DAYS: Final = 3
HIGH: Final = 3.0
RAISED: Final = 2.0
# Fewer than this are told as "a few": nobody may be told from a count.
CELL_MIN: Final = 5
FEW: Final = 2  # what the rule takes "a few" as, so that a score says no more than the figures


class Level(StrEnum):
    """What a day's counts of one group come to."""

    QUIET = "quiet"
    WATCH = "watch"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Score:
    """A day at one point, compared with the point's own past, in deviations."""

    count: int
    expected: float
    score: float


def shown(count: int) -> int | None:
    """A count as it may be told: None for a few, so that nobody can be told from it."""
    return None if 0 < count < CELL_MIN else count


def score_of(counts: Mapping[date, int], on: date) -> Score | None:
    """A day compared with the days before; None where fewer than seven of its kind are known.

    ``counts`` has every day the point counted, zeros too; the rule sees what may be told.
    """
    weekend = on.weekday() >= 5
    baseline: list[int] = []
    for back in range(GUARD_DAYS + 1, BACK_DAYS + 1):
        day = on - timedelta(days=back)
        if day in counts and (day.weekday() >= 5) == weekend:
            baseline.append(_told(counts[day]))
        if len(baseline) == BASELINE_DAYS:
            break
    if len(baseline) < BASELINE_DAYS or on not in counts:
        return None
    mean = sum(baseline) / BASELINE_DAYS
    deviation = sqrt(sum((one - mean) ** 2 for one in baseline) / (BASELINE_DAYS - 1))
    count = _told(counts[on])
    spread = max(deviation, sqrt(mean), 1.0)
    return Score(count=count, expected=mean, score=(count - mean) / spread)


def level_of(scores: Mapping[str, Sequence[Score | None]]) -> Level:
    """What the last days of a group come to: per point its scores, the day itself last.

    A warning: two points raised within three days, one of them high; or one point high twice.
    """
    recent = {point: list(several)[-WINDOW_DAYS:] for point, several in scores.items()}
    high = {point: sum(_over(one, HIGH) for one in several) for point, several in recent.items()}
    raised = sum(any(_over(one, RAISED) for one in several) for several in recent.values())
    if (raised >= 2 and any(high.values())) or any(number >= 2 for number in high.values()):
        return Level.WARNING
    if any(several and _over(several[-1], HIGH) for several in recent.values()):
        return Level.WATCH
    return Level.QUIET


def _told(count: int) -> int:
    told = shown(count)
    return FEW if told is None else told


def _over(score: Score | None, threshold: float) -> bool:
    return score is not None and score.count >= CELL_MIN and score.score > threshold
