"""The way to the server: records up, packages down, one thing at a time, for ever patient.

A batch is sent again until it is answered. The server knows a record by its id, so a reply that was
lost costs nothing: the second answer is ``duplicate`` with the same order. Answers are kept in one
transaction; a power cut before it means the batch is sent once more. Nothing the server says can
make a record disappear. Source: docs/terminal.md.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from adapters.terminal.backoff import Backoff
from adapters.terminal.clock import TerminalClock
from adapters.terminal.display import Display, Words, instant
from adapters.terminal.journal import Journal, JournalError
from adapters.terminal.key import base64url
from adapters.terminal.memory import forget_ended
from adapters.terminal.package_store import PackageNotTakenError, PackageStore
from adapters.terminal.progress import Step
from adapters.terminal.record_queue import QueuedRecord, RecordQueue, Settlement, forget_settled
from adapters.terminal.server import ServerAwayError, ServerRefusedError, TerminalServer
from codes.signed_document import (
    DocumentBaseMissingError,
    DocumentError,
    DocumentMismatchError,
)

BATCH_MAX: Final = 500
PACKAGE_EVERY_S: Final = 300.0
SKEW_ALARM_MS: Final = 30_000
_CONTENT_STATUSES: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_AWAY: Final = Words(
    "服务器未应答，记录已保存，稍后重传", "no answer; records are kept and sent later"
)
_BACK: Final = Words("已恢复联网", "online again")
_REFUSED: Final = Words("服务器拒绝本终端的请求", "the server refuses this terminal's request")
_PACKAGE: Final = Words("终端参数已更新", "package updated")
_PACKAGE_REFUSED: Final = Words(
    "终端参数不可信，继续使用原参数", "package refused; the last good one stays"
)
_SKEW: Final = Words("终端时钟与服务器不一致", "this terminal's clock disagrees with the server")
_GAPS: Final = Words("服务器报告记录缺号", "the server reports missing records")
_TROUBLED: Final = Words("服务器对记录有疑问", "the server has doubts about a record")
_HELD: Final = Words("服务器无法受理此记录，已保留", "the server cannot take a record; it is kept")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordAnswer(_Answer):
    """What became of one record."""

    index: Annotated[int, Field(ge=0)]
    record_id: UUID | None = None
    state: Literal["booked", "duplicate", "rejected", "review"]
    reason: str | None = None
    order_id: str | None = None


class Gap(_Answer):
    """Sequence numbers the server has not seen, both ends included."""

    first: Annotated[int, Field(alias="from")]
    last: Annotated[int, Field(alias="to")]


class UploadAnswer(_Answer):
    """What became of a batch."""

    results: list[RecordAnswer]
    gaps: list[Gap] = []
    server_time: AwareDatetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkParts:
    """What the uplink works with; ``steady_s`` is a clock that never jumps."""

    server: TerminalServer
    queue: RecordQueue
    store: PackageStore
    journal: Journal
    clock: TerminalClock
    display: Display
    backoff: Backoff
    steady_s: Callable[[], float]
    issuer_id: int
    package_every_s: float = PACKAGE_EVERY_S


class Uplink:
    """Empties the queue and keeps the package fresh. Used by one thread."""

    def __init__(self, parts: UplinkParts) -> None:
        self._parts = parts
        self._batch_max = BATCH_MAX
        self._package_due_s = parts.steady_s()
        self._failing = ""

    def run(self, stop: Event, wake: Event) -> None:
        """Work until ``stop``; ``wake`` says that a record waits. A failure is not cut short."""
        while not stop.is_set():
            wait_s = self.turn()
            if self._failing:
                stop.wait(wait_s)
            elif wait_s > 0:
                wake.wait(wait_s)
            wake.clear()

    def turn(self) -> float:
        """Do what is due; seconds until something is due again, 0 = at once."""
        try:
            self._pull_package()
            more = self._send_batch()
        except ServerAwayError as away:
            return self._failed(_AWAY, away.code, away.retry_after_s)
        except ServerRefusedError as refused:
            return self._failed(_REFUSED, refused.code)
        except JournalError as fault:
            # The answer could not be kept; the batch goes once more and is told the same.
            return self._failed(_AWAY, fault.code)
        self._parts.backoff.succeeded()
        if self._failing:
            self._failing = ""
            self._parts.display.notice("online", _BACK)
        return 0 if more else max(0.0, self._package_due_s - self._parts.steady_s())

    def drain(self) -> bool:
        """Send all that waits, without waiting for anything; whether all was answered."""
        while self._parts.queue.next_batch(1):
            self.turn()
            if self._failing:
                return False
        return True

    def _failed(self, words: Words, code: str, at_least_s: float = 0) -> float:
        if code != self._failing:
            self._parts.display.notice("offline", words, code=code)
        self._failing = code
        return self._parts.backoff.failed(at_least_s)

    # Packages

    def _pull_package(self) -> None:
        if self._parts.steady_s() < self._package_due_s:
            return
        held = self._parts.store.current
        try:
            self._take_package(None if held is None else held.package.etag)
        except (DocumentBaseMissingError, DocumentMismatchError):
            # Changes that do not fit what is held: ask for the whole.
            self._take_package_or_tell()
        except (DocumentError, PackageNotTakenError, ServerRefusedError) as refused:
            self._tell_refused(refused.code)
        self._package_due_s = self._parts.steady_s() + self._parts.package_every_s

    def _take_package_or_tell(self) -> None:
        try:
            self._take_package(None)
        except (DocumentError, PackageNotTakenError, ServerRefusedError) as refused:
            self._tell_refused(refused.code)

    def _take_package(self, held_etag: str | None) -> None:
        container = self._parts.server.package(held_etag)
        now_ms = self._parts.clock.now_ms()
        if container is not None:
            taken = self._parts.store.take(container, now_ms // 1000)
            made_at_s = taken.package.manifest.made_at_s
            self._parts.clock.trust(made_at_s)
            self._parts.display.notice("package", _PACKAGE, version=taken.version)
        self._parts.journal.remember(
            package_checked_at=instant(now_ms),
            package_refused="",
            floor_s=self._parts.clock.floor_s,
        )

    def _tell_refused(self, code: str) -> None:
        self._parts.journal.remember(package_refused=code)
        self._parts.display.notice("package_refused", _PACKAGE_REFUSED, code=code)

    # Records

    def _send_batch(self) -> bool:
        """Send the oldest records; whether more may wait."""
        batch = self._parts.queue.next_batch(self._batch_max)
        if not batch:
            return False
        self._parts.journal.progress.reached(Step.SENDING)
        sent_at_ms = self._parts.clock.now_ms()
        try:
            answer = _read_answer(self._parts.server.upload(self._body(batch, sent_at_ms)), batch)
        except ServerRefusedError as refused:
            if refused.status not in _CONTENT_STATUSES:
                raise
            self._narrow(batch, refused.code)
            return True
        self._parts.journal.progress.reached(Step.ANSWERED)
        self._settle(batch, answer, sent_at_ms)
        self._batch_max = min(BATCH_MAX, 2 * self._batch_max)
        return True

    def _body(self, batch: list[QueuedRecord], now_ms: int) -> dict[str, object]:
        held = self._parts.store.current
        issuer_id = self._parts.issuer_id
        list_age_s = None if held is None else held.list_age_s(issuer_id, now_ms // 1000)
        return {
            "records": [base64url(record.data) for record in batch],
            "list_version": 0 if held is None else held.list_version(issuer_id),
            "list_age_s": 0 if list_age_s is None else list_age_s,
            "clock": instant(now_ms),
        }

    def _narrow(self, batch: list[QueuedRecord], code: str) -> None:
        """The server refused the batch as a whole: find the record it cannot take."""
        if len(batch) > 1:
            self._batch_max = len(batch) // 2
            return
        self._parts.queue.settle([Settlement(batch[0].number, "held", code)])
        self._parts.display.notice(
            "record_held", _HELD, sequence_no=batch[0].sequence_no, code=code
        )

    def _settle(self, batch: list[QueuedRecord], answer: UploadAnswer, sent_at_ms: int) -> None:
        parts = self._parts
        settlements = [
            Settlement(batch[one.index].number, one.state, one.reason, one.order_id)
            for one in answer.results
        ]
        parts.queue.settle(settlements)
        parts.journal.progress.reached(Step.SETTLED)
        for record, one in zip(batch, answer.results, strict=True):
            if one.state in ("review", "rejected"):
                number = record.sequence_no
                parts.display.notice(
                    "record_" + one.state, _TROUBLED, sequence_no=number, reason=one.reason
                )
        self._note_contact(answer, sent_at_ms)

    def _note_contact(self, answer: UploadAnswer, sent_at_ms: int) -> None:
        """Keep what the server said of clock and gaps, and let go of what has ended by its time."""
        parts = self._parts
        received_at_ms = parts.clock.now_ms()
        server_ms = int(answer.server_time.timestamp() * 1000)
        skew_ms = (sent_at_ms + received_at_ms) // 2 - server_ms
        parts.clock.trust(server_ms // 1000)
        gaps = [[gap.first, gap.last] for gap in answer.gaps]
        with parts.journal.transaction() as connection:
            forget_ended(connection, server_time_s=server_ms // 1000)
            forget_settled(connection)
        parts.journal.remember(
            last_contact_at=instant(server_ms),
            clock_skew_ms=skew_ms,
            gaps=json.dumps(gaps),
            floor_s=parts.clock.floor_s,
        )
        if abs(skew_ms) > SKEW_ALARM_MS:
            parts.display.notice("clock_skew", _SKEW, skew_ms=skew_ms)
        if gaps:
            parts.display.notice("gaps", _GAPS, gaps=gaps)


def _read_answer(document: dict[str, object], batch: list[QueuedRecord]) -> UploadAnswer:
    """The answer, about exactly these records in this order. Raises ``ServerAwayError``."""
    try:
        answer = UploadAnswer.model_validate(document)
    except ValidationError:
        raise ServerAwayError("answer_not_understood") from None
    indices = [one.index for one in answer.results]
    if indices != list(range(len(batch))):
        raise ServerAwayError("answer_of_another_batch")
    for record, one in zip(batch, answer.results, strict=True):
        if one.record_id is not None and one.record_id.bytes != record.record_id:
            raise ServerAwayError("answer_of_another_batch")
    return answer
