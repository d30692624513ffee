"""What `cardcore run` starts it brings back when it dies (fault 9)."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.infrastructure import watched
from hsm_sim.process import HSMProcess


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cci-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Mortal:
    """A part that does not come up the first time."""

    def __init__(self) -> None:
        self.has_ended = True
        self.starts = 0
        self.is_back = threading.Event()

    def start(self) -> None:
        self.starts += 1
        if self.starts == 1:
            raise EmbeddedPostgresError("not yet")
        self.has_ended = False
        self.is_back.set()


def test_a_part_that_stays_away_is_tried_again_and_left_alone_once_it_is_back() -> None:
    part = Mortal()
    with watched([part], period_s=0.01):
        assert part.is_back.wait(10)
    assert part.starts == 2


def test_row_9_a_database_that_was_killed_comes_back_with_what_it_held(home: Path) -> None:
    with EmbeddedPostgres(home / "pg", settings={"shared_buffers": "16MB"}) as server:
        back = threading.Event()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        server.kill()
        assert server.has_ended

        class Heard:
            """The server, and when it has come back."""

            @property
            def has_ended(self) -> bool:
                return server.has_ended

            def start(self) -> None:
                server.start()
                back.set()

        with watched([Heard()], period_s=0.01):
            assert back.wait(60)
            assert not server.has_ended
            with psycopg.connect(server.url()) as connection:
                assert connection.execute("SELECT value FROM kept").fetchall() == [(7,)]


def test_a_security_module_that_died_by_itself_is_started_again(home: Path) -> None:
    with HSMProcess(home / "hsm") as box:
        first = box.pid
        assert box._process is not None
        box._process.kill()
        box._process.wait()
        assert box.has_ended
        box.start()
        assert not box.has_ended
        assert box.pid != first
