"""``cardcore bench hospital``: 32 counters that register and collect, a day's books, guidance.

Everything is real: codes scanned, orders held and captured, the insurer's books in a file of its
own, fsync on. Beside the payments: bare orders of the same purse through the same core.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import uvloop
from stdnum.cn import ric

from adapters import demo_city
from adapters.bench import guidance
from adapters.bench.report import Result, compared
from adapters.database import migrate
from adapters.embedded_postgres import EmbeddedPostgres
from adapters.infrastructure import Addresses
from adapters.memory import settle_memory
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import SimulatedGateway
from adapters.server import YOUNG_OBJECTS_MAX
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from cardcore.account.request import TopUpRequest
from cardcore.books import transaction
from cardcore.business.request import Business, OrderRequest, User
from cardcore.caller import Caller, Scope
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from hsm_sim.process import HSMProcess
from scenes.hospital.differences import compare_books
from scenes.hospital.messages import Envelope, Reply
from scenes.hospital.request import (
    BillLine,
    BillRequest,
    ConfirmRequest,
    DepartmentRequest,
    PaymentRequest,
    RegistrationRequest,
    ScheduleRequest,
    VisitRequest,
)

COUNTERS: Final = 32
ITEMS: Final = 100_000
BILL_FEN: Final = 60_000  # from a patient's second on, part of it is cash
_MERCHANT: Final = demo_city.HOSPITAL_MERCHANT
_SCOPES: Final = frozenset(scope.value for scope in Scope)
_CENTRE: Final = Caller(client_id="card-centre", merchant_id=None, scopes=_SCOPES)
_COUNTER: Final = Caller(client_id=demo_city.HOSPITAL_SYSTEM, merchant_id=_MERCHANT, scopes=_SCOPES)
# A day of payments, made from one real payment: its order, its settlement, the hospital's item, and
# what the channel's bill has of it.
_COPIES: Final = (
    """
    CREATE TEMPORARY TABLE copy AS
    SELECT gen_random_uuid() AS payment_id, gen_random_uuid() AS order_id, 'C' || n AS setl_id
      FROM generate_series(1, %(items)s) AS n
    """,
    """
    INSERT INTO cardcore.business_order
    SELECT (jsonb_populate_record(o, jsonb_build_object(
           'order_id', c.order_id, 'out_trade_no', 'B' || c.setl_id))).*
      FROM copy c, cardcore.business_order o WHERE o.order_id = %(order_id)s
    """,
    """
    INSERT INTO scene_hospital.payment
    SELECT (jsonb_populate_record(p, jsonb_build_object(
           'payment_id', c.payment_id, 'order_id', c.order_id, 'setl_id', c.setl_id,
           'business_on', %(on)s::date))).*
      FROM copy c, scene_hospital.payment p WHERE p.payment_id = %(payment_id)s
    """,
    """
    INSERT INTO scene_hospital.settlement
    SELECT (jsonb_populate_record(s, jsonb_build_object(
           'setl_id', c.setl_id, 'payment_id', c.payment_id, 'settled_on', %(on)s::date))).*
      FROM copy c, scene_hospital.settlement s WHERE s.payment_id = %(payment_id)s
    """,
    """
    INSERT INTO scene_hospital.insurer_item
    SELECT merchant_id, settled_on, setl_id, psn_no, mdtrt_id, msgid, total_fen, fund_fen,
           account_fen, false
      FROM scene_hospital.settlement WHERE settled_on = %(on)s
    """,
    """
    INSERT INTO scene_hospital.his_item
    SELECT merchant_id, business_on, payment_id, total_fen, fund_fen + account_fen, cash_fen
      FROM scene_hospital.payment WHERE business_on = %(on)s
    """,
    """
    INSERT INTO scene_hospital.channel_bill
    VALUES (%(merchant_id)s, 'bench', %(on)s, %(items)s, 1, 0, '', 'bench', now())
    """,
    """
    INSERT INTO scene_hospital.channel_item
    SELECT merchant_id, 'bench', business_on, row_number() OVER (), setl_id,
           'HP' || replace(payment_id::text, '-', ''), 'in', cash_fen - deposit_fen
      FROM scene_hospital.payment WHERE business_on = %(on)s
    """,
    "ANALYZE scene_hospital.channel_item",
    "ANALYZE scene_hospital.settlement",
    "ANALYZE scene_hospital.payment",
    "ANALYZE scene_hospital.insurer_item",
    "ANALYZE scene_hospital.his_item",
)


@dataclass(frozen=True, slots=True)
class _Times:
    per_s: float
    p99_ms: float
    count: int


class _TimedBooks:
    """The insurer's books, and how long they work: they lie in this process, as no insurer's do."""

    def __init__(self, fund: InsuranceFund) -> None:
        self._fund = fund
        self.worked_s = 0.0

    def handle(self, envelope: Envelope, *, less_fund_fen: int = 0) -> Reply:
        """See ``Books``."""
        started = time.perf_counter()
        try:
            return self._fund.handle(envelope, less_fund_fen=less_fund_fen)
        finally:
            self.worked_s += time.perf_counter() - started


def run(*, quick: bool) -> list[Result]:
    """Measure; everything lies in a folder of its own that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="cardcore-bench-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        settings = Settings(home=home, pool_connections_max=COUNTERS)
        server = EmbeddedPostgres(settings.postgres_home)
        box = HSMProcess(settings.hsm_home, arguments=("--rate-per-s", "1000000"))
        with server, box:
            addresses = Addresses(database_url=server.url(), hsm_socket=box.socket_path)
            migrate(addresses.database_url)
            rows = uvloop.run(_measure(settings, addresses, each=3 if quick else 12))
    return rows + guidance.measured(quick=quick)


