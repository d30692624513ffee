"""The writer of records: a part of one terminal's upload, decided and booked in one transaction.

The same pricing and the same rows as an order that came on-line; the unique keys of records and
codes decide between two uploads at once, whose later one is rolled back and decided again. A record
that breaks the program waits for a person and takes none of its neighbours along.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from psycopg import errors as pg_errors
from psycopg_pool import AsyncConnectionPool

from cardcore.account.chart import AccountCode, arrears_of, arrears_payable
from cardcore.books import account, open_accounts
from cardcore.business.order_rows import write_orders
from cardcore.connections import RawConnection
from cardcore.errors import ServiceUnavailableError
from cardcore.parts import Parts
from cardcore.terminals.record_deciding import (
    BatchDecider,
    Rules,
    Standing,
    UploadingTerminal,
    place_in_chain,
)
from cardcore.terminals.record_facts import read_money, read_record_facts
from cardcore.terminals.record_judging import FAULT, JudgedRecord
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_rows import Heard, alarm_of_clock, write_rows
from cardcore.terminals.record_rules import Doubt, State
from cardcore.terminals.record_taps import LateTaps
from cardcore.terminals.record_views import RecordResult
from cardcore.terminals.scene import TerminalScene
from cardcore.user.card_taps import CardTaps, TapPlace
from ledger.periods import closed_through

ATTEMPTS_MAX: Final = 6
_BOOKED: Final = "created"
_LOST_RACE: Final = (
    pg_errors.UniqueViolation,
    pg_errors.SerializationFailure,
    pg_errors.DeadlockDetected,
)
Gaps = list[tuple[int, int]]


class _PoisonedError(Exception):
    """A record that breaks the program."""


class _Upload(NamedTuple):
    """Of whom a batch is, by whose rules, and when it came."""

    terminal: UploadingTerminal
    scene: TerminalScene
    heard: Heard
    now: datetime
    first: int


class RecordWriter:
    """Books batches of records."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pool: AsyncConnectionPool[RawConnection] = parts.pool
        self._taps = LateTaps(parts.pool, CardTaps(parts.hsm), parts.cut_off)

    async def write(
        self,
        terminal: UploadingTerminal,
        scene: TerminalScene,
        request: UploadRequest,
        batch: Sequence[JudgedRecord],
        *,
        now: datetime,
        first: int = 0,
    ) -> tuple[list[RecordResult], Gaps | None]:
        """One result per record, in order, all durable; and the gaps of the newest key's chain.

        Args:
            terminal: whose records they are.
            scene: what they mean.
            request: the upload.
            batch: all its records, or a part of them.
            now: when they came.
            first: place of the part's first record in the upload.

        Returns:
            The gaps are None where no chain went on.

        Raises:
            ServiceUnavailableError: database or security module are away, or too many upload the
                same at once; the same batch may be sent again.
        """
        place = TapPlace(
            scene=terminal.scene,
            merchant_id=terminal.payables.merchant_id,
            terminal_id=terminal.terminal_id,
        )
        batch = await self._taps.judge(batch, place, now=now)
        upload = _Upload(terminal, scene, _heard(request, now), now, first)
        try:
            return await self._attempt(upload, list(enumerate(batch, first)))
        except (ServiceUnavailableError, *_LOST_RACE):
            raise ServiceUnavailableError from None
        except Exception:  # noqa: BLE001  (a bug in the path of one record, which is now found)
            return await self._one_by_one(upload, batch)

    async def _one_by_one(
        self, upload: _Upload, batch: Sequence[JudgedRecord]
    ) -> tuple[list[RecordResult], Gaps | None]:
        """Each record alone, in the order of the chain; the culprit waits, or is at least kept."""
        results: dict[int, RecordResult] = {}
        gaps: Gaps | None = None
        for index, judged in sorted(enumerate(batch, upload.first), key=place_in_chain):
            for form in (judged, judged._replace(code_fault=FAULT, code=None)):
                with contextlib.suppress(_PoisonedError):
                    (results[index],), gaps = await self._alone(upload, index, form)
                    break
            else:
                kept = judged._replace(fault=FAULT)
                (results[index],), _ = await self._alone(upload, index, kept)
        return [results[index] for index in sorted(results)], gaps

    async def _alone(
        self, upload: _Upload, index: int, judged: JudgedRecord
    ) -> tuple[list[RecordResult], Gaps | None]:
        try:
            return await self._attempt(upload, [(index, judged)])
        except (ServiceUnavailableError, *_LOST_RACE):
            raise ServiceUnavailableError from None
        except Exception as bug:
            raise _PoisonedError from bug

    async def _attempt(
        self, upload: _Upload, batch: Sequence[tuple[int, JudgedRecord]]
    ) -> tuple[list[RecordResult], Gaps | None]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._pool.connection() as raw:
                    return await self._book(raw, upload, batch)
            except (*_LOST_RACE, pg_errors.CheckViolation) as lost:
                if not _is_lost_race(lost):
                    raise
                if attempt == ATTEMPTS_MAX:
                    raise ServiceUnavailableError from None
        raise AssertionError

    async def _book(
        self, raw: RawConnection, upload: _Upload, batch: Sequence[tuple[int, JudgedRecord]]
    ) -> tuple[list[RecordResult], Gaps | None]:
        assert not raw.autocommit, "a batch of records is one transaction"
        terminal = upload.terminal
        closed_on = await closed_through(self._parts.book)
        facts = await read_record_facts(
            raw, terminal.terminal_id, [one for _, one in batch], now=upload.now
        )
        await read_money(raw, self._parts.book, facts)
        versions = {one.record.rule_version for _, one in batch if one.record is not None}
        rules = Rules(
            scene=upload.scene,
            pricers={version: await upload.scene.pricer(raw, version) for version in versions},
            plan=self._parts.plans.get(terminal.scene, ()),
            cut_off=self._parts.cut_off,
            first_open_on=None if closed_on is None else closed_on + timedelta(days=1),
            random_bytes=self._parts.random_bytes,
        )
        decider = BatchDecider(terminal, rules, facts, upload.now)
        decider.decide(batch)
        booked = await self._post(raw, decider)
        chains = decider.chains()
        async with raw.pipeline():
            uses = [use for one in booked for use in one.booked.uses]
            await write_orders(raw, [one.booked for one in booked], uses)
            await write_rows(raw, decider.rows, chains, upload.heard)
            if upload.first == 0:
                await alarm_of_clock(raw, terminal.terminal_id, upload.heard, upload.now)
        gaps = list(chains[max(chains)].gaps) if chains else None
        return [decider.results[index] for index, _ in batch], gaps

    async def _post(self, raw: RawConnection, decider: BatchDecider) -> list[Standing]:
        """Put the transfers into the ledger; what it refuses goes before a person."""
        standing = decider.standing
        await self._open_arrears(raw, [one for one in standing if one.booked.arrears_fen])
        transfers = [transfer for one in standing for transfer in one.booked.transfers]
        outcomes: Sequence[str] = ()
        if transfers:
            begun = await self._parts.book.begin(raw)
            outcomes = await self._parts.book.create_new_transfers(begun, transfers)
        start = 0
        booked = []
        for one in standing:
            end = start + len(one.booked.transfers)
            if any(name != _BOOKED for name in outcomes[start:end]):
                # The fund was emptied or closed between our look and the booking.
                decider.review(one.index, one.judged, Doubt(reason="fund_refused"))
            else:
                order_id = one.booked.record.order_id
                decider.rows.add_booked(one.judged, one.booked)
                decider.answer(one.index, one.judged, State.BOOKED, order_id=order_id)
                booked.append(one)
            start = end
        return booked

    async def _open_arrears(self, raw: RawConnection, owing: Sequence[Standing]) -> None:
        if not owing:
            return
        people = {one.booked.record.user_id for one in owing}
        merchants = {one.booked.record.merchant_id for one in owing}
        debts = [account(arrears_of(one), AccountCode.ARREARS) for one in people]
        payables = [
            account(arrears_payable(one), AccountCode.MERCHANT_ARREARS_PAYABLE) for one in merchants
        ]
        await open_accounts(self._parts.book, [*debts, *payables], raw)


def _is_lost_race(error: BaseException) -> bool:
    """Was another writer first, with a row or with a delegation's limit?"""
    if isinstance(error, pg_errors.CheckViolation):
        return error.diag.constraint_name == "limit_counter_within"
    return True


def _heard(request: UploadRequest, now: datetime) -> Heard:
    skew_ms = int((request.clock - now).total_seconds() * 1000)
    return Heard(skew_ms, request.list_version, request.list_age_s)
