"""The writer of records: a batch of one terminal, decided and booked in one transaction.

The same pricing and the same rows as an order that came on-line; the unique keys of records and
codes decide between two uploads at once, whose later one is rolled back and decided again. A record
that breaks the program waits for a person and takes none of its neighbours along.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg import errors as pg_errors
from psycopg_pool import AsyncConnectionPool

from cardcore.account.chart import AccountCode, arrears_of, arrears_payable
from cardcore.books import RawConnection, account, open_accounts
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.order_rows import write_orders
from cardcore.business.quote import PricingFacts, Quote, Subject
from cardcore.business.request import Business, Mode, OrderRequest, User
from cardcore.calendar import business_date
from cardcore.caller import Caller
from cardcore.errors import CardcoreError, ServiceUnavailableError
from cardcore.ids import new_id
from cardcore.parts import Parts
from cardcore.ports import ScenePricer
from cardcore.terminals.gaps import Chain
from cardcore.terminals.record_booking import (
    ARREARS,
    BookedRecord,
    Payables,
    book_record,
    shares_with_arrears,
)
from cardcore.terminals.record_facts import Holder, RecordFacts, read_record_facts
from cardcore.terminals.record_judging import CodeFacts, JudgedRecord, judge_code_at
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_rows import Case, RowsToWrite, write_rows
from cardcore.terminals.record_rules import (
    Doubt,
    Liability,
    RecordTimes,
    State,
    doubt_of_holder,
    doubt_of_limits,
    doubt_of_times,
)
from cardcore.terminals.record_views import RecordResult
from cardcore.terminals.scene import RecordPlace, TerminalScene
from cardcore.user.presented import PresentedCode
from codes.validator_record import Decision, EvidenceKind, ValidatorRecord
from ledger.periods import closed_through

ATTEMPTS_MAX: Final = 6
_LOST_RACE: Final = (
    pg_errors.UniqueViolation,
    pg_errors.SerializationFailure,
    pg_errors.DeadlockDetected,
)


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


@dataclass(slots=True)
class _Batch:
    """What has become of the records so far."""

    received_at: datetime
    facts: RecordFacts
    rows: RowsToWrite
    results: dict[int, RecordResult] = field(default_factory=dict)
    seen: dict[UUID, bytes] = field(default_factory=dict)
    numbers: dict[tuple[int, int], tuple[UUID, bytes]] = field(default_factory=dict)
    spent: dict[bytes, UUID] = field(default_factory=dict)
    used_fen: dict[bytes, int] = field(default_factory=dict)
    latest_at: dict[int, datetime] = field(default_factory=dict)
    balances: dict[UUID, int] = field(default_factory=dict)
    owed: dict[UUID, int] = field(default_factory=dict)
    booked: list[tuple[int, JudgedRecord, BookedRecord, Holder]] = field(default_factory=list)


class RecordWriter:
    """Books batches of records."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pool: AsyncConnectionPool[RawConnection] = parts.pool

    async def write(
        self,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        request: UploadRequest,
        batch: Sequence[JudgedRecord],
        *,
        now: datetime,
    ) -> tuple[list[RecordResult], list[tuple[int, int]]]:
        """One result per record, in order, all durable; and the gaps of the newest key's chain.

        Raises:
            ServiceUnavailableError: the database is away, or too many upload the same at once.
        """
        indexed = list(enumerate(batch))
        try:
            return await self._attempt(terminal, scene, request, indexed, now)
        except (ServiceUnavailableError, *_LOST_RACE):
            raise ServiceUnavailableError from None
        except Exception:
            if len(indexed) == 1:
                raise
        results: list[RecordResult] = []
        gaps: list[tuple[int, int]] = []
        for index, judged in indexed:
            try:
                (one,), gaps = await self._attempt(terminal, scene, request, [(0, judged)], now)
                results.append(one.model_copy(update={"index": index}))
            except Exception:  # noqa: BLE001  (a bug: its record waits, its neighbours do not)
                poisoned = judged._replace(code_fault="fault", code=None)
                (one,), gaps = await self._attempt(terminal, scene, request, [(0, poisoned)], now)
                results.append(one.model_copy(update={"index": index}))
        return results, gaps

    async def _attempt(
        self,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        request: UploadRequest,
        batch: Sequence[tuple[int, JudgedRecord]],
        now: datetime,
    ) -> tuple[list[RecordResult], list[tuple[int, int]]]:
        for attempt in range(ATTEMPTS_MAX):
            closed_on = await closed_through(self._parts.book)
            first_open_on = None if closed_on is None else closed_on + timedelta(days=1)
            try:
                async with self._pool.connection() as raw:
                    await self._parts.plans.refresh(raw)
                    return await self._book(
                        raw, terminal, scene, request, batch, now, first_open_on
                    )
            except _LOST_RACE:
                if attempt == ATTEMPTS_MAX - 1:
                    raise
        raise AssertionError

    async def _book(
        self,
        raw: RawConnection,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        request: UploadRequest,
        batch: Sequence[tuple[int, JudgedRecord]],
        now: datetime,
        first_open_on: date | None,
    ) -> tuple[list[RecordResult], list[tuple[int, int]]]:
        # Uploads of one terminal one after another: they share its chain.
        await raw.execute(
            "SELECT pg_advisory_xact_lock(hashtext(%s))", (f"records {terminal.terminal_id}",)
        )
        believed = [one for _, one in batch if not one.fault]
        records = [one.record for one in believed if one.record is not None]
        codes_ = [one.code for one in believed if one.code is not None]
        facts = await read_record_facts(
            raw,
            terminal_id=terminal.terminal_id,
            record_ids=[one.record.record_id for _, one in batch if one.record is not None],
            sequence_numbers=[record.sequence_no for record in records],
            tokens=list({code.token for code in codes_}),
            replay_keys=[code.replay_key for code in codes_],
        )
        state = _Batch(received_at=now, facts=facts, rows=RowsToWrite())
        await self._read_money(raw, state)
        pricers: dict[int, ScenePricer] = {}
        for index, judged in sorted(batch, key=_place_in_chain):
            record = judged.record
            if record is not None and record.rule_version not in pricers:
                pricers[record.rule_version] = await scene.pricer(raw, record.rule_version)
            doubt = self._screen(state, terminal, index, judged)
            if index in state.results:
                continue
            if doubt is None and record is not None:
                doubt = self._decide(
                    state,
                    terminal,
                    scene,
                    pricers[record.rule_version],
                    index,
                    judged,
                    first_open_on,
                )
            if doubt is not None:
                self._review(state, index, judged, doubt)
        await self._post(raw, state)
        chains = self._chains(facts, records)
        await write_orders(raw, [booked for _, _, booked, _ in state.booked])
        skew_ms = int((request.clock - now).total_seconds() * 1000)
        await write_rows(
            raw,
            state.rows,
            terminal_id=terminal.terminal_id,
            chains=chains,
            clock_skew_ms=skew_ms,
            list_version=request.list_version,
            list_age_s=request.list_age_s,
            now=now,
        )
        gaps = list(chains[max(chains)].gaps) if chains else []
        return [state.results[index] for index, _ in batch], gaps

    def _screen(  # noqa: PLR0911  (one answer per question, in the order of the document)
        self, state: _Batch, terminal: UploadingTerminal, index: int, judged: JudgedRecord
    ) -> Doubt | None:
        """What needs no price: refusals, duplicates, the chain, times. Answers what is settled."""
        record = judged.record
        if judged.fault or record is None:
            self._reject(state, terminal, index, judged, judged.fault)
            return None
        digest = hashlib.sha256(judged.data).digest()
        known = state.facts.known.get(record.record_id)
        if known is not None or record.record_id in state.seen:
            same = digest == (state.seen[record.record_id] if known is None else known.digest)
            if not same:
                self._reject(state, terminal, index, judged, "record_id_reused")
                return None
            order_id = None if known is None else known.order_id
            if known is None:
                order_id = state.rows.order_of(record.record_id)
            state.results[index] = _result(index, record, State.DUPLICATE, order_id=order_id)
            return None
        state.seen[record.record_id] = digest
        life = terminal.keys[record.kid]
        times = RecordTimes(
            occurred_at=_occurred_at(record),
            received_at=state.received_at,
            enrolled_at=life.enrolled_at,
            revoked_at=life.revoked_at,
            latest_before=state.latest_at.get(record.kid, state.facts.latest_at.get(record.kid)),
        )
        forked = self._follow_chain(state, record, digest)
        if forked:
            return Doubt(reason="terminal_forked")
        if times.clock_jumped:
            at_s = int(state.received_at.timestamp())
            if judged.code is None or judge_code_at(record, terminal.ring_json, at_s):
                return None if record.decision is Decision.REFUSED else Doubt(reason="clock_jump")
            return None
        state.latest_at[record.kid] = times.occurred_at
        return None if record.decision is Decision.REFUSED else doubt_of_times(times)

    def _follow_chain(self, state: _Batch, record: ValidatorRecord, digest: bytes) -> bool:
        """Note where the chain does not hold; true where the number was another record's."""
        number = (record.kid, record.sequence_no)
        before = (record.kid, record.sequence_no - 1)
        twin = state.facts.neighbours.get(number)
        if twin is not None or number in state.numbers:
            other = state.numbers[number][0] if twin is None else twin.record_id
            state.rows.cases.append(Case("terminal_forked", record.record_id, other))
            return True
        state.numbers[number] = (record.record_id, digest)
        earlier = state.facts.neighbours.get(before)
        expected = state.numbers[before][1] if earlier is None and before in state.numbers else None
        if earlier is not None:
            expected = earlier.digest
        if expected is not None and expected != record.previous_digest:
            state.rows.cases.append(Case("chain_broken", record.record_id, None))
        return False

    def _decide(  # noqa: PLR0911  (likewise)
        self,
        state: _Batch,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        pricer: ScenePricer,
        index: int,
        judged: JudgedRecord,
        first_open_on: date | None,
    ) -> Doubt | None:
        """Book it, or say why not."""
        record = judged.record
        assert record is not None
        if record.decision is Decision.REFUSED:
            state.rows.add_record(judged, State.BOOKED, received_at=state.received_at)
            state.results[index] = _result(index, record, State.BOOKED)
            return None
        if record.evidence_kind is not EvidenceKind.CODE:
            return Doubt(reason="card_tap")
        code = judged.code
        if code is None:
            return Doubt(reason=judged.code_fault)
        holder = state.facts.holders.get(code.token)
        doubt = doubt_of_holder(holder, _occurred_at(record))
        if doubt is not None or holder is None:
            return doubt
        self._watch_counter(state, record, code)
        spent_by = state.spent.get(code.replay_key) or state.facts.spent.get(code.replay_key)
        if spent_by is not None and code.code_class != "P":
            if (
                record.decision is Decision.ACCEPTED_ONLINE
                and spent_by not in state.facts.spent_by_record
            ):
                state.rows.add_record(
                    judged, State.BOOKED, received_at=state.received_at, order_id=spent_by
                )
                state.results[index] = _result(index, record, State.BOOKED, order_id=spent_by)
                return None
            other = state.facts.spent_by_record.get(spent_by) or state.rows.record_of(spent_by)
            state.rows.cases.append(Case("duplicate_code", record.record_id, other))
            return Doubt(reason="duplicate_code", liability=Liability.ISSUER)
        used_fen = state.used_fen.get(code.token, state.facts.used_fen.get(code.token, 0))
        doubt = doubt_of_limits(code, holder, amount_fen=record.amount_fen, used_fen=used_fen)
        if doubt is not None:
            return doubt
        return self._price_and_book(
            state, terminal, scene, pricer, index, judged, code, holder, first_open_on
        )

    def _price_and_book(
        self,
        state: _Batch,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        pricer: ScenePricer,
        index: int,
        judged: JudgedRecord,
        code: CodeFacts,
        holder: Holder,
        first_open_on: date | None,
    ) -> Doubt | None:
        record = judged.record
        assert record is not None
        occurred_at = min(_occurred_at(record), state.received_at)
        on = business_date(occurred_at, self._parts.cut_off)
        place = record.place
        business = scene.business(
            RecordPlace(
                line_id=place.line_id,
                stop_id=place.stop_id,
                vehicle_id=place.vehicle_id,
                gate_id=place.gate_id,
            ),
            record.amount_fen,
        )
        try:
            quote = Quote(
                lines=tuple(
                    pricer.price(
                        PricingFacts(
                            scene=terminal.scene,
                            type=business.type,
                            merchant_id=terminal.payables.merchant_id,
                            terminal_id=terminal.terminal_id,
                            amount_fen=business.amount_fen,
                            occurred_at=occurred_at,
                            details=business.details,
                        ),
                        Subject(
                            user_id=holder.user_id,
                            level=holder.level,
                            concessions=holder.concessions_on(on),
                            business_on=on,
                        ),
                    )
                )
            )
        except CardcoreError:
            return Doubt(reason="not_priced")
        if quote.citizen_fen > record.amount_fen:
            return Doubt(reason="amount_mismatch")
        shares = shares_with_arrears(
            holder,
            quote.citizen_fen,
            plan=self._parts.plans.kinds(terminal.scene, terminal.payables.merchant_id, on),
            balances=state.balances,
            owed_fen=state.owed.get(holder.user_id, 0),
        )
        if shares is None:
            return Doubt(reason="over_limit", liability=Liability.CITIZEN)
        for share in shares:
            if share.kind == ARREARS:
                state.owed[holder.user_id] = state.owed.get(holder.user_id, 0) + share.amount_fen
            else:
                state.balances[share.fund_id] -= share.amount_fen
        prepared = PreparedOrder(
            caller=terminal.caller,
            request=OrderRequest(
                user=User(user_id=holder.user_id),
                business=Business(
                    scene=terminal.scene,
                    type=business.type,
                    merchant_id=terminal.payables.merchant_id,
                    terminal_id=terminal.terminal_id,
                    out_trade_no=f"R-{record.record_id.hex}",
                    occurred_at=occurred_at,
                ),
                mode=Mode.PAY if quote.nominal_fen else Mode.RECORD,
            ),
            key=f"record-{record.record_id.hex}",
            digest=hashlib.sha256(judged.data).digest(),
            code=_presented(code),
            received_at=state.received_at,
            business_on=on if first_open_on is None else max(on, first_open_on),
        )
        order_id = new_id(state.received_at, self._parts.random_bytes)
        booked = book_record(
            order_id,
            prepared,
            quote,
            shares,
            holder=holder,
            payables=terminal.payables,
            occurred_at=occurred_at,
            details={**business.details, "record_id": str(record.record_id)},
        )
        if code.code_class != "P":
            state.spent[code.replay_key] = order_id
        state.used_fen[code.token] = (
            state.used_fen.get(code.token, state.facts.used_fen.get(code.token, 0))
            + record.amount_fen
        )
        state.booked.append((index, judged, booked, holder))
        state.rows.reserve(record.record_id, order_id)
        return None

    def _watch_counter(self, state: _Batch, record: ValidatorRecord, code: CodeFacts) -> None:
        """A counter that runs against the phone's clock proves two copies of one key."""
        if code.counter is None:
            return
        others = state.facts.counters.setdefault(code.token, [])
        for made_at_s, counter, other in others:
            if (made_at_s - code.made_at_s) * (counter - code.counter) < 0:
                state.rows.cases.append(Case("counter_backwards", record.record_id, other))
                state.rows.suspended.add(code.token)
                break
        others.append((code.made_at_s, code.counter, record.record_id))

    async def _read_money(self, raw: RawConnection, state: _Batch) -> None:
        """What everybody in the batch has and owes."""
        funds = {
            fund_id for holder in state.facts.holders.values() for _, fund_id in holder.fund_ids
        }
        owing = {
            holder.user_id: arrears_of(holder.user_id) for holder in state.facts.holders.values()
        }
        wanted = [fund_id.int for fund_id in (*funds, *owing.values())]
        if not wanted:
            return
        accounts = await self._parts.book.lookup_accounts(wanted, connection=raw)
        found = {UUID(int=one.id): one for one in accounts}
        for fund_id in funds & found.keys():
            one = found[fund_id]
            state.balances[fund_id] = one.credits_posted - one.debits_posted - one.debits_pending
        for user_id, arrears_id in owing.items():
            if arrears_id in found:
                one = found[arrears_id]
                state.owed[user_id] = one.debits_posted - one.credits_posted

    async def _post(self, raw: RawConnection, state: _Batch) -> None:
        """Put the transfers into the ledger; what it refuses goes before a person."""
        owing = [
            (holder.user_id, booked.record.merchant_id)
            for _, _, booked, holder in state.booked
            if booked.arrears_fen
        ]
        if owing:
            await open_accounts(
                self._parts.book,
                [
                    *(
                        account(arrears_of(user_id), AccountCode.ARREARS)
                        for user_id in {user_id for user_id, _ in owing}
                    ),
                    *(
                        account(arrears_payable(merchant), AccountCode.MERCHANT_ARREARS_PAYABLE)
                        for merchant in {merchant for _, merchant in owing}
                    ),
                ],
                raw,
            )
        transfers = [one for _, _, booked, _ in state.booked for one in booked.transfers]
        outcomes: Sequence[str] = ()
        if transfers:
            outcomes = await self._parts.book.create_transfers(transfers, connection=raw)
        start = 0
        standing = []
        for index, judged, booked, holder in state.booked:
            own = outcomes[start : start + len(booked.transfers)]
            start += len(booked.transfers)
            record = judged.record
            assert record is not None
            if any(name != "created" for name in own):
                # The fund was emptied or closed between our look and the booking.
                self._review(state, index, judged, Doubt(reason="fund_refused"))
                continue
            standing.append((index, judged, booked, holder))
            state.rows.add_booked(judged, booked, received_at=state.received_at)
            state.results[index] = _result(
                index, record, State.BOOKED, order_id=booked.record.order_id
            )
        state.booked = standing

    def _review(self, state: _Batch, index: int, judged: JudgedRecord, doubt: Doubt) -> None:
        record = judged.record
        assert record is not None
        state.rows.add_record(judged, State.REVIEW, received_at=state.received_at, doubt=doubt)
        state.results[index] = _result(index, record, State.REVIEW, reason=doubt.reason)

    def _reject(
        self,
        state: _Batch,
        terminal: UploadingTerminal,
        index: int,
        judged: JudgedRecord,
        reason: str,
    ) -> None:
        state.rows.quarantine(terminal.terminal_id, judged.data, reason)
        record_id = None if judged.record is None else judged.record.record_id
        state.results[index] = RecordResult(
            record_id=record_id,
            index=index,
            state=State.REJECTED.value,
            reason=reason,
            order_id=None,
        )

    def _chains(self, facts: RecordFacts, records: Iterable[ValidatorRecord]) -> dict[int, Chain]:
        """The chains after this batch, by key; one that begins new goes on where the last ended."""
        by_kid: dict[int, list[int]] = {}
        for record in records:
            by_kid.setdefault(record.kid, []).append(record.sequence_no)
        chains: dict[int, Chain] = {}
        for kid, numbers in sorted(by_kid.items()):
            known = facts.chains.get(kid) or chains.get(kid)
            if known is None:
                former = max((one for one in facts.chains if one < kid), default=None)
                last_no = 0 if former is None else facts.chains[former].highest_no
                # A terminal that kept its memory counts on; a new one begins with 1.
                known = Chain(last_no if min(numbers) > last_no else 0)
            chains[kid] = known.seen(numbers)
        return chains


def _place_in_chain(indexed: tuple[int, JudgedRecord]) -> tuple[int, int, int]:
    index, judged = indexed
    if judged.record is None:
        return (0, 0, index)
    return (judged.record.kid, judged.record.sequence_no, index)


def _occurred_at(record: ValidatorRecord) -> datetime:
    # A clock may say anything; what no calendar knows is the end of time.
    milliseconds = min(record.occurred_at_ms, 253_402_300_799_000)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _presented(code: CodeFacts) -> PresentedCode | None:
    if code.code_class == "P":
        return None
    return PresentedCode(
        code_class=code.code_class,
        token=code.token,
        replay_key=code.replay_key,
        digest=code.digest,
        cap_fen=code.cap_fen,
        expires_at=datetime.fromtimestamp(code.expires_at_s, UTC),
    )


def _result(
    index: int,
    record: ValidatorRecord,
    state: State,
    *,
    reason: str | None = None,
    order_id: UUID | None = None,
) -> RecordResult:
    return RecordResult(
        record_id=record.record_id,
        index=index,
        state=state.value,
        reason=reason,
        order_id=order_id,
    )
