"""Start the box in a process of its own, wait until it answers, stop it.

The process that starts it owns it: when the owner dies, however it dies, the box sees its standard
input end and stops too. A process that finds the box running attaches to it and leaves it alone.
"""

import contextlib
import fcntl
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hsm_sim.home import HSMHome
from hsm_sim.interface import HSMUnavailableError

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0


class HSMProcess:
    """The box over one folder, in its own process.

    Args:
        home: the folder; made when absent.
        development: give a new box unlock files, so that it opens itself.
        arguments: further options of ``python -m hsm_sim``.
        start_timeout_s: how long it may take until it listens.
        stop_timeout_s: how long it may take to end before it is killed.

    Use as a context manager, or call ``start`` and ``stop``.
    """

    def __init__(
        self,
        home: Path,
        *,
        development: bool = True,
        arguments: tuple[str, ...] = (),
        start_timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        self.home = home.absolute()
        self._options = ("--development",) if development else ()
        self._arguments = arguments
        self._start_timeout_s, self._stop_timeout_s = start_timeout_s, stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """Where clients connect."""
        return HSMHome(self.home).socket_path()

    @property
    def pid(self) -> int | None:
        """Process id of the box, when this object started it."""
        return None if self._process is None else self._process.pid

    @property
    def has_ended(self) -> bool:
        """Has the box that this object started died? ``start`` brings it back."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start the box, or attach to the one that runs; return when it listens.

        Raises:
            HSMUnavailableError: it ended or stayed silent; the message carries its last words.
        """
        home = HSMHome(self.home)
        if self._process is not None and self.has_ended:
            self._reap(self._process)
            self._process = None
        if self._process is not None or self._is_taken(home):
            return
        log_path = self.home / "hsm.log"
        with log_path.open("ab") as log:
            log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  (ourselves, no shell)
                [sys.executable, "-m", "hsm_sim", "--home", str(self.home), "--stop-with-parent",
                 *self._options, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; we then stop the box in order
            )  # fmt: skip
        if not self._is_ready():
            self.stop()
            words = log_path.read_bytes()[log_start:].decode(errors="replace").strip()
            raise HSMUnavailableError(f"the box did not start: {words[-1500:] or 'no word'}")

    def stop(self) -> None:
        """Stop the box when this object started it; otherwise do nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        self._reap(process)

    def kill(self) -> None:
        """``kill -9``: what a power cut looks like. For fault tests."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        self._reap(process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- steps -----------------------------------------------------------------------------

    @staticmethod
    def _is_taken(home: HSMHome) -> bool:
        lock = os.open(home.path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + self._start_timeout_s
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in said:
                if not selector.select(deadline_s - time.monotonic()):
                    return False
                piece = os.read(self._process.stdout.fileno(), 4096)
                if not piece:
                    return False
                said += piece
        return said.startswith(b"ready ")

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=self._stop_timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
