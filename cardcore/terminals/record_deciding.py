"""Deciding a batch of records one by one, in the order of their numbers: no database in here.

Every record ends as a result, as an order to be posted, or before a person with a doubt. The order
of the questions is that of ``docs/terminals.md``; what one record spends, the next one sees.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from cardcore.account.chart import ARREARS
from cardcore.business.limits import Asking
from cardcore.business.quote import PricingFacts, Quote, Subject
from cardcore.business.request import Mode
from cardcore.calendar import business_date
from cardcore.caller import Caller
from cardcore.errors import CardcoreError
from cardcore.ids import RandomBytes, new_ids
from cardcore.ports import ScenePricer
from cardcore.terminals.gaps import Chain
from cardcore.terminals.record_booking import (
    BookedRecord,
    Payables,
    RecordedOrder,
    book_record,
)
from cardcore.terminals.record_facts import Holder, RecordFacts
from cardcore.terminals.record_judging import (
    TAP_CLASS,
    CodeFacts,
    JudgedRecord,
    RecordBrief,
    judge_code_at,
)
from cardcore.terminals.record_payers import FundedRecord, fund_alone, fund_record
from cardcore.terminals.record_rows import Case, RowsToWrite
from cardcore.terminals.record_rules import (
    SKEW_MAX,
    Doubt,
    Liability,
    RecordTimes,
    State,
    doubt_of_evidence,
    doubt_of_holder,
    doubt_of_limits,
    doubt_of_times,
)
from cardcore.terminals.record_views import RecordResult
from cardcore.terminals.scene import RecordPlace, TerminalScene
from cardcore.terminals.use_order import Use, UseOrder

PRINTED_CLASS: Final = "P"
_SKEW_S: Final = int(SKEW_MAX.total_seconds())
# A clock may say anything; what no calendar knows is the end of time.
CALENDAR_END_MS: Final = 253_402_300_799_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLife:
    """One key of the terminal: when its records begin to count, and when they are doubted."""

    enrolled_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadingTerminal:
    """Whose records they are."""

    caller: Caller
    terminal_id: str
    scene: str
    payables: Payables
    keys: Mapping[int, KeyLife]
    ring_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the batch is decided by, beside the facts.

    ``pricers`` by the rule version records name, ``plan`` the kinds of funds the scene may draw on,
    ``first_open_on`` the first business day that is not closed, None where none ever was.
    """

    scene: TerminalScene
    pricers: Mapping[int, ScenePricer]
    plan: Sequence[str]
    cut_off: time
    first_open_on: date | None
    random_bytes: RandomBytes


@dataclass(slots=True)
class Standing:
    """A record that is to be booked."""

    index: int
    judged: JudgedRecord
    booked: BookedRecord


@dataclass(slots=True)
class _Earlier:
    """What records of the same batch have done already."""

    seen: dict[UUID, bytes] = field(default_factory=dict)
    numbers: dict[tuple[int, int], tuple[UUID, bytes]] = field(default_factory=dict)
    spent: dict[bytes, UUID] = field(default_factory=dict)
    latest_at: dict[int, datetime] = field(default_factory=dict)


