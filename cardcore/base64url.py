"""Base64url without padding (RFC 4648 section 5), in its one form."""

import base64
import binascii


def encode_base64url(data: bytes) -> str:
    """``data`` in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """The bytes of ``text``.

    Raises:
        ValueError: not base64url, padded, or not the form ``encode_base64url`` writes.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("not base64url without padding") from None
    if encode_base64url(data) != text:
        raise ValueError("not base64url in its one form")
    return data
