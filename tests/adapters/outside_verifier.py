"""A verifier that knows the published layout and nothing of this project. Not a test.

How: written from the table of class S in docs/codes.md with ``cryptography`` alone, as another
house would, so that the demo's report is checked by somebody who did not write it.
"""

import struct
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
SIGNED_SIZE, SIGNATURE_SIZE = 40, 64


class OutsideCode(NamedTuple):
    """What the bytes of a class S code say."""

    issuer_id: int
    kid: int
    scope: int
    issued_at_s: int
    ttl_s: int


def base45_bytes(text: str) -> bytes:
    """RFC 9285."""
    values = [ALPHABET.index(character) for character in text]
    data = bytearray()
    for start in range(0, len(values), 3):
        group = values[start : start + 3]
        number = sum(value * 45**place for place, value in enumerate(group))
        data += number.to_bytes(len(group) - 1, "big")
    return bytes(data)


def check(text: str, key_ring: dict[str, Any]) -> OutsideCode:
    """The fields of a code whose signature is its issuer's. Raises ``InvalidSignature``."""
    assert text.startswith("M1:")
    data = base45_bytes(text.removeprefix("M1:"))
    assert len(data) == SIGNED_SIZE + SIGNATURE_SIZE
    first, suite, issuer_id, kid = struct.unpack_from(">BBHB", data)
    assert first == 0x11
    (scope,) = struct.unpack_from(">H", data, 13)
    issued_at_s, ttl_s = struct.unpack_from(">IH", data, 16)
    (key,) = [
        key
        for key in key_ring["keys"]
        if (key["issuer_id"], key["kid"]) == (issuer_id, kid) and "codes" in key["uses"]
    ]
    public, signature = bytes.fromhex(key["public_key"]), data[SIGNED_SIZE:]
    message = b"CC1-S" + data[:SIGNED_SIZE]
    if suite == 0x10:
        assert key["algorithm"] == "ed25519"
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    else:
        assert (suite, key["algorithm"]) == (0x30, "es256")
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public).verify(
            utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256())
        )
    return OutsideCode(issuer_id, kid, scope, issued_at_s, ttl_s)


def refuses(text: str, key_ring: dict[str, Any]) -> bool:
    """Whether the signature is not the issuer's."""
    try:
        check(text, key_ring)
    except InvalidSignature:
        return True
    return False
