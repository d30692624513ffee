"""The deny list for cards that have no status index: sorted truncated hashes.

A hit does not say "refused", it says "ask online": a truncated hash can meet an innocent card. With
5 bytes and 100,000 denied cards one innocent card in eleven million is asked about. The salt is new
in every version, so an innocent card is not hit for ever and nobody can look cards up.

Document 0x16, after the common head of ``codes.signed_document``:

| off | len | field |
|---|---|---|
| 5 | 4 | version, rising |
| 9 | 4 | issued at, Unix s |
| 13 | 4 | expires at, Unix s |
| 17 | 4 | time to live, s |
| 21 | 8 | salt |
| 29 | 1 | bytes of each hash, 4 to 8 |
| 30 | 4 | number of hashes |
| 34 | n | the hashes, rising, no two the same |

A hash is the start of SHA-256 over salt and the card's name in ASCII: its token as 16 hex digits,
lower case (docs/cards.md).
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from codes.key_ring import KeyRing
from codes.signed_document import (
    DocumentExpiredError,
    DocumentMalformedError,
    DocumentOlderError,
    DocumentSigner,
    DocumentType,
    seal,
    unseal,
)

SALT_SIZE: Final = 8
HASH_SIZE_DEFAULT: Final = 5
_HASH_SIZE_RANGE: Final = range(4, 9)
_HEAD: Final = Struct(">IIII8sBI")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHashList:
    """One issuer's list. ``hashes`` is the sorted hashes, one after another."""

    issuer_id: int
    version: int
    issued_at_s: int
    expires_at_s: int
    ttl_s: int
    salt: bytes
    hash_size: int
    hashes: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.hashes) // self.hash_size

    def must_ask_online(self, card_name: str) -> bool:
        """Is this card perhaps denied? False is certain, True is not."""
        wanted = _hash(self.salt, card_name, self.hash_size)
        size = self.hash_size
        place = bisect_left(
            range(len(self)), wanted, key=lambda i: self.hashes[i * size : (i + 1) * size]
        )
        return self.hashes[place * size : (place + 1) * size] == wanted

    async def sign(self, signer: DocumentSigner) -> bytes:
        """The list as a signed document."""
        head = _HEAD.pack(
            self.version,
            self.issued_at_s,
            self.expires_at_s,
            self.ttl_s,
            self.salt,
            self.hash_size,
            len(self),
        )
        return await seal(DocumentType.CARD_HASH_LIST, head + self.hashes, signer)


def _hash(salt: bytes, card_name: str, size: int) -> bytes:
    return hashlib.sha256(salt + card_name.encode("ascii")).digest()[:size]


def sorted_hashes(
    card_names: Iterable[str], salt: bytes, hash_size: int = HASH_SIZE_DEFAULT
) -> bytes:
    """``CardHashList.hashes`` of these cards."""
    assert len(salt) == SALT_SIZE
    assert hash_size in _HASH_SIZE_RANGE
    return b"".join(sorted({_hash(salt, card_name, hash_size) for card_name in card_names}))


def read_card_hash_list(
    document: bytes, ring: KeyRing, now_s: int, held: CardHashList | None = None
) -> CardHashList:
    """Believe a document on top of ``held``.

    Raises:
        DocumentError: kin, see ``codes.signed_document``; keep ``held`` then.
    """
    document_type, issuer_id, body = unseal(document, ring, now_s)
    if document_type is not DocumentType.CARD_HASH_LIST or len(body) < _HEAD.size:
        raise DocumentMalformedError("not a card hash list")
    version, issued_at_s, expires_at_s, ttl_s, salt, hash_size, count = _HEAD.unpack_from(body)
    hashes = bytes(body[_HEAD.size :])
    if hash_size not in _HASH_SIZE_RANGE or len(hashes) != hash_size * count:
        raise DocumentMalformedError("hashes have another size")
    if held is not None and version <= held.version:
        raise DocumentOlderError(f"version {version}, held {held.version}")
    if now_s > expires_at_s:
        raise DocumentExpiredError(f"expired at {expires_at_s}")
    _check_rising(hashes, hash_size)
    return CardHashList(
        issuer_id=issuer_id,
        version=version,
        issued_at_s=issued_at_s,
        expires_at_s=expires_at_s,
        ttl_s=ttl_s,
        salt=salt,
        hash_size=hash_size,
        hashes=hashes,
    )


def _check_rising(hashes: bytes, size: int) -> None:
    # An unsorted list would hide entries from the binary search.
    previous = b""
    for start in range(0, len(hashes), size):
        current = hashes[start : start + size]
        if current <= previous:
            raise DocumentMalformedError("hashes are not rising")
        previous = current
