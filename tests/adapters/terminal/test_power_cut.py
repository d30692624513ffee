"""A power cut at any instant loses no accepted scan and has none booked twice."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.terminal.journal import JournalError, opened
from tests.adapters.terminal import dying_agent
from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import TERMINAL, FakeServer

TERMINAL_COMMAND = (sys.executable, "-m", "adapters.cli.terminal")
PROJECT = Path(__file__).parents[3]
STEPS_MAX = 120


@pytest.fixture(scope="module")
def fork() -> Any:  # noqa: ANN401  (a context of multiprocessing has no public type)
    """Processes that start fast, from a server that has loaded the agent."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([dying_agent.__name__])
    return context


@pytest.fixture
def enrolled(depot: Depot) -> Depot:
    """Enrolled, with real time."""
    depot.now_s = time.time()
    depot.fake.wall_s = time.time
    depot.enrol()
    depot.fake.publish()
    return depot


def shown(screen: Path) -> list[dict[str, Any]]:
    """Decisions on the screen; a line that the power cut tore is none."""
    events = []
    for line in screen.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return [event for event in events if event.get("event") == "decision"]


def check(fake: FakeServer, decisions: list[dict[str, Any]], texts: list[str]) -> None:
    """Every scan booked once; every acceptance shown is booked; numbers without gap."""
    accepted = [record for record in fake.booked if record.reason == ""]
    assert Counter(record.evidence.decode() for record in accepted) == Counter(texts)
    booked = Counter(str(record.record_id) for record in fake.booked)
    assert set(booked.values()) == {1}
    assert {event["record_id"] for event in decisions if event["result"] == "accepted"} <= {*booked}
    assert fake.sequence_numbers == list(range(1, len(fake.booked) + 1))
    assert fake.chain_is_whole()


def test_a_power_cut_between_any_two_steps_loses_nothing_and_doubles_nothing(
    fork: Any,  # noqa: ANN401  (see the fixture)
    enrolled: Depot,
    tmp_path: Path,
) -> None:
    """How: the agent dies at its first step, then, afresh, at its second, and so on to its last."""
    fake = enrolled.fake
    survived = False
    for cut_at in range(1, STEPS_MAX):
        folder, screen = tmp_path / f"life-{cut_at}", tmp_path / f"screen-{cut_at}"
        shutil.copytree(enrolled.folder, folder)
        phone = fake.issuer.phone(int(time.time()))
        texts = [phone.code(int(time.time())) for _ in range(2)]
        fake.booked.clear()
        fake.lost_replies = 1
        process = fork.Process(target=dying_agent.live, args=(folder, screen, texts, cut_at))
        process.start()
        process.join(30)
        # The life after the power cut needs no process of its own.
        dying_agent.live(folder, screen, texts, 0)
        check(fake, shown(screen), texts)
        if process.exitcode == 0:
            survived = True
            break
        assert process.exitcode == -signal.SIGKILL
    assert survived, "the sweep reached the last step"
    assert cut_at > 25, "the steps of package, scans, uploads and answers were all passed"


def test_kill_9_at_random_instants_of_the_real_process_loses_nothing(
    enrolled: Depot, tmp_path: Path
) -> None:
    """How: the command is fed scans without pause and killed five times at instants drawn."""
    fake, screen = enrolled.fake, tmp_path / "screen"
    dice = random.Random(20260601)
    with enrolled.agent() as agent:
        assert agent.uplink is not None
        agent.uplink.turn()
    texts: list[str] = []
    for _ in range(5):
        fake.lost_replies = 1
        with screen.open("ab") as out:
            process = _start(enrolled.folder, out)
            assert process.stdin is not None
            _wait_for(screen, '"event":"started"', screen.stat().st_size)
            until = time.monotonic() + dice.uniform(0.05, 0.4)
            phone = fake.issuer.phone(int(time.time()), cumulative_cap_fen=60_000, uses_max=255)
            while time.monotonic() < until and phone.counter < 255:
                texts.append(phone.code(int(time.time())))
                process.stdin.write(texts[-1].encode() + b"\n")
                process.stdin.flush()
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
            process.stdin.close()
    # Whoever saw no answer shows the code again: it is taken now or was taken before.
    with screen.open("ab") as out:
        process = _start(enrolled.folder, out)
        process.communicate("\n".join(texts).encode() + b"\n", timeout=120)
        assert process.returncode == 0
    reasons = {event["reason"] for event in shown(screen)} - {None}
    assert reasons <= {"code_replayed", "code_expired"}
    taken = [record.evidence.decode() for record in fake.booked if record.reason == ""]
    assert len(taken) > 50
    check(fake, shown(screen), taken)
    assert {*taken} <= {*texts}
    expired = {event["sequence_no"] for event in shown(screen) if event["reason"] == "code_expired"}
    assert len(taken) == len(texts) or expired, "only a code that ran out in between is not taken"


def _start(folder: Path, out: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401  (an open file)
    return subprocess.Popen(
        [
            *TERMINAL_COMMAND,
            *("run", "--home", folder, "--stdin", "--json", "--amount-fen", "10"),
        ],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=out,
    )


def _wait_for(screen: Path, text: str, after: int) -> None:
    """Return when ``text`` has been printed after a place in the file."""
    deadline = time.monotonic() + 60
    while text not in screen.read_bytes()[after:].decode(errors="replace"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_commit_waits_for_the_disk(enrolled: Depot) -> None:
    """Why: a killed process leaves its writes to the kernel; a power cut does not."""
    with opened(enrolled.home().journal_file) as journal, journal.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_disk_without_room_refuses_and_loses_nothing(enrolled: Depot, tmp_path: Path) -> None:
    """How: the kernel lets no file of the process grow beyond a bound that a few records reach."""
    fake, now = enrolled.fake, int(time.time())
    with enrolled.agent() as agent:
        assert agent.uplink is not None
        agent.uplink.turn()
    texts = [fake.issuer.code_s(now) for _ in range(200)]
    run = " ".join(TERMINAL_COMMAND) + (
        f" run --home {enrolled.folder} --stdin --json --amount-fen 200"
    )
    small = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; exec {run} --offline"],
        input="\n".join(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=PROJECT,
    )
    events = [json.loads(line) for line in small.stdout.splitlines()]
    decisions = [event for event in events if event["event"] == "decision"]
    accepted = [event for event in decisions if event["result"] == "accepted"]
    assert {event["reason"] for event in decisions} == {None, "storage_full"}
    assert decisions[-1]["sequence_no"] is None
    assert next(event["zh"] for event in decisions if event["reason"]) == "终端存储已满，暂停使用"
    again = fake.issuer.code_s(int(time.time()))
    roomy = subprocess.run(
        run.split(),
        input=again,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=PROJECT,
    )
    assert '"result":"accepted"' in roomy.stdout
    assert len(fake.booked) == len(accepted) + 1
    assert {event["record_id"] for event in accepted} < {str(one.record_id) for one in fake.booked}
    assert fake.chain_is_whole()
    assert fake.booked[0].place.terminal_id == TERMINAL


def test_a_journal_of_another_format_or_no_journal_at_all_is_not_written_over(
    enrolled: Depot,
) -> None:
    file = enrolled.home().journal_file
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(JournalError) as refused, opened(file):
        pass
    assert refused.value.code == "journal_format"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError) as refused, opened(file):
        pass
    assert refused.value.code == "storage_failed"
    assert file.read_bytes().startswith(b"not a database")
