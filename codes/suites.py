"""Signature algorithms and which of them a code may combine.

Ed25519 (RFC 8032), P-256 with SHA-256 (FIPS 186-5, "ES256") and SM2 with SM3 (GB/T 32918.2, user id
``1234567812345678``). All signatures are raw 64 bytes, all elliptic points compressed. Parsing is
strict: a key or signature has one accepted form.
"""

from enum import IntEnum
from functools import lru_cache
from typing import ClassVar, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIGNATURE_SIZE: Final = 64
SECRET_SIZE: Final = 32
POINT_SIZE: Final = 33
ED25519_SIZE: Final = 32
PUBLIC_KEY_CACHE_MAX: Final = 1024

_P256_ORDER: Final = bytes.fromhex(
    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
)
_ZERO: Final = bytes(32)
_ED25519_PRIME: Final = 2**255 - 19
# y coordinates of the eight points whose order divides 8. A signature under such a key or with such
# a commitment says nothing about who made it (RFC 8032, 8.9; Chalkias et al., "Taming the many
# EdDSAs", 2020).
_ED25519_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


class Algorithm(IntEnum):
    """Signature algorithm, as the nibble in the suite byte."""

    NONE = 0
    ED25519 = 1
    SM2_SM3 = 2
    ES256 = 3


ISSUER_ONLY_SUITES: Final = frozenset({0x10, 0x20, 0x30})
DEVICE_SUITES: Final = frozenset({0x11, 0x13, 0x22, 0x23, 0x33})
PUBLIC_KEY_SIZE: Final = {
    Algorithm.ED25519: ED25519_SIZE,
    Algorithm.SM2_SM3: POINT_SIZE,
    Algorithm.ES256: POINT_SIZE,
}


class SignatureError(Exception):
    """The signature is not of this key over this message, or not in its one accepted form."""


class KeyFormError(ValueError):
    """The bytes are not a public or private key of the algorithm in its one accepted form."""


