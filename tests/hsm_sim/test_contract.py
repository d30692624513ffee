"""One contract, every implementation of the interface."""

import asyncio

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.pkcs11 import PKCS11HSM
from hsm_sim import sm2
from hsm_sim.client import HSMClient
from hsm_sim.der import der_of_halves
from hsm_sim.in_process import InProcessHSM
from hsm_sim.interface import (
    HSM,
    Algorithm,
    AlgorithmUnavailableError,
    CardHSM,
    HSMError,
    KeyExistsError,
    KeyInfo,
    KeyUnknownError,
    KeyUsage,
    KeyUsageRefusedError,
    RequestInvalidError,
    SignatureInvalidError,
    WrappedDataInvalidError,
)

KEY_PAIRS = [Algorithm.ED25519, Algorithm.P256, Algorithm.SM2]
MAC_KEYS = [Algorithm.HMAC_SHA256, Algorithm.HMAC_SM3, Algorithm.AES256, Algorithm.SM4]
WRAP_KEYS = [Algorithm.AES256, Algorithm.SM4]
DERIVE_KEYS = [Algorithm.AES256, Algorithm.SM4, Algorithm.HMAC_SHA256, Algorithm.HMAC_SM3]


def _typed(
    memory: InProcessHSM, process: HSMClient, token: PKCS11HSM
) -> tuple[CardHSM, CardHSM, HSM]:
    """The type checker's half of the contract."""
    return memory, process, token


@pytest.fixture(params=["memory", "process", "token"])
def hsm(request: pytest.FixtureRequest) -> HSM:
    implementation: HSM = request.getfixturevalue(f"{request.param}_hsm")
    return implementation


async def _generated(hsm: HSM, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
    """A key, or a skip where the implementation says it cannot do the algorithm."""
    try:
        return await hsm.generate(label, algorithm, usage)
    except AlgorithmUnavailableError as refusal:
        pytest.skip(f"{type(hsm).__name__}: {refusal}")


def _verify_outside(info: KeyInfo, message: bytes, signature: bytes) -> None:
    """Check a signature with nothing but the public key."""
    if info.algorithm is Algorithm.ED25519:
        Ed25519PublicKey.from_public_bytes(info.public_key).verify(signature, message)
    elif info.algorithm is Algorithm.P256:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), info.public_key)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(der_of_halves(r, s), message, ec.ECDSA(hashes.SHA256()))
    else:
        sm2.provider().verifier(info.public_key).verify(message, signature)


@pytest.mark.parametrize("algorithm", KEY_PAIRS)
async def test_a_signature_verifies_inside_and_with_the_public_key_alone(
    hsm: HSM, algorithm: Algorithm
) -> None:
    info = await _generated(hsm, "issuer@1", algorithm, KeyUsage.SIGN)
    assert len(info.public_key) == (32 if algorithm is Algorithm.ED25519 else 33)
    assert info.check_value == b""
    for message in (b"", b"CC1-S" + bytes(40), b"m" * 4096):
        signature = await hsm.sign("issuer@1", message)
        assert len(signature) == 64
        await hsm.verify("issuer@1", message, signature)
        _verify_outside(info, message, signature)
        with pytest.raises((InvalidSignature, SignatureInvalidError)):
            _verify_outside(info, message + b"!", signature)


@pytest.mark.parametrize("algorithm", KEY_PAIRS)
async def test_a_changed_message_or_signature_is_refused(hsm: HSM, algorithm: Algorithm) -> None:
    await _generated(hsm, "k", algorithm, KeyUsage.SIGN)
    signature = await hsm.sign("k", b"message")
    flipped = signature[:40] + bytes((signature[40] ^ 4,)) + signature[41:]
    for message, bad in (
        (b"massage", signature),
        (b"message", flipped),
        (b"message", signature[:-1]),
        (b"message", signature + b"\0"),
        (b"message", bytes(64)),
        (b"message", b"\xff" * 64),
        (b"message", b""),
    ):
        with pytest.raises(SignatureInvalidError):
            await hsm.verify("k", message, bad)


