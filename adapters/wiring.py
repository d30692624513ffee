"""The composition root: the only place that builds implementations and ties them together."""

import io
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import BinaryIO, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client.registry import Collector
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import Buffer, override

from adapters.assertions import refuse_optimised_python
from adapters.bus_scene import journey_service
from adapters.code_judges import CompanionJudge
from adapters.database import open_engine, open_pool
from adapters.fhir.desk import Desk
from adapters.fhir.endpoints import Surroundings as FHIRSurroundings
from adapters.fhir.routes import fhir_routes
from adapters.first_keys import TOKEN_KEY, TOKEN_KEY_CONTEXT, ensure_keys
from adapters.http.access_keys import AccessKeys
from adapters.http.app import PLATFORM_NOUNS, CardcoreAPI, create_app
from adapters.http.bus import bus_noun
from adapters.http.bus_clearing import clearing_noun
from adapters.http.bus_flow import flow_noun
from adapters.http.door_limits import DoorLimits
from adapters.http.early_warning import early_warning_noun
from adapters.http.hospital import registration_noun
from adapters.http.hospital_guidance import guidance_noun
from adapters.http.hospital_payments import fee_noun
from adapters.http.hospital_reports import report_noun
from adapters.http.logs import Log
from adapters.http.my_parking import my_parking_noun
from adapters.http.operation import Noun
from adapters.http.parking import parking_noun
from adapters.http.rate_limits import Rate, RateLimits
from adapters.http.sandbox import sandbox_noun
from adapters.http.settings import HTTPSettings
from adapters.http.visitors import visitor_noun
from adapters.infrastructure import Addresses
from adapters.outside import insurance_gateway, payment_channels
from adapters.pages.routes import served_pages
from adapters.record_judges import ProcessJudges
from adapters.sandbox import SandboxClock, SandboxCore, open_clock
from adapters.settings import Settings
from adapters.used_assertions import SharedUsedAssertions
from adapters.valkey import ValkeyReplayHints
from adapters.valkey_rates import ValkeyBuckets
from cardcore.account.channel import PaymentChannel
from cardcore.account.funding_policy import FundingPlans, read_policy
from cardcore.books import transaction
from cardcore.business.order_rules import RuleBook
from cardcore.business.plain_pricing import PlainPricer
from cardcore.connections import RawConnection
from cardcore.parts import Parts
from cardcore.platform.access_epochs import good_epochs
from cardcore.ports import Clock, NoReplayHints, ReplayHints, ScenePricer
from cardcore.service import CardCore, serve_core
from cardcore.terminals.packages import PackageSigning
from cardcore.terminals.scene import TerminalScene
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.issuer_keys import read_issuer_keys
from hsm_sim.client import HSMClient
from hsm_sim.interface import HSMLockedError, HSMUnavailableError
from ledger import BusinessDay, Ledger
from scenes.bus.clearing_service import ClearingService
from scenes.bus.concessions import DEFAULT_POLICY
from scenes.bus.fare_table import FareTable
from scenes.bus.flow_service import FlowService
from scenes.bus.journey_service import JourneyService
from scenes.bus.pricing import BusPricer
from scenes.bus.service import load_fare_table, load_rules
from scenes.bus.terminals import BusTerminals
from scenes.catalogue import SCENES
from scenes.community.pricing import GatePricer
from scenes.community.service import load_access_book
from scenes.community.terminals import GateTerminals
from scenes.community.visits import VisitorDesk
from scenes.hospital.early_warning_service import EarlyWarningService
from scenes.hospital.gateway import InsuranceGateway
from scenes.hospital.guidance_service import GuidanceService
from scenes.hospital.insurer import Insurer
from scenes.hospital.listing_service import ListingService
from scenes.hospital.payments import Surroundings as HospitalSurroundings
from scenes.hospital.pricing import HospitalPricer
from scenes.hospital.report_service import ReportService
from scenes.hospital.service import Hospital
from scenes.parking.pricing import ParkingPricer
from scenes.parking.service import ParkingService

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A running core and the parts an operator's command may need beside it."""

    core: CardCore
    engine: AsyncEngine
    pool: AsyncConnectionPool[RawConnection]
    book: Ledger
    hsm: HSMClient
    bus: BusPricer
    gates: GatePricer
    hospital: Hospital
    reports: ReportService
    hospital_lists: ListingService
    guidance: GuidanceService
    warnings: EarlyWarningService
    parking: ParkingService
    collectors: tuple[Collector, ...]
    limits: RateLimits | None
    doors: DoorLimits | None
    sandbox_clock: SandboxClock | None
    bus_journeys: JourneyService
    bus_clearing: ClearingService

    async def reload_fares(self) -> None:
        """Price from the bus tables that are active now."""
        async with self.pool.connection() as connection:
            table = await load_fare_table(connection)
            self.bus.activate(table, (await load_rules(connection)).policy)

    async def reload_doors(self) -> None:
        """Decide passages by the doors and rights that stand now."""
        async with transaction(self.engine) as (connection, _):
            self.gates.activate(await load_access_book(connection))


