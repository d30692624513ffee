"""The duty that prices people's weeks and books what the books do not say yet.

Work is taken in buckets of people, some hundred at a time and in one transaction each: taps read,
journeys built, weeks priced, adjustments booked, journeys and states written. Two workers never
price the same bucket. A round that is cut off has done nothing; done twice it books nothing more.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.business.quote import Payer
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.charges.charge import OvertakenError
from cardcore.charges.facts import read_people
from cardcore.charges.writer import ChargeWriter
from cardcore.connections import RawConnection
from cardcore.errors import ServiceUnavailableError
from cardcore.ids import RandomBytes, new_ids
from cardcore.terminals.record_facts import Holder
from scenes.bus import journey_store as store
from scenes.bus.adjusting import Adjusting
from scenes.bus.journeys import JourneyRules, JourneyState, TapState
from scenes.bus.price_history import PriceHistory
from scenes.bus.rides import RuleHistory
from scenes.bus.stored_weeks import PersonOfWeek, StoredWeek
from scenes.bus.tap_intake import write_due
from scenes.bus.week_pricing import (
    WEEK_MARGIN,
    Booked,
    PersonWeek,
    PricedWeek,
    price_week,
    week_bounds,
)

WORKER: Final = "worker"
WEEKS_PER_ROUND_MAX: Final = 2_000
# While one waits for the database, the other prices.
ROUNDS_AT_ONCE: Final = 2
ATTEMPTS_MAX: Final = 5
RETRY_AFTER: Final = timedelta(minutes=15)
FIRST: Final = UUID(int=0)
_AFTER_END: Final = timedelta(seconds=1)
_LOST_RACE: Final = (
    OvertakenError,
    pg_errors.UniqueViolation,
    pg_errors.SerializationFailure,
    pg_errors.DeadlockDetected,
)


class Round(NamedTuple):
    """How many weeks a round priced, and the person the next goes on with; None: no more due."""

    weeks: int
    goes_on: UUID | None


@dataclass(slots=True, kw_only=True)
class _Priced:
    """A week as stored and as it should be."""

    stored: StoredWeek
    priced: PricedWeek


class WeekSettling:
    """Prices and books what falls due."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        charges: ChargeWriter,
        random_bytes: RandomBytes,
        rules: JourneyRules | None = None,
        cut_off: time = CUT_OFF_DEFAULT,
        weeks_max: int = WEEKS_PER_ROUND_MAX,
    ) -> None:
        self._engine = engine
        self._charges = charges
        self._random_bytes = random_bytes
        self._rules = rules or JourneyRules()
        self._cut_off = cut_off
        self._weeks_max = weeks_max
        self._prices = PriceHistory()

    async def settle_due(self, now: datetime) -> int:
        """Price every week that is due.

        Returns:
            How many weeks were priced.
        """
        async with transaction(self._engine) as (_, raw):
            left = deque((bucket, FIRST) for bucket in await store.buckets_due(raw, now))
        rounds = [self._settle_some(left, now) for _ in range(ROUNDS_AT_ONCE)]
        done = await asyncio.gather(*rounds, return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in done if isinstance(one, int))

    async def _settle_some(self, left: deque[tuple[int, UUID]], now: datetime) -> int:
        """Rounds of the buckets that are left, in turn, so that all workers end together."""
        total = in_other_hands = 0
        while left and in_other_hands <= len(left):
            bucket, since = left.popleft()
            done = await self.settle_bucket(bucket, now, since)
            if done is None:
                in_other_hands += 1
                left.append((bucket, since))
                continue
            in_other_hands = 0
            total += done.weeks
            if done.goes_on is not None:
                left.append((bucket, done.goes_on))
        return total

    async def settle_bucket(self, bucket: int, now: datetime, since: UUID) -> Round | None:
        """One round of one bucket, from a person on.

        Returns:
            None where another worker has the bucket.

        Raises:
            ServiceUnavailableError: the database is away, or other writers were first too often.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                async with transaction(self._engine) as (connection, raw):
                    return await self._settle(connection, raw, bucket, now, since)
            except _LOST_RACE:
                continue
        raise ServiceUnavailableError

    async def _settle(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        bucket: int,
        now: datetime,
        since: UUID,
    ) -> Round | None:
        due = await store.take_due(raw, bucket, now, weeks_max=self._weeks_max, since=since)
        if due is None:
            return None
        weeks, numbers = due
        if not weeks:
            return Round(0, None)
        stored = await store.read_weeks(raw, weeks, WEEK_MARGIN, self._cut_off)
        people = await read_people(raw, {user_id for user_id, _ in weeks})
        history = await self._prices.load(raw, now)
        # Beside the event loop: a thousand weeks take some tenths of a second.
        found = await asyncio.to_thread(self._price, stored, people, history, now)
        adjusting = self._adjust(found, now)
        # First what nobody else waits for: from the first transfer on, operators' payables are
        # locked until the end.
        await self._write(raw, found, now)
        await store.forget_due(raw, numbers)
        await self._charges.release_holds(connection, raw, _ended(found), client_id=WORKER, now=now)
        booked = await self._charges.book(
            connection,
            raw,
            charges=adjusting.charges,
            returns=adjusting.returns,
            client_id=WORKER,
            now=now,
            people=people,
        )
        await store.write_entries(raw, adjusting.entries(booked.charges, booked.returns, now))
        waiting = adjusting.waiting(booked.charges, booked.returns)
        await write_due(raw, waiting, now + RETRY_AFTER)
        return Round(len(weeks), weeks[-1][0] if len(weeks) == self._weeks_max else None)

    def _price(
        self,
        stored: Mapping[PersonOfWeek, StoredWeek],
        people: Mapping[UUID, Holder],
        history: RuleHistory,
        now: datetime,
    ) -> dict[PersonOfWeek, _Priced]:
        found = {}
        for week, one in stored.items():
            holder = people.get(week[0])
            known = PersonWeek(
                week_on=week[1],
                taps=[tap.tap for tap in one.taps],
                corrections=one.corrections,
                classes_on=_no_classes if holder is None else holder.concessions_on,
                booked=_sums(one.booked),
            )
            priced = price_week(known, history, self._rules, now, cut_off=self._cut_off)
            found[week] = _Priced(stored=one, priced=priced)
        return found

    def _adjust(self, found: Mapping[PersonOfWeek, _Priced], now: datetime) -> Adjusting:
        adjusting = Adjusting()
        moving = [week for week, one in found.items() if one.priced.adjustments]
        for week, new in zip(moving, new_ids(now, self._random_bytes, len(moving)), strict=True):
            name, one = new.hex, found[week]
            adjusting.add(week, one.priced, one.stored, (f"B-{name}", f"BR-{name}"))
        return adjusting

    async def _write(
        self, raw: RawConnection, found: Mapping[PersonOfWeek, _Priced], now: datetime
    ) -> None:
        rows: list[tuple[Any, ...]] = []
        written: dict[str, int] = {}
        states: dict[str, TapState] = {}
        for week, one in found.items():
            begins, ends = week_bounds(week[1], self._cut_off)
            taps = one.stored.by_id
            rows += [store.journey_row(week, journey, taps) for journey in one.priced.journeys]
            written |= one.stored.journeys
            for tap_id, state in one.priced.tap_states.items():
                tap = taps[tap_id]
                if begins <= tap.tap.tapped_at < ends and tap.state != state:
                    states[tap_id] = state
        await store.write_journeys(raw, written, rows, now)
        await store.write_states(raw, states)
        await self._look_again(raw, found)

    async def _look_again(self, raw: RawConnection, found: Mapping[PersonOfWeek, _Priced]) -> None:
        """Journeys that are still open end by themselves: their weeks fall due once more."""
        journey_max = timedelta(seconds=self._rules.journey_max_s)
        ending: dict[datetime, set[PersonOfWeek]] = {}
        for week, one in found.items():
            for priced in one.priced.journeys:
                if priced.journey.state is JourneyState.OPEN:
                    ends_at = priced.journey.began_at + journey_max + _AFTER_END
                    ending.setdefault(ends_at, set()).add(week)
        for ends_at, weeks in ending.items():
            await write_due(raw, weeks, ends_at)


def _ended(found: Mapping[PersonOfWeek, _Priced]) -> Sequence[UUID]:
    """Orders of tap-ons whose journeys are over: what they held is charged now."""
    ended = []
    for one in found.values():
        orders = {
            tap.tap.tap_id: tap.order_id for tap in one.stored.taps if tap.order_id is not None
        }
        if orders:
            ended += [
                orders[priced.journey.journey_id]
                for priced in one.priced.journeys
                if priced.journey.state is not JourneyState.OPEN
                and priced.journey.journey_id in orders
            ]
    return ended


def _sums(booked: Mapping[str, Mapping[Payer, Mapping[UUID, int]]]) -> Booked:
    """By journey and payer, whatever the orders."""
    return {
        journey_id: {payer: sum(held.values()) for payer, held in by_payer.items()}
        for journey_id, by_payer in booked.items()
    }


def _no_classes(_: object) -> frozenset[str]:
    return frozenset()
