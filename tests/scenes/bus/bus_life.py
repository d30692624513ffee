"""A city in which people ride: taps of any kind, pricing, and what the books say afterwards."""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from adapters import demo_city
from adapters.wiring import City
from cardcore.books import transaction
from cardcore.business.quote import Payer
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.charges.writer import ChargeWriter
from cardcore.ids import new_id
from scenes.bus.settling import WeekSettling
from scenes.bus.tap_intake import Taken, TapIntake, TapReport
from scenes.bus.taps import ClockRule, Tap, TapKind
from tests.city_life import Life
from tests.conftest import CityClock

SECTIONAL = "101"
FLAT = "K1"
STOPS = ("SC01", "SN01", "CT01", "FM01", "DZ01")


def settling_of(city: City, *, weeks_max: int = 1_000) -> WeekSettling:
    """The duty over a running city."""
    charges = ChargeWriter(
        book=city.book,
        plans=city.core._parts.plans,
        random_bytes=os.urandom,
        cut_off=CUT_OFF_DEFAULT,
    )
    return WeekSettling(
        engine=city.engine, charges=charges, random_bytes=os.urandom, weeks_max=weeks_max
    )


@dataclass
class BusLife:
    """What a test does on the city's buses."""

    city: City
    clock: CityClock
    settling: WeekSettling
    life: Life
    counters: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def report(
        self,
        user_id: UUID,
        kind: str,
        minute: float,
        stop: str = "SC01",
        *,
        line: str = SECTIONAL,
        late_min: float = 0,
        clock_error_min: float = 0,
        **fields: object,
    ) -> TapReport:
        """A tap made ``minute`` minutes from the city's present."""
        at = self.clock.now + timedelta(minutes=minute)
        error = timedelta(minutes=clock_error_min)
        received = at + timedelta(minutes=late_min)
        values: dict[str, object] = {
            "tap_id": str(new_id(at, os.urandom)),
            "kind": TapKind(kind),
            "terminal_id": demo_city.BUS_TERMINAL,
            "terminal_counter": next(self.counters),
            "line_id": line,
            "vehicle_id": "V0001",
            "stop": stop,
            "tapped_at": at + error,
            "sent_at": received + error if late_min or clock_error_min else None,
            "received_at": received,
        } | fields
        return TapReport(tap=Tap(**values), user_id=user_id)  # type: ignore[arg-type]

    async def take(self, *reports: TapReport, now: datetime | None = None) -> list[Taken]:
        """Take taps in, as one upload."""
        async with transaction(self.city.engine) as (_, raw):
            return await TapIntake(ClockRule()).take(raw, reports, now or self.clock.now)

    async def settle(self, *, after_min: float = 24 * 60) -> int:
        """Price all that is due, some time later."""
        return await self.settling.settle_due(self.clock.now + timedelta(minutes=after_min))

    async def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Whatever the database says."""
        async with self.city.pool.connection() as raw:
            found = await raw.execute(sql.encode(), values)
            return await found.fetchall()

    async def journeys(self, user_id: UUID) -> list[tuple[object, ...]]:
        """State, off-stop and shares of a person's journeys, in order of boarding."""
        return await self.rows(
            "SELECT state, off_stop_id, citizen_fen, subsidy_fen, forgone_fen"
            " FROM scene_bus.journey WHERE user_id = %s ORDER BY began_at, journey_id",
            user_id,
        )

    async def booked(self, user_id: UUID) -> dict[str, int]:
        """What the entries of a person sum up to, by payer."""
        found = await self.rows(
            "SELECT payer, sum(amount_fen)::bigint FROM scene_bus.charge_entry"
            " WHERE user_id = %s GROUP BY payer HAVING sum(amount_fen) <> 0",
            user_id,
        )
        return {str(payer): int(str(fen)) for payer, fen in found}

    async def states(self) -> Mapping[str, str]:
        """The state of every tap."""
        found = await self.rows("SELECT tap_id::text, state FROM scene_bus.tap")
        return {str(tap_id): str(state) for tap_id, state in found}

    async def balance(self, user_id: UUID, kind: str = "transit") -> int:
        """What a fund holds, in the ledger."""
        [[fund_id]] = await self.rows(
            "SELECT fund_id FROM cardcore.fund WHERE user_id = %s AND kind = %s", user_id, kind
        )
        assert isinstance(fund_id, UUID)
        [one] = await self.city.book.lookup_accounts([fund_id.int])
        return one.credits_posted - one.debits_posted

    async def orders_say(self, user_id: UUID) -> dict[str, int]:
        """What orders less refunds of a person sum up to, by payer."""
        found = await self.rows(
            "SELECT l.payer, sum(l.amount_fen - coalesce((SELECT sum(g.amount_fen)"
            "   FROM cardcore.refund r JOIN cardcore.refund_line g USING (refund_id)"
            "  WHERE r.order_id = l.order_id AND g.line_no = l.line_no), 0))::bigint"
            " FROM cardcore.order_line l JOIN cardcore.business_order o USING (order_id)"
            " WHERE o.user_id = %s AND o.mode = 'pay' GROUP BY l.payer",
            user_id,
        )
        return {str(payer): int(str(fen)) for payer, fen in found if fen}


CITIZEN = Payer.CITIZEN.value
BUREAU = Payer.FINANCE_BUREAU.value