class Nowhere(io.BytesIO):
    """Where the log of a demo or a test goes."""

    @override
    def write(self, data: Buffer, /) -> int:
        """Take it and keep nothing."""
        return memoryview(data).nbytes


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def nanoseconds_of(clock: Clock) -> Callable[[], int]:
    """The same clock as the ledger reads it: one clock says when a hold is over."""
    return lambda: (clock() - _EPOCH) // _MICROSECOND * 1000


class EpochKeys:
    """Implements ``access_keys.KeySource``: epochs from the database, keys derived in the HSM."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._derived: dict[int, Ed25519PrivateKey] = {}

    async def keys(self, now: datetime) -> dict[int, Ed25519PrivateKey]:
        """See the protocol. A key is derived once and kept."""
        async with transaction(self._city.engine) as (connection, _):
            good = await good_epochs(connection, now=now)
        for epoch in good:
            if epoch not in self._derived:
                seed = await self._city.hsm.mac(TOKEN_KEY, TOKEN_KEY_CONTEXT % epoch)
                self._derived[epoch] = Ed25519PrivateKey.from_private_bytes(seed)
        return {epoch: self._derived[epoch] for epoch in good}


def hospital_nouns(
    hospital: Hospital, reports: ReportService, guidance: GuidanceService
) -> tuple[Noun, ...]:
    """The operations of the hospital scene."""
    return (
        registration_noun(hospital),
        fee_noun(hospital),
        report_noun(reports),
        guidance_noun(guidance),
    )


async def make_api(
    city: City,
    *,
    public_url: str,
    clock: Clock = utc_now,
    log_to: BinaryIO | None = None,
    frame_ancestors: Sequence[str] = (),
) -> CardcoreAPI:
    """The HTTP face of a running city.

    The key of the access tokens is derived inside the security module, so that every worker has
    the same one and no file holds it. ``frame_ancestors``: origins that may embed the citizen's
    page.
    """
    flow = FlowService(city.engine, city.sandbox_clock or clock)
    bus_nouns = (
        bus_noun(city.bus_journeys),
        clearing_noun(city.bus_clearing),
        flow_noun(flow),
    )
    wards = hospital_nouns(city.hospital, city.reports, city.guidance)
    nouns = (*PLATFORM_NOUNS, *bus_nouns, *wards, early_warning_noun(city.warnings))
    nouns = (*nouns, parking_noun(city.parking), my_parking_noun(city.parking.own))
    if city.sandbox_clock is not None:
        clock = city.sandbox_clock
        nouns = (*nouns, sandbox_noun(city.sandbox_clock))
    desk = VisitorDesk(core=city.core, engine=city.engine, clock=clock, random_bytes=os.urandom)
    nouns = (*nouns, visitor_noun(desk))
    source = EpochKeys(city)
    http_settings = HTTPSettings(public_url=public_url, version=version("cardcore"))
    app = create_app(
        city.core,
        settings=http_settings,
        access_keys=AccessKeys(source, await source.keys(clock())),
        used_assertions=SharedUsedAssertions(city.pool),
        clock=clock,
        log=Log(log_to or Nowhere()),
        nouns=nouns,
        limits=city.limits,
        doors=city.doors,
    )
    app.away = (psycopg.OperationalError, PoolTimeout, HSMUnavailableError, HSMLockedError)
    app.router.routes.extend(served_pages(frame_ancestors))
    around = FHIRSurroundings(
        gate=app.gate,
        settings=http_settings,
        refuser=app.refuser,
        desk=Desk(city.hospital, city.hospital_lists),
    )
    app.router.routes.extend(fhir_routes(around, since=clock()))
    for collector in city.collectors:
        app.metrics.registry.register(collector)
    return app


@asynccontextmanager
async def open_city(
    addresses: Addresses,
    settings: Settings,
    *,
    clock: Clock = utc_now,
    channels: Mapping[str, PaymentChannel] | None = None,
    insurance: InsuranceGateway | None = None,
) -> AsyncIterator[City]:
    """Build everything over running processes and a migrated database; close it on leaving.

    ``channels``: payment channels by name; by default none, in the sandbox one that is simulated.
    ``insurance``: the way to the insurer; by default as the settings say.
    """
    refuse_optimised_python()
    async with AsyncExitStack() as stack:
        connections_max, lock_wait_s = settings.pool_connections_max, settings.lock_wait_s
        pool = await stack.enter_async_context(
            open_pool(
                addresses.database_url,
                connections_max=connections_max,
                lock_wait_s=lock_wait_s,
            )
        )
        by_key = await stack.enter_async_context(
            open_pool(
                addresses.database_url,
                connections_max=connections_max,
                lock_wait_s=lock_wait_s,
                by_key=True,
            )
        )
        engine = await stack.enter_async_context(
            open_engine(
                addresses.database_url,
                connections_max=connections_max,
                lock_wait_s=lock_wait_s,
            )
        )
        sandbox_clock: SandboxClock | None = None
        if settings.sandbox:
            clock = sandbox_clock = await open_clock(engine, clock)
        book = await stack.enter_async_context(
            Ledger(pool=pool, clock=nanoseconds_of(clock), business_day=business_day_of(settings))
        )
        hsm = await stack.enter_async_context(HSMClient(addresses.hsm_socket, name="core"))
        await ensure_keys(hsm, engine, book, clock())
        bus = BusPricer(FareTable(), DEFAULT_POLICY)
        gates = GatePricer()
        async with transaction(engine) as (connection, _):
            keys = await read_issuer_keys(connection, clock())
        rules = RuleBook()
        async with pool.connection() as raw:
            await rules.refresh(raw)
            plans = FundingPlans(await read_policy(raw))
        codes = CitizenCodes(hsm=hsm, ring=keys.ring, issuing=keys.codes, random_bytes=os.urandom)
        fees = HospitalPricer(await hsm.mac(TOKEN_KEY, b"splits of hospital bills"))
        judges = ProcessJudges()
        stack.callback(judges.close)
        code_judge = CompanionJudge()
        stack.callback(code_judge.close)
        hints: ReplayHints = NoReplayHints()
        collectors: tuple[Collector, ...] = ()
        buckets: ValkeyBuckets | None = None
        if settings.redis_url is not None:
            valkey = ValkeyReplayHints(settings.redis_url)
            stack.push_async_callback(valkey.close)
            hints = valkey
            buckets = ValkeyBuckets(settings.redis_url)
            stack.push_async_callback(buckets.close)
            collectors = (valkey.failures, buckets.failures)
        core = await stack.enter_async_context(
            serve_core(
                Parts(
                    engine=engine,
                    pool=pool,
                    by_key=by_key,
                    book=book,
                    hsm=hsm,
                    codes=codes,
                    pricers=scene_pricers(bus, gates, fees),
                    plans=plans,
                    rules=rules,
                    clock=clock,
                    random_bytes=os.urandom,
                    hints=hints,
                    terminal_scenes=terminal_scenes(),
                    package_signing=PackageSigning(
                        packages=keys.packages[-1], lists=keys.lists[-1]
                    ),
                    record_judge=judges,
                    code_judge=code_judge,
                    webhook_private_networks=settings.webhook_private_networks,
                    channels=await payment_channels(pool, hsm, settings)
                    if channels is None
                    else channels,
                    cut_off=settings.cut_off,
                ),
                kind=SandboxCore if settings.sandbox else CardCore,
            )
        )
        if insurance is None:
            insurance = await stack.enter_async_context(insurance_gateway(settings))
        wards = HospitalSurroundings(
            engine=engine,
            api=core,
            insurer=Insurer(insurance, clock=clock, random_bytes=os.urandom),
            clock=clock,
            random_bytes=os.urandom,
            cut_off=settings.cut_off,
        )
        city = City(
            core=core,
            engine=engine,
            pool=pool,
            book=book,
            hsm=hsm,
            bus=bus,
            gates=gates,
            hospital=Hospital(wards, fees),
            reports=ReportService(wards, core),
            hospital_lists=ListingService(wards, core),
            guidance=GuidanceService(wards),
            warnings=EarlyWarningService(engine, clock),
            parking=ParkingService(core, engine, clock, os.urandom),
            collectors=collectors,
            limits=rate_limits(settings, buckets),
            doors=door_limits(settings, buckets),
            sandbox_clock=sandbox_clock,
            bus_journeys=journey_service(engine, clock, settings.cut_off),
            bus_clearing=ClearingService(engine=engine, clock=clock, cut_off=settings.cut_off),
        )
        await city.reload_fares()
        await city.reload_doors()
        yield city


def rate_limits(settings: Settings, buckets: ValkeyBuckets | None) -> RateLimits | None:
    """How often each client may ask, counted together with the other workers where it can be."""
    if settings.rate_per_s == 0:
        return None
    rate = Rate(per_s=settings.rate_per_s, burst=2 * settings.rate_per_s)
    return RateLimits(rate, time.monotonic, buckets)


def door_limits(settings: Settings, buckets: ValkeyBuckets | None) -> DoorLimits | None:
    """How often one source may knock where nobody is known yet."""
    if settings.rate_per_s == 0:
        return None
    return DoorLimits(time.monotonic, buckets, trusted=settings.trusted_proxies)


def business_day_of(settings: Settings) -> BusinessDay:
    """The ledger's calendar, with the same cut-off as the orders': one day, one rule."""
    cut_off = settings.cut_off
    return BusinessDay(cut_off_s=cut_off.hour * 3600 + cut_off.minute * 60 + cut_off.second)


def scene_pricers(
    bus: BusPricer, gates: GatePricer, fees: HospitalPricer
) -> dict[str, ScenePricer]:
    """A pricer for every scene of the catalogue; those without rules of their own share one."""
    plain = PlainPricer()
    pricers: dict[str, ScenePricer] = {scene.code: plain for scene in SCENES}
    own: dict[str, ScenePricer] = {
        "bus": bus,
        "hospital": fees,
        "community": gates,
        "parking": ParkingPricer(),
    }
    return pricers | own


def terminal_scenes() -> dict[str, TerminalScene]:
    """What terminals carry and bring by rules of their scene's own."""
    return {"bus": BusTerminals(), "community": GateTerminals()}
