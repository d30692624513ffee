"""Public keys of clients: which are fit, and how they are named. Pure.

Sources: RFC 7517 and RFC 8037 (JSON Web Keys), RFC 7638 (thumbprints).
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from pydantic_core import to_json

from cardcore.platform.errors import KeyUnfitError

_MEMBERS: Final = {("OKP", "Ed25519"): ("x",), ("EC", "P-256"): ("x", "y")}
_COORDINATE_SIZE: Final = 32


def fit_key(jwk: Mapping[str, Any]) -> dict[str, str]:
    """The public key with the members that count and no other.

    Raises:
        KeyUnfitError: of another kind, malformed, not on the curve, or with a private part.
    """
    kind = (str(jwk.get("kty")), str(jwk.get("crv")))
    members = _MEMBERS.get(kind)
    if members is None:
        raise KeyUnfitError("OKP/Ed25519 or EC/P-256 is needed", field="public_key")
    if "d" in jwk:
        # It has been seen by others now: it must not be anybody's key.
        raise KeyUnfitError("a private key was sent; make another pair", field="public_key")
    coordinates = [_coordinate(jwk.get(name)) for name in members]
    if kind[0] == "EC":
        x, y = (int.from_bytes(one, "big") for one in coordinates)
        try:
            EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
        except ValueError:
            raise KeyUnfitError("no point of the curve", field="public_key") from None
    return {"kty": kind[0], "crv": kind[1], **{name: str(jwk[name]) for name in members}}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 thumbprint, base64url, of a fit key."""
    members = _MEMBERS[jwk["kty"], jwk["crv"]]
    canonical = {name: jwk[name] for name in sorted(("kty", "crv", *members))}
    digest = hashlib.sha256(to_json(canonical)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _coordinate(text: object) -> bytes:
    if isinstance(text, str):
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        written = base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
        if len(raw) == _COORDINATE_SIZE and written == text:
            return raw
    raise KeyUnfitError("a coordinate is not 32 bytes of base64url", field="public_key")
