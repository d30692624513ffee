"""What the issuer signs for terminals besides codes: lists and packages.

All begin with the same five bytes (type, suite, issuer id, kid) and end with a raw signature of 64
bytes over an ASCII tag and everything before it. A document that is not accepted changes nothing:
the terminal keeps the last good one and reports the error's ``code``. Source: docs/codes.md.

| off | len | field |
|---|---|---|
| 0 | 1 | 0x14 status list, 0x15 its delta, 0x16 card hash list, 0x17 terminal package |
| 1 | 1 | suite, as in class S |
| 2 | 2 | issuer id |
| 4 | 1 | key id |
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Final

from codes.issue import Signer
from codes.key_ring import KeyRing, KeyUse
from codes.suites import SIGNATURE_SIZE, Algorithm, SignatureError

_HEAD: Final = Struct(">BBHB")
HEAD_SIZE: Final = _HEAD.size


class DocumentType(IntEnum):
    """First byte."""

    STATUS_LIST = 0x14
    STATUS_DELTA = 0x15
    CARD_HASH_LIST = 0x16
    TERMINAL_PACKAGE = 0x17


_TAG: Final = {
    DocumentType.STATUS_LIST: b"CC1-L",
    DocumentType.STATUS_DELTA: b"CC1-L",
    DocumentType.CARD_HASH_LIST: b"CC1-L",
    DocumentType.TERMINAL_PACKAGE: b"CC1-T",
}
_USE: Final = {
    DocumentType.STATUS_LIST: KeyUse.LISTS,
    DocumentType.STATUS_DELTA: KeyUse.LISTS,
    DocumentType.CARD_HASH_LIST: KeyUse.LISTS,
    DocumentType.TERMINAL_PACKAGE: KeyUse.PACKAGES,
}


class DocumentError(Exception):
    """Base of all refusals of a list or package. ``code`` is stable; terminals report it."""

    code: ClassVar[str] = "document_malformed"


class DocumentMalformedError(DocumentError):
    """Not a document of this type in its one form: truncated, padded, out of range."""


class DocumentForgedError(DocumentError):
    """No current key of the ring signed it for this use."""

    code = "document_forged"


class DocumentOlderError(DocumentError):
    """Its version is not above the one held; somebody may be rolling the terminal back."""

    code = "document_older"


class DocumentExpiredError(DocumentError):
    """It is past its end."""

    code = "document_expired"


class DocumentBaseMissingError(DocumentError):
    """A delta, but not on top of the version held; ask for the full document."""

    code = "document_base_missing"


class DocumentMismatchError(DocumentError):
    """A delta whose result is not what the issuer says it is; ask for the full document."""

    code = "document_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSigner:
    """Who signs: the head fields and an async call that signs with the matching private key."""

    algorithm: Algorithm
    issuer_id: int
    kid: int
    sign: Signer


async def seal(document_type: DocumentType, body: bytes, signer: DocumentSigner) -> bytes:
    """Head, ``body`` and signature."""
    head = _HEAD.pack(document_type, signer.algorithm << 4, signer.issuer_id, signer.kid)
    return head + body + await signer.sign(_TAG[document_type] + head + body)


def type_of(data: bytes) -> DocumentType:
    """Type of a document not yet believed. Raises ``DocumentMalformedError``."""
    try:
        return DocumentType(data[0])
    except (IndexError, ValueError):
        raise DocumentMalformedError("unknown type of document") from None


def unseal(data: bytes, ring: KeyRing, now_s: int) -> tuple[DocumentType, int, memoryview]:
    """Check the signature; returns type, issuer id and body.

    Raises:
        DocumentMalformedError: too short or of unknown type.
        DocumentForgedError: key unknown, not current, not for this use, or signature wrong.
    """
    document_type = type_of(data)
    if len(data) < HEAD_SIZE + SIGNATURE_SIZE:
        raise DocumentMalformedError("too short")
    _, suite, issuer_id, kid = _HEAD.unpack_from(data)
    key = ring.get(issuer_id, kid)
    if key is None or not key.is_current(now_s):
        raise DocumentForgedError(f"issuer {issuer_id} kid {kid} unknown or not current")
    if _USE[document_type] not in key.uses or suite != key.algorithm << 4:
        raise DocumentForgedError(f"issuer {issuer_id} kid {kid} is not for this")
    try:
        key.key.verify(data[-SIGNATURE_SIZE:], _TAG[document_type] + data[:-SIGNATURE_SIZE])
    except SignatureError as error:
        raise DocumentForgedError(str(error)) from None
    return document_type, issuer_id, memoryview(data)[HEAD_SIZE:-SIGNATURE_SIZE]


def inflate(compressed: memoryview, size: int) -> bytes:
    """Exactly ``size`` bytes out of a zlib stream that must be used up.

    Bounded: a stream that holds more is refused before it is unpacked. Raises
    ``DocumentMalformedError``.
    """
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(compressed, size + 1)
    except zlib.error as error:
        raise DocumentMalformedError(f"zlib: {error}") from None
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise DocumentMalformedError("zlib stream has another size")
    return data
