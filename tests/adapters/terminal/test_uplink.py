"""Records up, packages down, whatever the server and the network do."""

import json
import random
import sqlite3
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.terminal.agent import Agent
from adapters.terminal.backoff import Backoff
from adapters.terminal.key import make_key
from adapters.terminal.record_queue import RecordQueue
from adapters.terminal.uplink import BATCH_MAX, PACKAGE_EVERY_S, Uplink
from codes import Algorithm, IssuerKey, KeyUse, Status
from codes.suites import make_private_key
from codes.terminal_parameters import TerminalParameters
from tests.adapters.terminal.depot import Depot
from tests.adapters.terminal.fake_server import ENTRIES, ISSUER_ID, KID, TERMINAL


def uplink_of(agent: Agent) -> Uplink:
    assert agent.uplink is not None
    return agent.uplink


def take(agent: Agent, depot: Depot, count: int) -> None:
    """So many accepted scans."""
    for _ in range(count):
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted


def states(agent: Agent) -> dict[str, int]:
    return RecordQueue(agent._journal).counts()


# Records


def test_an_upload_says_what_the_terminal_works_with(depot: Depot) -> None:
    with depot.ready() as agent:
        depot.wait(120)
        take(agent, depot, 2)
        assert uplink_of(agent).drain()
        assert states(agent) == {"booked": 2}
    (body,) = depot.fake.uploads
    assert {name: body[name] for name in ("list_version", "list_age_s")} == {
        "list_version": 1,
        "list_age_s": 120,
    }
    assert body["clock"] == "2026-09-21T14:15:20.000Z"
    assert len(body["records"]) == 2
    assert body.keys() == {"records", "list_version", "list_age_s", "clock"}


def test_a_lost_reply_has_nothing_booked_twice(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, 3)
        depot.fake.lost_replies = 2
        waits = [uplink_of(agent).turn() for _ in range(3)]
        assert states(agent) == {"duplicate": 3}
    assert depot.fake.sequence_numbers == [1, 2, 3]
    assert waits[:2] == [0.5, 1.0], "it waits longer each time"
    assert [event["event"] for event in depot.events()][-2:] == ["offline", "online"]


def test_a_batch_has_at_most_five_hundred_records_in_order(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, BATCH_MAX + 3)
        assert uplink_of(agent).drain()
    assert [len(body["records"]) for body in depot.fake.uploads] == [500, 3]
    assert depot.fake.sequence_numbers == list(range(1, 504))


def test_a_record_the_server_cannot_take_is_kept_and_holds_up_nobody(depot: Depot) -> None:
    depot.fake.poison = {3}
    with depot.ready() as agent:
        take(agent, depot, 8)
        assert uplink_of(agent).drain()
        assert states(agent) == {"booked": 7, "held": 1}
        assert depot.fake.sequence_numbers == [1, 2, 4, 5, 6, 7, 8]
        (held,) = RecordQueue(agent._journal).troubled(5)
        assert (held.sequence_no, held.reason) == (3, "request_invalid")
    depot.fake.poison = set()
    with depot.ready() as agent:
        assert uplink_of(agent).drain(), "after a restart it is tried again"
        assert states(agent) == {"booked": 8}


def test_batches_shrink_to_what_the_server_takes(depot: Depot) -> None:
    depot.fake.batch_max = 5
    with depot.ready() as agent:
        take(agent, depot, 40)
        assert uplink_of(agent).drain()
    assert depot.fake.sequence_numbers == list(range(1, 41))


def test_doubts_of_the_server_are_shown_and_kept(depot: Depot) -> None:
    depot.fake.review = {"L9"}
    depot.fake.answer = lambda answer: answer | {"gaps": [{"from": 4, "to": 5}]}
    with depot.ready(line_id="L9") as agent:
        take(agent, depot, 1)
        assert uplink_of(agent).drain()
        assert states(agent) == {"review": 1}
        assert json.loads(agent._journal.fact("gaps") or "") == [[4, 5]]
    assert depot.events("record_review")[0]["reason"] == "over_limit"
    assert depot.events("gaps")[0]["gaps"] == [[4, 5]]


