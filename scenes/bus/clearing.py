"""Ticket statistics and clearing (票务统计清分) of business dates, over journeys and taps.

One pass over the days' journeys answers for every dimension; loads, gaps and vehicle counters are
asked beside it. What is charged counts; open and unpriced journeys are told apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any, Final

from cardcore.calendar import CUT_OFF_DEFAULT, day_begins
from cardcore.connections import RawConnection
from cardcore.settlement.fees import FeeRate, Rates, rate_of
from scenes.bus.operator_revenue import (
    ChainRide,
    OperatorRevenue,
    SplitRule,
    operator_revenues,
)

DIMENSIONS: Final = (
    "operator",
    "line",
    "vehicle",
    "trip",
    "driver",
    "hour",
    "class",
    "medium",
    "state",
    "stops",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is counted of a set of journeys; fare = citizen + subsidy + forgone, in fen."""

    journeys: int
    fare_fen: int
    citizen_fen: int
    subsidy_fen: int
    forgone_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TripLoad:
    """The most riders who were on one vehicle's trip at once, of those known to have got off."""

    business_on: date
    line_id: str
    trip_id: str
    vehicle_id: str
    boarded: int
    load_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterGap:
    """A terminal whose counter runs on without us having all its taps: an alarm."""

    terminal_id: str
    first: int
    last: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleDifference:
    """A vehicle that counted otherwise than we received."""

    vehicle_id: str
    business_on: date
    counted: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingReport:
    """The statistics of some days.

    ``by`` has per dimension the figures of each value; a pair of stops is ``from→to``, an hour is
    of the local day. ``taps`` counts taps by state.
    """

    from_on: date
    to_on: date
    total: Figures
    by: Mapping[str, Mapping[str, Figures]]
    operators: tuple[OperatorRevenue, ...]
    taps: Mapping[str, int]
    loads: tuple[TripLoad, ...] = ()
    gaps: tuple[CounterGap, ...] = ()
    vehicles: tuple[VehicleDifference, ...] = ()
    unpriced: int = 0

    @property
    def journeys(self) -> int:
        """All that were charged."""
        return self.total.journeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingRules:
    """How revenue is shared and what it costs: by a rate of its own, else by the tariff."""

    split: SplitRule = SplitRule.FIRST_PAYS
    rates: Mapping[str, FeeRate] = field(default_factory=dict)
    tariff: Rates = field(default_factory=dict)

    def rate(self, merchant_id: str) -> FeeRate:
        """What clearing costs one operator."""
        return self.rates.get(merchant_id) or rate_of(self.tariff, merchant_id, SCENE)


SCENE: Final = "bus"


