"""``cardcore bench bus``: a city's day of bus taps, from the upload to the clearing.

Taps are synthetic and whole: read in, told apart from repeats, priced by person and week, booked
as orders with transfers in the ledger, read again when late ones arrive, and cleared; fsync on. One
fifth comes a day late, one in twenty comes twice, one in fifty from a terminal whose clock is off.
Two workers do it all. Beside it: the database's own benchmark on the same server, and the processor
time of workers and database by stage, which says more than rates where other work shares the
machine.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg

from adapters import demo_city
from adapters.bench.bus_day import TAPS_PER_PERSON, open_purses, register_vehicles
from adapters.bench.bus_workers import WORKERS, Done, Order, Worker
from adapters.bench.pgbench import PgBench
from adapters.bench.processor import processor_s_of
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres, running_postmaster
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import open_city, utc_now
from cardcore.books import transaction
from cardcore.calendar import business_date, day_begins
from hsm_sim.process import HSMProcess
from scenes.bus.clearing import clear_days

SIZES: Final = (100_000, 1_000_000)
SIZES_QUICK: Final = (5_000, 20_000)
TARGET_TAPS_PER_S: Final = 4_000.0
TARGET_CLEAR_S: Final = 60.0
DRIFT_MAX: Final = 0.15
CITY_SERVER: Final = {"shared_buffers": "2GB", "max_wal_size": "32GB", "checkpoint_timeout": "1h"}
"""As a city would set its server: room in the log for a whole day. A million taps are 1.4 GB of
tables and 3 GB of log; after a checkpoint each page that is touched is logged whole once more."""
_TEMPLATE: Final = "city"


@dataclass(slots=True)
class _Stage:
    """What one stage took: by the clock, of the workers' processors, of the database's."""

    clock_s: float = 0.0
    workers_s: float = 0.0
    database_s: float = 0.0


@dataclass(slots=True)
class _Day:
    """What one simulated day took."""

    taps: int
    stages: dict[str, _Stage] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)
    peak_mib: float = 0.0

    @property
    def clock_s(self) -> float:
        """End to end: ingest, price, post, clear."""
        return sum(one.clock_s for one in self.stages.values())

    @property
    def processor_us(self) -> float:
        """Of workers and database, for each tap."""
        used_s = sum(one.workers_s + one.database_s for one in self.stages.values())
        return used_s * 1e6 / self.taps

    @property
    def taps_per_s(self) -> float:
        """End to end."""
        return self.taps / self.clock_s

    @contextmanager
    def stage(self, name: str, postmaster: int) -> Iterator[_Stage]:
        """Measure; whoever works adds what their own processors took."""
        stage = self.stages.setdefault(name, _Stage())
        used_s, started = processor_s_of(postmaster), time.perf_counter()
        yield stage
        stage.clock_s += time.perf_counter() - started
        stage.database_s += processor_s_of(postmaster) - used_s


def run(*, quick: bool, taps: Sequence[int] = ()) -> list[Result]:
    """Measure; everything lies in a folder of its own that is removed afterwards.

    Args:
        quick: two small days.
        taps: sizes of the days, instead of the usual ones.
    """
    sizes = taps or (SIZES_QUICK if quick else SIZES)
    with tempfile.TemporaryDirectory(prefix="cardcore-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        settings = Settings(home=home)
        server = EmbeddedPostgres(settings.postgres_home, settings=CITY_SERVER)
        box = HSMProcess(settings.hsm_home)
        with server, box:
            reference = PgBench(server=server)
            reference.prepare()
            tps = reference.tps("-N", seconds=3 if quick else 10)
            postmaster = running_postmaster(server.data)
            assert postmaster is not None
            asyncio.run(_found_city(settings, _addresses(server, box, _TEMPLATE)))
            days = []
            for number, size in enumerate(sizes):
                addresses = _addresses(server, box, f"city{number}", template=_TEMPLATE)
                days.append(asyncio.run(_measure(settings, addresses, size, postmaster)))
    return _results(days, tps)


def _addresses(
    server: EmbeddedPostgres, box: HSMProcess, name: str, *, template: str = "template1"
) -> Addresses:
    """A new database, a copy of another one."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return Addresses(database_url=server.url(name), hsm_socket=box.socket_path)


async def _found_city(settings: Settings, addresses: Addresses) -> None:
    """The city as it is before its day: prices, rules, operators and their vehicles."""
    migrate(addresses.database_url)
    async with open_city(addresses, settings) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
        await register_vehicles(city)


