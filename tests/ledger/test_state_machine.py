"""The whole ledger against an independent model of it, driven by Hypothesis.

The model is written the naive way, from the reference's text and not from our rules: it keeps
every balance as a sum over transfers, judges an event by walking down the list of names, and
undoes a broken chain by going back to a copy. Engine and model see the same batches; every
result, balance and transfer must agree.
"""

import asyncio
import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import or_
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from psycopg import AsyncConnection
from psycopg.errors import SerializationFailure

from ledger import Account, AccountFlags, Ledger, Transfer, TransferFlags
from ledger.results import CreateTransferResult
from ledger.testing import ManualClock
from ledger.verify import verify

A, F = AccountFlags, TransferFlags
MAX = 2**63 - 1
SECOND = 10**9
TRANSIENT = {
    "debit_account_not_found", "credit_account_not_found", "pending_transfer_not_found",
    "exceeds_credits", "exceeds_debits", "debit_account_already_closed",
    "credit_account_already_closed",
}  # fmt: skip


@dataclass
class Sum:
    """What an account has, kept as four plain numbers."""

    flags: AccountFlags
    ledger: int
    overdraft: int
    dp: int = 0
    dd: int = 0
    cp: int = 0
    cc: int = 0
    closed: bool = False


@dataclass
class Model:
    """The ledger as a person with a pencil would keep it."""

    accounts: dict[int, Sum] = field(default_factory=dict)
    transfers: dict[int, Transfer] = field(default_factory=dict)
    fate: dict[int, str] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)

    def batch(self, events: list[Transfer], first_at: int) -> list[str]:
        results: list[str] = []
        for start, end in _chains(events):
            before = copy.deepcopy((self.accounts, self.transfers, self.fate))
            names: list[str] = []
            for index in range(start, end):
                event = events[index]
                if event.flags & F.linked and index == len(events) - 1:
                    names.append("linked_event_chain_open")
                elif any(name != "created" for name in names):
                    names.append("linked_event_failed")
                else:
                    names.append(self.one(event, first_at + index))
            bad = [index for index, name in enumerate(names) if name != "created"]
            if bad:
                self.accounts, self.transfers, self.fate = before
                names[: bad[0]] = ["linked_event_failed"] * bad[0]
            self.spent.update(
                events[start + index].id for index, name in enumerate(names) if name in TRANSIENT
            )
            results.extend(names)
        return results

    def one(self, event: Transfer, at: int) -> str:
        name = next(self.faults(event, at), None)
        if name is not None:
            return name
        hold = self.transfers.get(event.pending_id)
        amount = self.amount(event)
        source = hold or event
        debit = self.accounts[source.debit_account_id]
        credit = self.accounts[source.credit_account_id]
        if hold is not None:
            self.let_go(hold, "posted" if event.flags & F.post_pending_transfer else "voided")
        if event.flags & F.pending:
            debit.dp += amount
            credit.cp += amount
            self.fate[event.id] = "pending"
            debit.closed |= bool(event.flags & F.closing_debit)
            credit.closed |= bool(event.flags & F.closing_credit)
        elif not event.flags & F.void_pending_transfer:
            debit.dd += amount
            credit.cc += amount
        self.transfers[event.id] = replace(
            event,
            amount=amount,
            timestamp=at,
            debit_account_id=source.debit_account_id,
            credit_account_id=source.credit_account_id,
            ledger=source.ledger,
            code=source.code,
            user_data_64=event.user_data_64 or source.user_data_64,
        )
        return "created"

    def let_go(self, hold: Transfer, fate: str) -> None:
        debit = self.accounts[hold.debit_account_id]
        credit = self.accounts[hold.credit_account_id]
        debit.dp -= hold.amount
        credit.cp -= hold.amount
        self.fate[hold.id] = fate
        if fate != "posted":
            debit.closed &= not hold.flags & F.closing_debit
            credit.closed &= not hold.flags & F.closing_credit

    def expire(self, now: int) -> None:
        for id_, fate in list(self.fate.items()):
            hold = self.transfers[id_]
            if fate == "pending" and hold.timeout and _ends(hold) <= now:
                self.let_go(hold, "expired")

    def amount(self, event: Transfer) -> int:
        hold = self.transfers.get(event.pending_id)
        if hold is not None and event.flags & F.void_pending_transfer:
            return event.amount or hold.amount
        if hold is not None:
            return hold.amount if event.amount >= MAX else event.amount
        amount = event.amount
        if event.flags & F.balancing_debit:
            a = self.accounts[event.debit_account_id]
            amount = min(amount, max(0, a.cc - a.dd - a.dp))
        if event.flags & F.balancing_credit:
            a = self.accounts[event.credit_account_id]
            amount = min(amount, max(0, a.dd - a.cc - a.cp))
        return amount

    def faults(  # noqa: C901, PLR0912, PLR0915  (one branch per name, in order)
        self, e: Transfer, at: int
    ) -> Iterator[str]:
        """Names of what is wrong, first things first."""
        old = self.transfers.get(e.id)
        if old is not None:
            yield from self.differences(e, old)
            yield "exists"
        if e.id in self.spent:
            yield "id_already_failed"
        if e.flags & (F.post_pending_transfer | F.void_pending_transfer):
            yield from self.resolving_faults(e, at)
            return
        debit = self.accounts.get(e.debit_account_id)
        credit = self.accounts.get(e.credit_account_id)
        if e.debit_account_id == e.credit_account_id:
            yield "accounts_must_be_different"
        if e.pending_id:
            yield "pending_id_must_be_zero"
        if e.timeout and not e.flags & F.pending:
            yield "timeout_reserved_for_pending_transfer"
        if e.flags & (F.closing_debit | F.closing_credit) and not e.flags & F.pending:
            yield "closing_transfer_must_be_pending"
        if not e.ledger:
            yield "ledger_must_not_be_zero"
        if not e.code:
            yield "code_must_not_be_zero"
        if debit is None:
            yield "debit_account_not_found"
        if credit is None:
            yield "credit_account_not_found"
        assert debit is not None
        assert credit is not None
        if debit.ledger != credit.ledger:
            yield "accounts_must_have_the_same_ledger"
        if e.ledger != debit.ledger:
            yield "transfer_must_have_the_same_ledger_as_accounts"
        if debit.closed:
            yield "debit_account_already_closed"
        if credit.closed:
            yield "credit_account_already_closed"
        amount = self.amount(e)
        if e.flags & F.pending and debit.dp + amount > MAX:
            yield "overflows_debits_pending"
        if e.flags & F.pending and credit.cp + amount > MAX:
            yield "overflows_credits_pending"
        if debit.dd + amount > MAX:
            yield "overflows_debits_posted"
        if credit.cc + amount > MAX:
            yield "overflows_credits_posted"
        if debit.dd + debit.dp + amount > MAX:
            yield "overflows_debits"
        if credit.cc + credit.cp + amount > MAX:
            yield "overflows_credits"
        if (
            debit.flags & A.debits_must_not_exceed_credits
            and debit.dd + debit.dp + amount > debit.cc + debit.overdraft
        ):
            yield "exceeds_credits"
        if (
            credit.flags & A.credits_must_not_exceed_debits
            and credit.cc + credit.cp + amount > credit.dd + credit.overdraft
        ):
            yield "exceeds_debits"

    def resolving_faults(  # noqa: C901, PLR0912  (one branch per name, in order)
        self, e: Transfer, at: int
    ) -> Iterator[str]:
        both = F.post_pending_transfer | F.void_pending_transfer
        others = F.pending | F.balancing_debit | F.balancing_credit
        if e.flags & both == both or e.flags & (others | F.closing_debit | F.closing_credit):
            yield "flags_are_mutually_exclusive"
        if not e.pending_id:
            yield "pending_id_must_not_be_zero"
        if e.pending_id == e.id:
            yield "pending_id_must_be_different"
        if e.timeout:
            yield "timeout_reserved_for_pending_transfer"
        hold = self.transfers.get(e.pending_id)
        if hold is None:
            yield "pending_transfer_not_found"
        assert hold is not None
        if not hold.flags & F.pending:
            yield "pending_transfer_not_pending"
        for name in ("debit_account_id", "credit_account_id", "ledger", "code"):
            if getattr(e, name) and getattr(e, name) != getattr(hold, name):
                yield f"pending_transfer_has_different_{name}"
        if self.amount(e) > hold.amount:
            yield "exceeds_pending_transfer_amount"
        if e.flags & F.void_pending_transfer and self.amount(e) < hold.amount:
            yield "pending_transfer_has_different_amount"
        fate = self.fate[hold.id]
        if fate == "expired" or (fate == "pending" and hold.timeout and _ends(hold) <= at):
            yield "pending_transfer_expired"
        if fate != "pending":
            yield f"pending_transfer_already_{fate}"
        if e.flags & F.post_pending_transfer:
            if self.accounts[hold.debit_account_id].closed:
                yield "debit_account_already_closed"
            if self.accounts[hold.credit_account_id].closed:
                yield "credit_account_already_closed"

    def differences(self, e: Transfer, old: Transfer) -> Iterator[str]:
        for name in ("flags", "pending_id", "timeout"):
            if getattr(e, name) != getattr(old, name):
                yield f"exists_with_different_{name}"
        resolving = e.flags & (F.post_pending_transfer | F.void_pending_transfer)
        hold = self.transfers.get(e.pending_id)
        for name in ("debit_account_id", "credit_account_id", "amount", "user_data_64", "ledger",
                     "code"):  # fmt: skip
            asked, is_ = getattr(e, name), getattr(old, name)
            if name == "amount":
                if resolving:
                    asked = self.amount(e)
                elif e.flags & (F.balancing_debit | F.balancing_credit):
                    asked = max(is_, asked) if asked >= is_ else asked
                    is_ = max(asked, is_)
            elif resolving and not asked:
                asked = getattr(hold, name)
            if asked != is_:
                yield f"exists_with_different_{name}"


