"""The status list: two bits for each authorisation or printed code, signed, versioned, with deltas.

Bits are packed and compressed as in IETF Token Status List (draft-ietf-oauth-status-list, section
4): index 0 in the lowest two bits of byte 0, zlib at the best level; around it stands the signed
document of ``codes.signed_document`` instead of a JWT, since base64 would cost a third more air
time. A full list comes daily, a delta every few minutes.

Full list (0x14), after the common head:

| off | len | field |
|---|---|---|
| 5 | 1 | bits per index: 2 |
| 6 | 4 | version, rising |
| 10 | 4 | issued at, Unix s |
| 14 | 4 | expires at, Unix s |
| 18 | 4 | time to live: ask again after so many s |
| 22 | 4 | number of indices |
| 26 | n | zlib of the packed bits |

Delta (0x15): as above to offset 26, then the version it stands on (4), SHA-256 of the packed bits
after it (32), number of changes (4), and zlib of the changes: for each, in rising order, a varint
(7 bits a byte, low first) of ``(index - previous index - 1) * 4 + status``.
"""

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, Self

from codes.key_ring import KeyRing
from codes.signed_document import (
    DocumentBaseMissingError,
    DocumentExpiredError,
    DocumentMalformedError,
    DocumentMismatchError,
    DocumentOlderError,
    DocumentSigner,
    DocumentType,
    inflate,
    seal,
    unseal,
)
from codes.status import Status

BITS: Final = 2
ENTRIES_MAX: Final = 1 << 26
TTL_S_DEFAULT: Final = 300
LIFE_S_DEFAULT: Final = 2 * 86_400
_HEAD: Final = Struct(">BIIIII")
_DELTA_HEAD: Final = Struct(">I32sI")
_CHANGE_SIZE_MAX: Final = 5
_BLOCK_SIZE: Final = 4096
_STATUS_OF_BITS: Final = tuple(Status)


def packed_size(entry_count: int) -> int:
    """Bytes that ``entry_count`` indices take."""
    return (entry_count + 3) // 4


