"""Every step of paying and giving back is killed, and every fen is found again.

The default is short. A long run is asked for by the number of kills, and may be stopped and begun
again where it was, see ``docs/hospital.md``:

    CARDCORE_HOSPITAL_KILLS=10000 CARDCORE_HOSPITAL_KILLS_FILE=kills.json \
        .venv/bin/pytest -n0 -s tests/scenes/hospital/test_kills.py
"""

import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from adapters.infrastructure import Addresses
from adapters.partners.insurance_gateway import Behaviour
from adapters.settings import Settings
from cardcore.business.request import User
from cardcore.errors import CardcoreError
from scenes.hospital.messages import Function
from scenes.hospital.payment_states import PaymentState
from scenes.hospital.request import (
    ConfirmRequest,
    DepositRequest,
    PaymentRequest,
    ReturnedLine,
    ReturnRequest,
)
from scenes.hospital.views import VisitView
from tests.conftest import MakeDatabase
from tests.scenes.hospital.conftest import HIS, line
from tests.scenes.hospital.kill_record import KillRecord
from tests.scenes.hospital.killing import Fault, KilledError, Kind
from tests.scenes.hospital.theatre import DESK, OUTAGES_MAX, Theatre, open_theatre

KILLS: Final = int(os.environ.get("CARDCORE_HOSPITAL_KILLS") or 0)
KILLS_FILE: Final = os.environ.get("CARDCORE_HOSPITAL_KILLS_FILE")
SEED: Final = int(os.environ.get("CARDCORE_HOSPITAL_SEED") or 1)

# Anywhere in the way, and often enough where money is: at commits, messages and calls of the core.
death = st.one_of(
    st.tuples(st.sampled_from([*Fault]), st.integers(0, 30), st.none()),
    st.tuples(st.sampled_from([*Fault]), st.integers(0, 6), st.just(Kind.COMMIT)),
    st.tuples(st.sampled_from([*Fault]), st.integers(0, 4), st.just(Kind.MESSAGE)),
    st.tuples(st.sampled_from([*Fault]), st.integers(0, 1), st.just(Kind.CALL)),
)
faults_at = st.lists(death, min_size=6 if KILLS else 2, max_size=10 if KILLS else 8)
planned = st.tuples(
    st.sampled_from(
        [
            Function.SETTLE,
            Function.CANCEL_SETTLEMENT,
            Function.REVERSE,
            Function.READ_SETTLEMENT,
        ]
    ),
    st.sampled_from([one for one in Behaviour if one is not Behaviour.ANSWER]),
).filter(
    # An insurer that shows another split than it has in its books: the comparison of the day tells.
    lambda one: one != (Function.READ_SETTLEMENT, Behaviour.OTHER_SPLIT)
)
behaviours = st.lists(planned, max_size=3)
amounts = st.lists(st.integers(1, 30_000), min_size=1, max_size=3)
kinds = st.sampled_from(["outpatient", "outpatient", "inpatient"])
payment: Final[dict[str, Any]] = {
    "lines": amounts,
    "insured": st.sampled_from([True, True, False]),
    "kind": kinds,
    "plan": behaviours,
    "deaths": faults_at,
}
Plan = Sequence[tuple[Function, Behaviour]]
Deaths = Sequence[tuple[Fault, int, Kind | None]]


