"""What can be said of a record without a database: its form, both signatures, its code. Pure.

The code is judged as of the instant of the tap: windows, scope, context and caps as the terminal
had to. Status, replay and money are judged with the database. Values are plain, so that a batch can
be judged in another process.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import codes
from codes.acceptance import AuthorisationCache
from codes.suites import Algorithm, KeyFormError, load_public_key
from codes.validator_record import (
    Decision,
    EvidenceKind,
    RecordInvalidError,
    ValidatorRecord,
    read_record,
    verify_record,
)

MALFORMED: Final = "record_malformed"
SIGNATURE: Final = "record_signature"
FOREIGN: Final = "terminal_mismatch"
_AUTHORISATIONS: Final = AuthorisationCache()


class CodeFacts(NamedTuple):
    """What a record's code is, when it is one and its signatures hold."""

    code_class: str
    token: bytes
    replay_key: bytes
    digest: bytes
    made_at_s: int
    expires_at_s: int
    counter: int | None
    cap_fen: int


class JudgedRecord(NamedTuple):
    """A record and what is wrong with it.

    ``fault`` (of the record) leaves ``record`` None or unbelieved; ``code_fault`` is the stable
    reason of ``codes.errors`` why the code would not have been accepted, "" for none.
    """

    data: bytes
    fault: str
    record: ValidatorRecord | None
    code: CodeFacts | None
    code_fault: str


class RecordKeys(NamedTuple):
    """What a batch is judged with: whose it is, keys by kid (suite, raw), the ring as JSON."""

    terminal_id: str
    keys: Mapping[int, tuple[int, bytes]]
    ring_json: str


class RecordJudge(Protocol):
    """Where batches are judged: here, or in processes that have nothing else to do."""

    async def judge(self, batch: Sequence[bytes], keys: RecordKeys) -> list[JudgedRecord]:
        """As ``judge_records``."""
        ...


class JudgeHere:
    """Judges in the caller's own process. A ``RecordJudge``."""

    async def judge(self, batch: Sequence[bytes], keys: RecordKeys) -> list[JudgedRecord]:
        """See ``RecordJudge``."""
        return judge_records(batch, keys)


def judge_records(batch: Sequence[bytes], keys: RecordKeys) -> list[JudgedRecord]:
    """One judgement per record, in order; never raises for what a terminal sent."""
    return [judge_record(data, keys) for data in batch]


def judge_record(data: bytes, keys: RecordKeys) -> JudgedRecord:
    """Judge one record; see ``JudgedRecord``."""
    try:
        unverified = read_record(data)
    except RecordInvalidError:
        return JudgedRecord(data, MALFORMED, None, None, "")
    if unverified.place.terminal_id != keys.terminal_id:
        return JudgedRecord(data, FOREIGN, unverified, None, "")
    known = keys.keys.get(unverified.kid)
    try:
        if known is None:
            raise RecordInvalidError("no such key")  # noqa: TRY301  (the same answer as below)
        record = verify_record(data, load_public_key(Algorithm(known[0] >> 4), known[1]))
    except (RecordInvalidError, KeyFormError):
        return JudgedRecord(data, SIGNATURE, unverified, None, "")
    if record.decision is Decision.REFUSED or record.evidence_kind is not EvidenceKind.CODE:
        return JudgedRecord(data, "", record, None, "")
    code, code_fault = _judge_code(record, keys.ring_json)
    return JudgedRecord(data, "", record, code, code_fault)


def judge_code_at(record: ValidatorRecord, ring_json: str, at_s: int) -> str:
    """The code of a record judged at another instant: the stable reason, "" for accepted."""
    return _judge_code(record, ring_json, at_s)[1]


def _judge_code(
    record: ValidatorRecord, ring_json: str, at_s: int | None = None
) -> tuple[CodeFacts | None, str]:
    place = record.place
    places = tuple(one for one in (place.terminal_id, place.line_id, place.gate_id) if one)
    policy = codes.Policy(
        scope=record.scene,
        needs=codes.Purpose.PAY if record.amount_fen else codes.Purpose.IDENTITY,
        place_ids=places,
        online=record.decision is Decision.ACCEPTED_ONLINE,
        status_by_caller=True,
    )
    try:
        text = record.evidence.decode("ascii")
        accepted = codes.verify(
            text,
            _ring(ring_json),
            None,
            policy,
            record.occurred_at_ms // 1000 if at_s is None else at_s,
            None,
            amount_fen=record.amount_fen,
            memory=codes.VerifierMemory(authorisations=_AUTHORISATIONS),
        )
    except UnicodeDecodeError:
        return None, "code_invalid"
    except codes.CodeError as refused:
        return None, refused.code
    return (
        CodeFacts(
            code_class=accepted.code_class.name,
            token=accepted.token,
            replay_key=accepted.replay_key,
            digest=accepted.digest,
            made_at_s=accepted.made_at_s,
            expires_at_s=accepted.expires_at_s,
            counter=accepted.identity.counter,
            cap_fen=accepted.cap_fen,
        ),
        "",
    )


@lru_cache(maxsize=4)
def _ring(ring_json: str) -> codes.KeyRing:
    return codes.KeyRing.from_json(ring_json)
