"""The agent's folder: readable by its owner alone, used by one agent at a time, written durably."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from adapters.terminal.progress import UNWATCHED, Progress, Step

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077


class HomeError(Exception):
    """The folder cannot be used. ``code`` is stable."""

    code: ClassVar[str] = "home_unfit"


class HomeInUseError(HomeError):
    """Another agent works in this folder."""

    code = "home_in_use"


class TerminalHome:
    """Where one terminal keeps its key, enrolment, package and journal.

    Made with mode 0700 when it is not there. Raises ``HomeError`` when others may enter it: what
    lies in it is the terminal's identity.
    """

    def __init__(self, folder: Path, progress: Progress = UNWATCHED) -> None:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if mode & _OTHERS:
            raise HomeError(f"{folder} is open to others (mode {mode & 0o777:04o}); chmod 700 it")
        self.folder = folder
        self._progress = progress

    @property
    def enrolment_file(self) -> Path:
        """Who this terminal is; see ``adapters.terminal.enrolment``."""
        return self.folder / "enrolment.json"

    @property
    def package_file(self) -> Path:
        """The last good package; see ``adapters.terminal.package_store``."""
        return self.folder / "package.bin"

    @property
    def journal_file(self) -> Path:
        """Records, queue and memory; see ``adapters.terminal.journal``."""
        return self.folder / "journal.sqlite3"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """This process alone works here. The lock ends with the process, however it ends.

        Raises:
            HomeInUseError: somebody else does.
        """
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUseError(f"another agent works in {self.folder}") from None
            yield
        finally:
            os.close(descriptor)

    def write(self, file: Path, data: bytes) -> None:
        """Replace ``file``, or leave it as it was: a power cut shows one of the two, never half.

        Raises:
            OSError: it was left as it was.
        """
        draft = file.with_name(file.name + ".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        self._progress.reached(Step.FILE_SYNCED)
        draft.replace(file)
        self._progress.reached(Step.FILE_REPLACED)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