def pack(statuses: Mapping[int, Status], entry_count: int) -> bytes:
    """Packed bits of ``entry_count`` indices; those not in ``statuses`` are valid.

    Raises:
        IndexError: an index outside the list.
    """
    packed = bytearray(packed_size(entry_count))
    for index, status in statuses.items():
        if not 0 <= index < entry_count:
            raise IndexError(f"index {index} outside 0 to {entry_count - 1}")
        packed[index >> 2] |= status << 2 * (index & 3)
    return bytes(packed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """One issuer's list, believed. ``packed`` holds the bits as described above."""

    issuer_id: int
    version: int
    issued_at_s: int
    expires_at_s: int
    ttl_s: int
    entry_count: int
    packed: bytes

    def __post_init__(self) -> None:
        assert len(self.packed) == packed_size(self.entry_count)

    def for_issuer(self, issuer_id: int) -> Self | None:
        """See ``StatusSource``."""
        return self if issuer_id == self.issuer_id else None

    def status(self, index: int) -> Status:
        """Status of ``index``. One beyond the end was given out after this list: ask online."""
        if not 0 <= index < self.entry_count:
            return Status.ASK_ONLINE
        return _STATUS_OF_BITS[self.packed[index >> 2] >> 2 * (index & 3) & 3]

    async def sign(self, signer: DocumentSigner) -> bytes:
        """The full list as a signed document."""
        return await seal(
            DocumentType.STATUS_LIST, self._head() + zlib.compress(self.packed, 9), signer
        )

    async def sign_delta(self, base: "StatusList", signer: DocumentSigner) -> bytes:
        """The changes from ``base`` to this list as a signed document.

        ``base`` must be an older list of the same issuer and not longer than this one.
        """
        assert base.issuer_id == self.issuer_id
        assert base.version < self.version
        assert base.entry_count <= self.entry_count
        change_count, changes = encode_changes(base.packed, self.packed)
        head = _DELTA_HEAD.pack(base.version, hashlib.sha256(self.packed).digest(), change_count)
        body = self._head() + head + changes
        return await seal(DocumentType.STATUS_DELTA, body, signer)

    def _head(self) -> bytes:
        return _HEAD.pack(
            BITS, self.version, self.issued_at_s, self.expires_at_s, self.ttl_s, self.entry_count
        )


def _changes(old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    """(index, status) wherever ``new`` differs; ``old`` is taken as padded with valid."""
    old = old.ljust(len(new), b"\0")
    for start in range(0, len(new), _BLOCK_SIZE):
        old_block, new_block = old[start : start + _BLOCK_SIZE], new[start : start + _BLOCK_SIZE]
        if old_block == new_block:
            continue
        for offset, (before, after) in enumerate(zip(old_block, new_block, strict=True)):
            if before == after:
                continue
            for place in range(4):
                status = after >> 2 * place & 3
                if status != before >> 2 * place & 3:
                    yield 4 * (start + offset) + place, status


def encode_changes(old: bytes, new: bytes) -> tuple[int, bytes]:
    """Number of changes from packed bits ``old`` to ``new``, and their zlib form."""
    encoded = bytearray()
    previous = -1
    count = 0
    for count, (index, status) in enumerate(_changes(old, new), start=1):  # noqa: B007  (returned)
        number = (index - previous - 1) << 2 | status
        previous = index
        while number > 0x7F:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
    return count, zlib.compress(bytes(encoded), 9)


def apply_changes(packed: bytes, changes: memoryview, change_count: int, entry_count: int) -> bytes:
    """Packed bits of ``entry_count`` indices after the zlib form of the changes.

    Raises ``DocumentMalformedError``. The caller compares the result with what the issuer signed.
    """
    if change_count > entry_count:
        raise DocumentMalformedError("more changes than indices")
    unpacker = zlib.decompressobj()
    try:
        encoded = unpacker.decompress(changes, _CHANGE_SIZE_MAX * change_count + 1)
    except zlib.error as error:
        raise DocumentMalformedError(f"zlib: {error}") from None
    changed = bytearray(packed.ljust(packed_size(entry_count), b"\0"))
    for index, status in _decode_changes(encoded, entry_count):
        shift = 2 * (index & 3)
        changed[index >> 2] = changed[index >> 2] & ~(3 << shift) | status << shift
    return bytes(changed)


def _decode_changes(data: bytes, entry_count: int) -> Iterator[tuple[int, int]]:
    previous = -1
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            if shift == 7 * _CHANGE_SIZE_MAX:
                raise DocumentMalformedError("a change is too long")
            continue
        previous += 1 + (number >> 2)
        if previous >= entry_count:
            raise DocumentMalformedError("a change beyond the end of the list")
        yield previous, number & 3
        number = shift = 0
    if shift:
        raise DocumentMalformedError("a change is cut off")


def _list_of(issuer_id: int, body: memoryview, packed: bytes) -> StatusList:
    _, version, issued_at_s, expires_at_s, ttl_s, entry_count = _HEAD.unpack_from(body)
    return StatusList(
        issuer_id=issuer_id,
        version=version,
        issued_at_s=issued_at_s,
        expires_at_s=expires_at_s,
        ttl_s=ttl_s,
        entry_count=entry_count,
        packed=packed,
    )


def _check_head(body: memoryview, held: StatusList | None, now_s: int) -> int:
    """Number of indices, when the head may be believed on top of ``held``."""
    if len(body) < _HEAD.size:
        raise DocumentMalformedError("too short")
    bits, version, _, expires_at_s, _, entry_count = _HEAD.unpack_from(body)
    if bits != BITS or entry_count > ENTRIES_MAX:
        raise DocumentMalformedError("bits or number of indices out of range")
    if held is not None and version <= held.version:
        raise DocumentOlderError(f"version {version}, held {held.version}")
    if now_s > expires_at_s:
        raise DocumentExpiredError(f"expired at {expires_at_s}")
    return int(entry_count)


def _read_full(issuer_id: int, body: memoryview, held: StatusList | None, now_s: int) -> StatusList:
    entry_count = _check_head(body, held, now_s)
    return _list_of(issuer_id, body, inflate(body[_HEAD.size :], packed_size(entry_count)))


def _read_delta(
    issuer_id: int, body: memoryview, held: StatusList | None, now_s: int
) -> StatusList:
    entry_count = _check_head(body, held, now_s)
    changes_at = _HEAD.size + _DELTA_HEAD.size
    if len(body) < changes_at:
        raise DocumentMalformedError("too short")
    base_version, digest, change_count = _DELTA_HEAD.unpack_from(body, _HEAD.size)
    if held is None or held.version != base_version or held.entry_count > entry_count:
        raise DocumentBaseMissingError(f"stands on version {base_version}")
    packed = apply_changes(held.packed, body[changes_at:], change_count, entry_count)
    if hashlib.sha256(packed).digest() != digest:
        raise DocumentMismatchError("the result is not what the issuer signed")
    return _list_of(issuer_id, body, packed)


class StatusLists:
    """The lists a verifier holds, one for each issuer; a ``StatusSource``.

    A refused document leaves the last good list in place.
    """

    def __init__(self) -> None:
        self._lists: dict[int, StatusList] = {}

    def for_issuer(self, issuer_id: int) -> StatusList | None:
        """See ``StatusSource``."""
        return self._lists.get(issuer_id)

    def apply(self, document: bytes, ring: KeyRing, now_s: int) -> StatusList:
        """Believe a full list or a delta and hold the result.

        Raises:
            DocumentError: kin, see ``codes.signed_document``; nothing has changed then.
        """
        document_type, issuer_id, body = unseal(document, ring, now_s)
        if document_type is DocumentType.STATUS_LIST:
            read = _read_full
        elif document_type is DocumentType.STATUS_DELTA:
            read = _read_delta
        else:
            raise DocumentMalformedError("not a status list")
        new = read(issuer_id, body, self._lists.get(issuer_id), now_s)
        self._lists[issuer_id] = new
        return new