class Hospitals(RuleBasedStateMachine):
    """A patient pays and gives back while everything around dies now and then."""

    payments = Bundle("payments")
    theatre: Theatre

    def __init__(self) -> None:
        super().__init__()
        self.ward = self.theatre.ward
        self.faults = self.theatre.faults
        self.patient = self.theatre.run(self.theatre.patient())
        self.made: list[UUID | None] = []

    @initialize(target=payments, **payment)
    def pay_first(
        self, lines: list[int], insured: bool, kind: str, plan: Plan, deaths: Deaths
    ) -> int:
        """Why: the machine leaves rules out at times, and where nobody pays nothing can die."""
        return self._pay_and_number(lines, insured, kind, plan, deaths)

    @rule(target=payments, **payment)
    def pay(self, lines: list[int], insured: bool, kind: str, plan: Plan, deaths: Deaths) -> int:
        return self._pay_and_number(lines, insured, kind, plan, deaths)

    @rule(
        number=payments,
        which=st.integers(0, 2),
        part=st.integers(1, 100),
        plan=behaviours,
        deaths=faults_at,
    )
    def give_back(self, number: int, which: int, part: int, plan: Plan, deaths: Deaths) -> None:
        payment_id = self.made[number]
        if payment_id is not None:
            self.theatre.run(self._give_back(payment_id, which, part, plan, deaths))

    @rule(
        deaths=faults_at,
        later_s=st.sampled_from([31, 700]),
        workers=st.integers(1, 3),
        late=st.booleans(),
        outage=st.sampled_from([False, False, False, True]),
    )
    def work(self, deaths: Deaths, later_s: int, workers: int, late: bool, outage: bool) -> None:
        """After an outage holds have ended: what the insurer has settled then must go back."""
        if late:
            self.theatre.gateway.deliver()
        if outage and self.theatre.outages < OUTAGES_MAX:
            self.theatre.outages += 1
            self.ward.clock.advance(days=60)
        self.theatre.run(self._dying(deaths, lambda: self.theatre.work(later_s, workers=workers)))

    def teardown(self) -> None:
        self.theatre.run(self.patient.settle_down())

    # -- what the rules do

    def _pay_and_number(
        self, lines: list[int], insured: bool, kind: str, plan: Plan, deaths: Deaths
    ) -> int:
        # A number, whatever became of it: what hypothesis draws next must not hang on chance.
        self.made.append(self.theatre.run(self._pay(lines, insured, kind, plan, deaths)))
        return len(self.made) - 1

    async def _pay(
        self, lines: list[int], insured: bool, kind: str, plan: Plan, deaths: Deaths
    ) -> UUID | None:
        shown = User(user_id=self.patient.user_id)
        visit = await self.ward.visit(
            self.patient.user_id, by=DESK, insured=insured, user=shown, kind=kind
        )
        # Several bills are one payment.
        for part in (lines[:1], lines[1:]):
            if part:
                await self.ward.bill(visit, *(line(fen) for fen in part))
        self._plan(plan)
        number = next(self.ward.numbers)
        found: list[UUID] = []

        async def at_the_counter() -> None:
            hospital = self.theatre.make()
            if visit.kind == "inpatient":
                await self._put_down(visit, sum(lines) // 8 + 1, number)
            quoted, _ = await hospital.quote_payment(
                DESK, visit.visit_id, PaymentRequest(), f"q{number}"
            )
            found[:] = [quoted.payment_id]
            await hospital.confirm_payment(
                DESK, quoted.payment_id, ConfirmRequest(user=shown), f"c{number}"
            )

        await self._dying(deaths, at_the_counter)
        return found[0] if found else None

    async def _put_down(self, visit: VisitView, amount_fen: int, number: int) -> None:
        request = DepositRequest(
            user=User(user_id=self.patient.user_id),
            amount_fen=amount_fen,
            out_trade_no=f"YJ{number}",
        )
        await self.theatre.make().put_down(DESK, visit.visit_id, request, f"y{number}")

    async def _give_back(
        self, payment_id: UUID, which: int, part: int, plan: Plan, deaths: Deaths
    ) -> None:
        paid = await self.ward.payment(payment_id)
        if paid.state != PaymentState.PAID or paid.deposit_fen:
            return
        bills = (await self.ward.hospital.list_bills(HIS, paid.visit_id)).bills
        items = [(bill, item) for bill in bills if bill.payment_id for item in bill.lines]
        bill, item = items[which % len(items)]
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

        await self._dying(deaths, at_the_counter)

    async def _dying(self, deaths: Deaths, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it until it is done, dying on the way: the clerk and the worker in turn.

        A clerk who got no answer sends the same again; what they leave behind the worker goes on
        with, and dies as well.
        """
        for number, one in enumerate([*deaths, None]):
            self.faults.set(*(one or (None,)))
            before = self.faults.happened
            try:
                if number % 2:
                    await self.theatre.work(31)
                else:
                    await work()
            except (KilledError, CardcoreError):
                pass
            if self.faults.happened == before and not number % 2:
                break
        self.faults.set(None)

    def _plan(self, plan: Plan) -> None:
        for function, behaviour in plan:
            self.theatre.gateway.plan(function, behaviour)


@pytest.fixture
def theatres(
    lend_database: MakeDatabase, city_template: str, hsm_socket: Path, city_settings: Settings
) -> Callable[[], Any]:
    """Opens a theatre in a city of its own, each time anew."""

    @contextmanager
    def opened() -> Iterator[Theatre]:
        url = lend_database(template=city_template)
        addresses = Addresses(database_url=url, hsm_socket=hsm_socket)
        with open_theatre(addresses, city_settings) as theatre:
            yield theatre

    return opened


def live(theatre: Theatre, *, number: int, lives: int, steps: int) -> None:
    """So many patients' lives in one city; then the comparison of its days finds nothing."""
    machine = seed(number)(type("Killed", (Hospitals,), {"theatre": theatre}))
    chosen = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking replays whole patients' lives on one growing city: the first story is told.
        phases=[Phase.generate],
    )
    run_state_machine_as_test(machine, settings=chosen)
    theatre.run(theatre.three_books_agree())


@pytest.mark.timeout(0 if KILLS else 300)
def test_whatever_dies_every_payment_ends_and_every_fen_is_found(
    theatres: Callable[[], Any],
) -> None:
    if not KILLS:
        with theatres() as theatre:
            live(theatre, number=SEED, lives=5, steps=5)
            assert theatre.faults.happened > 20, "hardly anything died"
        return
    record = KillRecord.read(KILLS_FILE, seed=SEED)
    while record.kills < KILLS:
        with theatres() as theatre:
            live(theatre, number=record.next_seed, lives=20, steps=14)
            record.add(theatre.faults.met, patients=theatre.patients)
        record.write(KILLS_FILE)
        print(record.line())  # noqa: T201  (the report of a long run)
    print(record.table())  # noqa: T201
