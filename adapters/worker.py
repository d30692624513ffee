"""The worker: what falls due without anybody asking. Safe to run twice, or not for a while.

Expired holds give their money back; codes, aliases and assertions that have been past their end
for a day are forgotten (the order keeps the digest of its code as evidence); the audit log is
sealed; webhooks are sent; terminal packages are signed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
import structlog
import uvloop
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.bus_scene import BusDuties
from adapters.database import open_engine, open_pool
from adapters.first_keys import ensure_secret_keys
from adapters.infrastructure import Addresses
from adapters.jetstream import JetStream
from adapters.memory import settle_memory
from adapters.outside import custodian_bank, payment_channels
from adapters.settings import Settings
from adapters.webhook_sender import HTTPSender
from adapters.wiring import business_day_of, open_city, terminal_scenes, utc_now
from cardcore import audit
from cardcore.account.arrears import ArrearsCollection
from cardcore.account.channel_money import ChannelMoney
from cardcore.account.duties import FundDuties
from cardcore.business.holds import HoldExpiry
from cardcore.connections import RawConnection
from cardcore.dispute_service import DisputeDeadlines
from cardcore.errors import ServiceUnavailableError
from cardcore.platform.bills import Bills
from cardcore.platform.deliveries import Deliveries
from cardcore.platform.event_feed import EventFeed
from cardcore.platform.record_gaps import GapWatch
from cardcore.ports import Clock
from cardcore.service import PAIRWISE, PSEUDONYM_KEY
from cardcore.settlement.custodian import CustodianBank
from cardcore.settlement.duties import SettlementDuties
from cardcore.settlement.reconciliation import Reconciliation
from cardcore.terminals.package_building import PackageBuilding
from cardcore.user.personal_data import PersonalData
from hsm_sim.client import HSMClient
from hsm_sim.interface import HSM, HSMError
from ledger import Ledger
from scenes.hospital.early_warning_service import EarlyWarningService
from scenes.hospital.service import Hospital
from scenes.parking.drivers import Drivers

PERIOD_S: Final = 30.0
HOSPITAL_PERIOD_S: Final = 5.0
RECONCILE_PERIOD_S: Final = 600.0
SUBSIDY_PERIOD_S: Final = 3600.0
CUSTODY_PERIOD_S: Final = 300.0
CHANNEL_PERIOD_S: Final = 15.0
SEAL_PERIOD_S: Final = 5.0
WEBHOOK_PERIOD_S: Final = 1.0
BILL_PERIOD_S: Final = 600.0
DISPUTE_PERIOD_S: Final = 60.0
PARKING_PERIOD_S: Final = 300.0
ARREARS_PERIOD_S: Final = 60.0
SETTLEMENT_PERIOD_S: Final = 30.0
PACKAGE_PERIOD_S: Final = 60.0
KEY_WATCH_PERIOD_S: Final = 6 * 3600.0
GAP_WATCH_PERIOD_S: Final = 60
FLOW_PERIOD_S: Final = 60
TAPS_PERIOD_S: Final = 2.0
WEEKS_PERIOD_S: Final = 20.0
SHARES_PERIOD_S: Final = 3600.0
# A round of some thousand weeks makes and drops half a million objects.
YOUNG_OBJECTS_MAX: Final = 100_000
KEPT_AFTER_END: Final = timedelta(days=1)
# A terminal may bring what was shown to it a week late: until then it must be known whose alias it
# was, and whether the code was spent.
KEPT_FOR_LATE_RECORDS: Final = timedelta(days=10)
_KEPT_LONGER: Final = {
    "used_code": KEPT_FOR_LATE_RECORDS,
    "code_token": KEPT_FOR_LATE_RECORDS,
    "limit_counter": KEPT_FOR_LATE_RECORDS,
}
_EXPIRING_OFFLINE: Final = ("code_authorisation", "status_index")
ROWS_PER_ROUND_MAX: Final = 20_000
_EXPIRING: Final = (
    "used_code",
    "code_token",
    "used_assertion",
    "operator_session",
    "host_code",
    "citizen_session",
    "limit_counter",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one round did."""

    holds_expired: int
    rows_forgotten: int