class PublicKey(Protocol):
    """A parsed public key."""

    @property
    def algorithm(self) -> Algorithm:
        """What it is for."""
        ...

    @property
    def raw(self) -> bytes:
        """Ed25519: 32 bytes; P-256 and SM2: compressed point, 33 bytes."""
        ...

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return when ``signature`` (raw, 64 bytes) fits, else raise ``SignatureError``."""
        ...


class PrivateKey(Protocol):
    """A private key held in this process: a terminal's or, in tests and tools, an issuer's."""

    @property
    def public_key(self) -> PublicKey:
        """The other half."""
        ...

    @property
    def secret(self) -> bytes:
        """The 32 secret bytes (Ed25519 seed, or the scalar, big-endian)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Raw 64-byte signature over ``message``."""
        ...


def _ed25519_y(encoded: bytes) -> int:
    return int.from_bytes(encoded, "little") & ((1 << 255) - 1)


def _ed25519_small_order_encodings() -> frozenset[bytes]:
    """All encodings, canonical or not, with either sign bit."""
    encodings = set()
    for y in _ED25519_SMALL_ORDER_Y:
        for value in (y, y + _ED25519_PRIME):
            if value < 1 << 255:
                encodings.add(value.to_bytes(32, "little"))
                encodings.add((value | 1 << 255).to_bytes(32, "little"))
    return frozenset(encodings)


_ED25519_SMALL_ORDER: Final = _ed25519_small_order_encodings()


class Ed25519Public:
    """Ed25519 public key: canonical encoding, not of small order."""

    __slots__ = ("_key", "raw")
    algorithm: ClassVar[Algorithm] = Algorithm.ED25519

    def __init__(self, raw: bytes) -> None:
        if len(raw) != ED25519_SIZE:
            raise KeyFormError("Ed25519 key must be 32 bytes")
        if _ed25519_y(raw) >= _ED25519_PRIME:
            raise KeyFormError("Ed25519 key is not canonical")
        if raw in _ED25519_SMALL_ORDER:
            raise KeyFormError("Ed25519 key has small order")
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """See ``PublicKey``. OpenSSL refuses s >= L and compares the commitment by its bytes."""
        if len(signature) != SIGNATURE_SIZE or signature[:32] in _ED25519_SMALL_ORDER:
            raise SignatureError("Ed25519 signature form")
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            raise SignatureError("Ed25519 signature") from None


def _der_of(r: bytes, s: bytes) -> bytes:
    """DER of two positive numbers of 32 bytes, which is what the library wants to verify."""
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    if r[0] & 0x80:
        r = b"\0" + r
    if s[0] & 0x80:
        s = b"\0" + s
    return b"%c%c%c%c%b%c%c%b" % (0x30, 4 + len(r) + len(s), 2, len(r), r, 2, len(s), s)


class P256Public:
    """P-256 public key from a compressed point."""

    __slots__ = ("_key", "raw")
    algorithm: ClassVar[Algorithm] = Algorithm.ES256
    _ecdsa: ClassVar[ECDSA] = ECDSA(SHA256())

    def __init__(self, raw: bytes) -> None:
        if len(raw) != POINT_SIZE:
            raise KeyFormError("P-256 key must be a compressed point of 33 bytes")
        try:
            self._key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
        except ValueError:
            raise KeyFormError("not a point of P-256") from None
        self.raw = raw

    def verify(self, signature: bytes, message: bytes) -> None:
        """See ``PublicKey``. Both s and n - s fit: replay identity is therefore never the bytes."""
        if len(signature) != SIGNATURE_SIZE:
            raise SignatureError("ECDSA signature must be 64 bytes")
        r, s = signature[:32], signature[32:]
        # Of two big-endian numbers of one size the larger bytes are the larger number.
        if not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):
            raise SignatureError("ECDSA r or s out of range")
        try:
            self._key.verify(_der_of(r, s), message, self._ecdsa)
        except InvalidSignature:
            raise SignatureError("ECDSA signature") from None


class _Ed25519Private:
    """Ed25519 private key in memory."""

    __slots__ = ("_key", "public_key", "secret")

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.secret = secret
        self.public_key: PublicKey = Ed25519Public(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class _P256Private:
    """P-256 private key in memory. Signing is deterministic (RFC 6979)."""

    __slots__ = ("_key", "public_key", "secret")
    _ecdsa: ClassVar[ECDSA] = ECDSA(SHA256(), deterministic_signing=True)

    def __init__(self, secret: bytes) -> None:
        self._key = derive_private_key(int.from_bytes(secret, "big"), SECP256R1())
        self.secret = secret
        self.public_key: PublicKey = P256Public(
            self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        )

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, self._ecdsa))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@lru_cache(maxsize=PUBLIC_KEY_CACHE_MAX)
def load_public_key(algorithm: Algorithm, raw: bytes) -> PublicKey:
    """Parse strictly, and remember: a compressed point costs a square root each time.

    Raises:
        KeyFormError: wrong size, off the curve, not canonical, small order, or no algorithm.
    """
    match algorithm:
        case Algorithm.ED25519:
            return Ed25519Public(raw)
        case Algorithm.ES256:
            return P256Public(raw)
        case Algorithm.SM2_SM3:
            from codes.sm2 import SM2Public  # noqa: PLC0415  (loads a library; many never need it)

            return SM2Public(raw)
        case _:
            raise KeyFormError("no public key without an algorithm")


def load_private_key(algorithm: Algorithm, secret: bytes, public_raw: bytes) -> PrivateKey:
    """Key from its 32 secret bytes and its public half, which must belong together.

    Raises:
        KeyFormError: wrong size, scalar out of range, halves of two keys, or no algorithm.
    """
    if len(secret) != SECRET_SIZE:
        raise KeyFormError("a private key is 32 bytes")
    key: PrivateKey
    match algorithm:
        case Algorithm.ED25519:
            key = _Ed25519Private(secret)
        case Algorithm.ES256:
            try:
                key = _P256Private(secret)
            except ValueError:
                raise KeyFormError("private scalar out of range") from None
        case Algorithm.SM2_SM3:
            from codes.sm2 import SM2Private  # noqa: PLC0415  (as above)

            key = SM2Private(secret, public_raw)
        case _:
            raise KeyFormError("no private key without an algorithm")
    if key.public_key.raw != public_raw:
        raise KeyFormError("the public key is not of this private key")
    return key


def make_private_key(algorithm: Algorithm) -> PrivateKey:
    """A new random key, for a terminal or a tool. Issuer keys are made in the HSM instead.

    Raises:
        KeyFormError: no algorithm.
    """
    match algorithm:
        case Algorithm.ED25519:
            return _Ed25519Private(Ed25519PrivateKey.generate().private_bytes_raw())
        case Algorithm.ES256:
            number = generate_private_key(SECP256R1()).private_numbers().private_value
            return _P256Private(number.to_bytes(SECRET_SIZE, "big"))
        case Algorithm.SM2_SM3:
            from codes.sm2 import make_private_key as make_sm2  # noqa: PLC0415  (as above)

            return make_sm2()
        case _:
            raise KeyFormError("no private key without an algorithm")
