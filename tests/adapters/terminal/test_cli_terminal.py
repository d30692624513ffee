"""``cardcore terminal`` as a driver, a depot and a gate controller use it: the real process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from codes import qr
from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import CODE, TERMINAL

CARDCORE = Path(sys.executable).parent / "cardcore"
TERMINAL_COMMAND = (sys.executable, "-m", "adapters.cli.terminal")
PROJECT = Path(__file__).parents[3]


def terminal(
    command: str, home: Path, *arguments: str | Path, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TERMINAL_COMMAND, command, "--home", home, *arguments],
        cwd=PROJECT,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"COLUMNS": "200"},
    )


def events(printed: str, name: str = "decision") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in printed.splitlines()]
    return [event for event in found if event["event"] == name]


@pytest.fixture
def enrolled(depot: Depot) -> Depot:
    """Enrolled, with a package, in real time."""
    depot.now_s = time.time()
    depot.fake.wall_s = time.time
    depot.enrol()
    depot.fake.publish()
    return depot


def test_a_terminal_enrols_runs_on_lines_and_tells_its_state(depot: Depot, tmp_path: Path) -> None:
    depot.fake.wall_s = time.time
    depot.fake.publish()
    enrolling = ("--server", depot.fake.url, "--terminal", TERMINAL)
    enrolled = terminal("enrol", depot.folder, *enrolling, "--code", "-", typed=f"{CODE.lower()}\n")
    assert enrolled.returncode == 0, enrolled.stderr
    assert f"enrolled: {TERMINAL} (bus), key 0" in enrolled.stdout
    again = terminal("enrol", depot.folder, *enrolling, "--code", CODE, "--algorithm", "p256")
    assert (again.returncode, again.stderr.strip()[-20:]) == (1, "[activation_refused]")
    # The first run fetches the package; decisions never wait for it.
    pulled = terminal("drain", depot.folder)
    assert pulled.returncode == 0
    first = terminal("run", depot.folder, "--stdin", "--json", "--amount-fen", "200", typed="M1:\n")
    assert events(first.stdout)[0]["reason"] == "code_invalid"
    now = int(time.time())
    good, forged = depot.fake.issuer.phone(now, tariff_class=1).code(now), "M1:0000"
    run = terminal(
        "run",
        depot.folder,
        *("--stdin", "--amount-fen", "200", "--line", "101", "--bell"),
        typed=f"{good}\r\n{forged}\r\n",
    )
    assert run.returncode == 0, run.stderr
    for piece in (
        "通过 · ACCEPTED   2.00 元",
        "老年卡 · senior",
        "拒绝 · REFUSED",
        "[code_invalid]",
    ):
        assert piece in run.stdout
    assert [record.place.line_id for record in depot.fake.booked] == ["101"]
    status = json.loads(terminal("status", depot.folder, "--json").stdout)
    assert status["queue"]["records"]["booked"] == 1
    assert status["package"]["version"] == 1
    assert abs(status["contact"]["clock_skew_ms"]) < 30_000
    by_main: list[str | Path] = [CARDCORE, "terminal", "status", "--home", depot.folder]
    plain = subprocess.run(by_main, capture_output=True, text=True, check=True).stdout
    assert "queue.records.booked" in plain
    everything = enrolled.stdout + run.stdout + run.stderr + plain + json.dumps(status)
    assert "PRIVATE" not in everything


def test_offline_nothing_is_asked_and_drain_sends_it_later(enrolled: Depot) -> None:
    assert terminal("drain", enrolled.folder).returncode == 0
    with enrolled.ready():
        pass
    asked = len(enrolled.fake.used_proofs)
    code = enrolled.fake.issuer.code_s(int(time.time()))
    options = ("--stdin", "--json", "--offline", "--amount-fen", "0")
    run = terminal("run", enrolled.folder, *options, typed=code)
    assert events(run.stdout)[0]["result"] == "accepted", run.stderr
    assert len(enrolled.fake.used_proofs) == asked
    enrolled.fake.away = True
    assert terminal("drain", enrolled.folder, "--json").returncode == 1
    enrolled.fake.away = False
    assert terminal("drain", enrolled.folder).returncode == 0
    assert enrolled.fake.sequence_numbers == [1]


def test_pictures_are_scans(enrolled: Depot, tmp_path: Path) -> None:
    with enrolled.ready():
        pass
    now = int(time.time())
    phone = enrolled.fake.issuer.phone(now)
    files = [tmp_path / "one.png", tmp_path / "two.png", tmp_path / "none.png"]
    for file in files[:2]:
        file.write_bytes(qr.png(phone.code(now)))
    files[2].write_bytes(b"no picture")
    options = ("--json", "--amount-fen", "100", "--images")
    run = terminal(
        "run", enrolled.folder, *options, *[p for f in files for p in (f, "--images")][:-1]
    )
    assert [event["reason"] for event in events(run.stdout)] == [None, None, "not_read"], run.stderr
    assert enrolled.fake.sequence_numbers == [1, 2]


@contextmanager
def running(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running agent and its ``listening`` event; must end well when told to."""
    process = subprocess.Popen(
        [*TERMINAL_COMMAND, "run", "--home", home, "--json", *options],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = (json.loads(line) for line in process.stdout)
        yield process, next(event for event in printed if event["event"] == "listening")
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_gate_controller_asks_over_loopback_until_the_agent_is_told_to_stop(
    enrolled: Depot,
) -> None:
    with enrolled.ready():
        pass
    with running(enrolled.folder, "--http", "0", "--amount-fen", "200") as (_, listening):
        connection = HTTPConnection("127.0.0.1", listening["port"], timeout=30)
        text = enrolled.fake.issuer.code_s(int(time.time()))
        answers = []
        for _ in range(2):
            body = json.dumps({"text": text})
            connection.request("POST", "/scan", body, {"Content-Type": "application/json"})
            answers.append(json.loads(connection.getresponse().read()))
        connection.close()
        assert [answer["reason"] for answer in answers] == [None, "code_replayed"]
        second = terminal("run", enrolled.folder, "--stdin")
        assert (second.returncode, second.stderr.strip()[-13:]) == (1, "[home_in_use]")
        taken = str(listening["port"])
        assert terminal("status", enrolled.folder).returncode == 0
        assert taken.isdecimal()
    assert enrolled.fake.sequence_numbers == [1, 2], "what waited was sent at the end"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run",), "--stdin, --images or --http"),
        (("run", "--stdin"), "[not_enrolled]"),
        (("status",), "[not_enrolled]"),
        (("drain",), "[not_enrolled]"),
        (
            ("enrol", "--server", "http://card.example", "--terminal", "x", "--code", "y"),
            "[server_url]",
        ),
        (
            ("enrol", "--server", "http://127.0.0.1:9", "--terminal", "x", "--code", "y"),
            "[ConnectError]",
        ),
        (
            (
                *("enrol", "--server", "https://a.example", "--terminal", "x", "--code", "y"),
                *("--algorithm", "rsa"),
            ),
            "neither ed25519 nor p256",
        ),
        (
            (
                *("enrol", "--server", "https://a.example", "--terminal", "x", "--code", "y"),
                *("--ca", "missing.pem"),
            ),
            "No such file",
        ),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    command, *options = arguments
    refused = terminal(command, tmp_path / "home", *options)
    assert refused.returncode in (1, 2)
    assert says in refused.stderr.replace("\n", "")


def test_a_scene_codes_know_nothing_of_cannot_be_judged_offline(enrolled: Depot) -> None:
    file = enrolled.home().enrolment_file
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scene": "library"}))
    refused = terminal("run", enrolled.folder, "--stdin")
    assert (refused.returncode, refused.stderr.strip()[-19:]) == (1, "[scene_not_offline]")
