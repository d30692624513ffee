"""The processes the core stands on: PostgreSQL and the security module, started where needed.

What is started here is also brought back here when it dies: nobody else watches over it. Elsewhere
(a container, a service manager) that is the supervisor's business.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.settings import Settings
from hsm_sim.interface import HSMError
from hsm_sim.process import HSMProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the running parts are reached."""

    database_url: str
    hsm_socket: Path


LOOK_PERIOD_S: Final = 0.5


class Part(Protocol):
    """A process that was started here."""

    @property
    def has_ended(self) -> bool:
        """Has it died?"""
        ...

    def start(self) -> None:
        """Bring it back."""
        ...


@contextmanager
def running(settings: Settings) -> Iterator[Addresses]:
    """Start what the settings do not name as running elsewhere; stop it, in order, on leaving."""
    parts: list[Part] = []
    with ExitStack() as stack:
        database_url = settings.database_url
        if database_url is None:
            server = EmbeddedPostgres(settings.postgres_home)
            stack.enter_context(server)
            parts.append(server)
            database_url = server.url()
        hsm_socket = settings.hsm_socket
        if hsm_socket is None:
            box = HSMProcess(settings.hsm_home)
            stack.enter_context(box)
            parts.append(box)
            hsm_socket = box.socket_path
        stack.enter_context(watched(parts))
        yield Addresses(database_url=database_url, hsm_socket=hsm_socket)


@contextmanager
def watched(parts: Sequence[Part], *, period_s: float = LOOK_PERIOD_S) -> Iterator[None]:
    """Bring back what dies, until left. A part that does not come up is tried again."""
    leaving = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(parts, leaving, period_s), name="watch over parts", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        leaving.set()
        watcher.join()


def _watch(parts: Sequence[Part], leaving: threading.Event, period_s: float) -> None:
    log = structlog.get_logger("infrastructure")
    while not leaving.wait(period_s):
        for part in parts:
            if not part.has_ended:
                continue
            name = type(part).__name__
            log.warning("part_died", part=name)
            try:
                part.start()
            except (EmbeddedPostgresError, HSMError, OSError) as error:
                log.warning("part_stays_away", part=name, error=type(error).__name__)
            else:
                log.warning("part_is_back", part=name)