Bend = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "bend",
    [
        lambda answer: answer | {"results": []},
        lambda answer: answer | {"results": answer["results"][::-1]},
        lambda answer: answer | {"results": [one | {"state": "fine"} for one in answer["results"]]},
        lambda answer: (
            answer | {"results": [one | {"record_id": "0" * 32} for one in answer["results"]]}
        ),
        lambda answer: answer | {"server_time": "yesterday"},
    ],
)
def test_an_answer_about_something_else_settles_nothing(depot: Depot, bend: Bend) -> None:
    depot.fake.answer = bend
    with depot.ready() as agent:
        take(agent, depot, 2)
        assert not uplink_of(agent).drain()
        assert states(agent) == {"queued": 2}
        depot.fake.answer = lambda answer: answer
        assert uplink_of(agent).drain()
        assert states(agent) == {"duplicate": 2}


def test_a_wrong_clock_is_reported_and_does_not_shut_the_terminal_out(depot: Depot) -> None:
    """Why: a proof dated by a wrong clock is refused, and the terminal could never say so."""
    depot.enrol()
    depot.fake.publish()
    depot.fake.wall_s = lambda: depot.now_s + 3600
    with depot.agent() as agent:
        uplink = uplink_of(agent)
        uplink.turn()
        agent.scan(depot.fake.issuer.code_s(depot.now))
        uplink.turn()
        assert agent._journal.fact("clock_skew_ms") == "-3600000"
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "terminal_clock"
    assert depot.events("clock_skew")[0]["skew_ms"] == -3_600_000


def test_a_refused_terminal_keeps_its_records_and_says_so(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, 1)
        depot.fake.jwk = make_jwk()
        depot.fake.tokens.clear()
        assert not uplink_of(agent).drain()
        assert states(agent) == {"queued": 1}
    assert depot.events("offline")[0]["code"] == "invalid_client"


def make_jwk() -> dict[str, str]:
    return make_key(Algorithm.ED25519).jwk


def test_an_ended_token_is_renewed(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, 1)
        depot.fake.tokens.clear()
        assert uplink_of(agent).drain()
    assert len(depot.fake.used_proofs) == 2


def test_ended_entries_are_forgotten_by_the_servers_time_alone(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, 2)
        agent.scan(depot.fake.issuer.phone(depot.now).code(depot.now))
        uplink_of(agent).drain()
        assert _remembered(agent) == [3, 1, 1]
        depot.wait(20 * 86_400)
        depot.fake.publish()
        assert agent.scan("M1:").reason == "code_invalid"
        assert _remembered(agent) == [3, 1, 1]
        uplink_of(agent).turn()
        take(agent, depot, 1)
        uplink_of(agent).drain()
        assert _remembered(agent) == [1, 0, 0]


def _remembered(agent: Agent) -> list[int]:
    with agent._journal.reading() as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("claimed", "device", "offline_use")
        ]


# Packages


def pull(depot: Depot, agent: Agent) -> None:
    """Let the next pull come due."""
    depot.wait(PACKAGE_EVERY_S)
    uplink_of(agent).turn()


def version(agent: Agent) -> int:
    current = agent.validator._store.current
    return 0 if current is None else current.version


def test_a_package_comes_whole_first_then_as_changes_then_not_at_all(depot: Depot) -> None:
    phone = depot.fake.issuer.phone(depot.now, status_index=77)
    with depot.ready() as agent:
        depot.fake.issuer.statuses[77] = Status.REVOKED
        depot.fake.publish()
        pull(depot, agent)
        assert version(agent) == 2
        assert agent.scan(phone.code(depot.now)).reason == "code_revoked"
        pull(depot, agent)
        assert version(agent) == 2
    assert depot.fake.forms == ["whole", "delta"]
    with depot.agent(offline=True) as agent:
        assert version(agent) == 2, "it survives a restart"


Spoil = Callable[[Depot], bytes]