class BatchDecider:
    """Decides the records of one batch; ``results``, ``rows`` and ``standing`` are what it says."""

    def __init__(
        self, terminal: UploadingTerminal, rules: Rules, facts: RecordFacts, received_at: datetime
    ) -> None:
        self._terminal = terminal
        self._rules = rules
        self._facts = facts
        self._received_at = received_at
        self._earlier = _Earlier()
        self.rows = RowsToWrite(terminal.terminal_id, received_at)
        self.results: dict[int, RecordResult] = {}
        self.standing: list[Standing] = []
        self._new_ids: Iterator[UUID] = iter(())

    def decide(self, batch: Sequence[tuple[int, JudgedRecord]]) -> None:
        """Decide every record; ``batch`` has each with its place among the results."""
        self._new_ids = iter(new_ids(self._received_at, self._rules.random_bytes, len(batch)))
        for index, judged in sorted(batch, key=place_in_chain):
            record = judged.record
            if judged.fault or record is None:
                self._reject(index, judged, judged.fault)
                continue
            if self._answer_known(index, judged, record):
                continue
            occurred_at = _occurred_at(record)
            doubt = self._screen(judged, record, occurred_at)
            if doubt is None:
                doubt = self._decide(index, judged, record, occurred_at)
            if doubt is not None:
                self.review(index, judged, doubt)

    def chains(self) -> dict[int, Chain]:
        """The chains after this batch, by key; one that begins new goes on where the last ended."""
        by_kid: dict[int, list[int]] = {}
        for kid, number in self._earlier.numbers:
            by_kid.setdefault(kid, []).append(number)
        chains: dict[int, Chain] = {}
        for kid, numbers in sorted(by_kid.items()):
            known = self._facts.chains.get(kid)
            if known is None:
                former = max((one for one in self._facts.chains if one < kid), default=None)
                last_no = 0 if former is None else self._facts.chains[former].highest_no
                # A terminal that kept its memory counts on; a new one begins with 1.
                known = Chain(last_no if min(numbers) > last_no else 0)
            chains[kid] = known.seen(numbers)
        return chains

    def review(self, index: int, judged: JudgedRecord, doubt: Doubt) -> None:
        """Let it wait for a person."""
        self.rows.add_record(judged, State.REVIEW, doubt=doubt)
        self.answer(index, judged, State.REVIEW, reason=doubt.reason)

    def answer(
        self,
        index: int,
        judged: JudgedRecord,
        state: State,
        *,
        reason: str | None = None,
        order_id: UUID | None = None,
    ) -> None:
        """What is told to the terminal."""
        self.results[index] = RecordResult(
            record_id=None if judged.record is None else judged.record.record_id,
            index=index,
            state=state.value,
            reason=reason,
            order_id=order_id,
        )

    def _reject(self, index: int, judged: JudgedRecord, reason: str) -> None:
        self.rows.quarantine(judged, reason)
        self.answer(index, judged, State.REJECTED, reason=reason)

    def _answer_known(self, index: int, judged: JudgedRecord, record: RecordBrief) -> bool:
        """Was its id there before, in the books or in this batch?"""
        known = self._facts.known.get(record.record_id)
        digest = self._earlier.seen.get(record.record_id) if known is None else known.digest
        if digest is None:
            self._earlier.seen[record.record_id] = judged.digest
            return False
        if digest != judged.digest:
            self._reject(index, judged, "record_id_reused")
            return True
        order_id = self.rows.order_of(record.record_id) if known is None else known.order_id
        self.answer(index, judged, State.DUPLICATE, order_id=order_id)
        return True

    def _screen(
        self, judged: JudgedRecord, record: RecordBrief, occurred_at: datetime
    ) -> Doubt | None:
        """What needs no holder and no price: the chain and the times."""
        kid, latest_at = record.kid, self._earlier.latest_at
        before = self._facts.latest_before.get((kid, record.sequence_no))
        if before is not None and (kid not in latest_at or latest_at[kid] < before):
            latest_at[kid] = before
        life = self._terminal.keys[kid]
        times = RecordTimes(
            occurred_at=occurred_at,
            received_at=self._received_at,
            enrolled_at=life.enrolled_at,
            revoked_at=life.revoked_at,
            latest_before=latest_at.get(kid),
        )
        if self._is_fork(judged, record):
            return Doubt(reason="terminal_forked")
        if times.clock_jumped:
            return (
                None if record.is_refusal or self._good_now(judged) else Doubt(reason="clock_jump")
            )
        latest_at[kid] = occurred_at
        return None if record.is_refusal else doubt_of_times(times)

    def _good_now(self, judged: JudgedRecord) -> bool:
        # A tap says when it was made by the same clock: nothing better is known of it.
        if judged.code is None or judged.code.code_class == TAP_CLASS:
            return False
        at_s = int(self._received_at.timestamp())
        terminal = self._terminal
        return not judge_code_at(judged, terminal.ring_json, terminal.payables.merchant_id, at_s)

    def _is_fork(self, judged: JudgedRecord, record: RecordBrief) -> bool:
        """Note where the chain does not hold; true where the number was another record's."""
        kid, sequence_no = record.kid, record.sequence_no
        numbers, neighbours = self._earlier.numbers, self._facts.neighbours
        twin = neighbours.get((kid, sequence_no))
        if twin is not None or (kid, sequence_no) in numbers:
            other = numbers[kid, sequence_no][0] if twin is None else twin.record_id
            self.rows.cases.append(Case("terminal_forked", record.record_id, other))
            return True
        numbers[kid, sequence_no] = (record.record_id, judged.digest)
        earlier = neighbours.get((kid, sequence_no - 1))
        expected = numbers.get((kid, sequence_no - 1), (None, None))[1]
        if earlier is not None:
            expected = earlier.digest
        if expected is not None and expected != record.previous_digest:
            self.rows.cases.append(Case("chain_broken", record.record_id, None))
        return False

    def _decide(
        self, index: int, judged: JudgedRecord, record: RecordBrief, occurred_at: datetime
    ) -> Doubt | None:
        """Book it, or say why not."""
        if record.is_refusal:
            self.rows.add_record(judged, State.BOOKED)
            self.answer(index, judged, State.BOOKED)
            return None
        code = judged.code
        if code is None:
            return doubt_of_evidence(judged.code_fault)
        holder = self._facts.holder(code)
        doubt = doubt_of_holder(holder, occurred_at)
        if doubt is not None or holder is None:
            return doubt
        self._watch_counter(record, code)
        spent_by = self._earlier.spent.get(code.replay_key) or self._facts.spent.get(
            code.replay_key
        )
        if spent_by is not None and code.code_class != PRINTED_CLASS:
            return self._spent_before(index, judged, record, spent_by)
        used_fen = self._facts.used_fen.get(code.token, 0)
        doubt = doubt_of_limits(code, holder, amount_fen=record.amount_fen, used_fen=used_fen)
        return doubt or self._price_and_book(
            index, judged, record, code, holder, min(occurred_at, self._received_at)
        )

    def _spent_before(
        self, index: int, judged: JudgedRecord, record: RecordBrief, spent_by: UUID
    ) -> Doubt | None:
        """The record of a use that was booked on-line names its order; any other is a case."""
        by_record = self._facts.spent_by_record.get(spent_by)
        if record.is_online and by_record is None and spent_by in self._facts.spent.values():
            self.rows.add_record(judged, State.BOOKED, order_id=spent_by)
            self.answer(index, judged, State.BOOKED, order_id=spent_by)
            return None
        other = by_record or self.rows.record_of(spent_by)
        self.rows.cases.append(Case("duplicate_code", record.record_id, other))
        return Doubt(reason="duplicate_code", liability=Liability.ISSUER)

    def _price_and_book(
        self,
        index: int,
        judged: JudgedRecord,
        record: RecordBrief,
        code: CodeFacts,
        holder: Holder,
        occurred_at: datetime,
    ) -> Doubt | None:
        on = business_date(occurred_at, self._rules.cut_off)
        place = RecordPlace(
            line_id=record.line_id,
            stop_id=record.stop_id,
            vehicle_id=record.vehicle_id,
            gate_id=record.gate_id,
        )
        business = self._rules.scene.business(place, record.amount_fen)
        facts = PricingFacts(
            scene=self._terminal.scene,
            type=business.type,
            merchant_id=self._terminal.payables.merchant_id,
            terminal_id=self._terminal.terminal_id,
            amount_fen=business.amount_fen,
            occurred_at=occurred_at,
            details=business.details,
        )
        subject = Subject(
            user_id=holder.user_id,
            level=holder.level,
            concessions=holder.concessions_on(on),
            business_on=on,
        )
        try:
            pricer = self._rules.pricers[record.rule_version]
            quote = Quote(lines=tuple(pricer.price(facts, subject)))
        except CardcoreError:
            return Doubt(reason="not_priced")
        citizen_fen, nominal_fen = quote.citizen_fen, quote.nominal_fen
        if citizen_fen > record.amount_fen:
            return Doubt(reason="amount_mismatch")
        funded = self._fund(facts, subject, holder, citizen_fen)
        if funded is None:
            return Doubt(reason="over_limit", liability=Liability.CITIZEN)
        first_open_on = self._rules.first_open_on
        order = RecordedOrder(
            order_id=next(self._new_ids),
            caller=self._terminal.caller,
            scene=self._terminal.scene,
            type=business.type,
            mode=Mode.PAY if nominal_fen else Mode.RECORD,
            nominal_fen=nominal_fen,
            citizen_fen=citizen_fen,
            occurred_at=occurred_at,
            received_at=self._received_at,
            business_on=on if first_open_on is None else max(on, first_open_on),
            details={**business.details, "record_id": str(record.record_id)},
        )
        booked = book_record(
            order,
            judged,
            quote,
            funded.shares,
            delegation_id=funded.delegation_id,
            uses=funded.uses,
            holder=holder,
            payables=self._terminal.payables,
            terminal_id=self._terminal.terminal_id,
        )
        self._spend(code, record, holder, funded, order.order_id)
        self.standing.append(Standing(index, judged, booked))
        self.rows.reserve(record.record_id, order.order_id)
        return None

    def _fund(
        self, facts: PricingFacts, subject: Subject, holder: Holder, citizen_fen: int
    ) -> FundedRecord | None:
        rules = self._rules
        if holder.user_id not in self._facts.delegations:
            return fund_alone(holder, citizen_fen, self._facts, plan=rules.plan)
        asking = Asking(
            scene=facts.scene,
            user_id=holder.user_id,
            terminal_id=facts.terminal_id,
            merchant_id=facts.merchant_id,
            citizen_fen=citizen_fen,
            at=facts.occurred_at,
            business_on=subject.business_on,
        )
        return fund_record(holder, asking, self._facts, plan=rules.plan, cut_off=rules.cut_off)

    def _spend(
        self,
        code: CodeFacts,
        record: RecordBrief,
        holder: Holder,
        funded: FundedRecord,
        order_id: UUID,
    ) -> None:
        """What the next record of the batch must see."""
        facts = self._facts
        for share in funded.shares:
            if share.kind == ARREARS:
                owed_fen = facts.owed_fen.get(holder.user_id, 0)
                facts.owed_fen[holder.user_id] = owed_fen + share.amount_fen
            else:
                facts.balances[share.fund_id] -= share.amount_fen
        for use in funded.uses:
            facts.limits_used[use.key] = facts.limits_used.get(use.key, 0) + use.added
        if code.code_class != PRINTED_CLASS:
            self._earlier.spent[code.replay_key] = order_id
        facts.used_fen[code.token] = facts.used_fen.get(code.token, 0) + record.amount_fen

    def _watch_counter(self, record: RecordBrief, code: CodeFacts) -> None:
        """A counter that runs against the clock proves two copies of one key.

        A phone's clock is its own. A tap's is the terminal's, and two terminals may disagree: then
        a person is asked and nothing is blocked.
        """
        if code.counter is None:
            return
        is_tap = code.code_class == TAP_CLASS
        apart_s_min = _SKEW_S if is_tap else 0
        known = self._facts.counters.setdefault(code.token, UseOrder())
        use = Use(code.made_at_s, code.counter, record.record_id)
        other = known.contradicted_by(use, apart_s_min)
        if other is not None:
            self.rows.cases.append(Case("counter_backwards", record.record_id, other))
            if not is_tap:
                self.rows.suspended.add(code.token)
        known.add(use)


def place_in_chain(indexed: tuple[int, JudgedRecord]) -> tuple[int, int, int]:
    """Where a record of a batch stands in the order they were made."""
    index, judged = indexed
    if judged.record is None:
        return (0, 0, index)
    return (judged.record.kid, judged.record.sequence_no, index)


def _occurred_at(record: RecordBrief) -> datetime:
    return datetime.fromtimestamp(min(record.occurred_at_ms, CALENDAR_END_MS) / 1000, UTC)