def _ends(hold: Transfer) -> int:
    return hold.timestamp + hold.timeout * SECOND


def _chains(events: list[Transfer]) -> Iterator[tuple[int, int]]:
    start = 0
    for index, event in enumerate(events):
        if not event.flags & F.linked or index == len(events) - 1:
            yield start, index + 1
            start = index + 1


FLAGS = st.sampled_from(
    [F(0)] * 4
    + [F.pending] * 4
    + [F.post_pending_transfer] * 3
    + [F.void_pending_transfer] * 2
    + [F.balancing_debit, F.balancing_credit, F.balancing_debit | F.balancing_credit]
    + [F.pending | F.closing_debit, F.pending | F.closing_credit, F.closing_debit]
    + [F.pending | F.balancing_debit, F.post_pending_transfer | F.void_pending_transfer]
)
AMOUNTS = st.sampled_from([0, 1, 2, 3, 5, 8, 20, MAX // 2 + 1, MAX, 2**128 - 1])
EVENTS = st.builds(
    Transfer,
    flags=st.builds(or_, FLAGS, st.sampled_from([F(0), F(0), F(0), F.linked])),
    id=st.integers(1, 25),
    debit_account_id=st.integers(0, 6),
    credit_account_id=st.integers(0, 6),
    amount=AMOUNTS,
    pending_id=st.integers(0, 25),
    timeout=st.sampled_from([0, 0, 0, 1, 3]),
    ledger=st.sampled_from([1, 1, 1, 1, 0, 2]),
    code=st.sampled_from([1, 1, 1, 1, 0]),
    user_data_64=st.sampled_from([0, 0, 1]),
)  # fmt: skip
NEW_FLAGS = st.sampled_from(
    [F(0)] * 4 + [F.pending] * 4 + [F.balancing_debit, F.balancing_credit, F.closing_debit]
    + [F.pending | F.closing_debit, F.pending | F.balancing_debit]
)  # fmt: skip
NEW_EVENTS = st.builds(
    replace,
    EVENTS,
    flags=st.builds(or_, NEW_FLAGS, st.sampled_from([F(0), F(0), F(0), F.linked])),
    debit_account_id=st.integers(1, 4),
    credit_account_id=st.integers(1, 4),
    pending_id=st.just(0),
)
ACCOUNTS = (
    Account(id=1, ledger=1, code=1),
    Account(id=2, ledger=1, code=1, flags=A.history),
    Account(id=3, ledger=1, code=1, flags=A.debits_must_not_exceed_credits, overdraft_limit=4),
    Account(id=4, ledger=1, code=1, flags=A.credits_must_not_exceed_debits),
    Account(id=5, ledger=2, code=1),
)


class LedgerMachine(RuleBasedStateMachine):
    """Batches, the clock, restarts; ids are moved to a range of their own for each run."""

    url: ClassVar[str]
    numbers: ClassVar[Iterator[int]] = itertools.count(1)
    clock: ClassVar[ManualClock] = ManualClock(1)
    planned: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.base = next(self.numbers) << 32
        self.new_ids = itertools.count(self.base + 1000)
        self.model = Model()
        self.book = self.runner.run(Ledger.open(self.url, clock=self.clock))

    @initialize()
    def open_accounts(self) -> None:
        accounts = [replace(account, id=self.base + account.id) for account in ACCOUNTS]
        assert set(self.runner.run(self.book.create_accounts(accounts))) == {"created"}
        for account in accounts:
            self.model.accounts[account.id] = Sum(
                account.flags, account.ledger, account.overdraft_limit
            )

    @rule(events=st.lists(EVENTS, min_size=1, max_size=8))
    def book_batch(self, events: list[Transfer]) -> None:
        moved = [self._move(event) for event in events]
        # The ledger expires what is over by its clock before it looks at the batch.
        results = self.runner.run(self.book.create_transfers(moved))
        self.model.expire(max(self.clock(), results[0].timestamp - 1))
        expected = self.model.batch(moved, results[0].timestamp)
        assert results == expected
        for event, result in zip(moved, results, strict=True):
            if result == "created":
                stored = self.model.transfers[event.id]
                assert result.timestamp == stored.timestamp

    @rule(events=st.lists(NEW_EVENTS, min_size=1, max_size=8), single=NEW_EVENTS)
    def book_planned_batches(self, events: list[Transfer], single: Transfer) -> None:
        """In a row: what the first must ask for is in memory when the next is planned.

        A single event is planned however few rows one statement may write.
        """
        for batch in (events, [single]):
            moved = [replace(self._move(event), id=next(self.new_ids)) for event in batch]
            results = self.runner.run(self._plan_and_book(moved))
            self.model.expire(max(self.clock(), results[0].timestamp - 1))
            assert results == self.model.batch(moved, results[0].timestamp)

    async def _plan_and_book(self, transfers: list[Transfer]) -> Sequence[CreateTransferResult]:
        """By a plan where memory reaches and holds, else by asking."""
        async with await AsyncConnection.connect(self.url, autocommit=True) as connection:
            planned = self.book.plan_new_transfers(connection, transfers)
            if planned is not None:
                try:
                    await connection.execute(f"SELECT {planned.call}", planned.parameters)
                except SerializationFailure as lost:
                    self.book.forget_plans(lost)
                else:
                    type(self).planned += 1
                    return planned.results
        return await self.book.create_transfers(transfers)

    @rule(seconds=st.integers(1, 4))
    def wait(self, seconds: int) -> None:
        self.clock.advance_s(seconds)
        self.model.expire(self.clock())
        self.runner.run(self.book.expire_pending_transfers())

    @rule()
    def restart(self) -> None:
        self.runner.run(self.book.close())
        self.book = self.runner.run(Ledger.open(self.url, clock=self.clock))

    @invariant()
    def balances_agree(self) -> None:
        found = self.runner.run(self.book.lookup_accounts(list(self.model.accounts)))
        for account in found:
            a = self.model.accounts[account.id]
            assert (
                account.debits_pending, account.debits_posted, account.credits_pending,
                account.credits_posted, bool(account.flags & A.closed),
            ) == (a.dp, a.dd, a.cp, a.cc, a.closed)  # fmt: skip

    @invariant()
    def both_sides_are_equal(self) -> None:
        for ledger in (1, 2):
            of = [a for a in self.model.accounts.values() if a.ledger == ledger]
            assert sum(a.dd for a in of) == sum(a.cc for a in of)
            assert sum(a.dp for a in of) == sum(a.cp for a in of)

    def teardown(self) -> None:
        stored = self.runner.run(self.book.lookup_transfers(list(self.model.transfers)))
        assert stored == list(self.model.transfers.values())
        self.runner.run(self.book.close())
        self.runner.close()

    def _move(self, event: Transfer) -> Transfer:
        def moved(id_: int) -> int:
            return id_ + self.base if id_ else 0

        return replace(
            event,
            id=moved(event.id),
            debit_account_id=moved(event.debit_account_id) or self.base + 6,
            credit_account_id=moved(event.credit_account_id) or self.base + 6,
            pending_id=moved(event.pending_id)
            if event.flags & (F.post_pending_transfer | F.void_pending_transfer)
            or event.pending_id > 22
            else 0,
        )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("small_rows_max", [200, 1], ids=["one statement", "mostly copy"])
def test_engine_and_model_agree(
    ledger_url: str, small_rows_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.write_path.SMALL_ROWS_MAX", small_rows_max)
    LedgerMachine.url = ledger_url
    LedgerMachine.TestCase.settings = settings(
        max_examples=max(12, settings().max_examples // 5), stateful_step_count=15
    )
    LedgerMachine.planned = 0
    LedgerMachine.TestCase("runTest").debug()
    assert LedgerMachine.planned > 0

    async def whole_books() -> None:
        async with await Ledger.open(ledger_url) as book:
            assert await verify(book) == []

    asyncio.run(whole_books())
