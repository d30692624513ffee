"""The validator's signed record: what was shown, what was taken, where, when and by which rules.

Every decision of a terminal makes one, on-line or off-line. The terminal signs it with a key of its
own, numbers it without gaps and chains it to the one before, so that the back office can check the
code and the record again before it books anything, and can prove what a terminal said. The record's
identity is made at tap time; an upload may be repeated for ever. Source: docs/validator-record.md.

| off | len | field |
|---|---|---|
| 0 | 1 | 0x18: version 1, type 8 |
| 1 | 1 | suite: terminal algorithm in the high nibble |
| 2 | 1 | key id of the terminal's key |
| 3 | 1 | decision: 1 accepted online, 2 accepted offline, 3 refused |
| 4 | 16 | record id, a UUID |
| 20 | 4 | sequence number, +1 for each record under this key, from 1 |
| 24 | 32 | SHA-256 of the record before under this key, with signature; 0 for the first |
| 56 | 8 | instant, Unix ms UTC, by the terminal's clock |
| 64 | 4 | amount, fen |
| 68 | 2 | scene, one bit of the scope bitmap |
| 70 | 1 | evidence: 1 code as scanned, 2 card tap |
| 71 | 1 | warnings: 1 list stale, 2 counter regression |
| 72 | 4 | package version (keys, parameters, fares) |
| 76 | 4 | status list version, 0 = none |
| 80 | 4 | fare rule version, 0 = none |
| 84 | | six texts, UTF-8, each after its size (u8): terminal, line, stop, vehicle, gate, reason |
| | | evidence bytes after their size (u16) |
| | 64 | signature over `CC1-R` and all bytes before it |
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final
from uuid import UUID

from codes.card_tap import CardTap, read_tap
from codes.errors import CodeMalformedError
from codes.fields import SCOPE_KNOWN_MAX, Scope
from codes.layout import Code
from codes.presented import identity_of
from codes.replay import ReplayIdentity
from codes.suites import SIGNATURE_SIZE, Algorithm, PublicKey, SignatureError
from codes.text_form import decode

TAG_RECORD: Final = b"CC1-R"
FIRST_BYTE: Final = 0x18
CHAIN_START: Final = bytes(32)
EVIDENCE_SIZE_MAX: Final = 1024
_HEAD: Final = Struct(">BBBB16sI32sQIHBBIII")
_TEXTS: Final = 6
_TEXT_SIZE_MAX: Final = 255
_U32_MAX: Final = 0xFFFFFFFF


class RecordInvalidError(ValueError):
    """Not a record in its one form, or its signature is not this terminal's."""


class Decision(IntEnum):
    """What the terminal decided."""

    ACCEPTED_ONLINE = 1
    ACCEPTED_OFFLINE = 2
    REFUSED = 3


class EvidenceKind(IntEnum):
    """What was presented."""

    CODE = 1
    CARD_TAP = 2


class RecordWarning(IntFlag):
    """What the terminal noticed."""

    LIST_STALE = 1
    COUNTER_REGRESSION = 2


NO_WARNINGS: Final = RecordWarning(0)
_WARNINGS_KNOWN_MAX: Final = RecordWarning.LIST_STALE | RecordWarning.COUNTER_REGRESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where, as the operator of the terminal names it; empty where it has no meaning."""

    terminal_id: str
    line_id: str = ""
    stop_id: str = ""
    vehicle_id: str = ""
    gate_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorRecord:
    """One record; see the table. ``evidence`` is the scanned text, or the bytes of the card tap.

    ``signature`` is empty until ``sign_record`` fills it. Raises ``RecordInvalidError`` when a
    field does not fit the table.
    """

    algorithm: Algorithm
    kid: int
    decision: Decision
    record_id: UUID
    sequence_no: int
    previous_digest: bytes
    occurred_at_ms: int
    amount_fen: int
    scene: Scope
    evidence_kind: EvidenceKind
    evidence: bytes = field(repr=False)
    place: Place
    reason: str = ""
    warnings: RecordWarning = NO_WARNINGS
    package_version: int = 0
    list_version: int = 0
    rule_version: int = 0
    signature: bytes = b""

    def __post_init__(self) -> None:
        if self.algorithm is Algorithm.NONE or len(self.previous_digest) != 32:
            raise RecordInvalidError("a record needs an algorithm and the digest before it")
        numbers = (
            self.amount_fen,
            self.package_version,
            self.list_version,
            self.rule_version,
            self.sequence_no - 1,
        )
        if not all(0 <= number <= _U32_MAX for number in numbers) or self.sequence_no > _U32_MAX:
            raise RecordInvalidError("number out of range")
        if not (0 <= self.kid <= 0xFF and 0 <= self.occurred_at_ms < 1 << 63):
            raise RecordInvalidError("key id or instant out of range")
        if self.scene.bit_count() != 1 or not 0 < self.scene <= SCOPE_KNOWN_MAX:
            raise RecordInvalidError("one known scene")
        if not 0 <= self.warnings <= _WARNINGS_KNOWN_MAX:
            raise RecordInvalidError("unknown warning")
        if not 0 < len(self.evidence) <= EVIDENCE_SIZE_MAX:
            raise RecordInvalidError("evidence size out of range")
        if not self.place.terminal_id:
            raise RecordInvalidError("a record names its terminal")
        if (self.decision is Decision.REFUSED) != bool(self.reason):
            raise RecordInvalidError("a refusal has a reason, an acceptance has none")
        if len(self.signature) not in (0, SIGNATURE_SIZE):
            raise RecordInvalidError("signature must be 64 bytes")

    @property
    def unsigned(self) -> bytes:
        """All bytes before the signature."""
        head = _HEAD.pack(
            FIRST_BYTE,
            self.algorithm << 4,
            self.kid,
            self.decision,
            self.record_id.bytes,
            self.sequence_no,
            self.previous_digest,
            self.occurred_at_ms,
            self.amount_fen,
            self.scene,
            self.evidence_kind,
            self.warnings,
            self.package_version,
            self.list_version,
            self.rule_version,
        )
        place = self.place
        texts = b"".join(
            _sized_text(text)
            for text in (
                place.terminal_id,
                place.line_id,
                place.stop_id,
                place.vehicle_id,
                place.gate_id,
                self.reason,
            )
        )
        return head + texts + len(self.evidence).to_bytes(2, "big") + self.evidence

    def to_bytes(self) -> bytes:
        """The signed record as it is stored and uploaded."""
        assert self.signature, "sign it first"
        return self.unsigned + self.signature

    @property
    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: ``previous_digest`` of the next record."""
        return hashlib.sha256(self.to_bytes()).digest()

    @property
    def code(self) -> Code:
        """The code that was shown. Raises ``CodeMalformedError`` when it was none of ours."""
        if self.evidence_kind is not EvidenceKind.CODE:
            raise CodeMalformedError("the evidence is a card tap")
        try:
            return decode(self.evidence.decode("ascii"))
        except UnicodeDecodeError:
            raise CodeMalformedError("the evidence is not ASCII") from None

    @property
    def tap(self) -> CardTap:
        """The card tap that was shown. Raises ``CodeMalformedError`` when it was none."""
        if self.evidence_kind is not EvidenceKind.CARD_TAP:
            raise CodeMalformedError("the evidence is a code")
        return read_tap(self.evidence)

    @property
    def code_identity(self) -> ReplayIdentity:
        """Semantic identity of the code or tap. Raises as ``code`` and ``tap`` do."""
        if self.evidence_kind is EvidenceKind.CARD_TAP:
            return self.tap.identity
        return identity_of(self.code.to_bytes())


