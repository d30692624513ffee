"""The writer of orders: a batch of them, decided and booked in one transaction.

One order is one transaction with everything that belongs to it: the idempotency row, the order
and its lines, the spent code, the ledger transfers, the outbox row. A batch puts many such orders
into one transaction, set-based; each order is decided alone and a refused one leaves the others
untouched. Order of the decision: idempotency key → merchant's own number → terminal → user →
price → code replay and cap → limits → funding → ledger.

Two writers may decide about the same key, number or code at the same instant. Nobody waits for
locks to find out: the unique keys of the tables refuse the later one, whose whole batch is rolled
back and decided again, now seeing the other's rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Final
from uuid import UUID

import psycopg
from psycopg import errors as pg_errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cardcore.account.funding_plan import FundBalance
from cardcore.account.funding_policy import FundingPlans
from cardcore.business.limits import CounterKey
from cardcore.business.limits import check as check_limits
from cardcore.business.order_checks import (
    all_claims_of,
    claims_of,
    known_effect,
    ledger_refusal,
    person_of,
    terminal_of,
)
from cardcore.business.order_decision import Decided, OrderDecider
from cardcore.business.order_facts import (
    BatchFacts,
    PreparedOrder,
    read_facts,
)
from cardcore.business.order_rows import Rows, rows_of
from cardcore.business.order_rules import RuleBook
from cardcore.business.order_turns import Turn, Turns
from cardcore.business.orders import OrderRecord, load_orders
from cardcore.business.quote import Quote
from cardcore.connections import RawConnection
from cardcore.errors import (
    CardcoreError,
    MerchantUnknownError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes
from cardcore.known import Known
from cardcore.ports import ScenePricer
from cardcore.values import value
from ledger import Ledger, Planned, Transfer, plan_met_another_head

ATTEMPTS_MAX: Final = 8
BATCHES_AT_ONCE: Final = 2
"""One reads and is decided while the other is being written."""
LOST_CONNECTIONS_MAX: Final = 2
_BOOKED: Final = "created"
_LOST_RACE: Final = (
    pg_errors.UniqueViolation,
    pg_errors.SerializationFailure,
    pg_errors.DeadlockDetected,
)


@value
class Booked:
    """An order in the books, and how it was known there before this request."""

    order: OrderRecord
    known: Known


Outcome = Booked | CardcoreError


@dataclass(slots=True)
class _Batch:
    """What has become of each order so far."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    known: dict[int, tuple[UUID, Known]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    later: list[int] = field(default_factory=list)
    counted: dict[CounterKey, int] = field(default_factory=dict)

    def named(
        self, orders: Sequence[tuple[int, PreparedOrder]]
    ) -> Sequence[tuple[PreparedOrder, UUID]]:
        """The requests that came with a key of their own and the number of a booked order."""
        if not self.known:
            return ()
        return [
            (prepared, self.known[position][0])
            for position, prepared in orders
            if position in self.known and self.known[position][1] == Known.BY_NUMBER
        ]


