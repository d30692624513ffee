"""The database's own benchmark on the same server: the reference of every figure that commits."""

import re
import subprocess
from dataclasses import dataclass
from typing import Final

import psycopg

from adapters.embedded_postgres import EmbeddedPostgres

CLIENTS: Final = 16
SCALE: Final = 10
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PgBench:
    """``pgbench`` tables in a database of their own."""

    server: EmbeddedPostgres
    database: str = "pgbench"

    def prepare(self) -> None:
        """Make the database and fill its tables."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{self.database}"'.encode())
        self._run("-i", "-q", "-s", str(SCALE))

    def tps(self, *options: str, seconds: int, clients: int = CLIENTS) -> float:
        """Transactions per second; ``-N`` for simple updates, nothing for TPC-B."""
        shown = self._run("-n", "-c", str(clients), "-j", "2", "-T", str(seconds), *options)
        found = _TPS.search(shown)
        assert found is not None, shown
        return float(found.group(1))

    def _run(self, *arguments: str) -> str:
        return subprocess.run(  # noqa: S603  (the server's own binary, no shell)
            [
                self.server.binaries / "pgbench",
                "-h",
                self.server.socket_directory,
                "-U",
                "postgres",
                *arguments,
                self.database,
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
