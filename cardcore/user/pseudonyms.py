"""Names of a person for others: stable with one of them, of no use to compare notes with. Pure."""

import base64
import hmac
from typing import Final
from uuid import UUID

_SIZE: Final = 15


def pairwise(key: bytes, audience: str, user_id: UUID) -> str:
    """The person's name with one audience: 24 letters and digits.

    Args:
        key: 32 secret bytes, the same in every process.
        audience: a merchant's id, or another name that no merchant can have.
        user_id: who.
    """
    digest = hmac.digest(key, audience.encode() + b"\0" + user_id.bytes, "sha256")
    return base64.b32encode(digest[:_SIZE]).decode().lower()
