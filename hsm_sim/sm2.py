"""SM2 signatures over the curve sm2p256v1, by a compiled library found at run time.

Two providers do the arithmetic: OpenSSL's libcrypto 3 (first choice) and gmssl-fast. Each proves
itself on the standard's example before it is used. Here live what both share: the shape of keys
and signatures, point decompression, the message digest, the choice of a provider.

Private keys are 32 bytes, public keys 33 bytes (SEC 1 compressed), signatures 64 bytes (r then s,
big-endian). The user id is the one everybody uses, ``1234567812345678``.

Source: GB/T 32918.1, .2 and .5 (ISO/IEC 14888-3, RFC 8998).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes

from hsm_sim.interface import (
    AlgorithmUnavailableError,
    HSMError,
    PublicKeyInvalidError,
    SignatureInvalidError,
)

# The curve of GB/T 32918.5: y² = x³ - 3x + b over the field of P, order N.
P: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
N: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
GX: Final = 0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7
GY: Final = 0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0

SIGNATURE_SIZE: Final = 64
PUBLIC_KEY_SIZE: Final = 33
PRIVATE_KEY_SIZE: Final = 32
USER_ID: Final = b"1234567812345678"

# Everything of the identity digest that does not change from key to key.
_IDENTITY_HEAD: Final = (
    (len(USER_ID) * 8).to_bytes(2, "big")
    + USER_ID
    + b"".join(number.to_bytes(32, "big") for number in (A, B, GX, GY))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SM2KeyPair:
    """A private scalar (32 bytes) with its public point (33 bytes, compressed)."""

    private: bytes = field(repr=False)
    public: bytes


class SM2Signer(Protocol):
    """A private key made ready for many signatures; safe to share between threads."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes: r then s. A fresh random nonce each time."""
        ...


class SM2Verifier(Protocol):
    """A public key made ready for many verifications; safe to share between threads."""

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return when the signature is right, else raise ``SignatureInvalidError``."""
        ...


class SM2Provider(Protocol):
    """A library that can do SM2."""

    @property
    def name(self) -> str:
        """Name and version, for logs and reports."""
        ...

    def generate(self) -> SM2KeyPair:
        """A new key pair."""
        ...

    def signer(self, pair: SM2KeyPair) -> SM2Signer:
        """Raises ``PublicKeyInvalidError`` when the two halves do not belong together."""
        ...

    def verifier(self, public_key: bytes) -> SM2Verifier:
        """Raises ``PublicKeyInvalidError`` when the 33 bytes are no point of the curve."""
        ...


def decompress(public_key: bytes) -> tuple[int, int]:
    """The point of a 33-byte compressed public key, as (x, y).

    Strict: only the prefixes 2 and 3, x below the field prime, and a point on the curve. The
    curve's order is prime, so every point on it but infinity (not encodable here) is a good key.

    Raises:
        PublicKeyInvalidError: anything else.
    """
    if len(public_key) != PUBLIC_KEY_SIZE or public_key[0] not in (2, 3):
        raise PublicKeyInvalidError("an SM2 public key is 33 bytes beginning with 2 or 3")
    x = int.from_bytes(public_key[1:], "big")
    if x >= P:
        raise PublicKeyInvalidError("the x coordinate lies outside the field")
    square = (pow(x, 3, P) + A * x + B) % P
    y = pow(square, (P + 1) // 4, P)  # P is 3 modulo 4
    if y * y % P != square:
        raise PublicKeyInvalidError("no point of the curve has this x coordinate")
    if y % 2 != public_key[0] % 2:
        y = P - y
    return x, y


def compress(x: int, y: int) -> bytes:
    """The 33-byte form of a point."""
    return bytes((2 + y % 2,)) + x.to_bytes(32, "big")


def identity_digest(public_key: bytes) -> bytes:
    """Z of the standard: SM3 over the user id, the curve and the public point, 32 bytes."""
    x, y = decompress(public_key)
    return _sm3(_IDENTITY_HEAD, x.to_bytes(32, "big"), y.to_bytes(32, "big"))


def message_digest(identity: bytes, message: bytes) -> bytes:
    """The digest e of the standard: SM3 over Z and the message, 32 bytes."""
    return _sm3(identity, message)


def split_signature(signature: bytes) -> tuple[int, int]:
    """The halves r and s of a raw signature.

    Raises:
        SignatureInvalidError: not 64 bytes, or a half outside 1 to N-1.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureInvalidError("an SM2 signature is 64 bytes")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        raise SignatureInvalidError("r or s lies outside the group")
    return r, s


@functools.cache
def provider() -> SM2Provider:
    """The first provider that is present and passes its self-test; chosen once per process.

    Raises:
        AlgorithmUnavailableError: none does; the message tells why of each.
    """
    return choose_provider(("libcrypto", "gmssl-fast"))


def choose_provider(names: Sequence[str]) -> SM2Provider:
    """The first of the named providers that loads and passes its self-test.

    Raises:
        AlgorithmUnavailableError: none does.
    """
    reasons = []
    for name in names:
        try:
            found = _load(name)
            self_test(found)
        except (ImportError, OSError, AttributeError, HSMError, AssertionError) as problem:
            reasons.append(f"{name}: {type(problem).__name__} {problem}")
        else:
            return found
    raise AlgorithmUnavailableError("no library for SM2; " + "; ".join(reasons))


def self_test(candidate: SM2Provider) -> None:
    """Try a provider on the example of GB/T 32918.5, Annex A, and on a signature of its own.

    Raises:
        AssertionError: it refused the example, or accepted a changed one.
        HSMError: it failed otherwise.
    """
    message = b"message digest"
    pair = SM2KeyPair(
        private=bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"),
        public=compress(
            0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
            0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
        ),
    )
    example = bytes.fromhex(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    )
    verifier = candidate.verifier(pair.public)
    verifier.verify(message, example)
    verifier.verify(message, candidate.signer(pair).sign(message))
    for bad_message, bad_signature in (
        (message + b"!", example),
        (message, example[:-1] + bytes((example[-1] ^ 1,))),
    ):
        try:
            verifier.verify(bad_message, bad_signature)
        except SignatureInvalidError:
            continue
        raise AssertionError("a changed signature was accepted")


def _load(name: str) -> SM2Provider:
    # Imported late: a machine may have neither library and never need SM2.
    if name == "libcrypto":
        from hsm_sim.sm2_libcrypto import LibcryptoProvider  # noqa: PLC0415  (see above)

        return LibcryptoProvider()
    assert name == "gmssl-fast"
    from hsm_sim.sm2_gmssl import GmsslProvider  # noqa: PLC0415  (see above)

    return GmsslProvider()


def _sm3(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()
