"""Secrets that open a session: made once, shown once, kept as digests. Pure but for randomness."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cardcore.ids import RandomBytes
from cardcore.platform.errors import CSRFRefusedError

SECRET_SIZE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSecrets:
    """``token`` goes into the cookie; ``csrf_token`` to the page, which sends it with changes."""

    token: str
    csrf_token: str

    @classmethod
    def fresh(cls, random_bytes: RandomBytes) -> "SessionSecrets":
        """Two new secrets of 256 bits each."""
        return cls(token=secret_text(random_bytes), csrf_token=secret_text(random_bytes))


def secret_text(random_bytes: RandomBytes) -> str:
    """256 random bits as 43 characters of base64url."""
    return base64.urlsafe_b64encode(random_bytes(SECRET_SIZE)).rstrip(b"=").decode("ascii")


def csrf_of(token: str) -> str:
    """The token against forged requests that belongs to a citizen's session.

    It follows from the session's own token, so a page that was loaded anew, or a second tab, can
    be told it again; nobody gets from it to the session (HMAC-SHA256 under the session's token).
    """
    digest = hmac.digest(token.encode(), b"csrf", "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def require_csrf(given: str | None, digest: bytes) -> None:
    """Raise ``CSRFRefusedError`` unless ``given`` is the secret behind ``digest``."""
    if given is None or not hmac.compare_digest(digest_of(given), digest):
        raise CSRFRefusedError