class OrderWriter:
    """Books batches of orders. One per process; batches come from group commit.

    Args:
        pool: where the writer's connection comes from.
        book: the ledger, called inside the writer's own transaction.
        pricers: the scenes' rules, by scene code.
        plans: which funds a purchase may draw on; read again where a batch sees a newer version.
        rules: the rules that are data, in the version in force.
        cut_off: local time of day at which the business day begins.
        random_bytes: source of randomness of new ids.
    """

    def __init__(
        self,
        *,
        pool: AsyncConnectionPool[RawConnection],
        book: Ledger,
        pricers: Mapping[str, ScenePricer],
        plans: FundingPlans,
        rules: RuleBook,
        cut_off: time,
        random_bytes: RandomBytes,
    ) -> None:
        self._pool = pool
        self._ledger = book
        self._plans = plans
        self._rules = rules
        self._decider = OrderDecider(
            pricers=pricers, plans=plans, rules=rules, cut_off=cut_off, random_bytes=random_bytes
        )
        self._turns = Turns()

    async def execute(self, batch: Sequence[PreparedOrder]) -> list[Outcome | Exception]:
        """Decide and book a batch; one outcome per order, in order, all of them durable.

        Never raises for one order's sake. When the database is away every order's outcome is a
        ``ServiceUnavailableError``: it is not known to be booked, and the same request will tell.
        """
        outcomes: dict[int, Outcome | Exception] = {}
        positions = list(range(len(batch)))
        while positions:
            orders = [(at, batch[at]) for at in positions]
            try:
                done, positions = await self._book_once(orders)
            except Exception as error:  # noqa: BLE001  (a bug: told to its order, see below)
                if len(orders) == 1:
                    done, positions = {orders[0][0]: error}, []
                else:
                    # One order has broken the batch. Its neighbours must not suffer: each is
                    # decided alone, and only the culprit gets the error.
                    for order in orders:
                        (alone,) = await self.execute([order[1]])
                        outcomes[order[0]] = alone
                    break
            outcomes.update(done)
        return [outcomes[position] for position in range(len(batch))]

    async def quote(self, prepared: PreparedOrder) -> Quote:
        """Price one order as it would be booked; writes nothing.

        Raises:
            CardcoreError: what the order would be refused for, funding and ledger apart.
        """
        if prepared.refusal is not None:
            raise prepared.refusal
        business = prepared.request.business
        if prepared.caller.merchant_id not in (None, business.merchant_id):
            raise MerchantUnknownError(field="business.merchant_id")
        try:
            async with self._pool.connection() as connection:
                facts = await self._read_facts(connection, [prepared])
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise ServiceUnavailableError from error
        terminal_of(facts, prepared)
        return self._decider.price(prepared, person_of(facts, prepared))

    async def _book_once(
        self, orders: Sequence[tuple[int, PreparedOrder]]
    ) -> tuple[dict[int, Outcome | Exception], list[int]]:
        """One transaction. Returns the outcomes, and who must wait for the next one."""
        lost_connections = 0
        for _ in range(ATTEMPTS_MAX):
            try:
                async with self._pool.connection() as connection:
                    state = await self._decide_and_book(connection, orders)
            except _LOST_RACE:
                continue
            except pg_errors.CheckViolation as violation:
                # Another server was first with a limit: decide again, seeing what it used.
                if violation.diag.constraint_name != "limit_counter_within":
                    raise
                continue
            except PoolTimeout:
                return _all_unavailable(orders), []
            except psycopg.OperationalError:
                # A connection that died while it lay in the pool costs nobody an answer. Deciding
                # again is safe even when the commit's outcome is unknown: what was booked is found.
                lost_connections += 1
                if lost_connections > LOST_CONNECTIONS_MAX:
                    return _all_unavailable(orders), []
                continue
            return dict(state.outcomes), state.later
        return _all_unavailable(orders), []

    async def _decide_and_book(
        self, connection: RawConnection, orders: Sequence[tuple[int, PreparedOrder]]
    ) -> _Batch:
        """One statement reads, one writes: the latter is the transaction.

        While it is under way the next batch is decided, by what this one leaves in the ledger's
        memory. If this one comes to nothing, the database refuses the next one too.
        """
        batch = [prepared for _, prepared in orders]
        with self._turns.entered(all_claims_of(batch)) as turn:
            facts = await self._read_facts(connection, batch)
            async with self._turns.deciding(turn):
                if turn.overlooks:
                    await turn.earlier_written()
                    facts = await self._read_facts(connection, batch)
                await self._read_balances(connection, facts, orders, turn)
                state = self._decide_all(facts, orders)
                await self._answer_known(connection, state)
                transfers = [one for decided in state.decided for one in decided.transfers]
                planned = None
                if transfers:
                    planned = self._ledger.plan_new_transfers(connection, transfers)
                    if planned is None:
                        await turn.earlier_written()
                        await self._book_by_asking(connection, orders, state, transfers)
                        return state
            results = () if planned is None else planned.results
            # Nothing is waited for between here and the statement's being sent.
            await self._book(connection, self._rows(orders, state, results), planned, turn)
        return state

    async def _book(
        self, connection: RawConnection, rows: Rows, planned: Planned | None, turn: Turn
    ) -> None:
        """Put what was decided into the ledger and the tables, all or nothing."""
        try:
            try:
                await rows.write(connection, planned)
            except pg_errors.SerializationFailure as error:
                # Where it came to the database before the one it was decided after, nothing is
                # wrong with it but the time.
                early = bool(turn.earlier) and plan_met_another_head(error)
                if not early or not await turn.earlier_written():
                    raise
                await rows.write(connection, planned)
        except BaseException as error:
            if planned is not None:
                self._ledger.forget_plans(error)
            raise

    async def _book_by_asking(
        self,
        connection: RawConnection,
        orders: Sequence[tuple[int, PreparedOrder]],
        state: _Batch,
        transfers: Sequence[Transfer],
    ) -> None:
        """Where the ledger must look first: accounts not met before, holds that are over."""
        try:
            async with connection.pipeline(), connection.transaction():
                begun = await self._ledger.begin(connection)
                results = await self._ledger.create_new_transfers(begun, transfers)
                await self._rows(orders, state, results).write(connection)
        except BaseException as error:
            self._ledger.forget_plans(error)
            raise

    async def _read_facts(
        self, connection: RawConnection, batch: Sequence[PreparedOrder]
    ) -> BatchFacts:
        """What the batch must know; rules are read again where it sees a newer version of them."""
        scenes = {prepared.request.business.scene for prepared in batch}
        facts = await read_facts(connection, batch, counted=self._rules.current.counts_in(scenes))
        if facts.funding_version != self._plans.version:
            await self._plans.refresh(connection)
        if facts.rules_version != self._rules.current.version:
            counted = self._rules.current.counts_in(scenes)
            await self._rules.refresh(connection)
            if self._rules.current.counts_in(scenes) and not counted:
                facts = await read_facts(connection, batch, counted=True)
        return facts

    def _decide_all(self, facts: BatchFacts, orders: Sequence[tuple[int, PreparedOrder]]) -> _Batch:
        state = _Batch()
        claimed: set[object] = set()
        for position, prepared in orders:
            assert prepared.judging is None, "a code that nobody has judged"
            claims = claims_of(prepared)
            # A twin in this same batch must see the first one's row: it waits for the next.
            if not claimed.isdisjoint(claims):
                state.later.append(position)
                continue
            claimed.update(claims)
            try:
                known = known_effect(facts, prepared)
                if known is not None:
                    state.known[position] = known
                    continue
                if prepared.refusal is not None:
                    raise prepared.refusal
                decided = self._decider.decide(facts, position, prepared)
                if not check_limits(decided.uses, facts.limits_used, state.counted):
                    state.later.append(position)
                    continue
                for use in decided.uses:
                    state.counted[use.key] = state.counted.get(use.key, 0) + use.added
                state.decided.append(decided)
            except CardcoreError as refusal:
                state.outcomes[position] = refusal
        return state

    async def _read_balances(
        self,
        connection: RawConnection,
        facts: BatchFacts,
        orders: Sequence[tuple[int, PreparedOrder]],
        turn: Turn,
    ) -> None:
        """Balances of those who may draw on several funds.

        Where only one fund can pay, the ledger's own answer is enough and nothing is read.
        """
        wanted: dict[UUID, str] = {}
        for _, prepared in orders:
            person = facts.person(prepared)
            if person is not None:
                wanted |= self._decider.funds_asked(person, prepared)
        if not wanted:
            return
        await turn.earlier_written()
        accounts = await self._ledger.lookup_accounts(
            [fund_id.int for fund_id in wanted], connection=connection
        )
        for account in accounts:
            fund_id = UUID(int=account.id)
            facts.balances[fund_id] = FundBalance(
                fund_id=fund_id,
                kind=wanted[fund_id],
                available_fen=account.credits_posted
                - account.debits_posted
                - account.debits_pending
                + account.overdraft_limit,
            )

    def _rows(
        self,
        orders: Sequence[tuple[int, PreparedOrder]],
        state: _Batch,
        results: Sequence[str],
    ) -> Rows:
        """What to write, now that the ledger has answered; every order has its outcome."""
        booked = []
        start = 0
        for decided in state.decided:
            own = results[start : start + len(decided.transfers)]
            start += len(decided.transfers)
            refusals = [name for name in own if name != _BOOKED]
            if refusals:
                state.outcomes[decided.position] = ledger_refusal(refusals)
                continue
            state.outcomes[decided.position] = Booked(order=decided.record, known=Known.NEW)
            booked.append(decided)
        return rows_of(
            booked,
            [use for one in booked for use in one.uses],
            [
                (prepared, outcome)
                for position, prepared in orders
                if isinstance(outcome := state.outcomes.get(position), CardcoreError)
            ],
            named=state.named(orders),
        )

    async def _answer_known(self, connection: RawConnection, state: _Batch) -> None:
        orders = await load_orders(connection, list({one for one, _ in state.known.values()}))
        for position, (order_id, known) in state.known.items():
            state.outcomes[position] = Booked(order=orders[order_id], known=known)


def _all_unavailable(
    orders: Sequence[tuple[int, PreparedOrder]],
) -> dict[int, Outcome | Exception]:
    # One exception each: every caller raises its own.
    return {position: ServiceUnavailableError() for position, _ in orders}
