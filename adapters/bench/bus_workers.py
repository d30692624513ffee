"""The two workers of ``cardcore bench bus``, each a process: they take in, price and book."""

import asyncio
import multiprocessing
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.bench.bus_day import SimulatedDay, vehicles
from adapters.bus_scene import RULES, week_settling
from adapters.database import open_engine, open_pool
from adapters.memory import settle_memory
from adapters.settings import Settings
from adapters.wiring import business_day_of
from adapters.worker import YOUNG_OBJECTS_MAX
from cardcore.account.funding_policy import FundingPlans, read_policy
from cardcore.books import transaction
from ledger import Ledger
from scenes.bus.settling import WeekSettling
from scenes.bus.tap_intake import TapIntake, TapReport

WORKERS: Final = 2
UPLOADS_AT_ONCE: Final = 4
"""Made beforehand, so that making them is not measured."""


class Order(NamedTuple):
    """What a worker is told: ``make`` uploads, ``take`` them in, ``settle`` what is due."""

    what: str
    now: datetime
    late: bool = False


@dataclass(slots=True)
class Done:
    """What a worker answers: of ``make``, how many uploads lie ready."""

    count: int = 0
    processor_s: float = 0.0
    results: dict[str, int] = field(default_factory=dict)
    peak_mib: float = 0.0


class Worker:
    """A worker in a process of its own."""

    def __init__(
        self,
        number: int,
        *,
        database_url: str,
        settings: Settings,
        taps: int,
        begins: datetime,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_work,
            args=(theirs, number, database_url, settings, taps, begins),
            daemon=True,
        )
        self._process.start()
        theirs.close()  # a worker that dies is then an ``EOFError`` here, and not waited for
        assert self._ours.recv() == "ready"

    async def do(self, order: Order) -> Done:
        """Give an order and wait for it."""
        self._ours.send(order)
        done = await asyncio.to_thread(self._ours.recv)
        assert isinstance(done, Done)
        return done

    def stop(self) -> None:
        """End it."""
        self._ours.send(None)
        self._process.join()


def _work(
    pipe: Connection,
    number: int,
    database_url: str,
    settings: Settings,
    taps: int,
    begins: datetime,
) -> None:
    uvloop.run(_serve(pipe, number, database_url, settings, SimulatedDay(taps, begins)))


async def _serve(
    pipe: Connection, number: int, database_url: str, settings: Settings, day: SimulatedDay
) -> None:
    async with (
        open_pool(database_url, connections_max=4) as pool,
        open_engine(database_url, connections_max=4) as engine,
        Ledger(pool=pool, business_day=business_day_of(settings)) as book,
    ):
        async with pool.connection() as raw:
            plans = FundingPlans(await read_policy(raw))
        work = _Work(
            number,
            day,
            engine=engine,
            intake=TapIntake(RULES.clock, settings.cut_off),
            settling=week_settling(engine, book, plans, settings.cut_off),
        )
        settle_memory(YOUNG_OBJECTS_MAX)
        pipe.send("ready")
        while (order := await asyncio.to_thread(pipe.recv)) is not None:
            pipe.send(await work.do(order))


class _Work:
    """What one worker holds between two orders."""

    def __init__(
        self,
        number: int,
        day: SimulatedDay,
        *,
        engine: AsyncEngine,
        intake: TapIntake,
        settling: WeekSettling,
    ) -> None:
        self._number = number
        self._day = day
        self._engine = engine
        self._intake = intake
        self._settling = settling
        self._merchants = vehicles()
        self._waves: dict[bool, Iterator[list[TapReport]]] = {}
        self._ready: list[list[TapReport]] = []

    async def do(self, order: Order) -> Done:
        """Obey."""
        done = Done()
        if order.what == "make":
            wave = self._waves.get(order.late)
            if wave is None:
                share = (self._number, WORKERS)
                wave = self._day.uploads(late=order.late, received_at=order.now, share=share)
                self._waves[order.late] = wave
            self._ready = list(islice(wave, UPLOADS_AT_ONCE))
            done.count = len(self._ready)
            return done
        used = time.process_time()
        if order.what == "take":
            await self._take(order.now, done)
        else:
            done.count = await self._settling.settle_due(order.now)
        done.processor_s = time.process_time() - used
        done.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return done

    async def _take(self, now: datetime, done: Done) -> None:
        for upload in self._ready:
            async with transaction(self._engine) as (_, raw):
                taken = await self._intake.take(raw, upload, now, merchants=self._merchants)
            for one in taken:
                done.results[one.value] = done.results.get(one.value, 0) + 1
