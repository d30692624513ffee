"""Ties the bus scene together: what the front door asks of it, and what the worker does for it."""

import os
from datetime import datetime, time
from typing import Final

from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.funding_policy import FundingPlans
from cardcore.charges.writer import ChargeWriter
from cardcore.connections import RawConnection
from cardcore.ports import Clock
from ledger import Ledger
from scenes.bus.flow_telling import FlowTelling
from scenes.bus.journey_service import JourneyService
from scenes.bus.journeys import JourneyRules
from scenes.bus.order_taps import OrderTaps
from scenes.bus.settling import WeekSettling
from scenes.bus.share_telling import ShareTelling
from scenes.bus.tap_intake import TapIntake

RULES: Final = JourneyRules()


def journey_service(engine: AsyncEngine, clock: Clock, cut_off: time) -> JourneyService:
    """The scene's part of the front door."""
    return JourneyService(
        engine=engine,
        intake=TapIntake(RULES.clock, cut_off),
        clock=clock,
        random_bytes=os.urandom,
        cut_off=cut_off,
    )


def week_settling(
    engine: AsyncEngine, book: Ledger, plans: FundingPlans, cut_off: time
) -> WeekSettling:
    """Pricing and booking what falls due."""
    charges = ChargeWriter(book=book, plans=plans, random_bytes=os.urandom, cut_off=cut_off)
    return WeekSettling(
        engine=engine, charges=charges, random_bytes=os.urandom, rules=RULES, cut_off=cut_off
    )


class BusDuties:
    """The worker's part of the scene."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        pool: AsyncConnectionPool[RawConnection],
        book: Ledger,
        cut_off: time,
        streams: bool = False,
    ) -> None:
        self._pool = pool
        self._flow = FlowTelling(engine, streams=streams)
        self._plans = FundingPlans()
        self._settling = week_settling(engine, book, self._plans, cut_off)
        self._orders = OrderTaps(engine, TapIntake(RULES.clock, cut_off))
        self._shares = ShareTelling(engine, os.urandom, cut_off)

    async def tell_passengers(self, now: datetime) -> int:
        """Hand counts of passengers to whoever listens."""
        return await self._flow.tell_due(now)

    async def collect_taps(self, now: datetime) -> int:
        """Read the scene's new orders as taps."""
        return await self._orders.collect(now)

    async def settle_weeks(self, now: datetime) -> int:
        """Price people's weeks and book the differences, from the funds the plans name now."""
        async with self._pool.connection() as raw:
            await self._plans.refresh(raw)
        return await self._settling.settle_due(now)

    async def tell_shares(self, now: datetime) -> int:
        """Tell settlement what operators owe each other of chains they carried together."""
        return await self._shares.tell_due(now)