def _sized_text(text: str) -> bytes:
    data = text.encode()
    if len(data) > _TEXT_SIZE_MAX:
        raise RecordInvalidError("text longer than 255 bytes")
    return bytes((len(data),)) + data


def sign_record(record: ValidatorRecord, sign: Callable[[bytes], bytes]) -> ValidatorRecord:
    """``record`` with its signature, made by the terminal's own key."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    return ValidatorRecord(**{**values, "signature": sign(TAG_RECORD + record.unsigned)})


def read_record(data: bytes) -> ValidatorRecord:
    """The record in ``data``, its form checked, its signature not.

    Raises:
        RecordInvalidError: anything that is not a record in its one form.
    """
    try:
        return _parse(data)
    except (IndexError, ValueError) as error:
        raise RecordInvalidError(str(error)) from None


def _parse(data: bytes) -> ValidatorRecord:
    if len(data) < _HEAD.size + SIGNATURE_SIZE or data[0] != FIRST_BYTE:
        raise RecordInvalidError("unknown version or too short")
    head = _HEAD.unpack_from(data)
    # All else that is read is kept as it stands, so it has one form; these bits would be lost.
    if head[1] & 0x0F:
        raise RecordInvalidError("not in canonical form")
    at = _HEAD.size
    texts = []
    for _ in range(_TEXTS):
        size = data[at]
        texts.append(data[at + 1 : at + 1 + size].decode())
        at += 1 + size
    evidence_size = int.from_bytes(data[at : at + 2], "big")
    at += 2
    if len(data) != at + evidence_size + SIGNATURE_SIZE:
        raise RecordInvalidError("wrong length")
    return ValidatorRecord(
        algorithm=Algorithm(head[1] >> 4),
        kid=head[2],
        decision=Decision(head[3]),
        record_id=UUID(bytes=head[4]),
        sequence_no=head[5],
        previous_digest=head[6],
        occurred_at_ms=head[7],
        amount_fen=head[8],
        scene=Scope(head[9]),
        evidence_kind=EvidenceKind(head[10]),
        warnings=RecordWarning(head[11]),
        package_version=head[12],
        list_version=head[13],
        rule_version=head[14],
        place=Place(
            terminal_id=texts[0],
            line_id=texts[1],
            stop_id=texts[2],
            vehicle_id=texts[3],
            gate_id=texts[4],
        ),
        reason=texts[5],
        evidence=data[at : at + evidence_size],
        signature=data[at + evidence_size :],
    )


def verify_record(data: bytes, terminal_key: PublicKey) -> ValidatorRecord:
    """The record in ``data``, signed by this terminal.

    Raises:
        RecordInvalidError: not a record, another algorithm, or not this key's signature.
    """
    record = read_record(data)
    check_signature(record, data, terminal_key)
    return record


def check_signature(record: ValidatorRecord, data: bytes, terminal_key: PublicKey) -> None:
    """Return when ``record``, just read from ``data``, is signed by this terminal.

    Raises:
        RecordInvalidError: another algorithm, or not this key's signature.
    """
    if record.algorithm is not terminal_key.algorithm:
        raise RecordInvalidError("another algorithm than the terminal's key")
    try:
        # A record has one form: what was read from these bytes is signed as these bytes.
        terminal_key.verify(record.signature, TAG_RECORD + data[:-SIGNATURE_SIZE])
    except SignatureError as error:
        raise RecordInvalidError(str(error)) from None