async def _measure(settings: Settings, addresses: Addresses, size: int, postmaster: int) -> _Day:
    on = business_date(utc_now() - timedelta(days=2), settings.cut_off)
    begins = day_begins(on, settings.cut_off)
    async with open_city(addresses, settings) as city:
        await open_purses(city, -(-size // TAPS_PER_PERSON))
    workers = [
        Worker(
            number,
            database_url=addresses.database_url,
            settings=settings,
            taps=size,
            begins=begins,
        )
        for number in range(WORKERS)
    ]
    day = _Day(taps=size)
    for late in (False, True):
        await _wave(workers, day, begins + timedelta(days=1 + late), postmaster, late=late)
    for worker in workers:
        worker.stop()
    async with open_city(addresses, settings) as city:
        used_s = time.process_time()
        with day.stage("clear", postmaster) as stage:
            async with transaction(city.engine) as (_, raw):
                report = await clear_days(raw, on, on)
            stage.workers_s += time.process_time() - used_s
    assert report.journeys, day.results
    return day


async def _wave(
    workers: Sequence[Worker], day: _Day, arrives_at: datetime, postmaster: int, *, late: bool
) -> None:
    """Taps that come on one day: taken in by both workers at once, then priced and booked."""

    async def both(what: str) -> list[Done]:
        order = Order(what, arrives_at, late)
        return list(await asyncio.gather(*(worker.do(order) for worker in workers)))

    while any(done.count for done in await both("make")):
        with day.stage("take in", postmaster) as stage:
            found = await both("take")
        stage.workers_s += sum(one.processor_s for one in found)
        for one in found:
            for name, count in one.results.items():
                day.results[name] = day.results.get(name, 0) + count
    with day.stage("price again" if late else "price", postmaster) as stage:
        found = await both("settle")
    stage.workers_s += sum(one.processor_s for one in found)
    day.peak_mib = max(day.peak_mib, *(one.peak_mib for one in found))


def _results(days: Sequence[_Day], tps: float) -> list[Result]:
    found = []
    for day in days:
        found.append(
            compared(
                f"bus day of {day.taps:,} taps, end to end",
                day.taps_per_s,
                "taps/s",
                reference="pgbench -N, 16 clients",
                reference_value=tps,
            )
        )
        found += _stages(day)
    first, last = days[0], days[-1]
    found += [
        Result(
            name="bus day, against the target",
            value=last.taps_per_s,
            unit="taps/s",
            target=TARGET_TAPS_PER_S,
            met=last.taps_per_s >= TARGET_TAPS_PER_S,
        ),
        Result(
            name="time to close the day, late taps included",
            value=last.clock_s,
            unit="s",
        ),
        *_growth(first, last),
        Result(name="repeats told apart", value=last.results.get("duplicate", 0), unit="taps"),
    ]
    return found


def _stages(day: _Day) -> list[Result]:
    """Each stage of a day; processor time is spread over all taps, so that it adds up."""
    found = []
    whose = f"day of {day.taps:,} taps"
    for name, stage in day.stages.items():
        found += [
            Result(name=f"{whose}, {name}: by the clock", value=stage.clock_s, unit="s"),
            Result(
                name=f"{whose}, {name}: processor time of the workers",
                value=stage.workers_s * 1e6 / day.taps,
                unit="us/tap",
            ),
            Result(
                name=f"{whose}, {name}: processor time of the database",
                value=stage.database_s * 1e6 / day.taps,
                unit="us/tap",
            ),
        ]
    cleared_s = day.stages["clear"].clock_s
    return [
        *found,
        Result(name=f"{whose}, processor time of all", value=day.processor_us, unit="us/tap"),
        Result(
            name=f"{whose}, clearing of the day",
            value=cleared_s,
            unit="s",
            target=TARGET_CLEAR_S,
            met=cleared_s <= TARGET_CLEAR_S,
        ),
        Result(name=f"{whose}, peak memory of a worker", value=day.peak_mib, unit="MiB"),
    ]


def _growth(first: _Day, last: _Day) -> list[Result]:
    """How much more a tap costs on the largest day than on the smallest."""
    between = f"per tap from {first.taps:,} to {last.taps:,} taps"
    loss = 1 - last.taps_per_s / first.taps_per_s
    more = last.processor_us / first.processor_us - 1
    return [
        Result(
            name=f"loss {between}",
            value=loss,
            unit="share",
            target=DRIFT_MAX,
            met=loss <= DRIFT_MAX,
        ),
        Result(
            name=f"more processor time {between}",
            value=more,
            unit="share",
            target=DRIFT_MAX,
            met=more <= DRIFT_MAX,
        ),
    ]
