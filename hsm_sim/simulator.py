"""The box: keys in memory, sealed on disk, every act in the audit log.

``Simulator`` holds the keys and their storage; a ``Session`` (``session``) is what one caller may
ask of it. Randomness and the clock are arguments; there is no socket and no event loop here.

Order of a management act: audit entry, then key file, then the answer. A crash in between leaves
an entry without its key, never a key without its entry.
"""

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsm_sim import key_block, key_file
from hsm_sim.audit import AuditLog, AuditReport, LineStore, MemoryLines, verify_lines
from hsm_sim.ceremony import Ceremony, Component
from hsm_sim.interface import (
    Algorithm,
    HSMError,
    HSMLockedError,
    HSMStorageError,
    KeyExistsError,
    KeyUnknownError,
)
from hsm_sim.key_file import KeyFileHead, KeyStorage, MasterKeys, MemoryStorage
from hsm_sim.keys import AnyKey, RandomBytes

REFUSALS_LOGGED_SINGLY_MAX: Final = 64  # per flush of the use counters


class KeyFileRolledBackError(HSMError):
    """The key file is older than the audit log says: somebody put an old one back."""

    code = "key_file_rolled_back"


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class Simulator:
    """One box.

    Args:
        storage: where the sealed key file lies.
        lines: where the audit log goes.
        clock: gives aware UTC instants.
        random: gives secure random bytes.

    Raises:
        AuditBrokenError: the log that is there does not fit together.
    """

    def __init__(
        self,
        storage: KeyStorage,
        lines: LineStore,
        *,
        clock: Callable[[], datetime] = utc_now,
        random: RandomBytes = secrets.token_bytes,
    ) -> None:
        self.clock = clock
        self.random = random
        self._storage = storage
        self._lines = lines
        self._audit = AuditLog(lines, clock)
        self._keys: dict[str, AnyKey] = {}
        self._blocks: dict[str, bytes] = {}  # the keys as they lie in the key file
        self._masters: MasterKeys | None = None
        self._head: KeyFileHead | None = None
        self._ceremony: Ceremony | None = None
        self._uses: dict[tuple[str, str, str, str], int] = {}
        self._refusals_logged = 0

    @classmethod
    def in_memory(cls) -> "Simulator":
        """A box without a home, unlocked under a fresh master key; gone with the process."""
        box = cls(MemoryStorage(), MemoryLines())
        box.unlock(secrets.token_bytes(key_file.MASTER_KEY_SIZE), actor="memory")
        return box

    # -- state -----------------------------------------------------------------------------

    @property
    def initialised(self) -> bool:
        """Whether a key file exists."""
        return self._storage.load() is not None

    @property
    def unlocked(self) -> bool:
        """Whether the master key is loaded."""
        return self._masters is not None

    @property
    def audit_key(self) -> bytes:
        """Public key (Ed25519, 32 bytes) of the seals in the audit log."""
        return self._audit_private().public_key().public_bytes_raw()

    def unlock(self, master: bytes, *, actor: str) -> None:
        """Load the master key: open the key file, or make it when there is none yet.

        Raises:
            MasterKeyWrongError, KeyFileInvalidError, KeyFileRolledBackError: see there.
            AuditBrokenError: the log is not the one the key file remembers.
            HSMStorageError: the first file could not be written.
        """
        data = self._storage.load()
        if data is None:
            self._begin(master, actor)
            return
        head = key_file.read_head(data)
        masters = MasterKeys(master, head.file_id)
        opened = key_file.open_sealed(data, masters)
        joined = self._check_history(head, masters)
        self._masters, self._head = masters, head
        self._keys = {key.info.label: key for key, _ in opened}
        self._blocks = {key.info.label: block for key, block in opened}
        try:
            if not joined:
                self._join_history(head)
            self.record(actor, "unlock", detail=f"{len(opened)} keys")
        except HSMStorageError:
            self._forget()
            raise

    def lock(self, *, actor: str) -> None:
        """Forget the master key and all keys; counted uses are written and sealed first."""
        if self._masters is None:
            return
        self.flush_uses()
        self.record(actor, "lock")
        self._seal_audit()
        self._forget()

    def give_component(self, component: Component, *, name: str, session: str) -> tuple[int, ...]:
        """Take a custodian's component of the master key; after the third the box is open.

        Returns:
            Numbers of the custodians still missing; empty when the box is now unlocked.

        Raises:
            CeremonyRefusedError and its kin, and what ``unlock`` raises.
        """
        now = self.clock()
        if self._masters is not None:
            return ()
        if self._ceremony is None or now >= self._ceremony.ends_at:
            self._ceremony = Ceremony(Algorithm.AES256, now)
        ceremony, hand = self._ceremony, f"custodian {component.custodian}"
        try:
            ceremony.give(component, name=name, session=session, now=now)
        except HSMError as refusal:
            self.record(name or session, "component", label=hand, outcome=refusal.code)
            raise
        self.record(name, "component", label=hand, detail=component.check_value.hex())
        if ceremony.missing:
            return ceremony.missing
        self._ceremony = None
        self.unlock(ceremony.finish(), actor="ceremony")
        return ()

    def verify_audit(self) -> AuditReport:
        """Check the whole audit log, seals included. Raises ``AuditBrokenError``."""
        key = self.audit_key if self.unlocked else None
        expected = self._head.audit_head if self._head is not None else None
        return verify_lines(self._lines.lines(), audit_key=key, expected=expected)

    # -- keys (for ``Session``) ------------------------------------------------------------

    def key(self, label: str) -> AnyKey:
        """One key. Raises ``KeyUnknownError``, ``HSMLockedError``."""
        found = self._keys.get(label)
        if found is None:
            self._require_unlocked()
            raise KeyUnknownError(f"no key has the label {label!r}")
        return found

    def all_keys(self) -> list[AnyKey]:
        """All keys, by label. Raises ``HSMLockedError``."""
        self._require_unlocked()
        return [self._keys[label] for label in sorted(self._keys)]

    def require_free(self, label: str) -> None:
        """Raise ``KeyExistsError`` when the label is taken, ``HSMLockedError`` when locked."""
        self._require_unlocked()
        if label in self._keys:
            raise KeyExistsError(f"a key with the label {label!r} exists")

    def add(self, key: AnyKey, *, actor: str, action: str, detail: str = "") -> None:
        """Store a new key under its label. Raises ``HSMStorageError``; then nothing is stored."""
        self.require_free(key.info.label)
        assert self._head is not None
        assert self._masters is not None
        info = key.info
        block = key_block.seal(key, self._masters.blocks, self.random)
        what = f"{info.algorithm.value} {info.usage.name or info.usage.value} "
        what += (info.public_key or info.check_value).hex()
        generation = self._head.generation + 1
        self.record(
            actor,
            action,
            label=info.label,
            detail=f"{what} {detail}".rstrip(),
            generation=generation,
        )
        try:
            self._save([*self._blocks.values(), block], generation)
        except HSMStorageError as failure:
            self.record(actor, action, label=info.label, outcome=failure.code)
            raise
        self._keys[info.label] = key
        self._blocks[info.label] = block

    # -- audit -----------------------------------------------------------------------------

    def record(
        self,
        actor: str,
        action: str,
        *,
        label: str = "",
        outcome: str = "ok",
        detail: str = "",
        generation: int | None = None,
    ) -> None:
        """One audit entry. Raises ``HSMStorageError``."""
        if generation is None:
            generation = self._head.generation if self._head else 0
        try:
            self._audit.append(
                actor=actor,
                action=action,
                label=label,
                outcome=outcome,
                detail=detail,
                generation=generation,
            )
        except OSError as problem:
            raise HSMStorageError(f"the audit log cannot be written: {problem}") from problem

    def count_use(self, actor: str, action: str, label: str, outcome: str = "ok") -> None:
        """Count one ordinary use of a key, to be written by ``flush_uses``."""
        entry = (actor, action, label, outcome)
        self._uses[entry] = self._uses.get(entry, 0) + 1

    def record_refusal(self, actor: str, action: str, label: str, refusal: HSMError) -> None:
        """A refused request: written at once, or counted when there are too many.

        Labels of refused requests are chosen by the caller, so what is counted drops them.
        Callers waiting for a locked box ask again and again: that is counted too.
        """
        locked = isinstance(refusal, HSMLockedError)
        if not locked and self._refusals_logged < REFUSALS_LOGGED_SINGLY_MAX:
            self._refusals_logged += 1
            self.record(actor, action, label=label[:64], outcome=refusal.code)
        else:
            self.count_use(actor, action, "*", refusal.code)

    def flush_uses(self) -> None:
        """Write the counted uses as one entry each, then a seal. Raises ``HSMStorageError``."""
        self._refusals_logged = 0
        if not self._uses or not self.unlocked:
            return
        for (actor, action, label, outcome), count in sorted(self._uses.items()):
            self.record(actor, action, label=label, outcome=outcome, detail=f"{count} times")
            del self._uses[actor, action, label, outcome]
        self._seal_audit()

    # -- steps -----------------------------------------------------------------------------

    def _forget(self) -> None:
        self._masters = self._head = None
        self._keys, self._blocks = {}, {}

    def _seal_audit(self) -> None:
        assert self._head is not None
        try:
            self._audit.seal(self._audit_private().sign, generation=self._head.generation)
        except OSError as problem:
            raise HSMStorageError(f"the audit log cannot be written: {problem}") from problem

    def _require_unlocked(self) -> None:
        if self._masters is None:
            raise HSMLockedError("the master key is not loaded: three custodians are needed")

    def _begin(self, master: bytes, actor: str) -> None:
        history = verify_lines(self._lines.lines())
        if history.generation > 1 or history.generation_entry_count > 1:
            raise key_file.KeyFileInvalidError(
                "the audit log tells of a key file that is gone: bring it back, or move the log "
                "away to begin with a new box"
            )
        file_id = self.random(key_file.FILE_ID_SIZE)
        masters = MasterKeys(master, file_id)
        self._head = KeyFileHead(
            file_id=file_id,
            check_value=masters.check_value,
            generation=0,
            audit_head=self._audit.head,
        )
        self._masters = masters
        try:
            self.record(
                actor,
                "initialise",
                detail=f"master {masters.check_value.hex()} audit key {self.audit_key.hex()}",
                generation=1,
            )
            self._save([], 1)
            self.record(actor, "unlock", detail="0 keys")
        except HSMStorageError:
            self._forget()
            raise

    def _save(self, blocks: Collection[bytes], generation: int) -> None:
        assert self._masters is not None
        assert self._head is not None
        head = KeyFileHead(
            file_id=self._head.file_id,
            check_value=self._head.check_value,
            generation=generation,
            audit_head=self._audit.head,
        )
        try:
            self._storage.save(key_file.seal(blocks, head, self._masters))
        except OSError as problem:
            raise HSMStorageError(f"the key file cannot be written: {problem}") from problem
        self._head = head

    def _check_history(self, head: KeyFileHead, masters: MasterKeys) -> bool:
        """The key file and the audit log must belong together, and neither be an old copy.

        Returns:
            Whether they do so as they are. False: the log was taken away, or the box crashed
            between an entry and the file it announced; both must be written anew.
        """
        if self._audit.head.entry_count == 0:
            return False
        audit_key = Ed25519PrivateKey.from_private_bytes(masters.audit_seed).public_key()
        report = verify_lines(
            self._lines.lines(), audit_key=audit_key.public_bytes_raw(), expected=head.audit_head
        )
        if head.generation == report.generation:
            return True
        if head.generation == report.generation - 1 and report.generation_entry_count == 1:
            return False
        raise KeyFileRolledBackError(
            f"the key file is of generation {head.generation}, the audit log knows "
            f"{report.generation}"
        )

    def _join_history(self, head: KeyFileHead) -> None:
        """Write log and key file anew so that they fit; the log tells for ever that it was so."""
        expected = head.audit_head
        self.record(
            "hsm",
            "history_joined",
            detail=f"key file {head.generation} expected {expected.entry_count} entries "
            f"to {expected.entry_hash}",
            generation=head.generation + 1,
        )
        self._save(self._blocks.values(), head.generation + 1)

    def _audit_private(self) -> Ed25519PrivateKey:
        self._require_unlocked()
        assert self._masters is not None
        return Ed25519PrivateKey.from_private_bytes(self._masters.audit_seed)
