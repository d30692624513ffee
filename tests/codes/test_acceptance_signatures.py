"""Acceptance of signatures: every changed bit, every bad form, one answer for all."""

import pytest

from codes import (
    Algorithm,
    CodeError,
    base45,
)
from tests.codes import city
from tests.codes.city import BUS, GATE
from tests.codes.judging import P256_ORDER, accept, flip, refusal

FIELD_PLACES = {
    "S": [0, 1, 2, 4, 5, 13, 15, 16, 19, 21, 23, 25, 26, 34, 38, 39, 40, 72, 103],
    "D": [0, 1, 2, 4, 5, 16, 17, 19, 23, 25, 27, 29, 30, 31, 33, 65, 97, 131, 134, 135, 139, 140],
    "P": [0, 1, 2, 4, 5, 16, 18, 19, 23, 25, 27, 28, 29, 30, 62],
}


@pytest.mark.parametrize(
    ("letter", "place"), [(letter, place) for letter in "SDP" for place in FIELD_PLACES[letter]]
)
def test_one_bit_flipped_in_any_field_is_refused(letter: str, place: int) -> None:
    text = city.CODE_OF_CLASS[letter]()
    policy = GATE if letter == "P" else BUS
    accept(text, policy)
    refusal(flip(text, place), policy)


@pytest.mark.parametrize("place", [40, 72, 103])
def test_all_signature_faults_look_the_same_outside(place: int) -> None:
    unsigned = flip(city.code_s(), place)
    unknown = city.code_s(kid=99)
    with pytest.raises(CodeError) as forged:
        accept(unsigned)
    with pytest.raises(CodeError) as stranger:
        accept(unknown)
    with pytest.raises(CodeError) as garbage:
        accept("M1:GARBAGE")
    assert forged.value.code == stranger.value.code == garbage.value.code == "code_invalid"
    assert str(forged.value) == str(stranger.value) == str(garbage.value)


@pytest.mark.parametrize(
    "device_key",
    [
        bytes((2,)) + (2**256 - 1).to_bytes(32, "big"),  # x above the prime
        bytes((2,)) + bytes(31) + b"\x01",  # x of no point
        bytes((4,)) + bytes(32),
        bytes(33),
    ],
)
def test_a_device_key_off_the_curve_is_refused(device_key: bytes) -> None:
    text = city.code_d(city.authorisation(device_key=device_key))
    assert refusal(text) == "code_invalid"


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [
        (Algorithm.ES256, bytes(32) + bytes(31) + b"\x01"),  # r = 0
        (Algorithm.ES256, bytes(31) + b"\x01" + bytes(32)),  # s = 0
        (Algorithm.ES256, bytes(31) + b"\x01" + P256_ORDER.to_bytes(32, "big")),  # s = n
        (Algorithm.ES256, b"\xff" * 64),
        (Algorithm.ES256, b"\x30\x3e\x02\x1d" + bytes(60)),  # DER instead of raw
        (Algorithm.SM2_SM3, bytes(64)),
        (Algorithm.SM2_SM3, b"\xff" * 64),
        (Algorithm.ED25519, bytes(64)),
        (Algorithm.ED25519, b"\xff" * 64),
        (Algorithm.ED25519, b"\x01" + bytes(63)),
    ],
)
def test_row_22_a_signature_out_of_range_is_refused(algorithm: Algorithm, signature: bytes) -> None:
    async def sign(message: bytes) -> bytes:
        return signature

    assert refusal(city.code_s(algorithm, sign=sign)) == "code_invalid"


def test_an_ed25519_signature_with_s_above_the_order_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    data = base45.decode(city.code_s(Algorithm.ED25519)[3:])
    s = int.from_bytes(data[72:], "little") + order
    twin = "M1:" + base45.encode(data[:72] + s.to_bytes(32, "little"))
    assert refusal(twin) == "code_invalid"


def test_domain_separation_keeps_one_kind_from_passing_as_another() -> None:
    """How: the same bytes signed under the tag of another kind are refused."""
    key = city.ISSUER[Algorithm.ES256]

    async def under_other_tag(message: bytes) -> bytes:
        return key.sign(b"CC1-P" + message[5:])

    assert refusal(city.code_s(sign=under_other_tag)) == "code_invalid"
