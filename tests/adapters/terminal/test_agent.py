"""The agent as a whole: inputs beside each other, an end to each, and a state anybody may read."""

import json
import os
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from adapters.terminal import agent as agent_module
from adapters.terminal.agent import Agent, Options, Surroundings
from adapters.terminal.display import Words
from adapters.terminal.enrolment import NotEnrolledError
from adapters.terminal.journal import JournalError, StorageFullError
from adapters.terminal.status_report import status_of
from codes import qr
from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import ISSUER_ID, TERMINAL


def test_pictures_and_lines_end_and_what_waits_is_sent(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = tmp_path / "lines"
    lines.write_text(depot.fake.issuer.code_s(depot.now) + "\n")
    picture = tmp_path / "scan.png"
    picture.write_bytes(qr.png(depot.fake.issuer.code_s(depot.now)))
    with depot.ready() as agent, lines.open() as stream:
        monkeypatch.setattr(agent_module, "STDIN", stream.fileno())
        agent.run(Options(stdin=True, images=(picture, tmp_path / "none.png")))
    reasons = sorted(str(event["reason"]) for event in depot.events("decision"))
    assert reasons == ["None", "None", "not_read"]
    assert depot.fake.sequence_numbers == [1, 2]


def test_loopback_is_served_until_the_agent_is_stopped(depot: Depot) -> None:
    answers: list[dict[str, Any]] = []

    def gate(agent: Agent) -> None:
        port = depot.events("listening")[0]["port"]
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        body = json.dumps({"text": depot.fake.issuer.code_s(depot.now)})
        connection.request("POST", "/scan", body, {"Content-Type": "application/json"})
        answers.append(json.loads(connection.getresponse().read()))
        connection.close()
        agent.stop()

    with depot.ready() as agent:
        display = agent._display
        notice = display.notice

        def noticing(event: str, words: Words, **facts: object) -> None:
            notice(event, words, **facts)
            if event == "listening":
                Thread(target=gate, args=(agent,)).start()

        display.notice = noticing  # type: ignore[method-assign]
        agent.run(Options(http_port=0))
    assert answers[0]["result"] == "accepted"
    assert depot.fake.sequence_numbers == [1]


def test_an_agent_that_is_offline_asks_nobody(depot: Depot, tmp_path: Path) -> None:
    with depot.ready():
        pass
    depot.fake.away = True
    picture = tmp_path / "scan.png"
    picture.write_bytes(qr.png(depot.fake.issuer.code_s(depot.now)))
    with depot.agent(offline=True) as agent:
        assert agent.uplink is None
        agent.run(Options(images=(picture,), offline=True))
    assert depot.events("decision")[0]["result"] == "accepted"
    assert depot.events("offline") == []


def test_a_broken_input_ends_the_agent_with_its_fault(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a validator that silently reads nothing any more looks like one nobody shows a code."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(agent_module, "STDIN", descriptor)
    with depot.ready() as agent, pytest.raises(OSError, match="Is a directory"):
        agent.run(Options(stdin=True))
    os.close(descriptor)


def test_the_state_is_told_without_asking_anybody(depot: Depot) -> None:
    with pytest.raises(NotEnrolledError):
        status_of(depot.home(), 0)
    depot.enrol()
    empty = status_of(depot.home(), 1000 * depot.now)
    assert (empty["package"], empty["queue"]["sequence_no"]) == (None, 0)
    assert empty["contact"]["clock_skew_ms"] is None
    depot.fake.publish()
    depot.fake.review = {"L9"}
    with depot.ready(line_id="L9") as agent:
        agent.scan(depot.fake.issuer.code_s(depot.now))
        assert agent.uplink is not None
        agent.uplink.drain()
        agent.scan(depot.fake.issuer.code_s(depot.now))
        depot.wait(100)
        status = status_of(depot.home(), 1000 * depot.now)
    assert (status["terminal_id"], status["kid"]) == (TERMINAL, 0)
    assert status["package"]["list_age_s"] == status["package"]["age_s"] == 100
    assert not status["package"]["expired"]
    queue = status["queue"]
    assert (queue["records"]["queued"], queue["records"]["review"]) == (1, 1)
    assert queue["oldest_queued_age_s"] == 100
    assert [one["reason"] for one in queue["troubled"]] == ["over_limit"]
    assert status["contact"]["clock_skew_ms"] == 0
    assert str(ISSUER_ID) not in json.dumps(status["contact"])


def test_a_decision_that_cannot_be_kept_is_a_refusal(depot: Depot) -> None:
    """How: the kernel's answer to a full disk, given by the journal's own transaction."""
    with depot.ready() as agent:
        journal = agent._journal

        def write() -> None:
            with journal.transaction() as connection:
                connection.execute("INSERT INTO fact VALUES ('kept', 'no')")
                raise OSError(28, "No space left on device")

        with pytest.raises(StorageFullError):
            write()
        assert journal.fact("kept") is None
        journal.close()
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "storage_failed"


def test_a_journal_that_cannot_be_opened_is_a_refusal(depot: Depot) -> None:
    depot.enrol()
    depot.home().journal_file.mkdir()
    with pytest.raises(JournalError), depot.agent():
        pass


def test_in_service_clocks_and_randomness_are_the_machines() -> None:
    around = Surroundings()
    assert around.wall_s() > 1_700_000_000
    assert around.steady_s() <= around.steady_s()
    assert len(around.random_bytes(8)) == 8
    assert 0 <= around.random() < 1


def test_an_uplink_that_breaks_ends_the_agent(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: an agent that never sends again looks like one without a network."""
    with depot.ready() as agent:
        assert agent.uplink is not None

        def broken() -> float:
            raise LookupError("a bug")

        monkeypatch.setattr(agent.uplink, "turn", broken)
        with pytest.raises(LookupError, match="a bug"):
            agent.run(Options(http_port=0))


def test_a_place_that_fits_into_no_record_is_refused_before_the_first_scan(depot: Depot) -> None:
    depot.enrol()
    with (
        pytest.raises(agent_module.PlaceInvalidError, match="line_id"),
        depot.agent(line_id="线" * 86),
    ):
        pass