async def _measure(settings: Settings, addresses: Addresses, *, each: int) -> list[Result]:
    fund = InsuranceFund(settings.home / "insurance.sqlite3")
    books = _TimedBooks(fund)
    try:
        async with open_city(addresses, settings, insurance=SimulatedGateway(books)) as city:
            await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())
            people = [await _person(city, number) for number in range(1, COUNTERS + 1)]
            settle_memory(YOUNG_OBJECTS_MAX)  # as a server does
            registering = await _registrations(city, people, each)
            orders = await _bare_orders(city, people, each)
            books.worked_s = 0.0
            paying, payment_id = await _payments(city, people, each)
            insurer_ms = books.worked_s * 1000 / paying.count
            compared_s = await _comparison(city, payment_id)
    finally:
        fund.close()
    return [
        compared(
            f"registrations, {COUNTERS} counters",
            registering.per_s,
            "1/s",
            reference="bare orders, same counters",
            reference_value=orders.per_s,
        ),
        Result(name="a registration, p99", value=registering.p99_ms, unit="ms"),
        compared(
            f"payments with insurer, {COUNTERS} counters",
            paying.per_s,
            "1/s",
            reference="bare orders, same counters",
            reference_value=orders.per_s,
        ),
        Result(name="a payment from bill to captured, p99", value=paying.p99_ms, unit="ms"),
        Result(name="the simulated insurer's own work for a payment", value=insurer_ms, unit="ms"),
        Result(name=f"the books of {ITEMS:,} payments compared", value=compared_s, unit="s"),
    ]


async def _person(city: City, number: int) -> UUID:
    body = f"37040619900101{number:03d}"
    user, _ = await city.core.open_user(
        _CENTRE,
        OpenUserRequest(
            name="测试", id_no=body + ric.calc_check_digit(body + "0"), funds=["purse"]
        ),
        f"open-{number}",
    )
    topup = TopUpRequest(fund="purse", amount_fen=300_000, channel="bench", channel_no=f"B{number}")
    await city.core.top_up(_CENTRE, user.user_id, topup, f"topup-{number}")
    return user.user_id


async def _shown(city: City, user_id: UUID, codes: int) -> list[User]:
    request = IssueCodeRequest(scenes=["hospital"], cap_fen=600_000)
    made = [await city.core.issue_code(_CENTRE, user_id, request) for _ in range(codes)]
    return [User(credential=one.text) for one in made]