@pytest.mark.parametrize("algorithm", MAC_KEYS)
async def test_a_mac_depends_on_every_byte_and_on_the_key(hsm: HSM, algorithm: Algorithm) -> None:
    info = await _generated(hsm, "a", algorithm, KeyUsage.MAC)
    await hsm.generate("b", algorithm, KeyUsage.MAC)
    assert len(info.check_value) == 3
    assert info.public_key == b""
    size = 32 if algorithm in (Algorithm.HMAC_SHA256, Algorithm.HMAC_SM3) else 16
    code = await hsm.mac("a", b"message")
    assert len(code) == size
    assert await hsm.mac("a", b"message") == code
    others = {
        await hsm.mac("a", b"massage"),
        await hsm.mac("a", b""),
        await hsm.mac("b", b"message"),
    }
    assert len(others | {code}) == 4


@pytest.mark.parametrize("algorithm", WRAP_KEYS)
async def test_wrapped_bytes_open_only_with_their_key_and_context(
    hsm: HSM, algorithm: Algorithm
) -> None:
    await _generated(hsm, "a", algorithm, KeyUsage.WRAP)
    await hsm.generate("b", algorithm, KeyUsage.WRAP)
    for plaintext in (b"", b"secret", b"x" * 5000):
        wrapped = await hsm.wrap("a", plaintext, context=b"citizen 1")
        assert plaintext == b"" or plaintext not in wrapped
        assert await hsm.unwrap("a", wrapped, context=b"citizen 1") == plaintext
        assert await hsm.wrap("a", plaintext, context=b"citizen 1") != wrapped
        attempts = [
            ("a", wrapped, b"citizen 2"),
            ("a", wrapped, b""),
            ("b", wrapped, b"citizen 1"),
            ("a", wrapped[:-1], b"citizen 1"),
            ("a", wrapped[:-1] + bytes((wrapped[-1] ^ 1,)), b"citizen 1"),
            ("a", b"\x02" + wrapped[1:], b"citizen 1"),
            ("a", b"", b"citizen 1"),
        ]
        for label, data, context in attempts:
            with pytest.raises(WrappedDataInvalidError):
                await hsm.unwrap(label, data, context=context)


@pytest.mark.parametrize("algorithm", DERIVE_KEYS)
async def test_the_same_input_derives_the_same_key(hsm: HSM, algorithm: Algorithm) -> None:
    await _generated(hsm, "root", algorithm, KeyUsage.DERIVE)

    async def derive(context: bytes, child: str) -> KeyInfo:
        return await hsm.derive(
            "root", context, child=child, algorithm=Algorithm.AES256, usage=KeyUsage.MAC
        )

    one = await derive(b"terminal 7", "terminal/7")
    again = await derive(b"terminal 7", "terminal/7-copy")
    other = await derive(b"terminal 8", "terminal/8")
    assert one.check_value == again.check_value != other.check_value
    assert await derive(b"terminal 7", "terminal/7") == one  # asking again is no error
    with pytest.raises(KeyExistsError):
        await derive(b"terminal 9", "terminal/7")
    assert await hsm.mac("terminal/7", b"m") == await hsm.mac("terminal/7-copy", b"m")
    assert await hsm.mac("terminal/7", b"m") != await hsm.mac("terminal/8", b"m")


async def test_a_label_is_never_given_twice(hsm: HSM) -> None:
    info = await hsm.generate("k", Algorithm.P256, KeyUsage.SIGN)
    with pytest.raises(KeyExistsError):
        await hsm.generate("k", Algorithm.P256, KeyUsage.SIGN)
    with pytest.raises(KeyExistsError):
        await hsm.generate("k", Algorithm.AES256, KeyUsage.WRAP)
    assert await hsm.describe("k") == info


async def test_keys_are_listed_by_label_and_described_alike(hsm: HSM) -> None:
    assert await hsm.list_keys() == []
    b = await hsm.generate("b", Algorithm.AES256, KeyUsage.WRAP)
    a = await hsm.generate("a", Algorithm.P256, KeyUsage.SIGN)
    c = await hsm.generate("c", Algorithm.HMAC_SHA256, KeyUsage.MAC)
    assert await hsm.list_keys() == [a, b, c]
    assert [await hsm.describe(label) for label in "abc"] == [a, b, c]


