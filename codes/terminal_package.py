"""Everything a terminal works with, in one signed package: keys, parameters, fares, status lists.

The issuer signs a manifest that names each part by SHA-256; the parts travel beside it, whole or as
changes. So a delta for any held version can be composed without the key, and a cache in between can
serve it. The digest of the manifest is the package's ETag and what terminals report as theirs.

Container: ``CCPK``, size of the signed manifest (u32), signed manifest (document 0x17 of
``codes.signed_document`` whose body is JSON), then for each part that travels: its place in the
manifest (u8), form (u8: 0 whole, 1 changes), size (u32), bytes. A status part travels as zlib of
its packed bits or as changes (base version u32, number of changes u32, zlib); all others as they
are.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Any, Final

from codes.key_ring import KeyRing, KeyRingError
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
from codes.status_list import (
    ENTRIES_MAX,
    StatusList,
    apply_changes,
    encode_changes,
    packed_size,
)

MAGIC: Final = b"CCPK"
KEYS_PART: Final = "keys"
PARTS_MAX: Final = 64
PART_SIZE_MAX: Final = 64 * 2**20
_SIZE: Final = Struct(">I")
_PART_HEAD: Final = Struct(">BBI")
_CHANGES_HEAD: Final = Struct(">II")


class _Form(IntEnum):
    WHOLE = 0
    CHANGES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHead:
    """What the manifest says about a status list; fields as in ``StatusList``."""

    issuer_id: int
    version: int
    issued_at_s: int
    expires_at_s: int
    ttl_s: int
    entry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of the manifest. ``sha256`` is hex, of the bytes (status: of the packed bits)."""

    name: str
    sha256: str
    size: int
    status: StatusHead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the issuer signs. ``version`` rises; instants in Unix seconds."""

    version: int
    made_at_s: int
    expires_at_s: int
    parts: tuple[Part, ...]

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalPackage:
    """A package that is believed and complete.

    ``blobs`` holds the plain parts by name, ``status_lists`` the lists by issuer id,
    ``signed_manifest`` the document as the issuer signed it. It is also a ``StatusSource``.
    """

    manifest: Manifest
    signed_manifest: bytes = field(repr=False)
    blobs: Mapping[str, bytes] = field(repr=False)
    status_lists: Mapping[int, StatusList] = field(repr=False)
    keys: KeyRing = field(repr=False)

    @property
    def etag(self) -> str:
        """SHA-256 of the signed manifest, hex."""
        return hashlib.sha256(self.signed_manifest).hexdigest()

    def for_issuer(self, issuer_id: int) -> StatusList | None:
        """See ``StatusSource``."""
        return self.status_lists.get(issuer_id)

    def _bytes_of(self, part: Part) -> bytes:
        if part.status is None:
            return self.blobs[part.name]
        return self.status_lists[part.status.issuer_id].packed

    def container(self, held: "TerminalPackage | None" = None) -> bytes:
        """The package as it travels: all of it, or what differs from ``held``.

        The whole form is also what a terminal stores.
        """
        pieces = [MAGIC, _SIZE.pack(len(self.signed_manifest)), self.signed_manifest]
        held_parts = {} if held is None else {part.name: part for part in held.manifest.parts}
        for place, part in enumerate(self.manifest.parts):
            before = held_parts.get(part.name)
            if before is not None and before.sha256 == part.sha256:
                continue
            form, data = self._travel_form(part, held)
            pieces += [_PART_HEAD.pack(place, form, len(data)), data]
        return b"".join(pieces)

    def _travel_form(self, part: Part, held: "TerminalPackage | None") -> tuple[_Form, bytes]:
        if part.status is None:
            return _Form.WHOLE, self.blobs[part.name]
        packed = self._bytes_of(part)
        whole = zlib.compress(packed, 9)
        base = None if held is None else held.for_issuer(part.status.issuer_id)
        if base is None or base.entry_count > part.status.entry_count:
            return _Form.WHOLE, whole
        change_count, changes = encode_changes(base.packed, packed)
        delta = _CHANGES_HEAD.pack(base.version, change_count) + changes
        return (_Form.CHANGES, delta) if len(delta) < len(whole) else (_Form.WHOLE, whole)


async def make_package(
    *,
    version: int,
    made_at_s: int,
    expires_at_s: int,
    blobs: Mapping[str, bytes],
    status_lists: Mapping[int, StatusList],
    signer: DocumentSigner,
) -> TerminalPackage:
    """Sign a package. ``blobs`` must contain ``keys``, the JSON of a ``KeyRing``.

    Raises:
        KeyRingError: ``keys`` is missing or not a ring.
    """
    parts = [
        Part(name=name, sha256=hashlib.sha256(blob).hexdigest(), size=len(blob))
        for name, blob in sorted(blobs.items())
    ]
    for issuer_id, status_list in sorted(status_lists.items()):
        head = StatusHead(
            issuer_id=issuer_id,
            version=status_list.version,
            issued_at_s=status_list.issued_at_s,
            expires_at_s=status_list.expires_at_s,
            ttl_s=status_list.ttl_s,
            entry_count=status_list.entry_count,
        )
        digest = hashlib.sha256(status_list.packed).hexdigest()
        size = len(status_list.packed)
        parts.append(Part(name=f"status-{issuer_id}", sha256=digest, size=size, status=head))
    manifest = Manifest(
        version=version, made_at_s=made_at_s, expires_at_s=expires_at_s, parts=tuple(parts)
    )
    return TerminalPackage(
        manifest=manifest,
        signed_manifest=await seal(DocumentType.TERMINAL_PACKAGE, manifest.to_json(), signer),
        blobs=dict(blobs),
        status_lists=dict(status_lists),
        keys=KeyRing.from_json(blobs.get(KEYS_PART, b"")),
    )


def open_package(
    container: bytes, ring: KeyRing, now_s: int, held: TerminalPackage | None = None
) -> TerminalPackage:
    """Believe a container on top of ``held``.

    Args:
        container: as made by ``TerminalPackage.container``.
        ring: the keys believed now: those of ``held``, or those pinned at enrolment.
        now_s: Unix seconds.
        held: the package in use, for deltas and against roll-back.

    Raises:
        DocumentError: kin; the terminal goes on with ``held`` and reports the error's ``code``.
    """
    signed_manifest, travelled = _split(container)
    _, _, body = unseal(signed_manifest, ring, now_s)
    manifest = _read_manifest(bytes(body))
    if held is not None and manifest.version <= held.manifest.version:
        raise DocumentOlderError(f"version {manifest.version}, held {held.manifest.version}")
    if now_s > manifest.expires_at_s:
        raise DocumentExpiredError(f"package expired at {manifest.expires_at_s}")
    blobs: dict[str, bytes] = {}
    status_lists: dict[int, StatusList] = {}
    for place, part in enumerate(manifest.parts):
        data = _part_bytes(part, travelled.pop(place, None), held)
        if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
            raise DocumentMismatchError(f"part {part.name} is not what the issuer signed")
        if part.status is None:
            blobs[part.name] = data
        else:
            status_lists[part.status.issuer_id] = StatusList(**asdict(part.status), packed=data)
    if travelled:
        raise DocumentMalformedError("a part the manifest does not name")
    try:
        keys = KeyRing.from_json(blobs.get(KEYS_PART, b""))
    except KeyRingError as error:
        raise DocumentMalformedError(str(error)) from None
    return TerminalPackage(
        manifest=manifest,
        signed_manifest=signed_manifest,
        blobs=blobs,
        status_lists=status_lists,
        keys=keys,
    )


def _split(container: bytes) -> tuple[bytes, dict[int, tuple[int, memoryview]]]:
    """The signed manifest, and form and bytes of each part that travelled, by place."""
    view = memoryview(container)
    if container[:4] != MAGIC or len(container) < 8:
        raise DocumentMalformedError("not a package")
    (manifest_size,) = _SIZE.unpack_from(container, 4)
    at = 8 + manifest_size
    if at > len(container):
        raise DocumentMalformedError("manifest is cut off")
    signed_manifest = container[8:at]
    travelled: dict[int, tuple[int, memoryview]] = {}
    while at < len(container):
        if at + _PART_HEAD.size > len(container):
            raise DocumentMalformedError("a part is cut off")
        place, form, size = _PART_HEAD.unpack_from(container, at)
        at += _PART_HEAD.size
        if at + size > len(container) or place in travelled:
            raise DocumentMalformedError("a part is cut off or comes twice")
        travelled[place] = (form, view[at : at + size])
        at += size
    return signed_manifest, travelled


def _read_manifest(body: bytes) -> Manifest:
    try:
        document: dict[str, Any] = json.loads(body)
        parts = tuple(_read_part(entry) for entry in document["parts"])
        manifest = Manifest(
            version=int(document["version"]),
            made_at_s=int(document["made_at_s"]),
            expires_at_s=int(document["expires_at_s"]),
            parts=parts,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DocumentMalformedError(f"manifest: {error}") from None
    if manifest.to_json() != body:
        raise DocumentMalformedError("manifest is not in canonical form")
    if len(parts) > PARTS_MAX or len({part.name for part in parts}) != len(parts):
        raise DocumentMalformedError("too many parts, or two of one name")
    return manifest


def _read_part(entry: dict[str, Any]) -> Part:
    status = None
    if entry["status"] is not None:
        status = StatusHead(**{name: int(value) for name, value in entry["status"].items()})
        if entry["size"] != packed_size(status.entry_count) or status.entry_count > ENTRIES_MAX:
            raise ValueError("status part has another size")
    if not 0 <= entry["size"] <= PART_SIZE_MAX:
        raise ValueError("part too large")
    return Part(name=entry["name"], sha256=entry["sha256"], size=entry["size"], status=status)


def _part_bytes(
    part: Part, travelled: tuple[int, memoryview] | None, held: TerminalPackage | None
) -> bytes:
    """Bytes of a part, not yet compared with the manifest's digest."""
    if travelled is None:
        return _held_bytes(part, held)
    form, data = travelled
    if part.status is None:
        if form != _Form.WHOLE:
            raise DocumentMalformedError("only status lists travel as changes")
        return bytes(data)
    if form == _Form.WHOLE:
        return inflate(data, part.size)
    if form != _Form.CHANGES or len(data) < _CHANGES_HEAD.size:
        raise DocumentMalformedError("unknown form of a status list")
    base_version, change_count = _CHANGES_HEAD.unpack_from(data)
    base = None if held is None else held.for_issuer(part.status.issuer_id)
    if base is None or base.version != base_version or base.entry_count > part.status.entry_count:
        raise DocumentBaseMissingError(f"changes stand on version {base_version}")
    changes = data[_CHANGES_HEAD.size :]
    return apply_changes(base.packed, changes, change_count, part.status.entry_count)


def _held_bytes(part: Part, held: TerminalPackage | None) -> bytes:
    if held is not None:
        for before in held.manifest.parts:
            if before.name == part.name and before.sha256 == part.sha256:
                return held._bytes_of(before)  # noqa: SLF001  (same module)
    raise DocumentBaseMissingError(f"part {part.name} did not travel and is not held")
