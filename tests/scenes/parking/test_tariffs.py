"""The price of a stay against an oracle that counts minute by minute, and its laws."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cardcore.calendar import LOCAL_ZONE
from scenes.parking.tariffs import Cycle, Parked, Period, Step, Tariff, fee_of

MINUTE = timedelta(minutes=1)
DAY_AND_NIGHT = Tariff(
    periods=[
        Period(
            name="日间",
            starts=time(8),
            steps=[
                Step(until_min=60, unit_min=30, unit_fen=250),
                Step(unit_min=30, unit_fen=150),
            ],
        ),
        Period(name="夜间", starts=time(20), steps=[Step(unit_min=60, unit_fen=100)], cap_fen=500),
    ],
    cycle_starts=time(8),
    cycle_cap_fen=3000,
    free_min=15,
    new_energy_free_min=120,
    new_energy_percent_off=50,
    entry_missed_fen=1000,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    ends = sorted(draw(st.sets(st.integers(1, 600), max_size=3)))
    unit = st.integers(1, 240)
    fen = st.integers(0, 800)
    return [Step(until_min=end, unit_min=draw(unit), unit_fen=draw(fen)) for end in [*ends, None]]


@st.composite
def tariffs(draw: st.DrawFn, /, **fixed: object) -> Tariff:
    clocks = sorted(draw(st.sets(st.integers(0, 1439), min_size=1, max_size=4)))
    cap = st.none() | st.integers(0, 3000)
    periods = [
        Period(
            name=f"p{number}",
            starts=time(clock // 60, clock % 60),
            steps=draw(steps()),
            cap_fen=draw(cap),
        )
        for number, clock in enumerate(clocks)
    ]
    values: dict[str, Any] = {
        "periods": periods,
        "cycle": draw(st.sampled_from(Cycle)),
        "cycle_starts": draw(st.sampled_from(periods)).starts,
        "cycle_cap_fen": draw(cap),
        "free_min": draw(st.integers(0, 120)),
        "free_is_deducted": draw(st.booleans()),
        "new_energy_free_min": draw(st.integers(0, 240)),
        "new_energy_percent_off": draw(st.integers(0, 100)),
    }
    return Tariff(**(values | fixed))


INSTANTS = st.integers(0, 60 * 86_400).map(
    lambda seconds: datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
LENGTHS = st.integers(0, 4 * 1440 * 60).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def stays(draw: st.DrawFn) -> Parked:
    entered = draw(INSTANTS)
    edges = sorted(draw(st.sets(st.integers(-600, 6000), max_size=4)))
    covered = [
        (entered + first * MINUTE, entered + last * MINUTE)
        for first, last in zip(edges[::2], edges[1::2], strict=False)
    ]
    return Parked(
        entered_at=entered,
        left_at=entered + draw(LENGTHS),
        new_energy=draw(st.booleans()),
        covered=tuple(covered),
    )


@dataclass
class Clerk:
    """Looks at the clock every minute, keeps slips of paper, and knows no arithmetic beyond +."""

    tariff: Tariff
    owed: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    counted: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    cycle: int = 0
    occurrence: int = 0
    period: Period | None = None

    def look(self, number: int, minute: datetime) -> tuple[int, int]:
        """Which slip a minute belongs on."""
        local = minute.astimezone(LOCAL_ZONE)
        before = (minute - MINUTE).astimezone(LOCAL_ZONE)
        if number > 0:
            self.cycle += (
                number % 1440 == 0
                if self.tariff.cycle is Cycle.FROM_ENTRY
                else passes(before, local, self.tariff.cycle_starts)
            )
        begun = [one for one in self.tariff.periods if one.starts <= local.time()]
        period = begun[-1] if begun else self.tariff.periods[-1]
        self.occurrence += self.period is not None and period is not self.period
        self.period = period
        return self.cycle, self.occurrence

    def charge(self, slip: tuple[int, int]) -> None:
        assert self.period is not None
        begun = 0
        for step in self.period.steps:
            if step.until_min is None or self.counted[slip] < step.until_min:
                if (self.counted[slip] - begun) % step.unit_min == 0:
                    self.owed[slip] += step.unit_fen
                break
            begun = step.until_min
        self.counted[slip] += 1
        if self.period.cap_fen is not None:
            self.owed[slip] = min(self.owed[slip], self.period.cap_fen)

    def total(self) -> int:
        cycles: defaultdict[int, int] = defaultdict(int)
        for (cycle, _), amount in self.owed.items():
            cycles[cycle] += amount
        cap = self.tariff.cycle_cap_fen
        return sum(amount if cap is None else min(amount, cap) for amount in cycles.values())


def by_the_minute(tariff: Tariff, parked: Parked) -> int:
    """The oracle."""
    clerk = Clerk(tariff)
    uncovered = number = 0
    free = tariff.free_minutes(new_energy=parked.new_energy)
    minute = parked.entered_at
    while minute + MINUTE <= parked.left_at:
        slip = clerk.look(number, minute)
        if not any(begin <= minute < end for begin, end in parked.covered):
            uncovered += 1
            if not (tariff.free_is_deducted and uncovered <= free):
                clerk.charge(slip)
        minute += MINUTE
        number += 1
    if uncovered <= free:
        return 0
    total = clerk.total()
    off = (total * tariff.new_energy_percent_off + 99) // 100 if parked.new_energy else 0
    return total - off


def passes(before: datetime, after: datetime, clock: time) -> bool:
    """Does a local clock reach ``clock`` after ``before`` and not after ``after``?"""
    reached = after.replace(hour=clock.hour, minute=clock.minute, second=0)
    return before < reached <= after


@given(tariffs(), stays())
def test_the_price_is_that_of_a_clerk_counting_minutes(tariff: Tariff, parked: Parked) -> None:
    assert fee_of(tariff, parked).amount_fen == by_the_minute(tariff, parked)


@given(tariffs(), stays(), LENGTHS)
def test_staying_longer_never_costs_less(tariff: Tariff, parked: Parked, more: timedelta) -> None:
    longer = Parked(
        entered_at=parked.entered_at,
        left_at=parked.left_at + more,
        new_energy=parked.new_energy,
        covered=parked.covered,
    )
    assert fee_of(tariff, parked).amount_fen <= fee_of(tariff, longer).amount_fen


@given(tariffs(cycle_cap_fen=700), stays())
def test_no_cycle_costs_more_than_its_cap(tariff: Tariff, parked: Parked) -> None:
    fee = fee_of(tariff, parked)
    cycles = {stretch.cycle_no for stretch in fee.stretches}
    assert 0 <= fee.amount_fen <= len(cycles) * 700
    assert len(cycles) <= parked.minutes // 1440 + 2


@given(tariffs(), stays())
def test_a_month_card_never_makes_a_stay_dearer(tariff: Tariff, parked: Parked) -> None:
    """Why: a card that covers the middle of a day must not begin the first hour anew."""
    bare = Parked(
        entered_at=parked.entered_at, left_at=parked.left_at, new_energy=parked.new_energy
    )
    assert fee_of(tariff, parked).amount_fen <= fee_of(tariff, bare).amount_fen


@given(tariffs(), stays())
def test_a_new_energy_car_never_pays_more(tariff: Tariff, parked: Parked) -> None:
    def paid(*, new_energy: bool) -> int:
        stay = Parked(
            entered_at=parked.entered_at,
            left_at=parked.left_at,
            new_energy=new_energy,
            covered=parked.covered,
        )
        return fee_of(tariff, stay).amount_fen

    assert paid(new_energy=True) <= paid(new_energy=False)


@given(
    tariffs(cycle=Cycle.CLOCK, free_min=0, new_energy_free_min=0),
    st.integers(0, 6000),
    st.integers(0, 6000),
)
def test_cutting_a_stay_where_a_cycle_begins_changes_nothing(
    tariff: Tariff, before: int, after: int
) -> None:
    """Why: the tariff promises it, so a car that is counted out and in at the cut pays the same."""
    cut = datetime.combine(date(2026, 6, 1), tariff.cycle_starts, LOCAL_ZONE)
    entered, left = cut - before * MINUTE, cut + after * MINUTE
    whole = fee_of(tariff, Parked(entered_at=entered, left_at=left))
    parts = [
        fee_of(tariff, Parked(entered_at=entered, left_at=cut)),
        fee_of(tariff, Parked(entered_at=cut, left_at=left)),
    ]
    assert whole.amount_fen == sum(part.amount_fen for part in parts)


@given(tariffs(), stays())
def test_the_parts_of_a_price_explain_it(tariff: Tariff, parked: Parked) -> None:
    fee = fee_of(tariff, parked)
    stretches = sum(stretch.amount_fen for stretch in fee.stretches)
    assert fee.amount_fen == stretches - fee.capped_fen - fee.discount_fen
    assert fee.minutes == parked.minutes
    counted = sum(stretch.minutes for stretch in fee.stretches)
    free = tariff.free_minutes(new_energy=parked.new_energy)
    assert fee.free or counted == fee.minutes - fee.covered_minutes - (
        free if tariff.free_is_deducted else 0
    )


@pytest.mark.parametrize(
    ("entered", "left", "fen"),
    [
        ("2026-06-01T09:00", "2026-06-01T09:15:59", 0),  # a begun minute does not count
        ("2026-06-01T09:00", "2026-06-01T09:16", 250),
        ("2026-06-01T09:00", "2026-06-01T10:00", 500),
        ("2026-06-01T09:00", "2026-06-01T10:01", 650),
        ("2026-06-01T09:00", "2026-06-01T20:00", 3000),  # 500 + 20 × 150 capped
        ("2026-06-01T21:00", "2026-06-02T01:30", 500),  # 5 begun hours, the night's cap
        ("2026-06-01T21:00", "2026-06-02T08:30", 750),  # a night, and a new day
        ("2026-06-01T08:00", "2026-06-04T08:00", 9000),  # three cycles
        ("2026-06-01T09:00", "2026-06-01T08:00", 0),  # clocks that disagree
    ],
)
def test_a_city_tariff_prices_as_it_reads(entered: str, left: str, fen: int) -> None:
    assert fee_of(DAY_AND_NIGHT, Parked(entered_at=at(entered), left_at=at(left))).amount_fen == fen


def test_a_new_energy_car_gets_its_free_hours_and_its_discount() -> None:
    def paid(left: str) -> int:
        parked = Parked(entered_at=at("2026-06-01T09:00"), left_at=at(left), new_energy=True)
        return fee_of(DAY_AND_NIGHT, parked).amount_fen

    assert paid("2026-06-01T11:00") == 0
    assert paid("2026-06-01T11:01") == (500 + 3 * 150) // 2


def test_a_whole_day_of_one_price_does_not_begin_anew_at_midnight() -> None:
    tariff = Tariff(
        periods=[
            Period(
                name="全天",
                starts=time(0),
                steps=[
                    Step(until_min=60, unit_min=60, unit_fen=500),
                    Step(unit_min=60, unit_fen=100),
                ],
            )
        ],
        cycle=Cycle.FROM_ENTRY,
    )
    parked = Parked(entered_at=at("2026-06-01T23:30"), left_at=at("2026-06-02T01:30"))
    assert fee_of(tariff, parked).amount_fen == 600


def test_a_stay_longer_than_a_year_is_priced_as_a_year() -> None:
    entered = at("2024-01-01T00:00")
    year, more = (
        fee_of(DAY_AND_NIGHT, Parked(entered_at=entered, left_at=entered + timedelta(days=days)))
        for days in (366, 900)
    )
    assert year == more


ONE = {"unit_min": 60, "unit_fen": 100}


@pytest.mark.parametrize(
    "wrong",
    [
        {"periods": []},
        {"periods": [{"name": "a", "starts": "08:00", "steps": [ONE, ONE]}]},
        {"periods": [{"name": "a", "starts": "08:00", "steps": [{"until_min": 60, **ONE}]}]},
        {
            "periods": [
                {
                    "name": "a",
                    "starts": "08:00",
                    "steps": [{"until_min": 60, **ONE}, {"until_min": 60, **ONE}, ONE],
                }
            ]
        },
        {
            "periods": [
                {"name": "a", "starts": "20:00", "steps": [ONE]},
                {"name": "b", "starts": "08:00", "steps": [ONE]},
            ]
        },
        {"periods": [{"name": "a", "starts": "08:00:30", "steps": [ONE]}]},
        {
            "periods": [
                {"name": "a", "starts": "08:00", "steps": [ONE]},
                {"name": "b", "starts": "20:00", "steps": [ONE]},
            ],
            "cycle_starts": "00:00",
        },
        {"periods": [{"name": "a", "starts": "00:00", "steps": [ONE]}], "free_min": -1},
        {"periods": [{"name": "a", "starts": "00:00", "steps": [{**ONE, "unit_fen": 1.5}]}]},
    ],
)
def test_a_tariff_that_cannot_be_read_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Tariff.model_validate(wrong)
