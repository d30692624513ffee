"""One webhook message: its body, its headers, its signature. Pure but for the signing.

Standard Webhooks with asymmetric signatures: ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature: v1a,<base64 of Ed25519 over id.timestamp.body>``. The payload is thin: it names
what changed, and the receiver asks for the rest with its own rights.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json

PUBLIC_KEY_PREFIX: Final = "whpk_"
SIGNATURE_VERSION: Final = "v1a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, as one merchant may hear of it.

    ``version`` rises with each event: of two about one subject the higher is the later.
    """

    event_id: UUID
    topic: str
    merchant_id: str
    subject_id: UUID
    version: int
    occurred_at: datetime
    payload: dict[str, Any]

    @property
    def message_id(self) -> str:
        """Stays the same however often it is sent: what a receiver tells duplicates by."""
        return f"msg_{self.event_id.hex}"

    def body(self) -> bytes:
        """The JSON body, the same bytes at every attempt."""
        return to_json(
            {
                "type": self.topic,
                "timestamp": self.occurred_at,
                "data": {
                    **self.payload,
                    "subject_id": self.subject_id,
                    "merchant_id": self.merchant_id,
                    "version": self.version,
                },
            }
        )


def signed_content(message_id: str, timestamp_s: int, body: bytes) -> bytes:
    """What the signature covers."""
    return b".".join([message_id.encode(), str(timestamp_s).encode(), body])


def headers_of(message_id: str, timestamp_s: int, signature: bytes) -> dict[str, str]:
    """The headers of a message."""
    text = base64.b64encode(signature).decode("ascii")
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"{SIGNATURE_VERSION},{text}",
    }


def public_key_text(public_key: bytes) -> str:
    """A public key as receivers configure it."""
    return PUBLIC_KEY_PREFIX + base64.b64encode(public_key).decode("ascii")
