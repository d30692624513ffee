"""Keys and labels: published vectors through our own functions, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import sm2
from hsm_sim.interface import (
    Algorithm,
    KeyInfo,
    KeyUsage,
    PublicKeyInvalidError,
    RequestInvalidError,
    SignatureInvalidError,
)
from hsm_sim.keys import (
    USAGES_ALLOWED,
    BlockKey,
    HMACKey,
    SigningKey,
    check_usage,
    derive_secret,
    load_key,
    new_key,
    same_secret,
)
from hsm_sim.labels import (
    check_label,
    epoch_label,
    epochs_of,
    next_epoch_label,
    split_label,
)


def _info(label: str) -> KeyInfo:
    return KeyInfo(label=label, algorithm=Algorithm.P256, usage=KeyUsage.SIGN)


def _groups(test_data: Path, name: str) -> list[dict[str, Any]]:
    text = (test_data / "vectors" / f"wycheproof_{name}_test.json").read_text(encoding="utf-8")
    groups: list[dict[str, Any]] = json.loads(text)["testGroups"]
    return groups


def test_hmac_sm3_agrees_with_the_published_vectors(test_data: Path) -> None:
    checked = 0
    for group in _groups(test_data, "hmac_sm3"):
        for case in group["tests"]:
            info = KeyInfo(label="", algorithm=Algorithm.HMAC_SM3, usage=KeyUsage.MAC)
            code = HMACKey(info, bytes.fromhex(case["key"])).mac(bytes.fromhex(case["msg"]))
            expected = bytes.fromhex(case["tag"])
            assert (code[: len(expected)] == expected) == (case["result"] == "valid")
            checked += 1
    assert checked > 100


def test_aes_cmac_agrees_with_rfc_4493_style_vectors() -> None:
    """Source: NIST SP 800-38B, appendix D.3 (AES-256), examples 9 and 10."""
    secret = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    key = load_key("k", Algorithm.AES256, KeyUsage.MAC, secret)
    assert isinstance(key, BlockKey)
    assert key.mac(b"").hex() == "028962f61b7bf89efc6b551f4667d983"
    message = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert key.mac(message).hex() == "28a7023f452e8f82bd4bf28d8c37c35c"


@pytest.mark.parametrize(
    ("algorithm", "check_value"),
    [
        (Algorithm.AES256, "dc95c0"),  # AES-256 of zeros under zeros
        (Algorithm.SM4, "9f1f7b"),  # SM4 of zeros under zeros
        (Algorithm.TDES, "8ca64d"),  # DES of zeros under zeros
    ],
)
def test_check_values_are_the_known_ones(algorithm: Algorithm, check_value: str) -> None:
    usage = KeyUsage.PIN
    size = 32 if algorithm is Algorithm.AES256 else 16
    assert load_key("k", algorithm, usage, bytes(size)).info.check_value.hex() == check_value


def test_p256_accepts_the_high_s_twin_which_is_the_same_signature() -> None:
    """Why: ECDSA is malleable; replay identity above must never be the signature's bytes."""
    key = new_key("k", Algorithm.P256, KeyUsage.SIGN, _counting_random())
    assert isinstance(key, SigningKey)
    signature = key.sign(b"m")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = order - int.from_bytes(signature[32:], "big")
    key.verify(b"m", signature[:32] + twin.to_bytes(32, "big"))
    for bad in (
        signature[:32] + bytes(32),
        bytes(32) + signature[32:],
        signature[:32] + order.to_bytes(32, "big"),
    ):
        with pytest.raises(SignatureInvalidError):
            key.verify(b"m", bad)


def _counting_random() -> Any:  # noqa: ANN401  (a callable without a name)
    return lambda size: bytes(range(1, size + 1))


def test_a_key_is_what_its_randomness_makes_it() -> None:
    one = new_key("a", Algorithm.P256, KeyUsage.SIGN, _counting_random())
    two = new_key("b", Algorithm.P256, KeyUsage.SIGN, _counting_random())
    assert one.secret == two.secret
    assert same_secret(one, two)
    point = (
        ec.derive_private_key(int.from_bytes(one.secret, "big"), ec.SECP256R1())
        .public_key()
        .public_numbers()
    )
    assert one.info.public_key[1:] == point.x.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [
        (Algorithm.P256, bytes(32)),
        (Algorithm.P256, b"\xff" * 32),
        (Algorithm.ED25519, bytes(31)),
    ],
)
def test_bytes_that_are_no_key_are_refused(algorithm: Algorithm, secret: bytes) -> None:
    with pytest.raises(RequestInvalidError):
        load_key("k", algorithm, KeyUsage.SIGN, secret)


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.P256, Algorithm.SM2])
def test_a_public_key_that_is_not_its_own_is_refused(algorithm: Algorithm) -> None:
    """Why: a key file whose public half was swapped would publish somebody else's key."""
    one = sm2.provider().generate()
    other = sm2.provider().generate()
    claimed = other.public[-32:] if algorithm is Algorithm.ED25519 else other.public
    with pytest.raises((RequestInvalidError, PublicKeyInvalidError)):
        load_key("k", algorithm, KeyUsage.SIGN, one.private, public_key=claimed)


def test_a_derived_key_depends_on_all_it_is_made_of() -> None:
    parents = [
        load_key("p", Algorithm.HMAC_SHA256, KeyUsage.DERIVE, bytes(31) + b"\1"),
        load_key("p", Algorithm.HMAC_SHA256, KeyUsage.DERIVE, bytes(31) + b"\2"),
        load_key("p", Algorithm.HMAC_SM3, KeyUsage.DERIVE, bytes(31) + b"\1"),
    ]
    seen = set()
    for parent in parents:
        assert isinstance(parent, HMACKey)
        for context in (b"", b"a", b"b"):
            for algorithm in (Algorithm.AES256, Algorithm.HMAC_SHA256):
                for usage in (KeyUsage.MAC, KeyUsage.DERIVE):
                    seen.add(derive_secret(parent, context, algorithm, usage))
    assert len(seen) == 3 * 3 * 2 * 2


def test_every_algorithm_has_a_usage_and_no_key_pair_has_two() -> None:
    for algorithm in Algorithm:
        for usage in KeyUsage:
            if usage in USAGES_ALLOWED[algorithm]:
                check_usage(algorithm, usage)
    assert {USAGES_ALLOWED[one] for one in (Algorithm.ED25519, Algorithm.P256, Algorithm.SM2)} == {
        KeyUsage.SIGN
    }


@given(name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/:#-]{0,40}", fullmatch=True), data=st.data())
def test_a_label_with_an_epoch_splits_into_what_it_was_made_of(
    name: str, data: st.DataObject
) -> None:
    epoch = data.draw(st.integers(1, 65_535))
    assert split_label(epoch_label(name, epoch)) == (name, epoch)
    assert split_label(name) == (name, None)


@pytest.mark.parametrize(("name", "epoch"), [("k", 0), ("k", 65_536), ("k@1", 2), ("", 1)])
def test_an_epoch_outside_its_range_is_refused(name: str, epoch: int) -> None:
    with pytest.raises(RequestInvalidError):
        epoch_label(name, epoch)


def test_rotation_counts_up_and_leaves_old_epochs_alone() -> None:
    keys = [_info("issuer@2"), _info("issuer@1"), _info("issuer"), _info("other@9")]
    assert epochs_of("issuer", keys) == [1, 2]
    assert next_epoch_label("issuer", keys) == "issuer@3"
    assert next_epoch_label("fresh", keys) == "fresh@1"
    check_label("issuer@3")
