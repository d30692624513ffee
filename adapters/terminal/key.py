"""The terminal's own key: made here, kept here, never sent and never logged.

One key signs the records and the proofs for access tokens. On disk it is PKCS#8 in PEM, mode 0600,
inside a folder of mode 0700. A security element would take the place of this module.
Sources: RFC 5958, RFC 7517, RFC 8037.
"""

import base64
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from codes.suites import SECRET_SIZE, Algorithm, PrivateKey, load_private_key, make_private_key

KEY_ALGORITHMS: Final = (Algorithm.ED25519, Algorithm.ES256)
_COORDINATE_SIZE: Final = 32


class KeyUnreadableError(Exception):
    """The key file is not a key this agent made."""

    code = "key_unreadable"


@dataclass(frozen=True, slots=True)
class TerminalKey:
    """The key in the forms its two uses need: ``signing`` for records, ``pkcs8_key`` for JWTs."""

    signing: PrivateKey = field(repr=False)
    pkcs8_key: Ed25519PrivateKey | EllipticCurvePrivateKey = field(repr=False)

    @property
    def algorithm(self) -> Algorithm:
        """Ed25519 or P-256."""
        return self.signing.public_key.algorithm

    @property
    def jwk(self) -> dict[str, Any]:
        """The public JSON Web Key."""
        if isinstance(self.pkcs8_key, Ed25519PrivateKey):
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.signing.public_key.raw)}
        point = self.pkcs8_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        x, y = point[1 : 1 + _COORDINATE_SIZE], point[1 + _COORDINATE_SIZE :]
        return {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}

    def to_pem(self) -> bytes:
        """The secret, for the key file alone."""
        return self.pkcs8_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Undo ``base64url``. Raises ``ValueError``."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def make_key(algorithm: Algorithm) -> TerminalKey:
    """A new random key of one of ``KEY_ALGORITHMS``."""
    assert algorithm in KEY_ALGORITHMS
    secret = make_private_key(algorithm).secret
    if algorithm is Algorithm.ED25519:
        return _terminal_key(Ed25519PrivateKey.from_private_bytes(secret))
    return _terminal_key(derive_private_key(int.from_bytes(secret, "big"), SECP256R1()))


def read_key(pem: bytes) -> TerminalKey:
    """Undo ``TerminalKey.to_pem``. Raises ``KeyUnreadableError``; never says what it read."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise KeyUnreadableError("the key file is damaged") from None
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    ):
        return _terminal_key(key)
    raise KeyUnreadableError("the key file holds a key of another kind")


def _terminal_key(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> TerminalKey:
    if isinstance(key, Ed25519PrivateKey):
        public = key.public_key().public_bytes_raw()
        return TerminalKey(
            load_private_key(Algorithm.ED25519, key.private_bytes_raw(), public), key
        )
    secret = key.private_numbers().private_value.to_bytes(SECRET_SIZE, "big")
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return TerminalKey(load_private_key(Algorithm.ES256, secret, public), key)
