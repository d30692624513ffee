"""One scan, judged and written down: the whole work of a validator between reader and display.

Order: form of the text, the terminal's own state (clock, package, price), then ``codes.verify``
offline, with replay guard and offline uses inside the transaction that also appends the signed
record, then the door's grants where the package brings some. Only when that transaction is on the
disk is there an answer, so an accepted scan is never lost. When it cannot be written, nothing is
accepted.

What is no code at all (a foreign QR symbol, noise) makes no record; every other refusal does, so
that the back office sees forgeries and stale lists, except when so many records wait that room is
kept for acceptances, and except the same text refused again within ten seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Final
from uuid import UUID

import codes
from adapters.terminal import record_queue
from adapters.terminal.clock import TerminalClock
from adapters.terminal.fares import Boarding, FlatAmount, Price, PriceRefusedError, TerminalFares
from adapters.terminal.journal import Journal, JournalError
from adapters.terminal.key import TerminalKey
from adapters.terminal.memory import ScanMemory
from adapters.terminal.package_store import Instructions, PackageStore
from adapters.terminal.progress import Step
from cardcore.ids import RandomBytes, new_id
from codes.errors import AskOnlineError, CapCountExceededError, CodeError, CodeInvalidError
from codes.offline_uses import OfflineUse
from codes.presented import Presented, present
from codes.replay import COUNTER_REGRESSION
from codes.terminal_parameters import TariffClass
from codes.text_form import decode_bytes
from codes.validator_record import (
    NO_WARNINGS,
    Decision,
    EvidenceKind,
    Place,
    RecordWarning,
    ValidatorRecord,
    sign_record,
)
from scenes.community.access import Decision as Access

REPEATED_MS_MAX: Final = 10_000
_WARNING_OF: Final = {
    codes.acceptance.LIST_IS_STALE: RecordWarning.LIST_STALE,
    COUNTER_REGRESSION: RecordWarning.COUNTER_REGRESSION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Where the terminal stands and what it is for.

    ``scene`` is one bit of the scope; ``pays``: money is asked for, else only who somebody is.
    ``flat`` is an amount set by hand, which counts before the fares of the package.
    """

    place: Place
    scene: codes.Scope
    issuer_id: int
    kid: int
    pays: bool = True
    flat: FlatAmount | None = None
    merchant_id: str = ""

    @property
    def place_ids(self) -> tuple[str, ...]:
        """The ids a code's context may name."""
        place = self.place
        ids = (place.terminal_id, place.line_id, place.gate_id, self.merchant_id)
        return tuple(one for one in ids if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to one scan; ``reason`` None means accepted.

    ``sequence_no`` and ``record_id`` are None where no record was made. ``holder`` is the rider's
    class as the package names it, for the inspector; of an accepted code only.
    """

    reason: str | None
    amount_fen: int
    occurred_at_ms: int
    record_id: UUID | None = None
    sequence_no: int | None = None
    holder: TariffClass | None = None
    companions: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Let the person pass."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class _Judged:
    reason: str | None
    amount_fen: int
    accepted: codes.Accepted | None = None
    price: Price | None = None


class Validator:
    """Decides. Safe between threads: one scan at a time.

    Args:
        station: where this is.
        key: signs the records.
        store: the package in force.
        journal: where decisions are written.
        clock: the terminal's.
        random_bytes: for record ids.
        on_record: called after each record, to wake the uplink.
        unsent_max: with so many records waiting nothing more is accepted; refusals are written
            down up to half of it.
    """

    def __init__(
        self,
        station: Station,
        *,
        key: TerminalKey,
        store: PackageStore,
        journal: Journal,
        clock: TerminalClock,
        random_bytes: RandomBytes,
        on_record: Callable[[], None] = lambda: None,
        unsent_max: int = record_queue.UNSENT_MAX,
    ) -> None:
        self.station = station
        self._key = key
        self._store = store
        self._journal = journal
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_record = on_record
        self._unsent_max = unsent_max
        self._authorisations = codes.AuthorisationCache()
        self._last_refusal: tuple[str, str | None, int] = ("", None, 0)
        self._lock = Lock()

    def decide(self, text: str) -> Outcome:
        """Judge a scanned text. The answer is durable; a fault of the disk is a refusal."""
        with self._lock:
            now_ms = self._clock.now_ms()
            try:
                shown = present(decode_bytes(text))
            except CodeInvalidError as refused:
                return Outcome(reason=refused.code, amount_fen=0, occurred_at_ms=now_ms)
            try:
                outcome = self._write(text, shown, now_ms)
            except JournalError as error:
                return Outcome(reason=error.code, amount_fen=0, occurred_at_ms=now_ms)
        if outcome.sequence_no is not None:
            self._on_record()
        return outcome

    def _write(self, text: str, shown: Presented, now_ms: int) -> Outcome:
        instructions = self._store.current
        with self._journal.transaction() as connection:
            waiting = record_queue.unsent_count(connection)
            if waiting >= self._unsent_max:
                return Outcome(reason="queue_full", amount_fen=0, occurred_at_ms=now_ms)
            judged = self._judge(text, shown, instructions, now_ms, ScanMemory(connection))
            self._journal.progress.reached(Step.JUDGED)
            if judged.accepted is None and (
                waiting >= self._unsent_max // 2 or self._is_repeated(text, judged.reason, now_ms)
            ):
                return Outcome(reason=judged.reason, amount_fen=0, occurred_at_ms=now_ms)
            end = record_queue.chain_end(connection, self.station.kid)
            record = self._record(text, judged, instructions, now_ms, end)
            record_queue.append(connection, record)
        return _outcome(judged, record, instructions)

    def _is_repeated(self, text: str, reason: str | None, now_ms: int) -> bool:
        """Is this the refusal before, seen again by a reader that does not let go?"""
        before, before_reason, at_ms = self._last_refusal
        if (before, before_reason) == (text, reason) and 0 <= now_ms - at_ms < REPEATED_MS_MAX:
            return True
        self._last_refusal = (text, reason, now_ms)
        return False

    def _judge(
        self,
        text: str,
        shown: Presented,
        instructions: Instructions | None,
        now_ms: int,
        memory: ScanMemory,
    ) -> _Judged:
        now_s = now_ms // 1000
        unfit = self._unfit(instructions, now_s)
        if unfit is not None or instructions is None:
            return _Judged(unfit, 0)
        try:
            price = self._price(shown, instructions, now_s)
        except PriceRefusedError as refused:
            return _Judged(refused.reason, 0)
        needs = codes.Purpose.PAY if self.station.pays else codes.Purpose.IDENTITY
        policy = instructions.parameters.policy(
            scope=self.station.scene, needs=needs, place_ids=self.station.place_ids
        )
        try:
            accepted = codes.verify(
                text,
                instructions.package.keys,
                instructions.package,
                policy,
                now_s,
                memory,
                amount_fen=price.amount_fen,
                memory=codes.VerifierMemory(
                    authorisations=self._authorisations, offline_uses=memory
                ),
            )
        except CodeError as refused:
            return _Judged(refused.code, price.amount_fen, price=price)
        barred = self._barred(accepted, instructions, now_s, memory)
        if barred is not None:
            return _Judged(barred, price.amount_fen, price=price)
        return _Judged(None, price.amount_fen, accepted, price)

    def _barred(
        self,
        accepted: codes.Accepted,
        instructions: Instructions,
        now_s: int,
        memory: ScanMemory,
    ) -> str | None:
        """Why the holder of an accepted code may not pass here; None = no door, or it opens."""
        if instructions.access is None:
            return None
        at = datetime.fromtimestamp(now_s, UTC)
        answer = instructions.access.decide(accepted.token, self.station.place.gate_id, at)
        if answer is Access.OPEN:
            return _used_up(accepted, instructions.access.uses_max(accepted.token), now_s, memory)
        # A class S code is a minute old: no package can know its alias, the server can.
        if answer is Access.NO_RELATION and accepted.code_class is codes.CodeClass.S:
            return AskOnlineError.code
        return answer.value

    def _unfit(self, instructions: Instructions | None, now_s: int) -> str | None:
        """Why this terminal may not judge anything now."""
        if self._clock.is_wrong(now_s):
            return "terminal_clock"
        if instructions is None:
            return "package_missing"
        if now_s > instructions.package.manifest.expires_at_s:
            return "package_expired"
        return None

    def _price(self, shown: Presented, instructions: Instructions, now_s: int) -> Price:
        if not self.station.pays:
            return Price(0)
        fares: TerminalFares | None = self.station.flat or instructions.fares
        if fares is None:
            raise PriceRefusedError
        holder = instructions.parameters.tariff_class(shown.tariff_and_purpose >> 3)
        boarding = Boarding(
            line_id=self.station.place.line_id,
            stop_id=self.station.place.stop_id,
            at=datetime.fromtimestamp(now_s, UTC),
        )
        return fares.price(boarding, "" if holder is None else holder.concession)

    def _record(
        self,
        text: str,
        judged: _Judged,
        instructions: Instructions | None,
        now_ms: int,
        end: record_queue.ChainEnd,
    ) -> ValidatorRecord:
        warnings = NO_WARNINGS
        for warning in judged.accepted.warnings if judged.accepted is not None else ():
            warnings |= _WARNING_OF[warning]
        is_accepted = judged.accepted is not None
        unsigned = ValidatorRecord(
            algorithm=self._key.algorithm,
            kid=self.station.kid,
            decision=Decision.ACCEPTED_OFFLINE if is_accepted else Decision.REFUSED,
            record_id=new_id(datetime.fromtimestamp(now_ms / 1000, UTC), self._random_bytes),
            sequence_no=end.sequence_no + 1,
            previous_digest=end.digest,
            occurred_at_ms=now_ms,
            amount_fen=judged.amount_fen,
            scene=self.station.scene,
            evidence_kind=EvidenceKind.CODE,
            evidence=text.encode("ascii"),
            place=self.station.place,
            reason=judged.reason or "",
            warnings=warnings,
            package_version=0 if instructions is None else instructions.version,
            list_version=(
                0 if instructions is None else instructions.list_version(self.station.issuer_id)
            ),
            rule_version=0 if judged.price is None else judged.price.rule_version,
        )
        return sign_record(unsigned, self._key.signing.sign)


def _used_up(
    accepted: codes.Accepted, uses_max: int | None, now_s: int, memory: ScanMemory
) -> str | None:
    """Count a use of a visitor's pass here; the reason when none is left."""
    if uses_max is None:
        return None
    use = OfflineUse(
        issuer_id=accepted.issuer_id,
        token=accepted.token,
        amount_fen=0,
        cumulative_cap_fen=0,
        uses_max=uses_max,
        expires_at_s=accepted.expires_at_s,
    )
    try:
        memory.add(use, now_s=now_s)
    except CapCountExceededError:
        return Access.PASS_USED_UP.value
    return None


def _outcome(
    judged: _Judged, record: ValidatorRecord, instructions: Instructions | None
) -> Outcome:
    accepted = judged.accepted
    holder = None
    if accepted is not None and instructions is not None:
        holder = instructions.parameters.tariff_class(accepted.tariff_class)
    return Outcome(
        reason=judged.reason,
        amount_fen=judged.amount_fen,
        occurred_at_ms=record.occurred_at_ms,
        record_id=record.record_id,
        sequence_no=record.sequence_no,
        holder=holder,
        companions=0 if accepted is None else accepted.companions,
        warnings=() if accepted is None else accepted.warnings,
    )
