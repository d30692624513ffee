"""Signatures: the published vectors with all invalid cases, strict keys, private keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codes.suites import (
    ED25519_SIZE,
    Algorithm,
    KeyFormError,
    SignatureError,
    load_private_key,
    load_public_key,
    make_private_key,
)
from tests.codes import city

ED25519_PRIME = 2**255 - 19
ED25519_D = -121665 * pow(121666, -1, ED25519_PRIME) % ED25519_PRIME
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


def _cases(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    for group in document["testGroups"]:
        for case in group["tests"]:
            yield group, case


def _verdict(algorithm: Algorithm, raw_key: bytes, case: dict[str, Any]) -> str:
    try:
        key = load_public_key(algorithm, raw_key)
        key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
    except (KeyFormError, SignatureError):
        return "invalid"
    return "valid"


def test_every_ed25519_case_of_wycheproof_is_judged_right(test_data: Path) -> None:
    path = test_data / "vectors" / "wycheproof_ed25519_test.json"
    verdicts = [
        (case["result"], _verdict(Algorithm.ED25519, bytes.fromhex(group["publicKey"]["pk"]), case))
        for group, case in _cases(path)
    ]
    assert len(verdicts) == 151
    assert all(expected == given for expected, given in verdicts)


def test_every_p256_case_of_wycheproof_is_judged_right(test_data: Path) -> None:
    path = test_data / "vectors" / "wycheproof_ecdsa_secp256r1_sha256_p1363_test.json"
    verdicts = []
    for group, case in _cases(path):
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        compressed = bytes((2 + point[-1] % 2,)) + point[1:33]
        verdicts.append((case["result"], _verdict(Algorithm.ES256, compressed, case)))
    assert len(verdicts) == 262
    assert all(expected == given for expected, given in verdicts)


SM2_EXAMPLE_KEY = bytes.fromhex(
    "0309F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
)
SM2_EXAMPLE_SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)


def test_the_sm2_example_of_the_standard_verifies() -> None:
    """Source: GB/T 32918.5, annex A."""
    key = load_public_key(Algorithm.SM2_SM3, SM2_EXAMPLE_KEY)
    key.verify(SM2_EXAMPLE_SIGNATURE, b"message digest")
    with pytest.raises(SignatureError):
        key.verify(SM2_EXAMPLE_SIGNATURE, b"message digest!")
    for place in range(64):
        changed = bytearray(SM2_EXAMPLE_SIGNATURE)
        changed[place] ^= 1
        with pytest.raises(SignatureError):
            key.verify(bytes(changed), b"message digest")


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
@pytest.mark.parametrize(
    "signature",
    [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64, b"\x30\x44" + bytes(70)],
)
def test_a_signature_of_another_form_is_refused(algorithm: Algorithm, signature: bytes) -> None:
    with pytest.raises(SignatureError):
        city.ISSUER[algorithm].public_key.verify(signature, b"message")


@pytest.mark.parametrize(
    ("algorithm", "order"), [(Algorithm.ES256, P256_ORDER), (Algorithm.SM2_SM3, SM2_ORDER)]
)
def test_r_and_s_stay_below_the_order(algorithm: Algorithm, order: int) -> None:
    key = city.ISSUER[algorithm]
    signature = key.sign(b"message")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    for bad_r, bad_s in ((0, s), (r, 0), (order, s), (r, order), (r, s + order), (r + order, s)):
        if max(bad_r, bad_s) < 1 << 256:
            bad = bad_r.to_bytes(32, "big") + bad_s.to_bytes(32, "big")
            with pytest.raises(SignatureError):
                key.public_key.verify(bad, b"message")


def _small_order_points() -> list[int]:
    """Y of the points of order 1, 2, 4 and 8, computed from the curve equation."""
    prime, d = ED25519_PRIME, ED25519_D
    # Order 8: doubling gives y = 0, so y*y = -x*x, and the curve says d*y^4 + 2*y^2 - 1 = 0.
    root = pow(1 + d, (prime + 3) // 8, prime)
    if root * root % prime != (1 + d) % prime:
        root = root * pow(2, (prime - 1) // 4, prime) % prime
    assert root * root % prime == (1 + d) % prime
    ys = [1, prime - 1, 0]
    for sign in (1, -1):
        square = (-1 + sign * root) * pow(d, -1, prime) % prime
        y = pow(square, (prime + 3) // 8, prime)
        if y * y % prime != square:
            y = y * pow(2, (prime - 1) // 4, prime) % prime
        if y * y % prime == square:
            ys += [y, prime - y]
    return ys


def test_ed25519_keys_of_small_order_are_refused_in_every_encoding() -> None:
    ys = _small_order_points()
    assert len(ys) == 5
    for y in ys:
        for value in (y, y + ED25519_PRIME):
            for sign in (0, 1 << 255):
                if value < 1 << 255:
                    raw = (value | sign).to_bytes(32, "little")
                    with pytest.raises(KeyFormError):
                        load_public_key(Algorithm.ED25519, raw)


def test_an_ed25519_signature_with_a_small_order_commitment_is_refused() -> None:
    key = city.ISSUER[Algorithm.ED25519]
    for y in _small_order_points():
        with pytest.raises(SignatureError, match="form"):
            key.public_key.verify(y.to_bytes(32, "little") + bytes(32), b"message")


@pytest.mark.parametrize(
    ("algorithm", "raw"),
    [
        (Algorithm.NONE, b""),
        (Algorithm.ED25519, bytes(31)),
        (Algorithm.ED25519, (ED25519_PRIME + 3).to_bytes(32, "little")),
        (Algorithm.ES256, bytes(33)),
        (Algorithm.ES256, b"\x04" + bytes(64)),
        (Algorithm.ES256, b"\x02" + b"\xff" * 32),
        (Algorithm.SM2_SM3, bytes(33)),
        (Algorithm.SM2_SM3, b"\x04" + bytes(32)),
        (Algorithm.SM2_SM3, b"\x02" + b"\xff" * 32),
        (Algorithm.SM2_SM3, SM2_EXAMPLE_KEY[:-1]),
        (Algorithm.SM2_SM3, SM2_EXAMPLE_KEY[:-1] + b"\x24"),  # x of no point
    ],
)
def test_what_is_no_public_key_is_refused(algorithm: Algorithm, raw: bytes) -> None:
    with pytest.raises(KeyFormError):
        load_public_key(algorithm, raw)


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_private_key_comes_back_from_its_bytes(algorithm: Algorithm) -> None:
    made = make_private_key(algorithm)
    loaded = load_private_key(algorithm, made.secret, made.public_key.raw)
    made.public_key.verify(loaded.sign(b"message"), b"message")
    assert loaded.public_key.algorithm is algorithm
    assert loaded.secret == made.secret
    other = make_private_key(algorithm).public_key.raw
    with pytest.raises(KeyFormError):
        load_private_key(algorithm, made.secret, other)


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [
        (Algorithm.NONE, bytes(32)),
        (Algorithm.ED25519, bytes(31)),
        (Algorithm.ES256, bytes(32)),
        (Algorithm.ES256, b"\xff" * 32),
        (Algorithm.SM2_SM3, bytes(32)),
        (Algorithm.SM2_SM3, b"\xff" * 32),
    ],
)
def test_what_is_no_private_key_is_refused(algorithm: Algorithm, secret: bytes) -> None:
    raw = (
        city.ISSUER[algorithm].public_key.raw
        if algorithm is not Algorithm.NONE
        else bytes(ED25519_SIZE)
    )
    with pytest.raises(KeyFormError):
        load_private_key(algorithm, secret, raw)


def test_no_key_is_made_without_an_algorithm() -> None:
    with pytest.raises(KeyFormError):
        make_private_key(Algorithm.NONE)
