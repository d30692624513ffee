"""The processes the core stands on: PostgreSQL and the security module, started where needed."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.embedded_postgres import EmbeddedPostgres
from adapters.settings import Settings
from hsm_sim.process import HSMProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the running parts are reached."""

    database_url: str
    hsm_socket: Path


@contextmanager
def running(settings: Settings) -> Iterator[Addresses]:
    """Start what the settings do not name as running elsewhere; stop it, in order, on leaving."""
    with ExitStack() as stack:
        database_url = settings.database_url
        if database_url is None:
            server = EmbeddedPostgres(settings.postgres_home)
            stack.enter_context(server)
            database_url = server.url()
        hsm_socket = settings.hsm_socket
        if hsm_socket is None:
            box = HSMProcess(settings.hsm_home)
            stack.enter_context(box)
            hsm_socket = box.socket_path
        yield Addresses(database_url=database_url, hsm_socket=hsm_socket)
