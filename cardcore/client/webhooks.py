"""Checking a webhook message on the receiver's side. Pure: the instant is an argument.

Needs nothing of the server but its public keys (``GET /v1/webhook-keys``). Duplicates are told by
``webhook-id``; of two messages about one subject the one with the higher ``version`` is the later.
Source: Standard Webhooks, asymmetric signatures.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic_core import from_json

from cardcore.platform.webhook_message import (
    PUBLIC_KEY_PREFIX,
    SIGNATURE_VERSION,
    signed_content,
)

TOLERANCE_S: Final = 300


class WebhookInvalidError(Exception):
    """The message is not of the city, or not of now."""


def verify_webhook(
    headers: Mapping[str, str], body: bytes, *, keys: Sequence[str], now: datetime
) -> dict[str, Any]:
    """The message, once it is proven.

    Args:
        headers: as received; names in any case.
        body: the raw bytes as received, not parsed and written again.
        keys: ``whpk_…`` public keys of the city.
        now: aware instant; the message may be five minutes older or newer.

    Raises:
        WebhookInvalidError: a header is missing, no signature fits, or it is too old or too new.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp = given["webhook-id"], given["webhook-timestamp"]
        timestamp_s = int(stamp)
        signatures = given["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        raise WebhookInvalidError("a header is missing or malformed") from None
    if str(timestamp_s) != stamp or abs(now.timestamp() - timestamp_s) > TOLERANCE_S:
        raise WebhookInvalidError("the message is not of now")
    content = signed_content(message_id, timestamp_s, body)
    if not any(_fits(one, content, key) for one in signatures for key in keys):
        raise WebhookInvalidError("no signature fits")
    message: dict[str, Any] = from_json(body)
    return message


def _fits(signature: str, content: bytes, key: str) -> bool:
    version, _, text = signature.partition(",")
    if version != SIGNATURE_VERSION or not key.startswith(PUBLIC_KEY_PREFIX):
        return False
    try:
        public_key = Ed25519PublicKey.from_public_bytes(
            base64.b64decode(key.removeprefix(PUBLIC_KEY_PREFIX), validate=True)
        )
        public_key.verify(base64.b64decode(text, validate=True), content)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
