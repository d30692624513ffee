"""What can be said of a record without a database: its form, both signatures, its code. Pure.

The code is judged as of the instant of the tap: windows, scope, context and caps as the terminal
had to. Status, replay, cards and money are judged with the database. Values are plain tuples, so
that a batch judged in another process comes back in one small message.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import codes
from codes.acceptance import AuthorisationCache
from codes.presented import identity_of
from codes.suites import Algorithm, KeyFormError, load_public_key
from codes.validator_record import (
    Decision,
    EvidenceKind,
    RecordInvalidError,
    ValidatorRecord,
    check_signature,
    read_record,
)

MALFORMED: Final = "record_malformed"
SIGNATURE: Final = "record_signature"
FOREIGN: Final = "terminal_mismatch"
FAULT: Final = "fault"
TAP_CLASS: Final = "T"
_MEMORY: Final = codes.VerifierMemory(authorisations=AuthorisationCache())
# Members of an enumeration are looked up slowly; these stand on the way of every record.
_REFUSED: Final = Decision.REFUSED
_ONLINE: Final = Decision.ACCEPTED_ONLINE
_TAP: Final = EvidenceKind.CARD_TAP
_PAY: Final = codes.Purpose.PAY
_IDENTITY: Final = codes.Purpose.IDENTITY


class RecordBrief(NamedTuple):
    """What of a record decides what becomes of it.

    ``tap`` is the evidence of a card tap, empty where a code was shown.
    """

    record_id: UUID
    kid: int
    sequence_no: int
    previous_digest: bytes
    occurred_at_ms: int
    amount_fen: int
    is_refusal: bool
    is_online: bool
    line_id: str
    stop_id: str
    vehicle_id: str
    gate_id: str
    list_version: int
    rule_version: int
    tap: bytes


class CodeFacts(NamedTuple):
    """What was shown, when it is one of ours and its signatures or its TAC hold.

    Of a card tap (class ``T``) ``token`` names the card, and ``holder_id`` says whose it was at the
    tap; whose a code is, its token says.
    """

    code_class: str
    token: bytes
    replay_key: bytes
    digest: bytes
    made_at_s: int
    expires_at_s: int
    counter: int | None
    cap_fen: int
    holder_id: UUID | None = None


class JudgedRecord(NamedTuple):
    """A record, SHA-256 of its bytes, and what is wrong with it.

    ``fault`` (of the record) leaves ``record`` None or unbelieved; ``code_fault`` is the stable
    reason why what was shown would not have been accepted, "" for none.
    """

    data: bytes
    digest: bytes
    fault: str
    record: RecordBrief | None
    code: CodeFacts | None
    code_fault: str


class RecordKeys(NamedTuple):
    """What a batch is judged with: whose it is, keys by kid (suite, raw), the ring as JSON.

    ``merchant_id``: whose terminal it is; codes may be bound to it.
    """

    terminal_id: str
    keys: Mapping[int, tuple[int, bytes]]
    ring_json: str
    merchant_id: str = ""


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
    """One judgement per record, in order; never raises for one record's sake."""
    ring = _ring(keys.ring_json)
    judged = []
    for data in batch:
        try:
            judged.append(judge_record(data, keys, ring))
        except Exception:  # noqa: BLE001  (a bug: its record waits, its neighbours do not)
            judged.append(_judged(data, FAULT))
    return judged


def judge_record(data: bytes, keys: RecordKeys, ring: codes.KeyRing) -> JudgedRecord:
    """Judge one record; see ``JudgedRecord``."""
    try:
        record = read_record(data)
    except RecordInvalidError:
        return _judged(data, MALFORMED)
    if record.place.terminal_id != keys.terminal_id:
        return _judged(data, FOREIGN, record)
    known = keys.keys.get(record.kid)
    try:
        if known is None:
            raise RecordInvalidError("no such key")  # noqa: TRY301  (the same answer as below)
        check_signature(record, data, load_public_key(Algorithm(known[0] >> 4), known[1]))
    except (RecordInvalidError, KeyFormError):
        return _judged(data, SIGNATURE, record)
    if record.decision is _REFUSED or record.evidence_kind is _TAP:
        return _judged(data, "", record)
    try:
        code, code_fault = _judge_code(record, ring, keys.merchant_id)
    except Exception:  # noqa: BLE001  (a bug in judging codes: the record is true, and waits)
        code, code_fault = None, FAULT
    return _judged(data, "", record, code, code_fault)


def judge_code_at(judged: JudgedRecord, ring_json: str, merchant_id: str, at_s: int) -> str:
    """The code of a true record judged at another instant: the stable reason, "" for accepted."""
    return _judge_code(read_record(judged.data), _ring(ring_json), merchant_id, at_s)[1]


def _judged(
    data: bytes,
    fault: str,
    record: ValidatorRecord | None = None,
    code: CodeFacts | None = None,
    code_fault: str = "",
) -> JudgedRecord:
    brief = None if record is None else _brief(record)
    return JudgedRecord(data, hashlib.sha256(data).digest(), fault, brief, code, code_fault)


def _brief(record: ValidatorRecord) -> RecordBrief:
    place, decision = record.place, record.decision
    return RecordBrief(
        record.record_id,
        record.kid,
        record.sequence_no,
        record.previous_digest,
        record.occurred_at_ms,
        record.amount_fen,
        decision is _REFUSED,
        decision is _ONLINE,
        place.line_id,
        place.stop_id,
        place.vehicle_id,
        place.gate_id,
        record.list_version,
        record.rule_version,
        record.evidence if record.evidence_kind is _TAP else b"",
    )


@lru_cache(maxsize=256)
def _policy(
    scene: codes.Scope, needs: codes.Purpose, places: tuple[str, ...], *, online: bool
) -> codes.Policy:
    return codes.Policy(
        scope=scene, needs=needs, place_ids=places, online=online, status_by_caller=True
    )


def _judge_code(
    record: ValidatorRecord, ring: codes.KeyRing, merchant_id: str, at_s: int | None = None
) -> tuple[CodeFacts | None, str]:
    place = record.place
    policy = _policy(
        record.scene,
        _PAY if record.amount_fen else _IDENTITY,
        tuple(one for one in (place.terminal_id, place.line_id, place.gate_id, merchant_id) if one),
        online=record.decision is _ONLINE,
    )
    try:
        accepted = codes.verify(
            record.evidence.decode("ascii"),
            ring,
            None,
            policy,
            record.occurred_at_ms // 1000 if at_s is None else at_s,
            None,
            amount_fen=record.amount_fen,
            memory=_MEMORY,
        )
    except UnicodeDecodeError:
        return None, "code_invalid"
    except codes.CodeError as refused:
        return None, refused.code
    identity = identity_of(accepted.data)
    facts = CodeFacts(
        accepted.code_class.name,
        accepted.token,
        identity.key,
        accepted.digest,
        accepted.made_at_s,
        accepted.expires_at_s,
        identity.counter,
        accepted.cap_fen,
    )
    return facts, ""


@lru_cache(maxsize=4)
def _ring(ring_json: str) -> codes.KeyRing:
    return codes.KeyRing.from_json(ring_json)