async def _counters(
    city: City,
    people: list[UUID],
    each: int,
    work: Callable[[UUID, Sequence[User]], Awaitable[float]],
    *,
    codes: int,
) -> _Times:
    """All counters at once, each with its own patient, ``each`` times over.

    Each time ``codes`` fresh codes of every patient are made before the clock starts: phones show
    them, no counter makes them.
    """
    taken_ms: list[float] = []
    elapsed_s = 0.0
    for _ in range(each):
        shown = await asyncio.gather(*(_shown(city, user_id, codes) for user_id in people))
        started = time.perf_counter()
        taken_ms += await asyncio.gather(
            *(work(user_id, own) for user_id, own in zip(people, shown, strict=True))
        )
        elapsed_s += time.perf_counter() - started
    taken_ms.sort()
    p99_ms = taken_ms[min(len(taken_ms) - 1, len(taken_ms) * 99 // 100)]
    return _Times(per_s=len(taken_ms) / elapsed_s, p99_ms=p99_ms, count=len(taken_ms))


async def _registrations(city: City, people: list[UUID], each: int) -> _Times:
    department = DepartmentRequest(
        dept_code="NK", name_zh="内科", name_en="Internal medicine", place="2"
    )
    await city.hospital.put_department(_COUNTER, _MERCHANT, department)
    now, schedules = utc_now(), []
    for number in range(each):
        starts_at = now + timedelta(hours=1, days=number // 3)
        plan = ScheduleRequest(
            dept_code="NK",
            visit_on=starts_at.date(),
            session=("morning", "afternoon", "evening")[number % 3],
            fee_fen=500,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=3),
            slot_count=COUNTERS,
        )
        made, _ = await city.hospital.plan_schedule(_COUNTER, _MERCHANT, plan, f"plan-{number}")
        schedules.append(made.schedule_id)

    numbers = itertools.count()

    async def register(_: UUID, shown: Sequence[User]) -> float:
        number = next(numbers)
        request = RegistrationRequest(user=shown[0], schedule_id=schedules[number // COUNTERS])
        started = time.perf_counter()
        await city.hospital.register(_COUNTER, _MERCHANT, request, f"r-{number}")
        return (time.perf_counter() - started) * 1000

    return await _counters(city, people, each, register, codes=1)


async def _bare_orders(city: City, people: list[UUID], each: int) -> _Times:
    numbers = itertools.count()

    async def order(_: UUID, shown: Sequence[User]) -> float:
        number = next(numbers)
        business = Business(
            scene="hospital",
            type="other",
            merchant_id=_MERCHANT,
            terminal_id=demo_city.HOSPITAL_TERMINAL,
            out_trade_no=f"N{number}",
            amount_fen=100,
            currency="CNY",
            occurred_at=utc_now(),
        )
        request = OrderRequest(user=shown[0], business=business)
        started = time.perf_counter()
        await city.core.order(_COUNTER, request, f"o-{number}")
        return (time.perf_counter() - started) * 1000

    return await _counters(city, people, each, order, codes=1)


async def _payments(city: City, people: list[UUID], each: int) -> tuple[_Times, UUID]:
    numbers, last = itertools.count(1), [UUID(int=0)]
    line = BillLine(
        item_code="X1", name="项目", quantity="1", price_fen=BILL_FEN, amount_fen=BILL_FEN
    )

    async def pay(user_id: UUID, shown: Sequence[User]) -> float:
        number, hospital = next(numbers), city.hospital
        opening = VisitRequest(
            user=shown[0],
            visit_no=f"V{number}",
            dept_code="NK",
            psn_no=f"P{user_id.hex[:20]}",
            insutype="310",
        )
        started = time.perf_counter()
        visit, _ = await hospital.open_visit(_COUNTER, _MERCHANT, opening, f"v-{number}")
        bill = BillRequest(out_bill_no=f"F{number}", lines=[line])
        await hospital.add_bill(_COUNTER, visit.visit_id, bill, f"b-{number}")
        quoted, _ = await hospital.quote_payment(
            _COUNTER, visit.visit_id, PaymentRequest(), f"q-{number}"
        )
        paid, _ = await hospital.confirm_payment(
            _COUNTER, quoted.payment_id, ConfirmRequest(user=shown[1]), f"c-{number}"
        )
        assert paid.state == "paid", paid.reason
        if paid.due_fen:
            last[0] = paid.payment_id
        return (time.perf_counter() - started) * 1000

    return await _counters(city, people, each, pay, codes=2), last[0]


async def _comparison(city: City, payment_id: UUID) -> float:
    """Seconds to compare a day of ``ITEMS`` payments in every book, all of which agree."""
    on = date(2020, 1, 1)
    paid = await city.hospital.read_payment(_COUNTER, payment_id)
    values = {
        "items": ITEMS,
        "merchant_id": _MERCHANT,
        "payment_id": payment_id,
        "order_id": paid.order_id,
        "on": on,
    }
    async with transaction(city.engine) as (_, raw):
        for statement in _COPIES:
            await raw.execute(statement.encode(), values)
    started = time.perf_counter()
    async with transaction(city.engine) as (_, raw):
        counts = await compare_books(raw, _MERCHANT, on, utc_now())
    taken_s = time.perf_counter() - started
    assert counts[:4] == (ITEMS, ITEMS, ITEMS, 0), counts
    return taken_s
