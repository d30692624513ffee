"""What a request carries, read within bounds: the body's bytes, and URL-encoded fields."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from adapters.http import headers as header
from adapters.http.refusals import BodyTimeoutError, BodyTooLargeError, HeaderInvalidError
from adapters.http.settings import HTTPSettings

FIELDS_MAX: Final = 16


async def read_body(headers: header.RawHeaders, receive: Receive, settings: HTTPSettings) -> bytes:
    """The whole body, within bounds of size and time.

    A request whose body does not even begin is cut off by the server (``prompt_protocol``); the
    usual one, whose body came with its head, needs no timer here.

    Raises:
        BodyTooLargeError: more than ``body_bytes_max``, announced or sent.
        BodyTimeoutError: not there after ``body_timeout_s``.
        ClientDisconnect: the client left before the end.
    """
    announced = header.single(headers, b"content-length") or b"0"
    if not announced.isdigit():
        raise HeaderInvalidError("content-length is not a number")
    too_large = f"at most {settings.body_bytes_max} bytes are read"
    if len(announced) > 12 or int(announced) > settings.body_bytes_max:
        raise BodyTooLargeError(too_large)
    message = await receive()
    body = _chunk(message)
    if len(body) > settings.body_bytes_max:
        raise BodyTooLargeError(too_large)
    if not message.get("more_body", False):
        return body
    chunks = [body]
    size = len(body)
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            while message.get("more_body", False):
                message = await receive()
                chunks.append(_chunk(message))
                size += len(chunks[-1])
                if size > settings.body_bytes_max:
                    raise BodyTooLargeError(too_large)
    except TimeoutError:
        raise BodyTimeoutError from None
    return b"".join(chunks)


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    chunk: bytes = message.get("body", b"")
    return chunk


def read_pairs(encoded: bytes) -> dict[str, str]:
    """The fields of a query or a form, each at most once.

    Raises:
        ValueError: malformed, too many, or a repeated field; the message says which.
    """
    if not encoded:
        return {}
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:  # its own messages quote what was sent
        raise ValueError("malformed, or too many fields") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields
