"""The tap: its byte table, one form for each, and a record that carries it as it carries a code."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Algorithm
from codes.card_tap import (
    TAP_SIZE,
    CardSuite,
    CardTap,
    TapKind,
    TapPolicy,
    check_tap,
    decode_tap,
    read_tap,
    terminal_digest,
)
from codes.double_spend import FindingKind, cloned_keys, double_spends
from codes.errors import (
    ClockSkewError,
    CodeError,
    CodeExpiredError,
    CodeMalformedError,
    ContextMismatchError,
    PurposeNotAllowedError,
)
from codes.validator_record import Decision, EvidenceKind, ValidatorRecord, verify_record
from tests.codes import city
from tests.codes.records import record

TERMINAL = "bus-4711"
TAP = CardTap(
    suite=CardSuite.SM4,
    issuer_id=0x3704,
    key_version=2,
    token=bytes(range(8)),
    amount_fen=200,
    kind=TapKind.PURCHASE,
    terminal=terminal_digest(TERMINAL),
    transaction_no=77,
    made_at_s=int(datetime(2026, 6, 1, 15, 59, 58, tzinfo=UTC).timestamp()),
    counter=300,
    tac=b"\xaa\xbb\xcc\xdd",
)

identities = st.builds(replace, st.just(TAP), amount_fen=st.just(0), kind=st.just(TapKind.IDENTITY))
taps = st.one_of(st.just(TAP), identities).flatmap(
    lambda tap: st.builds(
        replace,
        st.just(tap),
        suite=st.sampled_from(CardSuite),
        issuer_id=st.integers(0, 0xFFFF),
        key_version=st.integers(0, 0xFF),
        token=st.binary(min_size=8, max_size=8),
        terminal=st.binary(min_size=6, max_size=6),
        transaction_no=st.integers(1, 0xFFFFFFFF),
        made_at_s=st.integers(
            int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()),
            int(datetime(2099, 12, 31, tzinfo=UTC).timestamp()),
        ),
        counter=st.integers(1, 0xFFFF),
        tac=st.binary(min_size=4, max_size=4),
    )
)


def tap_record(tap: CardTap = TAP, **changes: Any) -> ValidatorRecord:  # noqa: ANN401  (any field)
    return record(tap.to_bytes(), evidence_kind=EvidenceKind.CARD_TAP, **changes)


def test_a_tap_stands_as_its_table_says() -> None:
    """How: the instant is 2 June in Shandong, two seconds before midnight of 1 June there."""
    data = TAP.to_bytes()
    assert data[:5] == b"\x19\x01\x37\x04\x02"
    assert data[5:13] == bytes(range(8))
    assert data[13:18] == b"\0\0\0\xc8\x06"
    assert data[18:24] == terminal_digest(TERMINAL)
    assert data[24:28] == b"\0\0\0\x4d"
    assert data[28:35].hex() == "20260601235958"
    assert data[35:37] == b"\x01\x2c"
    assert data[37:] == b"\xaa\xbb\xcc\xdd"
    assert TAP.tac_message == data[13:37]


@given(taps)
def test_a_tap_is_read_back_from_bytes_and_text(tap: CardTap) -> None:
    assert read_tap(tap.to_bytes()) == tap
    assert decode_tap(tap.to_text()) == tap
    assert len(tap.to_bytes()) == TAP_SIZE


@given(st.binary(max_size=TAP_SIZE + 1) | taps.map(CardTap.to_bytes))
def test_hostile_bytes_are_refused_or_canonical(data: bytes) -> None:
    """Why: two byte strings for one tap would be two pieces of evidence for one event."""
    try:
        tap = read_tap(data)
    except CodeMalformedError:
        return
    assert tap.to_bytes() == data


@given(st.text(max_size=60) | taps.map(CardTap.to_text), st.integers(0, 54), st.text(max_size=1))
def test_hostile_text_is_refused_or_canonical(text: str, place: int, change: str) -> None:
    changed = text[:place] + change + text[place + 1 :]
    try:
        tap = decode_tap(changed)
    except CodeMalformedError:
        return
    assert tap.to_text() == changed


def test_the_idle_bits_of_the_last_character_are_zero() -> None:
    """Why: 41 bytes are 328 bits and 55 characters are 330."""
    text = TAP.to_text()
    twin = text[:-1] + chr(ord(text[-1]) + 1)
    with pytest.raises(CodeMalformedError):
        decode_tap(twin)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"\x18"),
        (1, b"\x03"),
        (13, b"\0\0\0\0"),
        (17, b"\x00"),
        (17, b"\x05"),
        (24, b"\0\0\0\0"),
        (28, b"\x19\x99"),
        (28, b"\x21\x00"),
        (30, b"\x13"),
        (30, b"\x0a"),
        (31, b"\x31"),
        (32, b"\x24"),
        (34, b"\x60"),
        (35, b"\0\0"),
    ],
)
def test_a_field_outside_its_table_is_refused(at: int, value: bytes) -> None:
    data = bytearray(TAP.to_bytes())
    data[at : at + len(value)] = value
    with pytest.raises(CodeMalformedError):
        read_tap(bytes(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"token": bytes(7)},
        {"tac": bytes(5)},
        {"terminal": bytes(8)},
        {"issuer_id": 1 << 16},
        {"key_version": 256},
        {"amount_fen": 1 << 32},
        {"amount_fen": -1},
        {"transaction_no": 0},
        {"counter": 1 << 16},
        {"made_at_s": 0},
    ],
)
def test_a_tap_that_breaks_its_table_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(CodeMalformedError):
        replace(TAP, **changes)


def check(
    tap: CardTap = TAP,
    *,
    late_s: int = 0,
    terminal_id: str = TERMINAL,
    pays: bool = True,
    policy: TapPolicy | None = None,
) -> None:
    now_s = TAP.made_at_s + late_s
    check_tap(tap, terminal_id=terminal_id, pays=pays, now_s=now_s, policy=policy)


@pytest.mark.parametrize("late_s", [-30, 0, 300])
def test_a_tap_of_this_terminal_and_of_now_passes(late_s: int) -> None:
    check(late_s=late_s)


def test_a_tap_is_refused_elsewhere_and_at_another_time() -> None:
    cases: list[tuple[int, dict[str, Any], type[CodeError]]] = [
        (0, {"terminal_id": "bus-4712"}, ContextMismatchError),
        (-31, {}, ClockSkewError),
        (301, {}, CodeExpiredError),
        (11, {"policy": TapPolicy(age_s_max=10)}, CodeExpiredError),
    ]
    for late_s, changes, kind in cases:
        with pytest.raises(kind):
            check(late_s=late_s, **changes)


def test_an_identity_tap_opens_doors_and_pays_nothing() -> None:
    tap = replace(TAP, kind=TapKind.IDENTITY, amount_fen=0)
    check(tap, pays=False)
    with pytest.raises(PurposeNotAllowedError):
        check(tap)


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_record_of_a_tap_is_verified_as_one_of_a_code_is(algorithm: Algorithm) -> None:
    key = city.PHONE[algorithm]
    for made in (tap_record(key=key), record(city.code_d(), key=key)):
        read = verify_record(made.to_bytes(), key.public_key)
        assert read == made
        assert read.code_identity.counter is not None
    tapped = verify_record(tap_record(key=key).to_bytes(), key.public_key)
    assert tapped.tap == TAP
    assert tapped.code_identity == TAP.identity
    assert tapped.code_identity.key == b"T\x37\x04" + TAP.token + b"\x01\x2c"


def test_a_record_of_a_code_has_no_tap() -> None:
    with pytest.raises(CodeMalformedError):
        _ = record(city.code_d()).tap


def test_a_tap_accepted_at_two_terminals_is_a_double_spend() -> None:
    first = tap_record(terminal_id="a")
    second = tap_record(terminal_id="b", occurred_at_ms=first.occurred_at_ms + 1)
    refused = tap_record(
        terminal_id="c", sequence_no=9, decision=Decision.REFUSED, reason="card_lost"
    )
    (finding,) = double_spends([second, refused, first])
    assert (finding.kind, finding.first, finding.second) == (
        FindingKind.DOUBLE_SPEND,
        first,
        second,
    )


@pytest.mark.parametrize(
    ("counter", "kind"),
    [(300, FindingKind.COUNTER_REUSED), (299, FindingKind.COUNTER_BACKWARDS), (301, None)],
)
def test_a_cloned_card_is_found_by_its_counter(counter: int, kind: FindingKind | None) -> None:
    later = replace(TAP, counter=counter, transaction_no=78, made_at_s=TAP.made_at_s + 60)
    other_card = replace(later, token=bytes(8))
    findings = cloned_keys([tap_record(later), tap_record(), tap_record(other_card)])
    assert [finding.kind for finding in findings] == ([] if kind is None else [kind])
