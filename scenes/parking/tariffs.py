"""What a stay costs: tariffs as data, and the one function that reads them. Pure.

A tariff divides the day into periods (日间, 夜间), each with steps of so much per begun unit and
perhaps a cap; cycles (a calendar day, or 24 hours from the entry) bear a cap of their own. Whole
minutes count, from the entry on; a minute belongs to the period in which it begins.

Laws, each held by a property test: staying longer never costs less; no cycle costs more than its
cap; cutting a stay where a clock cycle begins changes nothing, where nothing is free; a month card
or a discount never makes a stay dearer.

Source: the form of the tariffs Chinese cities publish for car parks (机动车停放服务收费管理办法,
发改价格〔2015〕2975号: by time, by kind of place, by day and night, with caps and free minutes).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from cardcore.calendar import LOCAL_ZONE
from cardcore.model import Model

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
STAY_MAX: Final = timedelta(days=366)
_PriceFen = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
_Minutes = Annotated[int, Field(strict=True, ge=0, le=1440)]


class Step(Model):
    """So much for each begun unit, up to a minute of the period; the last step has no end."""

    until_min: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = None
    unit_min: Annotated[int, Field(strict=True, ge=1, le=1440)]
    unit_fen: _PriceFen


class Period(Model):
    """A part of the day, from ``starts`` (local) to where the next period starts."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    starts: time
    steps: Annotated[list[Step], Field(min_length=1, max_length=8)]
    cap_fen: _PriceFen | None = None

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        ends = [step.until_min for step in self.steps[:-1]]
        known = [end for end in ends if end is not None]
        if len(known) != len(ends) or self.steps[-1].until_min is not None:
            raise ValueError("every step but the last has an end, the last has none")
        if sorted(set(known)) != known:
            raise ValueError("steps end later and later")
        return self


class Cycle(StrEnum):
    """What a cap counts over."""

    CLOCK = "clock"
    FROM_ENTRY = "from_entry"


