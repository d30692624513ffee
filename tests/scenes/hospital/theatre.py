"""A city in which everything may die, the patients in it, and their books compared to the fen."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, select

from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import SimulatedGateway
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore import tables as core
from cardcore.books import transaction
from cardcore.business.holds import HoldExpiry
from cardcore.calendar import business_date
from cardcore.caller import Caller
from cardcore.settlement.channel_bill import BillRow, write_bill
from cardcore.user.request import OpenUserRequest
from scenes.hospital import payment_store as store
from scenes.hospital import settlements
from scenes.hospital.insurer import Insurer
from scenes.hospital.messages import fen_of
from scenes.hospital.payment_states import FINAL, REFUND_FINAL, PaymentState
from scenes.hospital.payment_store import Payment
from scenes.hospital.pricing import HospitalPricer
from scenes.hospital.request import ChannelBillRequest, ReconciliationRequest, ReviewRequest
from scenes.hospital.service import Hospital
from scenes.hospital.tables import deposit_account, payment, refund, settlement
from tests.city_life import CENTRE, Life, id_no
from tests.conftest import CityClock
from tests.scenes.hospital.conftest import CODE, HIS, MERCHANT, Ward
from tests.scenes.hospital.killing import Faults, MortalAPI, MortalGateway

START_FEN: Final = 300_000
ROUNDS_MAX: Final = 14
OUTAGES_MAX: Final = 200  # two months each: the one city of all examples must not outlive its keys
# The centre's own desk names people by id: a code would be too old after an outage.
DESK: Final = replace(HIS, client_id="card-centre", merchant_id=None)
ANYBODY: Final = Caller(client_id="", merchant_id=None, scopes=frozenset())
T = TypeVar("T")


@dataclass
class Theatre:
    """One city for many patients, and the loop it lives on."""

    runner: asyncio.Runner
    ward: Ward
    faults: Faults
    gateway: SimulatedGateway
    api: MortalAPI
    make: Callable[[], Hospital]
    patients: int = 0
    outages: int = 0
    days: set[date] = field(default_factory=set)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def patient(self) -> "Patient":
        """One more person; a day of birth has numbers for a thousand."""
        self.patients += 1
        days, number = divmod(self.patients, 900)
        birth = date(1980, 1, 1) + timedelta(days=days)
        request = OpenUserRequest(
            name="测试", id_no=id_no(f"{birth:%Y%m%d}", number + 1), funds=["purse"]
        )
        key = f"patient-{self.patients}"
        opened, _ = await self.ward.city.core.open_user(CENTRE, request, key)
        await self.ward.life.top_up(opened.user_id, START_FEN, fund="purse")
        return Patient(self, self.patients, opened.user_id)

    async def work(self, later_s: int, *, workers: int = 1) -> None:
        """The worker's round; of several workers each has been made anew."""
        self.ward.clock.now += timedelta(seconds=later_s)
        ended = await asyncio.gather(
            *(self._round(self.make()) for _ in range(workers)), return_exceptions=True
        )
        for one in ended:
            if isinstance(one, BaseException):
                raise one

    async def _round(self, hospital: Hospital) -> None:
        now = self.ward.clock.now
        await hospital.saga.advance_due(now)
        await hospital.returns.saga.advance_due(now)
        await hospital.saga.lapse_due(now)
        await hospital.deposits.advance_due(now)

    async def expire_holds(self) -> None:
        city = self.ward.city
        await HoldExpiry(city.engine, city.book, os.urandom).expire_due(self.ward.clock.now)

    async def three_books_agree(self) -> None:
        """The comparison of the day finds nothing, on any day on which anything happened.

        The channel's bill is by its own days; ours are matched with it over them.
        """
        rows: dict[date, list[BillRow]] = {on: [] for on in self.days}
        for row in self.api.channel.values():
            rows.setdefault(business_date(row.moved_at), []).append(row)
        for on, moved in rows.items():
            bill = ChannelBillRequest(
                channel="purse", business_on=on, bill=write_bill(moved).decode()
            )
            await self.ward.hospital.take_channel_bill(DESK, MERCHANT, bill)
        for on in sorted(rows):
            request = ReconciliationRequest(business_on=on)
            seen = await self.ward.hospital.reconcile(HIS, MERCHANT, request)
            found = (await self.ward.hospital.list_differences(HIS, MERCHANT)).differences
            assert (seen.differences, seen.totals_agree) == (0, True), (on, found)
        assert await self.ward.life.books_are_right()


