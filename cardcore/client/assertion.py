"""The proof a client signs to get an access token (``private_key_jwt``, RFC 7523)."""

import uuid
from datetime import datetime, timedelta
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE: Final = timedelta(minutes=2)


def client_assertion(
    client_id: str,
    key: Ed25519PrivateKey | EllipticCurvePrivateKey,
    *,
    audience: str,
    now: datetime,
) -> str:
    """A signed proof of who is asking for a token, good once and for two minutes.

    Args:
        client_id: registered name.
        key: Ed25519 or P-256, whose public half is registered.
        audience: URL of the token endpoint.
        now: aware instant, by a clock that agrees with the server's.
    """
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + LIFE,
        "jti": str(uuid.uuid4()),
    }
    algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"
    return jwt.encode(claims, key, algorithm=algorithm)