def _forged(depot: Depot) -> bytes:
    key = make_private_key(depot.fake.issuer.key.public_key.algorithm)
    return depot.fake.issuer.package(depot.now, key=key).container()


def _older(depot: Depot) -> bytes:
    depot.fake.issuer.version = 0
    return depot.fake.issuer.package(depot.now).container()


def _cut(depot: Depot) -> bytes:
    return depot.fake.issuer.package(depot.now).container()[:-7]


def _changed(depot: Depot) -> bytes:
    container = bytearray(depot.fake.issuer.package(depot.now).container())
    container[-1] ^= 1
    return bytes(container)


def _expired(depot: Depot) -> bytes:
    return depot.fake.issuer.package(depot.now, life_s=-1).container()


def _unknown_rules(depot: Depot) -> bytes:
    return depot.fake.issuer.package(depot.now, parameters=b'{"format":2}').container()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_forged, "document_forged"),
        (_older, "document_older"),
        (_cut, "document_malformed"),
        (_changed, "document_malformed"),
        (_expired, "document_expired"),
        (_unknown_rules, "document_part_invalid"),
        (lambda _: b"<html>", "document_malformed"),
        (lambda _: b"", "document_malformed"),
    ],
)
def test_fault_29_a_package_not_to_be_believed_leaves_the_last_good_one(
    depot: Depot, spoil: Spoil, code: str
) -> None:
    with depot.ready() as agent:
        depot.fake.container = spoil(depot)
        pull(depot, agent)
        assert version(agent) == 1
        assert agent._journal.fact("package_refused") == code
        take(agent, depot, 1)
        assert uplink_of(agent).drain(), "records go up all the same"
        depot.fake.container = None
        depot.fake.issuer.version = 5
        depot.fake.publish()
        pull(depot, agent)
        assert (version(agent), agent._journal.fact("package_refused")) == (6, "")
    assert depot.events("package_refused")[0]["code"] == code


def test_changes_that_do_not_fit_are_followed_by_a_request_for_the_whole(depot: Depot) -> None:
    fill_list(depot)
    with depot.ready() as agent:
        delta = changes_for_another(depot)
        answers = iter([(200, delta, {"Package-Form": "delta"})])
        whole = depot.fake.terminal_package

        def once(etag: str, held: str) -> tuple[int, bytes, dict[str, str]]:
            return next(answers, None) or whole(etag, held)

        depot.fake.terminal_package = once  # type: ignore[method-assign]
        pull(depot, agent)
        assert version(agent) == 3
    assert depot.fake.forms == ["whole", "whole"]


def fill_list(depot: Depot) -> None:
    """So many revoked that changes are smaller than the whole list."""
    revoked = random.Random(5).sample(range(100, ENTRIES), 1000)
    depot.fake.issuer.statuses = dict.fromkeys(revoked, Status.REVOKED)


def changes_for_another(depot: Depot) -> bytes:
    """Changes that stand on a list this terminal never had."""
    for version_no in (2, 3):
        depot.fake.issuer.statuses[version_no] = Status.REVOKED
        depot.fake.publish()
    return depot.fake.packages[2].container(depot.fake.packages[1])


def test_a_new_package_key_comes_with_the_package_before_it(depot: Depot) -> None:
    """Why: nobody visits ten thousand terminals to change a key."""
    issuer = depot.fake.issuer
    with depot.ready() as agent:
        next_key = make_private_key(issuer.key.public_key.algorithm)
        old_ring = issuer.ring(depot.now)
        both = old_ring.with_key(
            IssuerKey(
                issuer_id=ISSUER_ID,
                kid=KID + 1,
                algorithm=issuer.key.public_key.algorithm,
                public_key=next_key.public_key.raw,
                not_before_s=depot.now - 100,
                not_after_s=depot.now + 86_400,
                uses=frozenset({KeyUse.PACKAGES}),
            )
        )
        depot.fake.publish(keys=both.to_json().encode())
        pull(depot, agent)
        package = issuer.package(depot.now, key=next_key, kid=KID + 1)
        depot.fake.packages.append(package)
        pull(depot, agent)
        assert version(agent) == 3
    with depot.agent(offline=True) as agent:
        assert version(agent) == 3


