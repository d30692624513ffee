"""The deployed ride code: its layout, its windows, and only configured roots believed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Algorithm, CodeError, MemoryReplayGuard, jtt
from codes.errors import CodeMalformedError
from codes.suites import PublicKey, make_private_key
from tests.codes.city import NOW_S

ROOT, ISSUER, USER = (make_private_key(Algorithm.SM2_SM3) for _ in range(3))
ROOTS: dict[int, PublicKey] = {1: ROOT.public_key}

CERTIFICATE = jtt.sign_certificate(
    jtt.IssuerCertificate(
        service_id=b"\x01\x02\x03\x04",
        root_index=1,
        issuer=b"\x37\x04\x06\x00",
        expires_month=12,
        expires_year=2026,
        serial=b"\x00\x00\x09",
        parameters=0,
        public_key=ISSUER.public_key.raw,
        root_signature=bytes(64),
    ),
    ROOT,
)
TEMPLATE = jtt.RideCode(
    certificate=CERTIFICATE,
    payment_account="3704060000000001",
    card_account="31048800000000000001",
    issuer=b"\x37\x04\x06\x00",
    platform=b"\x00\x00\x00\x01",
    card_type=1,
    cap_fen=2000,
    user_key=USER.public_key.raw,
    authorisation_expires_at_s=NOW_S + 86_400,
    validity_s=600,
    custom=b"",
    issuer_signature=bytes(64),
    generated_at_s=0,
    user_signature=bytes(64),
)


def _code(**changes: Any) -> jtt.RideCode:  # noqa: ANN401  (any field of the table)
    generated_at_s = changes.pop("generated_at_s", NOW_S)
    issued = jtt.sign_as_issuer(replace(TEMPLATE, **changes), ISSUER)
    return jtt.sign_as_user(issued, USER, generated_at_s)


def _refusal(data: bytes, now_s: int = NOW_S, **more: Any) -> str:  # noqa: ANN401  (any argument)
    with pytest.raises(CodeError) as caught:
        jtt.verify(data, more.pop("roots", ROOTS), now_s, more.pop("replay", None), **more)
    return caught.value.code


GOOD = _code().to_bytes()


@pytest.mark.parametrize("custom", [b"", b"x", bytes(255)])
def test_a_code_is_written_read_and_accepted(custom: bytes) -> None:
    made = _code(custom=custom)
    data = made.to_bytes()
    assert len(data) == 332 + len(custom)
    assert jtt.read(data) == made
    assert jtt.verify(data, ROOTS, NOW_S, None, amount_fen=2000) == made


def test_the_layout_is_that_of_the_deployed_code() -> None:
    data = _code(custom=b"ABC").to_bytes()
    assert data[0] == 0x81
    assert int.from_bytes(data[1:3], "big") == 332
    certificate = data[3:120]
    assert certificate[:7] == b"\x24\x01\x02\x03\x04\x01\x12"
    assert certificate[7:11] == b"\x37\x04\x06\x00"
    assert certificate[11:13] == b"\x12\x26"
    assert certificate[13:20] == b"\x00\x00\x09\x04\x04\x00\x21"
    assert certificate[20:53] == ISSUER.public_key.raw
    ROOT.public_key.verify(certificate[53:117], certificate[6:53])
    assert data[120:136] == b"3704060000000001"
    assert data[136:146] == bytes.fromhex("31048800000000000001")
    assert data[146:150] == b"\x37\x04\x06\x00"
    assert data[150:154] == b"\x00\x00\x00\x01"
    assert data[154] == 1
    assert data[155:158] == (2000).to_bytes(3, "big")
    assert data[158:191] == USER.public_key.raw
    assert data[191:195] == (NOW_S + 86_400).to_bytes(4, "big")
    assert data[195:197] == (600).to_bytes(2, "big")
    assert data[197:201] == b"\x03ABC"
    assert data[201] == 0x15
    ISSUER.public_key.verify(data[202:266], data[3:201])
    assert data[266:270] == NOW_S.to_bytes(4, "big")
    assert data[270] == 0x15
    USER.public_key.verify(data[271:335], data[:270])


def test_a_length_field_that_counts_all_bytes_is_read_too() -> None:
    made = _code()
    data = bytearray(made.to_bytes())
    data[1:3] = (332).to_bytes(2, "big")
    data[268:] = USER.sign(bytes(data[:267]))
    assert jtt.verify(bytes(data), ROOTS, NOW_S, None).payment_account == made.payment_account


def test_an_issuer_is_believed_by_a_configured_root_only() -> None:
    """Why: a deployed validator checked a certificate with the key inside that certificate."""
    own = jtt.sign_certificate(CERTIFICATE, ISSUER)
    assert _refusal(_code(certificate=own).to_bytes()) == "code_invalid"
    assert _refusal(GOOD, roots={}) == "code_invalid"
    assert _refusal(GOOD, roots={2: ROOT.public_key}) == "code_invalid"
    assert _refusal(GOOD, roots={1: ISSUER.public_key}) == "code_invalid"
    stranger = jtt.sign_certificate(replace(CERTIFICATE, issuer=b"\x11\0\0\0"), ROOT)
    assert _refusal(_code(certificate=stranger).to_bytes()) == "code_invalid"


def test_a_certificate_holds_to_the_end_of_its_month_in_china() -> None:
    end_s = int(datetime(2026, 12, 31, 16, tzinfo=UTC).timestamp())
    assert CERTIFICATE.expires_at_s == end_s
    assert replace(CERTIFICATE, expires_month=1).expires_at_s == int(
        datetime(2026, 1, 31, 16, tzinfo=UTC).timestamp()
    )
    late = _code(authorisation_expires_at_s=end_s + 99, generated_at_s=end_s - 1).to_bytes()
    jtt.verify(late, ROOTS, end_s - 1, None)
    assert _refusal(late, end_s) == "code_invalid"


@pytest.mark.parametrize(
    ("changes", "now_s", "reason"),
    [
        ({}, NOW_S + 630, None),
        ({}, NOW_S + 631, "code_expired"),
        ({}, NOW_S - 30, None),
        ({}, NOW_S - 31, "clock_skew"),
        ({}, NOW_S + 8 * 3600, "code_expired"),
        ({}, NOW_S - 8 * 3600, "clock_skew"),
        ({"validity_s": 601}, NOW_S, "code_invalid"),
        ({"validity_s": 0}, NOW_S, "code_invalid"),
        ({"authorisation_expires_at_s": NOW_S}, NOW_S, None),
        ({"authorisation_expires_at_s": NOW_S}, NOW_S + 1, "code_expired"),
        ({"authorisation_expires_at_s": NOW_S - 1}, NOW_S - 2, "code_expired"),
    ],
)
def test_windows_are_kept_and_no_zone_is_guessed(
    changes: dict[str, Any], now_s: int, reason: str | None
) -> None:
    data = _code(**changes).to_bytes()
    if reason is None:
        jtt.verify(data, ROOTS, now_s, None)
    else:
        assert _refusal(data, now_s) == reason


def test_a_code_is_accepted_once_whatever_its_signature_bytes() -> None:
    guard = MemoryReplayGuard()
    issued = jtt.sign_as_issuer(TEMPLATE, ISSUER)
    one, twin = (jtt.sign_as_user(issued, USER, NOW_S).to_bytes() for _ in range(2))
    assert one != twin, "SM2 signs with a fresh nonce"
    jtt.verify(one, ROOTS, NOW_S, guard)
    assert _refusal(twin, replay=guard) == "code_replayed"
    jtt.verify(jtt.sign_as_user(issued, USER, NOW_S + 1).to_bytes(), ROOTS, NOW_S, guard)


def test_the_cap_is_kept() -> None:
    assert _refusal(GOOD, amount_fen=2001) == "cap_exceeded"


@given(st.integers(0, 331), st.integers(1, 255))
def test_any_changed_byte_is_refused(place: int, change: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= change
    with pytest.raises(CodeError):
        jtt.verify(bytes(data), ROOTS, NOW_S, None)


@given(st.binary(max_size=400) | st.binary(min_size=331, max_size=331).map(lambda b: b"\x81" + b))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodeError):
        jtt.verify(data, ROOTS, NOW_S, None)


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        (0, 0x82),
        (1, 9),
        (197, 1),
        (198, 0x16),
        (267, 0x16),
        (3, 0x25),
        (14, 0x13),
        (14, 0x1A),
        (120, 0x07),
        (120, 0xC3),
        (136, 0xAA),
        (19, 5),
        (20, 5),
        (22, 0x20),
    ],
)
def test_what_the_layout_does_not_allow_is_malformed(place: int, byte: int) -> None:
    data = bytearray(GOOD)
    data[place] = byte
    with pytest.raises(CodeMalformedError):
        jtt.read(bytes(data))


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (TEMPLATE, {"payment_account": "short"}),
        (TEMPLATE, {"payment_account": "帐" * 16}),
        (TEMPLATE, {"card_account": "x" * 20}),
        (TEMPLATE, {"cap_fen": 1 << 24}),
        (TEMPLATE, {"custom": bytes(256)}),
        (TEMPLATE, {"user_key": b""}),
        (CERTIFICATE, {"expires_month": 13}),
        (CERTIFICATE, {"expires_year": 1999}),
        (CERTIFICATE, {"root_index": 256}),
        (CERTIFICATE, {"serial": b""}),
    ],
)
def test_a_value_outside_the_layout_cannot_be_made(
    value: jtt.RideCode | jtt.IssuerCertificate, changes: dict[str, Any]
) -> None:
    with pytest.raises(CodeMalformedError):
        replace(value, **changes)