async def test_an_unknown_label_is_refused_everywhere(hsm: HSM) -> None:
    calls = [
        hsm.describe("none"),
        hsm.sign("none", b"m"),
        hsm.verify("none", b"m", bytes(64)),
        hsm.mac("none", b"m"),
        hsm.wrap("none", b"m", context=b""),
        hsm.unwrap("none", bytes(64), context=b""),
        hsm.derive("none", b"", child="c", algorithm=Algorithm.AES256, usage=KeyUsage.MAC),
    ]
    for call in calls:
        with pytest.raises(KeyUnknownError):
            await call


async def test_a_key_does_only_what_it_was_made_for(hsm: HSM) -> None:
    """Why: a wrapping key that also signs turns every unwrap into a signing oracle."""
    await hsm.generate("sign", Algorithm.P256, KeyUsage.SIGN)
    await hsm.generate("mac", Algorithm.AES256, KeyUsage.MAC)
    await hsm.generate("wrap", Algorithm.AES256, KeyUsage.WRAP)
    await hsm.generate("derive", Algorithm.AES256, KeyUsage.DERIVE)
    for label in ("sign", "mac", "wrap", "derive"):
        calls = {
            "sign": (hsm.sign(label, b"m"), hsm.verify(label, b"m", bytes(64))),
            "mac": (hsm.mac(label, b"m"),),
            "wrap": (
                hsm.wrap(label, b"m", context=b""),
                hsm.unwrap(label, bytes(64), context=b""),
            ),
            "derive": (
                hsm.derive(label, b"", child="c", algorithm=Algorithm.AES256, usage=KeyUsage.MAC),
            ),
        }
        for call in calls.pop(label):
            call.close()
        for call in (call for several in calls.values() for call in several):
            with pytest.raises(KeyUsageRefusedError):
                await call


@pytest.mark.parametrize(
    ("algorithm", "usage"),
    [
        (Algorithm.P256, KeyUsage.MAC),
        (Algorithm.P256, KeyUsage.SIGN | KeyUsage.DERIVE),
        (Algorithm.AES256, KeyUsage.SIGN),
        (Algorithm.HMAC_SHA256, KeyUsage.WRAP),
        (Algorithm.AES256, KeyUsage(0)),
        (Algorithm.TDES, KeyUsage.CARD),
        (Algorithm.AES256, KeyUsage.WRAP | KeyUsage.TRANSPORT),
    ],
)
async def test_a_usage_that_does_not_fit_is_refused(
    hsm: HSM, algorithm: Algorithm, usage: KeyUsage
) -> None:
    with pytest.raises((KeyUsageRefusedError, AlgorithmUnavailableError)):
        await hsm.generate("k", algorithm, usage)
    assert await hsm.list_keys() == []


async def test_random_bytes_are_bounded_and_differ(hsm: HSM) -> None:
    assert len(await hsm.random(1)) == 1
    assert len(await hsm.random(4096)) == 4096
    assert await hsm.random(16) != await hsm.random(16)
    for size in (-1, 0, 4097, 2**40):
        with pytest.raises(RequestInvalidError):
            await hsm.random(size)


@pytest.mark.parametrize("label", ["", "a b", "x" * 65, "键", "a\n", "@1", "a@0", "a@01", "a@b"])
async def test_a_label_that_is_not_well_formed_is_refused(hsm: HSM, label: str) -> None:
    with pytest.raises(RequestInvalidError):
        await hsm.generate(label, Algorithm.P256, KeyUsage.SIGN)


async def test_every_refusal_has_a_stable_code(hsm: HSM) -> None:
    with pytest.raises(HSMError) as caught:
        await hsm.describe("none")
    assert caught.value.code == "key_unknown"
    assert not caught.value.retryable


async def test_many_calls_at_once_get_their_own_answers(hsm: HSM) -> None:
    """Why: answers paired to the wrong request would sign one citizen's code for another."""
    await hsm.generate("k", Algorithm.HMAC_SHA256, KeyUsage.MAC)
    messages = [number.to_bytes(4, "big") * (number % 50 + 1) for number in range(300)]
    together = await asyncio.gather(*(hsm.mac("k", message) for message in messages))
    one_by_one = [await hsm.mac("k", message) for message in messages]
    assert together == one_by_one
