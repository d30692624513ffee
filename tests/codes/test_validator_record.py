"""The signed record: its byte table, its signature, and what it says about the code."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Algorithm, Scope
from codes.errors import CodeMalformedError
from codes.suites import make_private_key
from codes.validator_record import (
    Decision,
    EvidenceKind,
    Place,
    RecordInvalidError,
    RecordWarning,
    ValidatorRecord,
    read_record,
    verify_record,
)
from tests.codes import city
from tests.codes.records import record


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
@pytest.mark.parametrize("letter", ["S", "D", "P"])
def test_a_record_is_read_back_in_every_suite(algorithm: Algorithm, letter: str) -> None:
    key = make_private_key(algorithm)
    made = record(city.CODE_OF_CLASS[letter](), key=key)
    read = verify_record(made.to_bytes(), key.public_key)
    assert read == made
    assert read.digest == made.digest
    assert read.code_identity.key[:1] == letter.encode()


def test_a_record_stands_as_its_table_says() -> None:
    made = record(
        b"EVIDENCE",
        decision=Decision.REFUSED,
        reason="code_expired",
        warnings=RecordWarning.LIST_STALE,
        sequence_no=0x01020304,
        previous_digest=b"\x07" * 32,
        package_version=5,
        list_version=6,
        rule_version=7,
        evidence_kind=EvidenceKind.CARD_TAP,
    )
    data = made.to_bytes()
    assert data[:4] == b"\x18\x30\x01\x03"
    assert data[4:20] == made.record_id.bytes
    assert data[20:24] == b"\x01\x02\x03\x04"
    assert data[24:56] == b"\x07" * 32
    assert data[56:64] == (1000 * city.NOW_S).to_bytes(8, "big")
    assert data[64:68] == (200).to_bytes(4, "big")
    assert data[68:70] == b"\x00\x01"
    assert data[70:72] == b"\x02\x01"
    assert data[72:84] == b"\0\0\0\5\0\0\0\6\0\0\0\7"
    line, vehicle = "运通110".encode(), "鲁D1".encode()
    texts = b"\x08bus-4711" + bytes((len(line),)) + line + b"\x017"
    texts += bytes((len(vehicle),)) + vehicle + b"\0" + b"\x0ccode_expired"
    assert data[84:-64] == texts + b"\0\x08EVIDENCE"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_change_of_a_record_is_refused(place: int, change: int) -> None:
    data = bytearray(GOOD)
    data[place % len(data)] ^= change
    with pytest.raises(RecordInvalidError):
        verify_record(bytes(data), city.PHONE[Algorithm.ES256].public_key)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_what_is_read_has_one_form(place: int, change: int) -> None:
    data = bytearray(GOOD)
    data[place % len(data)] ^= change
    with suppress(RecordInvalidError):
        assert read_record(bytes(data)).to_bytes() == data


GOOD = record(city.code_d()).to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:100],
        GOOD[:-1],
        GOOD + b"\0",
        b"\x19" + GOOD[1:],
        GOOD[:84] + b"\xff" * (len(GOOD) - 84),
        GOOD[:85] + b"\xff" + GOOD[86:],
        GOOD[:1] + b"\x31" + GOOD[2:],
        GOOD[:3] + b"\x09" + GOOD[4:],
        GOOD[:69] + b"\x03" + GOOD[70:],
        GOOD[:71] + b"\x80" + GOOD[72:],
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(RecordInvalidError):
        read_record(data)


def test_a_record_of_another_key_or_algorithm_is_refused() -> None:
    for algorithm in city.ALGORITHMS:
        with pytest.raises(RecordInvalidError):
            verify_record(GOOD, make_private_key(algorithm).public_key)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": Algorithm.NONE},
        {"previous_digest": b""},
        {"amount_fen": -1},
        {"amount_fen": 1 << 32},
        {"sequence_no": 0},
        {"sequence_no": 1 << 32},
        {"kid": 256},
        {"occurred_at_ms": -1},
        {"scene": Scope.BUS | Scope.VENUE},
        {"scene": Scope(0x200)},
        {"warnings": RecordWarning(0x80)},
        {"evidence": b""},
        {"evidence": bytes(1025)},
        {"place": Place(terminal_id="")},
        {"place": Place(terminal_id="x" * 256)},
        {"decision": Decision.REFUSED},
        {"reason": "code_expired"},
        {"signature": bytes(63)},
    ],
)
def test_a_record_that_breaks_its_table_cannot_be_made(changes: dict[str, Any]) -> None:
    made = record("M1:")
    with pytest.raises(RecordInvalidError):
        replace(made, **changes).to_bytes()


def test_an_unsigned_record_has_no_bytes() -> None:
    with pytest.raises(AssertionError):
        replace(record("M1:"), signature=b"").to_bytes()


@pytest.mark.parametrize(
    "made",
    [
        record("M1:GARBAGE"),
        record(b"\xff\xfe"),
        record(city.code_d(), evidence_kind=EvidenceKind.CARD_TAP),
    ],
)
def test_evidence_that_is_no_code_has_no_identity(made: ValidatorRecord) -> None:
    with pytest.raises(CodeMalformedError):
        _ = made.code_identity