async def work_once(pool: AsyncConnectionPool[RawConnection], book: Ledger, now: datetime) -> Done:
    """One round: bounded, and harmless when repeated."""
    holds_expired = await book.expire_pending_transfers()
    rows_forgotten = 0
    for table in (*_EXPIRING, *_EXPIRING_OFFLINE):
        kept = _KEPT_LONGER.get(table, KEPT_AFTER_END)
        async with pool.connection() as connection:
            gone = await connection.execute(
                f"DELETE FROM cardcore.{table} WHERE ctid = ANY(ARRAY("  # noqa: S608  (constants)
                f" SELECT ctid FROM cardcore.{table} WHERE expires_at < %s LIMIT %s))",
                (now - kept, ROWS_PER_ROUND_MAX),
            )
            rows_forgotten += gone.rowcount
    return Done(holds_expired=holds_expired, rows_forgotten=rows_forgotten)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One thing the worker does again and again: bounded, and harmless when done twice at once.

    ``run`` takes the instant and returns how much it did.
    """

    name: str
    period_s: float
    run: Callable[[datetime], Awaitable[int]]


def duties_of(
    pool: AsyncConnectionPool[RawConnection],
    book: Ledger,
    hsm: HSM,
    deliveries: Deliveries,
    bills: Bills,
) -> list[Duty]:
    """Everything that falls due in an installation."""

    async def forget_and_release(now: datetime) -> int:
        done = await work_once(pool, book, now)
        return done.holds_expired + done.rows_forgotten

    async def seal_audit_log(now: datetime) -> int:
        async with pool.connection() as connection:
            return await audit.seal(connection, hsm, now=now)

    return [
        Duty(name="forget_and_release", period_s=PERIOD_S, run=forget_and_release),
        Duty(name="seal_audit_log", period_s=SEAL_PERIOD_S, run=seal_audit_log),
        Duty(name="relay_events", period_s=WEBHOOK_PERIOD_S, run=deliveries.relay),
        Duty(name="send_webhooks", period_s=WEBHOOK_PERIOD_S, run=deliveries.send_due),
        Duty(name="make_bills", period_s=BILL_PERIOD_S, run=bills.make_due),
    ]


def order_duties(engine: AsyncEngine, book: Ledger) -> list[Duty]:
    """What falls due of orders by itself."""
    holds = HoldExpiry(engine, book, os.urandom)
    disputes = DisputeDeadlines(engine, book, os.urandom)
    return [
        Duty(name="expire_holds", period_s=PERIOD_S, run=holds.expire_due),
        Duty(name="settle_disputes", period_s=DISPUTE_PERIOD_S, run=disputes.act_on_due),
    ]


def fund_duties(engine: AsyncEngine, book: Ledger, hsm: HSM, settings: Settings) -> list[Duty]:
    """What falls due of funds: arrears, money of ended programmes, the check of custody."""
    funds = FundDuties(
        engine=engine, book=book, signer=hsm, random_bytes=os.urandom, cut_off=settings.cut_off
    )

    async def check_custody(now: datetime) -> int:
        found = await funds.check_custody(now)
        if found is None:
            return 0
        if not found.ok:
            structlog.get_logger("worker").error(
                "custody_difference", **found.model_dump(mode="json", exclude={"ok"})
            )
        return 1

    arrears = ArrearsCollection(engine, book, os.urandom, settings.cut_off)
    return [
        Duty(name="collect_arrears", period_s=ARREARS_PERIOD_S, run=arrears.collect_due),
        Duty(name="return_subsidies", period_s=SUBSIDY_PERIOD_S, run=funds.return_ended),
        Duty(name="check_custody", period_s=CUSTODY_PERIOD_S, run=check_custody),
    ]


def channel_duties(money: ChannelMoney) -> list[Duty]:
    """What falls due of payment channels: asking about what they have not told."""
    return [Duty(name="ask_channels", period_s=CHANNEL_PERIOD_S, run=money.ask_due)]


def settlement_duties(
    engine: AsyncEngine, book: Ledger, bank: CustodianBank | None, hsm: HSM, settings: Settings
) -> list[Duty]:
    """What falls due of settlement: windows closed, booked, paid and filed; books compared."""
    settling = SettlementDuties(
        engine=engine,
        book=book,
        bank=bank,
        signer=hsm,
        random_bytes=os.urandom,
        cut_off=settings.cut_off,
    )
    books = Reconciliation(engine, os.urandom, settings.cut_off, bank)
    return [
        Duty(name="settle_windows", period_s=SETTLEMENT_PERIOD_S, run=settling.settle_due),
        Duty(name="compare_books", period_s=RECONCILE_PERIOD_S, run=books.compare_due),
    ]


def hospital_duties(hospital: Hospital, warnings: EarlyWarningService) -> list[Duty]:
    """What falls due in hospitals: payments nobody attends to, places nobody paid for."""
    return [
        Duty(name="end_payments", period_s=HOSPITAL_PERIOD_S, run=hospital.saga.advance_due),
        Duty(name="end_returns", period_s=HOSPITAL_PERIOD_S, run=hospital.returns.saga.advance_due),
        Duty(name="end_deposits", period_s=PERIOD_S, run=hospital.deposits.advance_due),
        Duty(name="lapse_payments", period_s=PERIOD_S, run=hospital.saga.lapse_due),
        Duty(name="reconcile_hospitals", period_s=RECONCILE_PERIOD_S, run=hospital.reconcile_due),
        Duty(name="end_registrations", period_s=PERIOD_S, run=hospital.end_registrations),
        Duty(name="forget_counts", period_s=SUBSIDY_PERIOD_S, run=warnings.forget_due),
    ]


def terminal_duties(engine: AsyncEngine, hsm: HSM, settings: Settings) -> list[Duty]:
    """What falls due of terminals: packages and lists, and the keys they are signed with."""
    building = PackageBuilding(
        engine=engine,
        hsm=hsm,
        scenes=terminal_scenes(),
        random_bytes=os.urandom,
        cut_off=settings.cut_off,
    )

    gaps = GapWatch(engine, os.urandom)

    async def watch_keys(now: datetime) -> int:
        ending = await building.ending(now)
        for use, ends_at in ending.items():
            structlog.get_logger("worker").warning(
                "issuer_keys_end", use=use, ends_at=ends_at.isoformat()
            )
        return len(ending)

    return [
        Duty(name="build_packages", period_s=PACKAGE_PERIOD_S, run=building.build_due),
        Duty(name="watch_record_gaps", period_s=GAP_WATCH_PERIOD_S, run=gaps.watch),
        Duty(name="watch_keys", period_s=KEY_WATCH_PERIOD_S, run=watch_keys),
    ]


def bus_duties(bus: BusDuties) -> list[Duty]:
    """What falls due of bus rides: taps read, weeks priced, transfers shared, passengers told."""
    return [
        Duty(name="collect_taps", period_s=TAPS_PERIOD_S, run=bus.collect_taps),
        Duty(name="settle_weeks", period_s=WEEKS_PERIOD_S, run=bus.settle_weeks),
        Duty(name="tell_shares", period_s=SHARES_PERIOD_S, run=bus.tell_shares),
        Duty(name="tell_passengers", period_s=FLOW_PERIOD_S, run=bus.tell_passengers),
    ]


def parking_duties(drivers: Drivers) -> list[Duty]:
    """What falls due in car parks: what a crash left half done, and what drivers owe."""
    return [
        Duty(name="finish_charges", period_s=PERIOD_S, run=drivers.finish),
        Duty(name="collect_parking", period_s=PARKING_PERIOD_S, run=drivers.ask_due),
    ]


def work(addresses: Addresses, settings: Settings, *, once: bool = False) -> None:
    """Work until told to stop (SIGINT, SIGTERM), or for one round."""
    uvloop.run(_work(addresses, settings, once=once))


async def _work(addresses: Addresses, settings: Settings, *, once: bool) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with (
        open_pool(addresses.database_url, connections_max=settings.pool_connections_max) as pool,
        Ledger(pool=pool, business_day=business_day_of(settings)) as book,
        HSMClient(addresses.hsm_socket, name="worker") as hsm,
        open_engine(
            addresses.database_url, connections_max=settings.pool_connections_max
        ) as engine,
    ):
        await ensure_secret_keys(hsm)
        deliveries = make_deliveries(engine, hsm, settings)
        bills = Bills(engine, utc_now, settings.cut_off)
        duties = order_duties(engine, book) + duties_of(pool, book, hsm, deliveries, bills)
        duties += fund_duties(engine, book, hsm, settings)
        money = ChannelMoney(
            engine=engine,
            book=book,
            data=PersonalData(hsm),
            channels=await payment_channels(pool, hsm, settings),
            random_bytes=os.urandom,
            cut_off=settings.cut_off,
        )
        duties += channel_duties(money) + terminal_duties(engine, hsm, settings)
        bus = BusDuties(
            engine=engine,
            pool=pool,
            book=book,
            cut_off=settings.cut_off,
            streams=settings.nats_url is not None,
        )
        duties += bus_duties(bus)
        bank = await custodian_bank(pool, settings, utc_now)
        duties += settlement_duties(engine, book, bank, hsm, settings)
        duties += await stream_duties(engine, hsm, settings)
        async with open_city(addresses, settings) as city:
            duties += hospital_duties(city.hospital, city.warnings) + parking_duties(
                city.parking.drivers
            )
            if not once:
                settle_memory(YOUNG_OBJECTS_MAX)
            await keep_working(duties, stopping, once=once)
            await deliveries.finish()


def make_deliveries(engine: AsyncEngine, hsm: HSM, settings: Settings) -> Deliveries:
    """The sending of webhooks, by the real network."""
    sender = HTTPSender(settings.webhook_private_networks)
    return Deliveries(engine, hsm, sender, os.urandom, feeds=settings.nats_url is not None)


async def stream_duties(engine: AsyncEngine, hsm: HSM, settings: Settings) -> list[Duty]:
    """Publishing events to a stream outside, where the installation has one."""
    if settings.nats_url is None:
        return []
    key = await hsm.mac(PSEUDONYM_KEY, PAIRWISE)
    feed = EventFeed(engine, JetStream(settings.nats_url), key)
    return [Duty(name="publish_events", period_s=WEBHOOK_PERIOD_S, run=feed.publish_due)]


async def keep_working(
    duties: Sequence[Duty],
    stopping: asyncio.Event,
    *,
    once: bool = False,
    clock: Clock = utc_now,
) -> None:
    """Each duty in its own rhythm until ``stopping`` is set. Bears a part being away."""
    async with asyncio.TaskGroup() as group:
        for duty in duties:
            group.create_task(_keep_doing(duty, stopping, once=once, clock=clock))


async def _keep_doing(duty: Duty, stopping: asyncio.Event, *, once: bool, clock: Clock) -> None:
    log = structlog.get_logger("worker")
    while not stopping.is_set():
        try:
            done = await duty.run(clock())
            if once or done:
                log.info("round", duty=duty.name, done=done)
        except (psycopg.OperationalError, PoolTimeout, ServiceUnavailableError, HSMError) as error:
            # A part is away: it will be back, and nothing here is urgent.
            log.warning("part_away", duty=duty.name, error=type(error).__name__)
        if once:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), duty.period_s)