@dataclass
class Patient:
    """One patient's life, and where their money is in the end."""

    theatre: Theatre
    number: int
    user_id: UUID

    @property
    def psn_no(self) -> str:
        """Their number with the insurer."""
        return f"P{self.user_id.hex[:20]}"

    async def settle_down(self) -> None:
        """Everything lives again: whatever is open comes to its end, and the books agree."""
        theatre, ward = self.theatre, self.theatre.ward
        theatre.faults.set(None)
        theatre.gateway.forget_plans()
        theatre.gateway.deliver()
        for number in range(ROUNDS_MAX):
            await theatre.work(1_900)
            reviews = (await ward.hospital.list_reviews(HIS)).reviews
            for review in reviews:
                await self._decide(review.subject_id, review.kind, number)
            if not reviews and not await self._still_open():
                break
        await theatre.expire_holds()
        await self._compare_books()

    async def _decide(self, subject_id: UUID, kind: str, round_no: int) -> None:
        """Each patient's people decide otherwise; asking again may lead nowhere, so once."""
        decisions = ["cancel", "ask"] if kind == "payment" else ["cancel", "ask", "whole"]
        decision = decisions[self.number % len(decisions)] if round_no == 0 else "cancel"
        request = ReviewRequest.model_validate({"decision": decision, "note": "核对后处理"})
        key = f"d{next(self.theatre.ward.numbers)}"
        await self.theatre.make().decide_review(HIS, subject_id, request, key)

    async def _still_open(self) -> list[tuple[str, str | None]]:
        """States and reasons of this patient's payments and refunds that have not ended."""
        p, r = payment.c, refund.c
        async with transaction(self.theatre.ward.city.engine) as (connection, _):
            payments = await connection.execute(
                select(p.state, p.reason).where(p.user_id == self.user_id, p.state.not_in(FINAL))
            )
            refunds = await connection.execute(
                select(r.state, r.fault)
                .join(payment, p.payment_id == r.payment_id)
                .where(p.user_id == self.user_id, r.state.not_in(REFUND_FINAL))
            )
            return [(row[0], row[1]) for row in (*payments, *refunds)]

    async def _compare_books(self) -> None:
        """Orders, insurer, deposits and the hospital's own rows say the same, to the fen."""
        assert await self._still_open() == []
        ours: dict[str, tuple[int, int, int]] = {}
        gone_fen, deposited_fen = 0, 0
        for found in await self._payments():
            paid_fen = await self._stands(found, ours)
            gone_fen += paid_fen
            if found.state is PaymentState.PAID:
                deposited_fen += found.split.deposit_fen
        for account in await self._rows(
            select(deposit_account).where(deposit_account.c.user_id == self.user_id)
        ):
            gone_fen += account.paid_fen - account.returned_fen
            deposited_fen -= account.used_fen
        assert deposited_fen == 0, "deposits used otherwise than by what is paid"
        ward = self.theatre.ward
        theirs = {
            info["setl_id"]: (
                fen_of(info["medfee_sumamt"]),
                fen_of(info["fund_pay_sumamt"]),
                fen_of(info["acct_pay"]),
            )
            for info in ward.books.standing(CODE)
            if info["psn_no"] == self.psn_no
        }
        assert ours == theirs
        assert ward.books.balance_fen(self.psn_no) == -sum(one[2] for one in theirs.values())
        assert await ward.purse_fen(self.user_id) == START_FEN - gone_fen

    async def _stands(self, found: Payment, ours: dict[str, tuple[int, int, int]]) -> int:
        """Check one payment's books against each other; what it has taken out of the purse."""
        self.theatre.days.add(found.business_on)
        standing = []
        for row in await self._rows(
            select(settlement).where(settlement.c.payment_id == found.payment_id)
        ):
            self.theatre.days.add(row.settled_on)
            if row.cancelled_at is None:
                standing.append(row)
        order_fen = 0
        if found.order_id is not None:
            o = core.business_order.c
            (order,) = await self._rows(
                select(o.captured_fen, o.refunded_fen).where(o.order_id == found.order_id)
            )
            order_fen = order.captured_fen - order.refunded_fen
        if found.state is not PaymentState.PAID:
            assert standing == [], "returned, and still settled"
            assert order_fen == 0, "returned, and still captured"
            return 0
        async with transaction(self.theatre.ward.city.engine) as (connection, _):
            split = await settlements.standing_split(connection, found)
        if found.psn_no is not None and split.total_fen:
            (row,) = standing
            shares = (row.fund_fen, row.account_fen, row.cash_fen)
            assert shares == (split.fund_fen, split.account_fen, split.cash_fen)
            ours[row.setl_id] = (row.total_fen, row.fund_fen, row.account_fen)
        else:
            assert standing == []
        own_fen = split.cash_fen - found.split.deposit_fen
        assert order_fen == split.fund_fen + split.account_fen + own_fen
        return own_fen

    async def _payments(self) -> list[Payment]:
        rows = await self._rows(
            select(payment.c.payment_id).where(payment.c.user_id == self.user_id)
        )
        async with transaction(self.theatre.ward.city.engine) as (connection, _):
            return [await store.read_payment(connection, ANYBODY, row.payment_id) for row in rows]

    async def _rows(self, query: "Select[Any]") -> list[Any]:
        async with transaction(self.theatre.ward.city.engine) as (connection, _):
            return list(await connection.execute(query))


@contextmanager
def open_theatre(
    addresses: Addresses,
    city_settings: Settings,
    *,
    books: InsuranceFund | None = None,
    faults: Faults | None = None,
    now: datetime | None = None,
) -> Iterator[Theatre]:
    """A city whose hospital may die at every step, with an insurer whose ``books`` are in memory.

    ``faults``: how it dies.
    """
    clock, faults = CityClock(), faults or Faults()
    clock.now = now or clock.now
    # Each bill's split hangs on itself alone: where a second bill's return changes what the first
    # one's rest costs, all goes back and is billed anew, and no machine could say what is right.
    books = books or InsuranceFund(":memory:", balance_fen=0, deductible_fen=0)
    gateway = SimulatedGateway(books)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        city = runner.run(
            stack.enter_async_context(
                open_city(addresses, city_settings, clock=clock, insurance=gateway)
            )
        )
        key = city.hospital._pricer._key
        api = MortalAPI(city.core, faults)
        mortal = replace(
            city.hospital._around,
            api=api,
            insurer=Insurer(MortalGateway(gateway, faults), clock=clock, random_bytes=os.urandom),
        )
        ward = Ward(city, Life(city, clock), books, gateway, clock)
        theatre = Theatre(
            runner, ward, faults, gateway, api, lambda: Hospital(mortal, HospitalPricer(key))
        )
        try:
            with faults.in_database(city.engine):
                yield theatre
        finally:
            runner.run(stack.aclose())
    books.close()
