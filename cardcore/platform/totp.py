"""One-time passwords by time. Pure: the instant is an argument.

Six digits, steps of 30 s, SHA-1 as every authenticator app has it; one step of tolerance either
way. A step is good once: whoever looks over a shoulder comes too late. Source: RFC 6238, RFC 4226.
"""

import base64
import hmac
from datetime import datetime
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_SIZE: Final = 20
DIGITS: Final = 6
STEP_S: Final = 30
STEPS_OF_TOLERANCE: Final = 1


def one_time_password(secret: bytes, step: int) -> str:
    """The password of ``step`` (30-second steps since 1970)."""
    return TOTP(secret, DIGITS, SHA1(), STEP_S).generate(step * STEP_S).decode("ascii")  # noqa: S303  (RFC 6238's)


def step_of(at: datetime) -> int:
    """The step an aware instant lies in."""
    return int(at.timestamp()) // STEP_S


def matching_step(secret: bytes, given: str, *, at: datetime, last_step: int) -> int | None:
    """The step ``given`` is the password of, None where it is of none that is still good.

    Args:
        secret: shared with the authenticator.
        given: what was typed.
        at: now.
        last_step: the step that was used last; it and all before it are spent.
    """
    now = step_of(at)
    found = None
    # Every step is compared, whichever matches, so that the time taken tells nothing.
    for step in range(now - STEPS_OF_TOLERANCE, now + STEPS_OF_TOLERANCE + 1):
        same = hmac.compare_digest(one_time_password(secret, step).encode(), given.encode())
        if same and step > last_step:
            found = step
    return found


def provisioning_uri(secret: bytes, *, operator_id: str, issuer: str) -> str:
    """The ``otpauth`` URI an authenticator reads, as text or as a QR code."""
    name = quote(f"{issuer}:{operator_id}")
    text = base64.b32encode(secret).decode("ascii").rstrip("=")
    return f"otpauth://totp/{name}?secret={text}&issuer={quote(issuer)}"
