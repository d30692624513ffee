"""The box's audit log: append-only lines, each holding the hash of the one before.

A line is canonical JSON with the fields ``n`` (1, 2, …), ``at`` (UTC, ISO 8601, milliseconds),
``actor``, ``action``, ``label``, ``outcome`` (``ok`` or a refusal's code), ``detail``,
``generation`` (of the key file once this entry's work is done; 0 while the box is locked),
``prev`` and ``hash`` = SHA-256 over the line without ``hash``. Changing, dropping, inserting or
reordering lines breaks the chain. Whoever rewrites the whole file can make a new chain, so the
box also *seals* it: an Ed25519 signature over the newest hash, by a key only the box has. Cutting
lines off the end is caught by the key file, which remembers the head it last saw (``key_file``).

Management and refusals are written one by one, before the caller hears the outcome; ordinary use
of keys is counted and written as sums (``simulator``), or the log would outgrow the ledger.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsm_sim.interface import HSMError

GENESIS_HASH: Final = "0" * 64
SEAL_ACTION: Final = "seal"
SEAL_TAG: Final = b"cardcore-audit-seal-1\0"
_FIELDS: Final = frozenset(
    ("n", "at", "actor", "action", "label", "outcome", "detail", "generation", "prev", "hash")
)


class AuditBrokenError(HSMError):
    """The audit log does not fit together. ``index`` is the first bad entry, from 1."""

    code = "audit_broken"

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"audit entry {index}: {reason}")
        self.index = index
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where a log ends: how many entries, and the hash of the last one (64 hex digits)."""

    entry_count: int = 0
    entry_hash: str = GENESIS_HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a successful verification found.

    ``sealed_count`` is the number of entries up to the last good seal: entries after it are
    chained but not yet signed. ``generation`` is the newest the key file was said to have, and
    ``generation_entry_count`` how many entries in a row said so: when it is 1, the box may have
    crashed before the file was written.
    """

    head: AuditHead
    sealed_count: int
    seal_count: int
    generation: int
    generation_entry_count: int


class LineStore(Protocol):
    """Where lines are appended; an append is durable when it returns."""

    def lines(self) -> Iterator[bytes]:
        """All complete lines from the first."""
        ...

    def append(self, line: bytes) -> None:
        """Add one line (without its line feed)."""
        ...


class AuditLog:
    """The writing end of one log.

    Args:
        store: where the lines go.
        clock: gives the present as an aware UTC instant.

    Raises:
        AuditBrokenError: what is there already does not fit together.
    """

    def __init__(self, store: LineStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self.head = verify_lines(store.lines()).head

    def append(
        self,
        *,
        actor: str,
        action: str,
        generation: int,
        label: str = "",
        outcome: str = "ok",
        detail: str = "",
    ) -> None:
        """Write one entry. Raises ``OSError`` when it cannot be made durable."""
        entry: dict[str, Any] = {
            "n": self.head.entry_count + 1,
            "at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds"),
            "actor": actor,
            "action": action,
            "label": label,
            "outcome": outcome,
            "detail": detail,
            "generation": generation,
            "prev": self.head.entry_hash,
        }
        entry_hash = _hash(entry)
        self._store.append(_canonical({**entry, "hash": entry_hash}))
        self.head = AuditHead(entry["n"], entry_hash)

    def seal(self, sign: Callable[[bytes], bytes], *, generation: int) -> None:
        """Write a signature over everything so far."""
        signature = sign(seal_message(self.head)).hex()
        self.append(actor="hsm", action=SEAL_ACTION, generation=generation, detail=signature)


def seal_message(head: AuditHead) -> bytes:
    """The bytes a seal signs."""
    return SEAL_TAG + head.entry_count.to_bytes(8, "big") + bytes.fromhex(head.entry_hash)


def verify_lines(
    lines: Iterable[bytes], *, audit_key: bytes | None = None, expected: AuditHead | None = None
) -> AuditReport:
    """Check a whole log.

    Args:
        lines: its lines, without line feeds, from the first.
        audit_key: the box's public audit key (Ed25519, 32 bytes); None leaves seals unchecked.
        expected: a head the log must contain, such as the one the key file remembers.

    Raises:
        AuditBrokenError: naming the first entry that is wrong or missing.
    """
    head = AuditHead()
    sealed_count = seal_count = generation = generation_entry_count = 0
    expected_seen = expected is None or expected.entry_count == 0
    for line in lines:
        entry = _checked_entry(line, head)
        if entry["action"] == SEAL_ACTION and audit_key is not None:
            _check_seal(entry, head, audit_key)
            sealed_count, seal_count = head.entry_count, seal_count + 1
        head = AuditHead(entry["n"], entry["hash"])
        if entry["generation"] not in (0, generation):
            generation, generation_entry_count = entry["generation"], 0
        generation_entry_count += entry["generation"] != 0
        if expected is not None and head.entry_count == expected.entry_count:
            if head.entry_hash != expected.entry_hash:
                raise AuditBrokenError(entry["n"], "is not the entry the key file remembers")
            expected_seen = True
    if not expected_seen:
        raise AuditBrokenError(
            head.entry_count + 1, "is missing: the key file remembers a longer log"
        )
    return AuditReport(
        head=head,
        sealed_count=sealed_count,
        seal_count=seal_count,
        generation=generation,
        generation_entry_count=generation_entry_count,
    )


def _checked_entry(line: bytes, head: AuditHead) -> dict[str, Any]:
    index = head.entry_count + 1
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise AuditBrokenError(index, "is not JSON") from problem
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise AuditBrokenError(index, "has other fields than an entry")
    if type(entry["n"]) is not int or type(entry["generation"]) is not int:
        raise AuditBrokenError(index, "has a number that is none")
    if entry["n"] != index:
        raise AuditBrokenError(index, f"carries the number {entry['n']}")
    if entry["prev"] != head.entry_hash:
        raise AuditBrokenError(index, "does not follow the one before")
    if _hash({name: value for name, value in entry.items() if name != "hash"}) != entry["hash"]:
        raise AuditBrokenError(index, "was changed: its hash does not match")
    if _canonical(entry) != line:
        raise AuditBrokenError(index, "is not in canonical form")
    return entry


def _check_seal(entry: dict[str, Any], head: AuditHead, audit_key: bytes) -> None:
    try:
        signature = bytes.fromhex(entry["detail"])
        Ed25519PublicKey.from_public_bytes(audit_key).verify(signature, seal_message(head))
    except (ValueError, TypeError, InvalidSignature) as problem:
        raise AuditBrokenError(entry["n"], "is a seal not made by this box") from problem


def _canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(entry)).hexdigest()


class MemoryLines:
    """Lines kept in memory, for tests and for a box without a home."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def lines(self) -> Iterator[bytes]:
        """All lines."""
        return iter(self._lines)

    def append(self, line: bytes) -> None:
        """Add one line."""
        self._lines.append(line)


class FileLines:
    """Lines in a file of mode 0600, each written with one call and forced to disk.

    A power cut can leave half a line at the end. Its entry was never answered for, so it is cut
    off at the next opening (``torn_size`` tells how many bytes).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.torn_size = self._cut_torn_line()

    def lines(self) -> Iterator[bytes]:
        """All lines."""
        return read_lines(self.path)

    def append(self, line: bytes) -> None:
        """Add one line, durably."""
        before = os.fstat(self._file).st_size
        try:
            self._write_whole(line + b"\n")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write_whole(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written != len(data):
            raise OSError(f"{self.path}: only {written} of {len(data)} bytes fitted")

    def _cut_torn_line(self) -> int:
        size = os.fstat(self._file).st_size
        whole = 0
        with self.path.open("rb") as reader:
            for line in reader:
                whole += len(line) if line.endswith(b"\n") else 0
        os.ftruncate(self._file, whole)
        return size - whole


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a log file, for whoever verifies it without the box."""
    with path.open("rb") as reader:
        for line in reader:
            yield line.removesuffix(b"\n")
