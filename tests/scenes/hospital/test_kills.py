"""Every step of paying and giving back is killed, and every fen is found again.

``CARDCORE_HOSPITAL_KILLS=10000`` runs until so many faults have happened; the default is short.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from adapters.infrastructure import Addresses
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import Behaviour, SimulatedGateway
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.books import transaction
from cardcore.business.holds import HoldExpiry
from cardcore.business.request import User
from cardcore.caller import Caller
from cardcore.errors import CardcoreError
from cardcore.user.request import OpenUserRequest
from scenes.hospital import payment_store as store
from scenes.hospital import settlements
from scenes.hospital.insurer import Insurer
from scenes.hospital.messages import Function, fen_of
from scenes.hospital.payment_states import FINAL, PaymentState
from scenes.hospital.pricing import HospitalPricer
from scenes.hospital.request import (
    ConfirmRequest,
    PaymentRequest,
    ReturnedLine,
    ReturnRequest,
    ReviewRequest,
)
from scenes.hospital.service import Hospital
from scenes.hospital.tables import payment, refund, settlement
from tests.city_life import CENTRE, Life, id_no
from tests.conftest import CityClock, MakeDatabase
from tests.scenes.hospital.conftest import CODE, HIS, Ward, line
from tests.scenes.hospital.killing import Fault, Faults, KilledError, MortalAPI, MortalGateway

KILLS = int(os.environ.get("CARDCORE_HOSPITAL_KILLS", "0"))
START_FEN = 300_000
ROUNDS_MAX = 12
OUTAGES_MAX = 200  # two months each: the one city of all examples must not outlive its keys
# The centre's own desk names people by id: a code would be too old after an outage.
DESK = replace(HIS, client_id="card-centre", merchant_id=None)
T = TypeVar("T")

faults_at = st.tuples(st.sampled_from([None, *Fault]), st.integers(0, 40))
behaviours = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Function.SETTLE,
                Function.CANCEL_SETTLEMENT,
                Function.REVERSE,
                Function.READ_SETTLEMENT,
            ]
        ),
        st.sampled_from(
            [
                Behaviour.SILENT_BEFORE,
                Behaviour.SILENT_AFTER,
                Behaviour.LATE,
                Behaviour.TWICE,
                Behaviour.WRONG_SUMS,
                Behaviour.OTHER_SPLIT,
                Behaviour.REFUSE,
            ]
        ),
    ),
    max_size=3,
)
amounts = st.lists(st.integers(1, 60_000), min_size=1, max_size=3)


@dataclass
class Theatre:
    """One city for all examples, and the loop it lives on."""

    runner: asyncio.Runner
    ward: Ward
    faults: Faults
    gateway: SimulatedGateway
    make: Callable[[], Hospital]
    examples: int = 0
    outages: int = 0
    patients: int = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


class Hospitals(RuleBasedStateMachine):
    """A patient pays and gives back while everything around dies now and then."""

    payments = Bundle("payments")
    theatre: Theatre

    def __init__(self) -> None:
        super().__init__()
        self.ward = self.theatre.ward
        self.faults = self.theatre.faults
        self.user_id: UUID = self.theatre.run(self._patient())
        self.made: list[UUID | None] = []
        self.psn_no = f"P{self.user_id.hex[:20]}"

    @rule(target=payments, lines=amounts, insured=st.booleans(), plan=behaviours, fault=faults_at)
    def pay(
        self,
        lines: list[int],
        insured: bool,
        plan: list[tuple[Function, Behaviour]],
        fault: tuple[Fault | None, int],
    ) -> int:
        # A number, whatever became of it: what hypothesis draws next must not hang on chance.
        self.made.append(self.theatre.run(self._pay(lines, insured, plan, fault)))
        return len(self.made) - 1

    @rule(
        number=payments,
        which=st.integers(0, 2),
        part=st.integers(1, 100),
        plan=behaviours,
        fault=faults_at,
    )
    def give_back(
        self,
        number: int,
        which: int,
        part: int,
        plan: list[tuple[Function, Behaviour]],
        fault: tuple[Fault | None, int],
    ) -> None:
        payment_id = self.made[number]
        if payment_id is not None:
            self.theatre.run(self._give_back(payment_id, which, part, plan, fault))

    @rule(fault=faults_at, later_s=st.sampled_from([31, 700]))
    def work(self, fault: tuple[Fault | None, int], later_s: int) -> None:
        self.theatre.run(self._dying(fault, lambda: self._round(later_s)))

    @rule()
    def late_messages_come(self) -> None:
        self.theatre.gateway.deliver()

    @rule()
    def a_long_outage(self) -> None:
        """Why: holds end by themselves, and what the insurer has settled then must go back."""
        if self.theatre.outages < OUTAGES_MAX:
            self.theatre.outages += 1
            self.ward.clock.now += timedelta(days=60)

    def teardown(self) -> None:
        self.theatre.run(self._settle_down())

    # -- what the rules do

    async def _patient(self) -> UUID:
        """One more person; a day of birth has numbers for a thousand."""
        self.theatre.patients += 1
        days, number = divmod(self.theatre.patients, 900)
        birth = date(1980, 1, 1) + timedelta(days=days)
        request = OpenUserRequest(
            name="测试", id_no=id_no(f"{birth:%Y%m%d}", number + 1), funds=["purse"]
        )
        key = f"patient-{self.theatre.patients}"
        opened, _ = await self.ward.city.core.open_user(CENTRE, request, key)
        await self.ward.life.top_up(opened.user_id, START_FEN, fund="purse")
        return opened.user_id

    async def _pay(
        self,
        lines: list[int],
        insured: bool,
        plan: list[tuple[Function, Behaviour]],
        fault: tuple[Fault | None, int],
    ) -> UUID | None:
        shown = User(user_id=self.user_id)
        visit = await self.ward.visit(self.user_id, by=DESK, insured=insured, user=shown)
        await self.ward.bill(visit, *(line(fen) for fen in lines))
        self._plan(plan)
        number = next(self.ward.numbers)
        found: list[UUID] = []

        async def at_the_counter() -> None:
            hospital = self.theatre.make()
            quoted, _ = await hospital.quote_payment(
                DESK, visit.visit_id, PaymentRequest(), f"q{number}"
            )
            found[:] = [quoted.payment_id]
            await hospital.confirm_payment(
                DESK, quoted.payment_id, ConfirmRequest(user=shown), f"c{number}"
            )

        await self._dying(fault, at_the_counter)
        return found[0] if found else None

    async def _give_back(
        self,
        payment_id: UUID,
        which: int,
        part: int,
        plan: list[tuple[Function, Behaviour]],
        fault: tuple[Fault | None, int],
    ) -> None:
        paid = await self.ward.payment(payment_id)
        if paid.state != PaymentState.PAID:
            return
        (bill,) = (await self.ward.hospital.list_bills(HIS, paid.visit_id)).bills
        item = bill.lines[which % len(bill.lines)]
        number = next(self.ward.numbers)
        amount_fen = max(1, item.amount_fen * part // 100)
        request = ReturnRequest(
            out_refund_no=f"R{number}",
            lines=[ReturnedLine(bill_id=bill.bill_id, line_no=item.line_no, amount_fen=amount_fen)],
            reason="退药",
        )
        self._plan(plan)

        async def at_the_counter() -> None:
            await self.theatre.make().return_items(HIS, payment_id, request, f"r{number}")

        await self._dying(fault, at_the_counter)

    async def _dying(
        self, fault: tuple[Fault | None, int], work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Do it with a fault on the way; then once more, as a clerk does who got no answer."""
        self.faults.set(*fault)
        for _ in range(2):
            try:
                await work()
            except KilledError:
                continue
            except CardcoreError:
                pass
            break
        self.faults.set(None, 0)

    def _plan(self, plan: list[tuple[Function, Behaviour]]) -> None:
        for function, behaviour in plan:
            self.theatre.gateway.plan(function, behaviour)

    async def _round(self, later_s: int) -> None:
        self.ward.clock.now += timedelta(seconds=later_s)
        hospital = self.theatre.make()
        await hospital.saga.advance_due(self.ward.clock.now)
        await hospital.returns.saga.advance_due(self.ward.clock.now)
        await hospital.saga.lapse_due(self.ward.clock.now)

    # -- and in the end

    async def _settle_down(self) -> None:
        self.faults.set(None, 0)
        self.theatre.gateway.forget_plans()
        self.theatre.gateway.deliver()
        for _ in range(ROUNDS_MAX):
            await self._round(1_900)
            reviews = await self.ward.hospital.list_reviews(HIS)
            for review in reviews.reviews:
                await self.ward.hospital.decide_review(
                    HIS,
                    review.subject_id,
                    ReviewRequest(decision="cancel", note="核对后撤销"),
                    f"d{next(self.ward.numbers)}",
                )
            if not reviews.reviews and not await self._still_open():
                break
        city = self.ward.city
        await HoldExpiry(city.engine, city.book, os.urandom).expire_due(self.ward.clock.now)
        await self._compare_books()
        self.theatre.examples += 1
        if self.theatre.examples % 20 == 1:
            assert await self.ward.life.books_are_right()

    async def _still_open(self) -> list[tuple[str, str | None]]:
        """States and reasons of this patient's payments and refunds that have not ended."""
        p, r = payment.c, refund.c
        final = [state.value for state in FINAL]
        async with transaction(self.ward.city.engine) as (connection, _):
            payments = await connection.execute(
                select(p.state, p.reason).where(p.user_id == self.user_id, p.state.not_in(final))
            )
            refunds = await connection.execute(
                select(r.state, r.fault)
                .join(payment, p.payment_id == r.payment_id)
                .where(p.user_id == self.user_id, r.state.not_in(("refunded", "refused")))
            )
            return [(row[0], row[1]) for row in (*payments, *refunds)]

    async def _compare_books(self) -> None:
        """Ledger, insurer and the hospital's own rows say the same, to the fen."""
        assert await self._still_open() == []
        kept_fen = 0
        ours: dict[str, tuple[int, int, int]] = {}
        anybody = Caller(client_id="", merchant_id=None, scopes=frozenset())
        async with transaction(self.ward.city.engine) as (connection, _):
            ids = await connection.execute(
                select(payment.c.payment_id).where(payment.c.user_id == self.user_id)
            )
            for payment_id in list(ids.scalars()):
                found = await store.read_payment(connection, anybody, payment_id)
                rows = await connection.execute(
                    select(settlement).where(
                        settlement.c.payment_id == payment_id, settlement.c.cancelled_at.is_(None)
                    )
                )
                standing = list(rows)
                if found.state is not PaymentState.PAID:
                    assert standing == [], "returned, and still settled"
                    continue
                split = await settlements.standing_split(connection, found)
                kept_fen += split.cash_fen
                if found.psn_no is not None and split.total_fen:
                    (row,) = standing
                    assert (row.fund_fen, row.account_fen, row.cash_fen) == (
                        split.fund_fen,
                        split.account_fen,
                        split.cash_fen,
                    )
                    ours[row.setl_id] = (row.total_fen, row.fund_fen, row.account_fen)
        theirs = {
            info["setl_id"]: (
                fen_of(info["medfee_sumamt"]),
                fen_of(info["fund_pay_sumamt"]),
                fen_of(info["acct_pay"]),
            )
            for info in self.ward.books.standing(CODE)
            if info["psn_no"] == self.psn_no
        }
        assert ours == theirs
        account_fen = sum(split[2] for split in theirs.values())
        assert self.ward.books.balance_fen(self.psn_no) == -account_fen
        assert await self.ward.purse_fen(self.user_id) == START_FEN - kept_fen


