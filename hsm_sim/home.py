"""The folder of a box: key file, audit log, socket, and the unlock files of a development box.

| path | what |
|---|---|
| ``keys.sealed`` | the key file, useless without the master key |
| ``audit.log`` | the audit log |
| ``hsm.sock`` | the socket; ``socket_path`` tells where it is when the folder's path is too long |
| ``owner.lock`` | held by the one process that has this box open |
| ``unlock/component-1`` … ``-3`` | development only: the custodians' components |

The folder is 0700, every file 0600. Unlock files put all three components where one person can
read them: that is *not* dual control, and a box for real money has none of them.
"""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

from hsm_sim.audit import FileLines
from hsm_sim.ceremony import CUSTODIAN_COUNT, Component, combine, new_components, parse_component
from hsm_sim.interface import HSMError
from hsm_sim.key_file import FileStorage
from hsm_sim.keys import RandomBytes
from hsm_sim.simulator import Simulator

SOCKET_PATH_SIZE_MAX: Final = 100  # sun_path has 108 bytes


class HomeInvalidError(HSMError):
    """The folder cannot be used; the message says what to do."""

    code = "hsm_home_invalid"


class HSMHome:
    """One box's folder; made, with mode 0700, when absent."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_private(self.path):
            raise HomeInvalidError(
                f"{self.path} must belong to the user of the box and be writable by nobody else"
            )

    @property
    def audit_path(self) -> Path:
        """The audit log."""
        return self.path / "audit.log"

    @property
    def unlock_path(self) -> Path:
        """Folder of the unlock files."""
        return self.path / "unlock"

    def socket_path(self) -> Path:
        """Where the socket is, or will be; a path too long for a socket gets a short one."""
        path = find_socket(self.path)
        if not _is_private(path.parent):
            path = self.path / "hsm.sock"  # a temporary folder was tidied away, or made by another
        if len(os.fsencode(path)) > SOCKET_PATH_SIZE_MAX:
            # Not where TMPDIR says: that may be as deep as the folder itself.
            short = tempfile.mkdtemp(prefix="cardcore-hsm-", dir="/tmp")
            path = Path(short) / "hsm.sock"
            partial = self.path / "socket_path.new"
            partial.write_text(str(path), encoding="utf-8")
            partial.rename(self.path / "socket_path")
        return path

    def take(self) -> int:
        """Become the one process that has this box open; the lock lives as long as the process.

        Raises:
            HomeInvalidError: another process has it.
        """
        lock = os.open(self.path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(lock)
            raise HomeInvalidError(f"another process has the box in {self.path} open") from problem
        return lock

    def open_box(self) -> Simulator:
        """The box over this folder, locked. Raises ``AuditBrokenError``."""
        return Simulator(FileStorage(self.path / "keys.sealed"), FileLines(self.audit_path))

    def write_unlock_files(self, random: RandomBytes) -> tuple[Component, ...]:
        """Development: make three components and leave each in a file of its own.

        Raises:
            HomeInvalidError: there are some already.
        """
        self.unlock_path.mkdir(mode=0o700, exist_ok=True)
        components = new_components(random)
        for component in components:
            path = self._component_path(component.custodian)
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError as problem:
                raise HomeInvalidError(f"{path} exists: the box has its components") from problem
            with os.fdopen(file, "w", encoding="ascii") as writer:
                writer.write(component.text() + "\n")
                writer.flush()
                os.fsync(writer.fileno())
        return components

    def has_unlock_files(self) -> bool:
        """Whether this is a development box that opens itself."""
        return self.unlock_path.is_dir()

    def master_of_unlock_files(self) -> bytes:
        """Development: the master key of the three unlock files.

        Raises:
            HomeInvalidError: one is absent or others may read it.
            ComponentInvalidError: one is damaged.
        """
        components = []
        for custodian in range(1, CUSTODIAN_COUNT + 1):
            path = self._component_path(custodian)
            try:
                state, text = path.stat(), path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError) as problem:
                raise HomeInvalidError(f"{path} cannot be read: {problem}") from problem
            if state.st_mode & 0o077 or state.st_uid != os.geteuid():
                raise HomeInvalidError(f"{path} must be readable by the user of the box alone")
            components.append(parse_component(custodian, text))
        return combine(tuple(components))

    def _component_path(self, custodian: int) -> Path:
        return self.unlock_path / f"component-{custodian}"


def find_socket(home: Path) -> Path:
    """Where the box over ``home`` listens, if it does; makes nothing."""
    try:
        return Path((home / "socket_path").read_text(encoding="utf-8"))
    except OSError:
        return home.absolute() / "hsm.sock"


def _is_private(folder: Path) -> bool:
    """Whether this is a folder of ours that nobody else can write to."""
    try:
        state = folder.stat()
    except OSError:
        return False
    return folder.is_dir() and state.st_uid == os.geteuid() and not state.st_mode & 0o022
