"""The byte tables: every field at its offset, one text for each code, everything else refused."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codes import Authorisation, ClassD, ClassP, ClassS, base45, decode, encode
from codes.errors import CodeMalformedError
from codes.fields import D_HEAD, P_BODY, S_BODY
from codes.presented import present
from codes.text_form import TEXT_SIZE_MAX, authorisation_from_bytes, from_bytes
from tests.codes import city

S = ClassS(
    suite=0x30,
    issuer_id=0x3704,
    kid=0x21,
    token=b"TOKEN--S",
    scope=0x0101,
    tariff_class=0b10011,
    purpose=0b011,
    issued_at_s=0x6AB13B80,
    ttl_s=30,
    cap_10fen=0x0102,
    domain=0x0304,
    jti=b"JTI-----",
    context=b"CTX.",
    flags=0xA3,
    signature=bytes(range(64)),
)
AUTHORISATION = Authorisation(
    suite=0x33,
    issuer_id=0x3704,
    kid=0x21,
    token=b"TOKEN--D",
    status_index=0x01020304,
    scope=0x0001,
    tariff_class=1,
    purpose=2,
    authorised_at_s=0x6AB13B80,
    validity_min=10_080,
    cap_10fen=0x0506,
    cumulative_cap_10fen=0x0708,
    uses_max=20,
    dynamic_ttl_s=15,
    device_key=bytes((2,)) + bytes(range(32)),
    signature=bytes(range(64)),
)
D = ClassD(
    authorisation=AUTHORISATION,
    made_after_s=0x010203,
    counter=0x040506,
    context=b"CTX.",
    flags=0xE1,
    signature=bytes(range(64, 128)),
)
P = ClassP(
    suite=0x10,
    issuer_id=0x3704,
    kid=0x21,
    token=b"TOKEN--P",
    status_index=0x01020304,
    scope=0x0010,
    tariff_class=31,
    purpose=7,
    issued_at_s=0x6AB13B80,
    validity_days=365,
    cap_10fen=0x0506,
    flags=0xE0,
    signature=bytes(range(64)),
)


def test_class_s_stands_as_its_table_says() -> None:
    data = S.to_bytes()
    assert len(data) == 104
    assert data[0] == 0x11
    assert data[1] == 0x30
    assert data[2:4] == b"\x37\x04"
    assert data[4] == 0x21
    assert data[5:13] == b"TOKEN--S"
    assert data[13:15] == b"\x01\x01"
    assert data[15] == 0b10011_011
    assert data[16:20] == bytes.fromhex("6AB13B80")
    assert data[20:22] == b"\x00\x1e"
    assert data[22:24] == b"\x01\x02"
    assert data[24:26] == b"\x03\x04"
    assert data[26:34] == b"JTI-----"
    assert data[34:38] == b"CTX."
    assert data[38] == 0xA3
    assert data[39] == 0
    assert data[40:] == bytes(range(64))


def test_class_d_stands_as_its_table_says() -> None:
    data = D.to_bytes()
    assert len(data) == 204
    assert data[:5] == b"\x12\x33\x37\x04\x21"
    assert data[5:13] == b"TOKEN--D"
    assert data[13:17] == b"\x01\x02\x03\x04"
    assert data[17:19] == b"\x00\x01"
    assert data[19] == 0b00001_010
    assert data[20:24] == bytes.fromhex("6AB13B80")
    assert data[24:26] == (10_080).to_bytes(2, "big")
    assert data[26:28] == b"\x05\x06"
    assert data[28:30] == b"\x07\x08"
    assert data[30] == 20
    assert data[31] == 15
    assert data[32:65] == AUTHORISATION.device_key
    assert data[65:129] == bytes(range(64))
    assert data[129:132] == b"\x01\x02\x03"
    assert data[132:135] == b"\x04\x05\x06"
    assert data[135:139] == b"CTX."
    assert data[139] == 0xE1
    assert data[140:] == bytes(range(64, 128))
    assert D.made_at_s == 0x6AB13B80 + 0x010203
    assert (D.suite, D.issuer_id, D.kid) == (0x33, 0x3704, 0x21)
    assert D.token == b"TOKEN--D"


def test_an_ed25519_device_key_makes_class_d_one_byte_shorter() -> None:
    short = replace(
        D, authorisation=replace(AUTHORISATION, suite=0x11, device_key=bytes(range(32)))
    )
    data = short.to_bytes()
    assert len(data) == 203
    assert data[64:128] == AUTHORISATION.signature
    assert data[128:131] == b"\x01\x02\x03"
    assert decode(encode(short)) == short


def test_class_p_stands_as_its_table_says() -> None:
    data = P.to_bytes()
    assert len(data) == 94
    assert data[:5] == b"\x13\x10\x37\x04\x21"
    assert data[5:13] == b"TOKEN--P"
    assert data[13:17] == b"\x01\x02\x03\x04"
    assert data[17:19] == b"\x00\x10"
    assert data[19] == 0xFF
    assert data[20:24] == bytes.fromhex("6AB13B80")
    assert data[24:26] == (365).to_bytes(2, "big")
    assert data[26:28] == b"\x05\x06"
    assert data[28:30] == b"\xe0\x00"
    assert data[30:] == bytes(range(64))


@pytest.mark.parametrize("code", [S, D, P])
def test_decoding_undoes_encoding(code: ClassS | ClassD | ClassP) -> None:
    assert decode(encode(code)) == code
    assert encode(code).startswith("M1:")
    assert len(encode(code)) <= TEXT_SIZE_MAX


@given(
    st.sampled_from([S.to_bytes(), D.to_bytes(), P.to_bytes()]),
    st.lists(st.tuples(st.integers(0, 203), st.integers(0, 255)), max_size=4),
    st.integers(-3, 3),
)
def test_hostile_bytes_are_refused_or_canonical(
    data: bytes, changes: list[tuple[int, int]], growth: int
) -> None:
    """Why: two byte strings for one code would slip past the replay guard."""
    hostile = bytearray(data)
    for place, byte in changes:
        hostile[place % len(hostile)] = byte
    hostile = hostile[:growth] if growth < 0 else hostile + bytes(growth)
    text = "M1:" + base45.encode(bytes(hostile))
    with contextlib.suppress(CodeMalformedError):
        assert encode(decode(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M",
        "M1",
        "M1:",
        "M2:" + encode(S)[3:],
        "m1:" + encode(S)[3:],
        encode(S)[3:],
        encode(S).lower(),
        encode(S)[:-1],
        encode(S)[:-3],
        encode(S) + "0",
        encode(S) + "000",
        " " + encode(S),
        encode(S) + "\n",
        "M1:" + "😀" * 50,
        "M1:\ud800",
        "M1:" + "0" * 4096,
        "x" * 10_000_000,
        "M1:" + base45.encode(b"\x11"),
    ],
)
def test_what_is_not_a_code_is_refused(text: str) -> None:
    with pytest.raises(CodeMalformedError) as caught:
        decode(text)
    assert caught.value.code == "code_invalid"
    assert str(caught.value) == "This code is not valid."


@pytest.mark.parametrize(
    ("code", "place", "byte"),
    [
        (S, 0, 0x21),  # version 2
        (S, 0, 0x10),  # class 0
        (S, 0, 0x14),  # class 4
        (S, 0, 0x12),  # the length of another class
        (S, 0, 0x13),
        (S, 1, 0x00),
        (S, 1, 0x11),
        (S, 1, 0x40),
        (S, 13, 0x02),  # reserved scope bit
        (S, 38, 0x10),  # reserved flag
        (S, 39, 0x01),  # reserved byte
        (D, 1, 0x12),
        (D, 1, 0x31),
        (D, 1, 0x30),
        (D, 17, 0x80),
        (D, 31, 14),
        (D, 31, 61),
        (D, 139, 0x10),
        (P, 0, 0x11),
        (P, 1, 0x33),
        (P, 17, 0x02),
        (P, 28, 0x01),  # printed codes have no companions
        (P, 29, 0x01),
    ],
)
def test_a_byte_the_table_does_not_allow_is_refused(
    code: ClassS | ClassD | ClassP, place: int, byte: int
) -> None:
    data = bytearray(code.to_bytes())
    data[place] = byte
    with pytest.raises(CodeMalformedError):
        from_bytes(bytes(data))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (S, {"suite": 0x11}),
        (S, {"issuer_id": 0x10000}),
        (S, {"kid": -1}),
        (S, {"token": b"short"}),
        (S, {"scope": 0x0200}),
        (S, {"scope": -1}),
        (S, {"tariff_class": 32}),
        (S, {"purpose": 8}),
        (S, {"issued_at_s": -1}),
        (S, {"issued_at_s": 1 << 32}),
        (S, {"ttl_s": 0}),
        (S, {"ttl_s": 0x10000}),
        (S, {"ttl_s": 31, "context": bytes(4)}),
        (S, {"cap_10fen": 0x10000}),
        (S, {"domain": 0x10000}),
        (S, {"jti": b""}),
        (S, {"context": b"abc"}),
        (S, {"flags": 0x10}),
        (S, {"flags": 0x100}),
        (S, {"signature": bytes(63)}),
        (D, {"made_after_s": -1}),
        (D, {"made_after_s": 1 << 24}),
        (D, {"counter": 1 << 24}),
        (D, {"context": b""}),
        (D, {"flags": 0x1F}),
        (D, {"signature": bytes(65)}),
        (AUTHORISATION, {"suite": 0x10}),
        (AUTHORISATION, {"status_index": 1 << 32}),
        (AUTHORISATION, {"authorised_at_s": 1 << 32}),
        (AUTHORISATION, {"validity_min": 0}),
        (AUTHORISATION, {"validity_min": 10_081}),
        (AUTHORISATION, {"cumulative_cap_10fen": -1}),
        (AUTHORISATION, {"uses_max": 256}),
        (AUTHORISATION, {"dynamic_ttl_s": 61}),
        (AUTHORISATION, {"device_key": bytes(32)}),
        (P, {"suite": 0x33}),
        (P, {"status_index": -1}),
        (P, {"validity_days": 0}),
        (P, {"flags": 0x01}),
    ],
)
def test_a_value_outside_its_table_cannot_be_made(
    code: ClassS | ClassD | Authorisation | ClassP, changes: dict[str, Any]
) -> None:
    with pytest.raises(CodeMalformedError):
        replace(code, **changes)


def test_a_paying_code_bound_to_a_place_may_live_longer_than_30_s() -> None:
    assert replace(S, ttl_s=60).ttl_s == 60
    assert replace(S, ttl_s=60, purpose=1, context=bytes(4)).ttl_s == 60


@pytest.mark.parametrize(
    "data",
    [b"", b"\x12", b"\x11" + AUTHORISATION.to_bytes()[1:], AUTHORISATION.to_bytes()[:-1]],
)
def test_bytes_that_are_no_authorisation_are_refused(data: bytes) -> None:
    with pytest.raises(CodeMalformedError):
        authorisation_from_bytes(data)


def test_the_fixed_parts_have_the_sizes_of_the_tables() -> None:
    assert (S_BODY.size, D_HEAD.size, P_BODY.size) == (40, 32, 30)


@pytest.mark.parametrize("make", city.CODE_OF_CLASS.values())
def test_issued_codes_are_canonical(make: Callable[[], str]) -> None:
    text = make()
    assert encode(decode(text)) == text


@given(
    st.sampled_from([S.to_bytes(), D.to_bytes(), P.to_bytes(), b"\x12", b""]),
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 255)), max_size=3),
    st.integers(-1, 1),
)
def test_the_facts_of_a_code_are_refused_exactly_when_the_code_is(
    data: bytes, changes: list[tuple[int, int]], growth: int
) -> None:
    """Why: acceptance reads facts and never makes the value, so both must know the same rules."""
    hostile = bytearray(data)
    for place, byte in changes:
        if place < len(hostile):
            hostile[place] = byte
    changed = bytes(hostile[:growth] if growth < 0 else hostile + bytes(growth))
    try:
        code = from_bytes(changed)
    except CodeMalformedError:
        with pytest.raises(CodeMalformedError):
            present(changed)
        return
    facts = present(changed)
    granted = code.authorisation if isinstance(code, ClassD) else code
    assert facts.code_class is code.code_class
    assert (facts.suite, facts.issuer_id, facts.kid) == (code.suite, code.issuer_id, code.kid)
    assert (facts.token, facts.scope) == (granted.token, granted.scope)
    assert facts.tariff_and_purpose == granted.tariff_class << 3 | granted.purpose
    assert (facts.cap_10fen, facts.flags) == (granted.cap_10fen, code.flags)