class Tariff(Model):
    """What a car park asks.

    Attributes:
        periods: of the day, earliest first.
        cycle: whether a cycle is 24 hours of the clock, from ``cycle_starts``, or of the stay.
        cycle_cap_fen: at most so much in one cycle.
        free_min: a stay of at most so many minutes is free.
        free_is_deducted: the free minutes of a longer stay are not counted either.
        new_energy_free_min: the same for new-energy cars, where it is more.
        new_energy_percent_off: of the whole price, for new-energy cars.
        entry_missed_fen: for a stay whose entry no camera saw.
        leave_within_min: after paying before the exit.
        month_card_fen: a month card's price; None where there is none.
    """

    periods: Annotated[list[Period], Field(min_length=1, max_length=6)]
    cycle: Cycle = Cycle.CLOCK
    cycle_starts: time = time(0)
    cycle_cap_fen: _PriceFen | None = None
    free_min: _Minutes = 0
    free_is_deducted: Annotated[bool, Field(strict=True)] = False
    new_energy_free_min: _Minutes = 0
    new_energy_percent_off: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    entry_missed_fen: _PriceFen = 0
    leave_within_min: _Minutes = 15
    month_card_fen: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        starts = [period.starts for period in self.periods]
        if sorted(set(starts)) != starts:
            raise ValueError("periods start later and later")
        if any(one.second or one.microsecond or one.tzinfo for one in (*starts, self.cycle_starts)):
            raise ValueError("periods and cycles start at whole local minutes")
        cut = self.cycle is Cycle.CLOCK and len(starts) > 1 and self.cycle_starts not in starts
        if cut:
            # Otherwise a night would be two nights, each with a cap of its own.
            raise ValueError("a cycle of the clock starts where a period starts")
        return self

    def free_minutes(self, *, new_energy: bool) -> int:
        """How long a car may stay for nothing."""
        return max(self.free_min, self.new_energy_free_min if new_energy else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A car that was there: two aware instants, what kind of car, when a month card covered it.

    ``covered`` are spans of aware instants, their ends not included, apart and in order.
    """

    entered_at: datetime
    left_at: datetime
    new_energy: bool = False
    covered: Sequence[tuple[datetime, datetime]] = ()

    @property
    def minutes(self) -> int:
        """Whole minutes there; none where the clocks say it left before it came."""
        return max(0, (self.left_at - self.entered_at) // MINUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Minutes of one period in one cycle, and what they cost after the period's cap."""

    period: str
    cycle_no: int
    minutes: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """A price with what it is made of: stretches, cycles after their caps, the discount."""

    amount_fen: int
    minutes: int
    covered_minutes: int
    free: bool
    stretches: tuple[Stretch, ...]
    capped_fen: int
    discount_fen: int


def fee_of(tariff: Tariff, parked: Parked) -> Fee:
    """The price of a stay.

    Args:
        tariff: the tariff in force at the entry.
        parked: the stay; longer than ``STAY_MAX`` is priced as ``STAY_MAX``.

    Returns:
        The price in fen, ≥ 0, with its parts.
    """
    minutes = min(parked.minutes, STAY_MAX // MINUTE)
    spans = [
        (last - first - _covered(parked, first, last), cycle_no, period)
        for first, last, cycle_no, period in _spans(tariff, parked, minutes)
    ]
    counted = sum(span[0] for span in spans)
    free_min = tariff.free_minutes(new_energy=parked.new_energy)
    if counted <= free_min:
        return Fee(
            amount_fen=0,
            minutes=minutes,
            covered_minutes=minutes - counted,
            free=True,
            stretches=(),
            capped_fen=0,
            discount_fen=0,
        )
    left_free = free_min if tariff.free_is_deducted else 0
    stretches: list[Stretch] = []
    for uncovered, cycle_no, period in spans:
        skipped = min(left_free, uncovered)
        left_free -= skipped
        if uncovered > skipped:
            stretches.append(
                Stretch(
                    period=period.name,
                    cycle_no=cycle_no,
                    minutes=uncovered - skipped,
                    amount_fen=_price(period, uncovered - skipped),
                )
            )
    full_fen = sum(stretch.amount_fen for stretch in stretches)
    capped_fen = sum(_cycle_sums(tariff, stretches).values())
    percent = tariff.new_energy_percent_off if parked.new_energy else 0
    amount_fen = capped_fen * (100 - percent) // 100
    return Fee(
        amount_fen=amount_fen,
        minutes=minutes,
        covered_minutes=minutes - counted,
        free=False,
        stretches=tuple(stretches),
        capped_fen=full_fen - capped_fen,
        discount_fen=capped_fen - amount_fen,
    )


def _cycle_sums(tariff: Tariff, stretches: Sequence[Stretch]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for stretch in stretches:
        total = sums.get(stretch.cycle_no, 0) + stretch.amount_fen
        cap = tariff.cycle_cap_fen
        sums[stretch.cycle_no] = total if cap is None else min(total, cap)
    return sums


def _price(period: Period, minutes: int) -> int:
    """What so many minutes of a period cost, after its cap."""
    amount_fen = begun = 0
    for step in period.steps:
        end = minutes if step.until_min is None else min(minutes, step.until_min)
        if end > begun:
            amount_fen += -(-(end - begun) // step.unit_min) * step.unit_fen
            begun = end
    return amount_fen if period.cap_fen is None else min(amount_fen, period.cap_fen)


def _spans(tariff: Tariff, parked: Parked, minutes: int) -> Iterator[tuple[int, int, int, Period]]:
    """Minutes (first, one past the last), number of the cycle, period; apart and in order."""
    first, cycle_no = 0, 0
    cycle_end = _minutes_to(parked, _first_cycle_end(tariff, parked.entered_at))
    while first < minutes:
        if first >= cycle_end:
            cycle_no += 1
            cycle_end += DAY // MINUTE
        at = parked.entered_at + first * MINUTE
        last = min(minutes, cycle_end)
        if len(tariff.periods) > 1:
            last = min(last, _minutes_to(parked, _next_period(tariff, at)))
        yield first, last, cycle_no, _period_at(tariff, at)
        first = last


def _covered(parked: Parked, first: int, last: int) -> int:
    """How many of the minutes from ``first`` to before ``last`` a month card covers."""
    return sum(
        max(0, min(last, _minutes_to(parked, end)) - max(first, _minutes_to(parked, begin)))
        for begin, end in parked.covered
    )


def _minutes_to(parked: Parked, instant: datetime) -> int:
    """How many minutes of the stay begin before an instant."""
    return -((parked.entered_at - instant) // MINUTE)


def _first_cycle_end(tariff: Tariff, entered_at: datetime) -> datetime:
    if tariff.cycle is Cycle.FROM_ENTRY:
        return entered_at + DAY
    return _next(tariff.cycle_starts, entered_at)


def _next_period(tariff: Tariff, at: datetime) -> datetime:
    return min(_next(period.starts, at) for period in tariff.periods)


def _next(clock: time, after: datetime) -> datetime:
    """The next instant, later than ``after``, at which local clocks show ``clock``."""
    local = after.astimezone(LOCAL_ZONE)
    found = local.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return found if found > local else found + DAY


def _period_at(tariff: Tariff, at: datetime) -> Period:
    clock = at.astimezone(LOCAL_ZONE).time()
    begun = [period for period in tariff.periods if period.starts <= clock]
    # Before the first of the day, the last of yesterday goes on.
    return begun[-1] if begun else tariff.periods[-1]
