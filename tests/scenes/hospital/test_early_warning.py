"""Daily counts against their past: an outbreak is seen in days, chance seldom raises a warning."""

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.hospital.early_warning import (
    BACK_DAYS,
    CELL_MIN,
    HIGH,
    Level,
    Score,
    level_of,
    score_of,
    shown,
)

FIRST = date(2026, 1, 5)  # a Monday
RUNS = 40
DAYS = 180
# Cases that an outbreak adds from its first day on: it doubles every two days or so.
OUTBREAK = (3, 5, 8, 12, 17, 24, 34, 48)


def drawn(randomly: random.Random, mean: float) -> int:
    """A negative binomial count with variance mean + mean²/20: more scattered than by chance."""
    mean = randomly.gammavariate(20, mean / 20)
    left, number = math.exp(-mean), 0
    product = randomly.random()
    while product > left:
        product *= randomly.random()
        number += 1
    return number


def synthetic(randomly: random.Random, mean: float) -> dict[date, int]:
    """Ordinary days: weekends bring six tenths."""
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    return {day: drawn(randomly, mean * (0.6 if day.weekday() >= 5 else 1)) for day in days}


def levels(points: Sequence[dict[date, int]], days: Sequence[date]) -> list[Level]:
    """What each of the days comes to."""
    return [
        level_of(
            {
                str(number): [score_of(counts, day - timedelta(days=back)) for back in (2, 1, 0)]
                for number, counts in enumerate(points)
            }
        )
        for day in days
    ]


def runs() -> list[tuple[list[dict[date, int]], random.Random]]:
    """Seeded cities with two points each: guidance and a fever clinic."""
    cities = []
    for seed in range(RUNS):
        randomly = random.Random(seed)
        cities.append(([synthetic(randomly, 20), synthetic(randomly, 10)], randomly))
    return cities


def test_chance_seldom_raises_a_warning() -> None:
    """Measured over 40 seeded half years of two points: warnings on 1.1 % of days, watch 2.6 %."""
    told = [
        level for points, _ in runs() for level in levels(points, sorted(points[0])[BACK_DAYS:])
    ]
    assert len(told) == RUNS * (DAYS - BACK_DAYS)
    assert told.count(Level.WARNING) / len(told) < 0.02
    assert told.count(Level.WATCH) / len(told) < 0.05


def test_an_outbreak_is_warned_of_within_days() -> None:
    """Measured: all 40 within six days (24 more cases that day), half of them within five."""
    delays = []
    for points, randomly in runs():
        start = FIRST + timedelta(days=randomly.randrange(BACK_DAYS + 10, DAYS - 10))
        for share, counts in zip((1.0, 0.6), points, strict=True):
            for number, more in enumerate(OUTBREAK):
                counts[start + timedelta(days=number)] += round(more * share)
        days = [start + timedelta(days=number) for number in range(len(OUTBREAK))]
        delays.append(levels(points, days).index(Level.WARNING) + 1)
    delays.sort()
    assert delays[-1] <= 7
    assert delays[len(delays) // 2] <= 5


def test_one_point_alone_needs_two_days() -> None:
    counts = {FIRST + timedelta(days=number): 10 for number in range(60)}
    day = FIRST + timedelta(days=51)
    assert day.weekday() < 4
    counts[day] = 40
    assert levels([counts], [day]) == [Level.WATCH]
    counts[day + timedelta(days=1)] = 40
    assert levels([counts], [day + timedelta(days=1)]) == [Level.WARNING]


@pytest.mark.parametrize(
    ("count", "told"), [(0, 0), (1, None), (4, None), (5, 5), (6, 6), (1000, 1000)]
)
def test_a_few_are_not_told(count: int, told: int | None) -> None:
    assert shown(count) == told


@given(
    st.lists(st.integers(0, 30), min_size=60, max_size=60),
    st.lists(st.integers(1, 4), min_size=60, max_size=60),
)
@settings(max_examples=40)
def test_a_score_says_no_more_than_what_is_told(counts: list[int], few: list[int]) -> None:
    """Other small counts in the place of small counts change nothing."""
    days = [FIRST + timedelta(days=number) for number in range(60)]
    other = [
        small if 0 < count < CELL_MIN else count for count, small in zip(counts, few, strict=True)
    ]
    one = score_of(dict(zip(days, counts, strict=True)), days[-1])
    assert one == score_of(dict(zip(days, other, strict=True)), days[-1])


@given(st.lists(st.integers(0, 50), min_size=60, max_size=60), st.integers(1, 50))
@settings(max_examples=40)
def test_more_is_never_less_alarming(counts: list[int], more: int) -> None:
    days = [FIRST + timedelta(days=number) for number in range(60)]
    before = score_of(dict(zip(days, counts, strict=True)), days[-1])
    counts[-1] += more
    after = score_of(dict(zip(days, counts, strict=True)), days[-1])
    assert before is not None
    assert after is not None
    assert after.score >= before.score


def test_a_past_that_is_too_short_says_nothing() -> None:
    counts = {FIRST + timedelta(days=number): 5 for number in range(9)}
    assert score_of(counts, FIRST + timedelta(days=8)) is None
    assert score_of({}, FIRST) is None


def test_a_few_are_never_an_alarm() -> None:
    three = Score(count=3, expected=0, score=HIGH + 1)
    assert level_of({"a": [three, three, three], "b": [three]}) is Level.QUIET
    assert level_of({}) is Level.QUIET
