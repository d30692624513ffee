import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded_postgres import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    running_postmaster,
)

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cce-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "pg"


def ask(server: EmbeddedPostgres, sql: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return None if row is None else row[0]


def write(server: EmbeddedPostgres, sql: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.encode())


def test_data_survives_a_stop_a_kill_and_a_new_start(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        write(server, "CREATE TABLE kept AS SELECT 1 AS n")
    with EmbeddedPostgres(home) as server:
        assert ask(server, "SELECT n FROM kept") == 1
        write(server, "INSERT INTO kept VALUES (2)")
        server.kill()
        assert running_postmaster(server.data) is None
        server.start()
        assert ask(server, "SELECT count(*) FROM kept") == 2
    assert running_postmaster(home / "data") is None


def test_a_second_user_attaches_and_leaves_it_running(home: Path) -> None:
    with EmbeddedPostgres(home) as owner:
        with EmbeddedPostgres(home) as guest:
            assert ask(guest, "SELECT 1") == 1
        assert ask(owner, "SELECT 1") == 1


def test_the_server_of_a_killed_owner_is_adopted_and_stopped_in_order(home: Path) -> None:
    """Why: after a kill of the program the next start must neither fail nor leave two servers."""
    program = (
        "import sys, time; from pathlib import Path;"
        "from adapters.embedded_postgres import EmbeddedPostgres;"
        "s = EmbeddedPostgres(Path(sys.argv[1])); s.start(); print('up', flush=True);"
        "time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, home],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        orphan = running_postmaster(home / "data")
        assert orphan is not None
        with EmbeddedPostgres(home) as server:
            assert running_postmaster(server.data) == orphan
            assert ask(server, "SELECT 1") == 1
    assert running_postmaster(home / "data") is None


def test_it_listens_on_no_network_and_its_socket_is_closed_to_others(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        assert ask(server, "SHOW listen_addresses") == ""
        assert server.socket_directory.stat().st_mode & 0o777 == 0o700
        assert ask(server, "SHOW fsync") == "on"
        assert ask(server, "SHOW synchronous_commit") == "on"


def test_a_long_path_gets_a_short_socket(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with EmbeddedPostgres(deep) as server:
        assert len(str(server.socket_directory)) < 90
        assert ask(server, "SELECT 1") == 1


def test_a_first_start_that_was_cut_off_begins_again(home: Path) -> None:
    (home / "data" / "base").mkdir(parents=True)
    with EmbeddedPostgres(home) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_pid_file_of_another_program_does_not_count(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert running_postmaster(home / "data") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_a_folder_the_server_cannot_enter_is_refused_with_what_to_do(home: Path) -> None:
    home.parent.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="CARDCORE_HOME"):
        EmbeddedPostgres(home).start()
    assert home.parent.stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_the_end_of_its_log(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        EmbeddedPostgres(home, settings={"shared_buffers": "nonsense"}).start()