STOPS_MARK: Final = "→"
LOADS_MAX: Final = 1_000
_CHARGED: Final = (
    " FROM scene_bus.journey j WHERE j.business_on BETWEEN %(from_on)s AND %(to_on)s"
    " AND (%(merchant)s::text IS NULL OR j.merchant_id = %(merchant)s)"
    " AND j.state NOT IN ('open', 'unpriced')"
)
# The bit of a column in grouping() is set where it is NOT part of the set.
_FIGURES: Final = """
SELECT grouping(merchant_id, line_id, vehicle_id, trip_id, driver_id, hour, class, medium, state,
                on_stop_id, off_stop_id),
       merchant_id, line_id, vehicle_id, trip_id, driver_id, hour, class, medium, state,
       on_stop_id, off_stop_id,
       count(*), sum(fare_fen)::bigint, sum(citizen_fen)::bigint, sum(subsidy_fen)::bigint,
       sum(forgone_fen)::bigint
  FROM (SELECT merchant_id, line_id, vehicle_id, trip_id, driver_id, class, medium, state,
               on_stop_id, coalesce(off_stop_id, '') AS off_stop_id, fare_fen, citizen_fen,
               subsidy_fen, forgone_fen,
               extract(hour FROM began_at AT TIME ZONE 'Asia/Shanghai')::int AS hour
{charged}) AS charged
 GROUP BY GROUPING SETS ((), (merchant_id), (line_id), (vehicle_id), (line_id, trip_id),
                         (driver_id), (hour), (class), (medium), (state),
                         (on_stop_id, off_stop_id))
""".replace("{charged}", _CHARGED)
_COLUMNS: Final = (
    "merchant_id",
    "line_id",
    "vehicle_id",
    "trip_id",
    "driver_id",
    "hour",
    "class",
    "medium",
    "state",
    "on_stop_id",
    "off_stop_id",
)
_SETS: Final = {
    (): "total",
    ("merchant_id",): "operator",
    ("line_id",): "line",
    ("vehicle_id",): "vehicle",
    ("line_id", "trip_id"): "trip",
    ("driver_id",): "driver",
    ("hour",): "hour",
    ("class",): "class",
    ("medium",): "medium",
    ("state",): "state",
    ("on_stop_id", "off_stop_id"): "stops",
}
_CHAINS: Final = """
SELECT j.chain_id, j.merchant_id, j.full_fen, j.citizen_fen + j.subsidy_fen
  FROM scene_bus.journey j
 WHERE j.business_on BETWEEN %(from_on)s AND %(to_on)s AND j.state NOT IN ('open', 'unpriced')
   AND j.chain_id IN (
       SELECT chain_id FROM scene_bus.journey
        WHERE business_on BETWEEN %(from_on)s AND %(to_on)s AND chain_id <> journey_id)
 ORDER BY j.chain_id, j.began_at, j.journey_id
"""
_LOADS: Final = """
SELECT business_on, line_id, trip_id, vehicle_id, boarded, load_max FROM (
    SELECT business_on, line_id, trip_id, vehicle_id, count(*) FILTER (WHERE step = 1) AS boarded,
           max(riders) AS load_max
      FROM (SELECT business_on, line_id, trip_id, vehicle_id, step,
                   sum(step) OVER (PARTITION BY business_on, line_id, trip_id, vehicle_id
                                   ORDER BY at, step) AS riders
              FROM (SELECT j.business_on, j.line_id, j.trip_id, j.vehicle_id, e.at, e.step
{charged}
                       AND j.ended_at IS NOT NULL) AS steps) AS running
     GROUP BY 1, 2, 3, 4) AS loads
 ORDER BY load_max DESC, 1, 2, 3, 4 LIMIT %(loads_max)s
""".replace(
    "{charged}",
    _CHARGED.replace(
        "scene_bus.journey j",
        "scene_bus.journey j CROSS JOIN LATERAL"
        " (VALUES (j.began_at, 1), (j.ended_at, -1)) AS e (at, step)",
    ),
)
_TAPS: Final = """
SELECT state, count(*) FROM scene_bus.tap
 WHERE happened_at >= %(begins)s AND happened_at < %(ends)s
   AND (%(merchant)s::text IS NULL OR merchant_id = %(merchant)s)
 GROUP BY state
"""
_GAPS: Final = """
SELECT terminal_id, min(terminal_counter), max(terminal_counter),
       max(terminal_counter) - min(terminal_counter) + 1 - count(DISTINCT terminal_counter)
  FROM scene_bus.tap
 WHERE happened_at >= %(begins)s AND happened_at < %(ends)s AND terminal_counter IS NOT NULL
   AND (%(merchant)s::text IS NULL OR merchant_id = %(merchant)s)
 GROUP BY terminal_id
HAVING max(terminal_counter) - min(terminal_counter) + 1 > count(DISTINCT terminal_counter)
 ORDER BY 4 DESC, 1
"""
_VEHICLES: Final = """
SELECT c.vehicle_id, c.business_on, c.taps_count, coalesce(t.received, 0)
  FROM (SELECT DISTINCT ON (vehicle_id, business_on) vehicle_id, business_on, taps_count
          FROM scene_bus.vehicle_count
         WHERE business_on BETWEEN %(from_on)s AND %(to_on)s
         ORDER BY vehicle_id, business_on, recorded_at DESC) AS c
  LEFT JOIN (SELECT vehicle_id, (happened_at AT TIME ZONE 'Asia/Shanghai' - %(cut_off)s)::date
                    AS business_on, count(*) AS received
               FROM scene_bus.tap
              WHERE happened_at >= %(begins)s AND happened_at < %(ends)s
              GROUP BY 1, 2) AS t USING (vehicle_id, business_on)
 WHERE c.taps_count <> coalesce(t.received, 0)
 ORDER BY 1, 2
"""
_UNPRICED: Final = (
    "SELECT count(*) FROM scene_bus.journey"
    " WHERE business_on BETWEEN %(from_on)s AND %(to_on)s AND state = 'unpriced'"
)