def test_a_package_damaged_on_disk_is_fetched_anew(depot: Depot) -> None:
    with depot.ready():
        pass
    file = depot.home().package_file
    for damaged in (b"", b"CCPS", file.read_bytes()[:-9], b"XXXX" + file.read_bytes()[4:]):
        file.write_bytes(damaged)
        with depot.agent() as agent:
            assert version(agent) == 0
            uplink_of(agent).turn()
            assert version(agent) == 1


def test_without_parameters_in_the_package_the_careful_defaults_hold(depot: Depot) -> None:
    depot.enrol()
    package = depot.fake.issuer.package(depot.now, without=("parameters",))
    depot.fake.packages.append(package)
    with depot.agent() as agent:
        uplink_of(agent).turn()
        current = agent.validator._store.current
        assert current is not None
        assert current.parameters == TerminalParameters()
        assert current.parameters.stale_cap_fen is None


def test_no_package_yet_does_not_keep_records_from_going_up(depot: Depot) -> None:
    depot.enrol()
    with depot.agent() as agent:
        agent.scan(depot.fake.issuer.code_s(depot.now))
        assert uplink_of(agent).drain()
    assert depot.fake.booked[0].reason == "package_missing"
    assert depot.fake.uploads[0]["list_version"] == 0
    assert depot.events("package_refused")[0]["code"] == "not_found"
    assert depot.fake.booked[0].place.terminal_id == TERMINAL


# Back-off


@given(
    failures=st.integers(1, 200), draws=st.floats(0, 1, exclude_max=True), asked_s=st.floats(0, 900)
)
def test_waits_grow_stay_bounded_and_heed_the_server(
    failures: int, draws: float, asked_s: float
) -> None:
    """Why: a city of terminals that comes back at one instant keeps the server down."""
    backoff = Backoff(lambda: draws)
    waits = [backoff.failed() for _ in range(failures)]
    assert all(before <= after for before, after in pairwise(waits))
    assert 0.5 <= waits[0] <= 1
    assert waits[-1] <= 300
    assert backoff.failed(asked_s) >= asked_s
    backoff.succeeded()
    assert backoff.failed() <= 1


def test_a_package_that_cannot_be_kept_is_told_and_records_go_up(depot: Depot) -> None:
    """How: a folder stands where the draft of the file would be."""
    with depot.ready() as agent:
        depot.home().package_file.with_name("package.bin.new").mkdir()
        depot.fake.publish()
        pull(depot, agent)
        assert (version(agent), agent._journal.fact("package_refused")) == (1, "storage_full")
        take(agent, depot, 1)
        assert uplink_of(agent).drain()


def test_an_answer_that_cannot_be_kept_is_asked_for_again(depot: Depot) -> None:
    """How: somebody else holds the journal when the answer comes."""
    with depot.ready() as agent:
        take(agent, depot, 1)
        agent._journal._connection.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(depot.home().journal_file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not uplink_of(agent).drain()
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "storage_failed"
        other.execute("ROLLBACK")
        other.close()
        assert uplink_of(agent).drain()
        assert states(agent) == {"duplicate": 1}
    assert depot.events("offline")[0]["code"] == "storage_failed"


def test_a_forbidden_upload_is_told_and_tried_later(depot: Depot) -> None:
    with depot.ready() as agent:
        take(agent, depot, 1)
        depot.fake.records = lambda body: (403, {"code": "forbidden"})  # type: ignore[method-assign]
        assert not uplink_of(agent).drain()
        assert not uplink_of(agent).drain()
        assert states(agent) == {"queued": 1}
    assert [event["code"] for event in depot.events("offline")] == ["forbidden"], "told once"


def test_changes_that_do_not_fit_and_no_whole_leave_the_last_good_package(depot: Depot) -> None:
    fill_list(depot)
    with depot.ready() as agent:
        depot.fake.container = changes_for_another(depot)
        pull(depot, agent)
        assert version(agent) == 1
        assert agent._journal.fact("package_refused") == "document_base_missing"
