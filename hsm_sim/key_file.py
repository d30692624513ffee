"""The sealed key file: every key of the box in one file, useless without the master key.

Layout, integers big-endian:

| size | field |
|---|---|
| 8 | ``CCHSM`` and version 0, 0, 1 |
| 16 | file id, random, made at the first ceremony |
| 3 | check value of the master key |
| 8 | generation: how often the file was written |
| 8, 32 | audit head when it was written: entry count, entry hash |
| 4 | number of key blocks |
| 4 + n each | key blocks (``key_block``), sealed by AES-256-GCM |
| 32 | HMAC-SHA-256 over all before it |

Both keys used here come from the master key by HKDF with the file id. The HMAC keeps blocks from
being dropped or brought back from an older file; the audit head keeps the log from being cut.
"""

import contextlib
import hmac
import os
import struct
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hsm_sim import key_block
from hsm_sim.audit import AuditHead
from hsm_sim.interface import Algorithm, HSMError, KeyInfo, KeyUsage, WrappedDataInvalidError
from hsm_sim.keys import AnyKey, BlockKey, HMACKey, derive_secret, secret_check_value

MAGIC: Final = b"CCHSM\x00\x00\x01"
FILE_ID_SIZE: Final = 16
MASTER_KEY_SIZE: Final = 32
MAC_SIZE: Final = 32
_HEAD: Final = struct.Struct(">8s16s3sQQ32sI")


class KeyFileInvalidError(HSMError):
    """The key file is damaged, was changed, or is of an unknown version."""

    code = "key_file_invalid"


class MasterKeyWrongError(HSMError):
    """The components make a master key, but not the one this file was sealed with."""

    code = "master_key_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFileHead:
    """What a key file tells without its master key."""

    file_id: bytes
    check_value: bytes
    generation: int
    audit_head: AuditHead


class KeyStorage(Protocol):
    """Where the sealed bytes lie."""

    def load(self) -> bytes | None:
        """The bytes of the last ``save``, or None when there was none."""
        ...

    def save(self, data: bytes) -> None:
        """Replace them; durable when it returns, and never half done."""
        ...


class MasterKeys:
    """The two working keys drawn from a master key for one file."""

    def __init__(self, master: bytes, file_id: bytes) -> None:
        assert len(master) == MASTER_KEY_SIZE
        root = BlockKey(
            KeyInfo(label="", algorithm=Algorithm.AES256, usage=KeyUsage.DERIVE), master
        )
        self.check_value = secret_check_value(Algorithm.AES256, master)
        wrap_secret = derive_secret(
            root, b"key file blocks" + file_id, Algorithm.AES256, KeyUsage.WRAP
        )
        mac_secret = derive_secret(
            root, b"key file mac" + file_id, Algorithm.HMAC_SHA256, KeyUsage.MAC
        )
        self.audit_seed = derive_secret(
            root, b"audit seal" + file_id, Algorithm.ED25519, KeyUsage.SIGN
        )
        self.blocks = BlockKey(
            KeyInfo(label="", algorithm=Algorithm.AES256, usage=KeyUsage.WRAP), wrap_secret
        )
        self.mac = HMACKey(
            KeyInfo(label="", algorithm=Algorithm.HMAC_SHA256, usage=KeyUsage.MAC), mac_secret
        )


def read_head(data: bytes) -> KeyFileHead:
    """What the file tells without its master key; nothing here is authenticated yet.

    Raises:
        KeyFileInvalidError: not a key file.
    """
    if len(data) < _HEAD.size + MAC_SIZE or data[: len(MAGIC)] != MAGIC:
        raise KeyFileInvalidError("not a key file of this version")
    _, file_id, check_value, generation, entry_count, entry_hash, _ = _HEAD.unpack_from(data)
    return KeyFileHead(
        file_id=file_id,
        check_value=check_value,
        generation=generation,
        audit_head=AuditHead(entry_count, entry_hash.hex()),
    )


def seal(blocks: Collection[bytes], head: KeyFileHead, masters: MasterKeys) -> bytes:
    """The bytes of a key file over key blocks sealed by ``masters.blocks``."""
    data = _HEAD.pack(
        MAGIC,
        head.file_id,
        head.check_value,
        head.generation,
        head.audit_head.entry_count,
        bytes.fromhex(head.audit_head.entry_hash),
        len(blocks),
    )
    data += b"".join(len(block).to_bytes(4, "big") + block for block in blocks)
    return data + masters.mac.mac(data)


def open_sealed(data: bytes, masters: MasterKeys) -> list[tuple[AnyKey, bytes]]:
    """The keys of a file, each with its block.

    Raises:
        MasterKeyWrongError: another master key.
        KeyFileInvalidError: damaged or changed.
    """
    if read_head(data).check_value != masters.check_value:
        raise MasterKeyWrongError("the check value of this master key is not the file's")
    body = data[:-MAC_SIZE]
    if not hmac.compare_digest(masters.mac.mac(body), data[-MAC_SIZE:]):
        raise KeyFileInvalidError("the file was changed, or damaged on disk")
    keys = []
    offset = _HEAD.size
    for _ in range(_HEAD.unpack_from(data)[-1]):
        size = int.from_bytes(body[offset : offset + 4], "big")
        block = body[offset + 4 : offset + 4 + size]
        offset += 4 + size
        try:
            keys.append((key_block.open_sealed(block, masters.blocks), block))
        except WrappedDataInvalidError as problem:
            raise KeyFileInvalidError("a key block does not open") from problem
    assert offset == len(body)
    return keys


class MemoryStorage:
    """Sealed bytes in memory, for a box without a home."""

    def __init__(self) -> None:
        self._data: bytes | None = None

    def load(self) -> bytes | None:
        """The bytes of the last ``save``."""
        return self._data

    def save(self, data: bytes) -> None:
        """Replace them."""
        self._data = data


class FileStorage:
    """Sealed bytes in a file of mode 0600, replaced in one step.

    Written beside its place, forced to disk, renamed over, and the directory forced to disk: a
    power cut leaves the old file or the new one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes | None:
        """The file's bytes, None when there is no file."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def save(self, data: bytes) -> None:
        """Replace the file. Raises ``OSError``; the old file is then still whole."""
        descriptor, name = tempfile.mkstemp(prefix=self.path.name + ".", dir=self.path.parent)
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as writer:
                writer.write(data)
                writer.flush()
                os.fsync(writer.fileno())
            partial.rename(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