async def clear_days(
    raw: RawConnection,
    from_on: date,
    to_on: date,
    *,
    merchant_id: str | None = None,
    rules: ClearingRules | None = None,
    cut_off: time = CUT_OFF_DEFAULT,
) -> ClearingReport:
    """The statistics and the operators' revenue of business dates, both included.

    Args:
        raw: an open connection; all questions should see one snapshot.
        from_on: the first date.
        to_on: the last date.
        merchant_id: one operator alone, None for all. Shares of transfers are then those of its own
            part of all chains.
        rules: how transfers are shared and fees are charged.
        cut_off: when a business date begins.
    """
    rules = rules or ClearingRules()
    asked = {
        "from_on": from_on,
        "to_on": to_on,
        "merchant": merchant_id,
        "begins": day_begins(from_on, cut_off),
        "ends": day_begins(to_on + timedelta(days=1), cut_off),
        "cut_off": timedelta(hours=cut_off.hour, minutes=cut_off.minute),
        "loads_max": LOADS_MAX,
    }
    by = await _figures(raw, asked)
    total = by.pop("total", {}).get("", NOTHING)
    chains = await read_chains(raw, asked)
    taken = {
        merchant: (one.journeys, one.citizen_fen, one.subsidy_fen)
        for merchant, one in by["operator"].items()
    }
    for rides in chains:
        for ride in rides:
            taken.setdefault(ride.merchant_id, (0, 0, 0))
    revenues = operator_revenues(
        taken, chains, rules.split, {merchant: rules.rate(merchant) for merchant in taken}
    )
    return ClearingReport(
        from_on=from_on,
        to_on=to_on,
        total=total,
        by=by,
        operators=tuple(one for one in revenues if merchant_id in (None, one.merchant_id)),
        taps=dict(await _rows(raw, _TAPS, asked)),
        loads=tuple(
            TripLoad(
                business_on=row[0],
                line_id=row[1],
                trip_id=row[2],
                vehicle_id=row[3],
                boarded=row[4],
                load_max=int(row[5]),
            )
            for row in await _rows(raw, _LOADS, asked)
        ),
        gaps=tuple(
            CounterGap(terminal_id=row[0], first=row[1], last=row[2], missing=row[3])
            for row in await _rows(raw, _GAPS, asked)
        ),
        vehicles=tuple(
            VehicleDifference(
                vehicle_id=row[0], business_on=row[1], counted=row[2], received=row[3]
            )
            for row in await _rows(raw, _VEHICLES, asked)
        ),
        unpriced=(await _rows(raw, _UNPRICED, asked))[0][0],
    )


NOTHING: Final = Figures(journeys=0, fare_fen=0, citizen_fen=0, subsidy_fen=0, forgone_fen=0)


async def _rows(raw: RawConnection, statement: str, asked: Mapping[str, object]) -> list[Any]:
    found = await raw.execute(statement.encode(), asked)
    return await found.fetchall()


async def _figures(
    raw: RawConnection, asked: Mapping[str, object]
) -> dict[str, dict[str, Figures]]:
    by: dict[str, dict[str, Figures]] = {name: {} for name in DIMENSIONS}
    for mask, *row in await _rows(raw, _FIGURES, asked):
        names = _set_of(mask)
        values = [str(row[_COLUMNS.index(name)]) for name in names]
        dimension = _SETS[names]
        label = (STOPS_MARK if dimension == "stops" else " ").join(values)
        journeys, fare, citizen, subsidy, forgone = row[len(_COLUMNS) :]
        if journeys:
            by.setdefault(dimension, {})[label] = Figures(
                journeys=journeys,
                fare_fen=fare,
                citizen_fen=citizen,
                subsidy_fen=subsidy,
                forgone_fen=forgone,
            )
    return by


def _set_of(mask: int) -> tuple[str, ...]:
    """The columns of a grouping set: those whose bit is not set, the first column's the highest."""
    width = len(_COLUMNS)
    return tuple(name for place, name in enumerate(_COLUMNS) if not mask >> (width - 1 - place) & 1)


async def read_chains(raw: RawConnection, asked: Mapping[str, object]) -> list[list[ChainRide]]:
    """Chains that more than one operator carried."""
    chains: dict[Any, list[ChainRide]] = {}
    for chain_id, merchant_id, full_fen, money_fen in await _rows(raw, _CHAINS, asked):
        chains.setdefault(chain_id, []).append(
            ChainRide(merchant_id=merchant_id, full_fen=full_fen, money_fen=money_fen)
        )
    return [rides for rides in chains.values() if len({one.merchant_id for one in rides}) > 1]