def test_whatever_dies_every_payment_ends_and_every_fen_is_found(
    make_database: MakeDatabase, city_template: str, hsm_socket: Path, city_settings: Settings
) -> None:
    addresses = Addresses(database_url=make_database(template=city_template), hsm_socket=hsm_socket)
    clock, faults = CityClock(), Faults()
    # Each bill's split hangs on itself alone: where a second bill's return changes what the first
    # one's rest costs, people decide, and no machine could say what is right.
    books = InsuranceFund(":memory:", balance_fen=0, deductible_fen=0)
    gateway = SimulatedGateway(books)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        city = runner.run(
            stack.enter_async_context(
                open_city(addresses, city_settings, clock=clock, insurance=gateway)
            )
        )
        key = city.hospital._pricer._key
        around = city.hospital._around
        mortal = replace(
            around,
            api=MortalAPI(city.core, faults),
            insurer=Insurer(MortalGateway(gateway, faults), clock=clock, random_bytes=os.urandom),
        )
        ward = Ward(city, Life(city, clock), books, gateway, clock)
        theatre = Theatre(
            runner, ward, faults, gateway, lambda: Hospital(mortal, HospitalPricer(key))
        )
        machine = type("Killed", (Hospitals,), {"theatre": theatre})
        chosen = settings(
            max_examples=20,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking replays whole patients' lives on one growing city: the first story is told.
            phases=[Phase.generate],
        )
        try:
            with faults.in_database(city.engine):
                run_state_machine_as_test(machine, settings=chosen)
                while faults.happened < KILLS:
                    more = settings(
                        chosen, max_examples=100, stateful_step_count=40, derandomize=False
                    )
                    run_state_machine_as_test(machine, settings=more)
        finally:
            runner.run(stack.aclose())
    books.close()
    assert faults.happened > 5, "hardly anything died"
    if KILLS:
        print(f"{faults.happened} faults in {theatre.examples} patients' lives")  # noqa: T201
