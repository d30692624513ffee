"""A scan becomes a decision and a signed record, or is refused for a reason that stays the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import codes
from adapters import demo_feed
from adapters.terminal.agent import Agent
from adapters.terminal.decision import Validator
from adapters.terminal.journal import Journal
from adapters.terminal.memory import ScanMemory
from codes import Purpose, Scope, Status
from codes.double_spend import chain_breaks
from codes.suites import make_private_key
from codes.validator_record import CHAIN_START, Decision, RecordWarning, verify_record
from scenes.bus.fares_part import write_fares_part
from scenes.bus.gtfs import read_feed
from scenes.bus.rule_set import DEFAULT_RULES
from scenes.community.access import AccessBook, Grant, PassUses, Relation
from scenes.community.access_part import write_access_part
from tests.adapters.terminal.depot import FARE_FEN, Depot
from tests.adapters.terminal.fake_server import ISSUER_ID, SENIOR, Issuer


def test_an_accepted_scan_is_a_signed_record_of_everything_the_office_needs(depot: Depot) -> None:
    with depot.ready(line_id="101", stop_id="SC01") as agent:
        text = depot.fake.issuer.phone(depot.now, tariff_class=1).code(depot.now, flags=0x22)
        outcome = agent.scan(text)
        assert outcome.accepted
        assert (outcome.amount_fen, outcome.holder, outcome.companions) == (FARE_FEN, SENIOR, 2)
    (record,) = depot.records()
    assert verify_record(record.to_bytes(), depot.fake.keys[0]) == record
    assert record.decision is Decision.ACCEPTED_OFFLINE
    assert record.evidence == text.encode()
    assert (record.sequence_no, record.previous_digest) == (1, CHAIN_START)
    assert (record.package_version, record.list_version, record.rule_version) == (1, 1, 0)
    assert (record.place.line_id, record.place.stop_id) == ("101", "SC01")
    assert record.place.vehicle_id == "V0001"
    assert (record.amount_fen, record.scene) == (FARE_FEN, Scope.BUS)
    assert record.occurred_at_ms == 1000 * depot.now
    assert record.record_id == outcome.record_id


def test_records_are_numbered_and_chained_over_restarts(depot: Depot) -> None:
    for _ in range(3):
        with depot.ready(offline=bool(depot.fake.keys)) as agent:
            for _ in range(2):
                assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted
    records = depot.records()
    assert [record.sequence_no for record in records] == [1, 2, 3, 4, 5, 6]
    assert chain_breaks(records) == []
    assert [event["sequence_no"] for event in depot.events("started")] == [0, 2, 4]


Make = Callable[[Issuer, int], str]
BUS_REFUSALS: dict[str, tuple[Make, str]] = {
    "an expired code": (lambda issuer, now: issuer.code_s(now - 300), "code_expired"),
    "a code from the future": (lambda issuer, now: issuer.code_s(now + 300), "clock_skew"),
    "a code for another scene": (
        lambda issuer, now: issuer.code_s(now, scope=Scope.HOSPITAL),
        "scene_not_allowed",
    ),
    "a code that may not pay": (
        lambda issuer, now: issuer.code_s(now, purpose=Purpose.IDENTITY),
        "purpose_not_allowed",
    ),
    "a code that must be asked online": (
        lambda issuer, now: issuer.code_s(now, purpose=Purpose.PAY | Purpose.ONLINE_REQUIRED),
        "ask_online",
    ),
    "a printed code that would pay": (lambda issuer, now: issuer.code_p(now), "ask_online"),
    "a code for another merchant": (
        lambda issuer, now: issuer.code_s(now, domain=9),
        "domain_not_allowed",
    ),
    "a code for another terminal": (
        lambda issuer, now: issuer.code_s(now, context=b"ELSE"),
        "context_mismatch",
    ),
    "a fare above the cap": (lambda issuer, now: issuer.code_s(now, cap_fen=190), "cap_exceeded"),
    "a forged code": (lambda issuer, now: Issuer().code_s(now), "code_invalid"),
    "a revoked phone": (
        lambda issuer, now: issuer.phone(now, status_index=1).code(now),
        "code_revoked",
    ),
    "a suspended phone": (
        lambda issuer, now: issuer.phone(now, status_index=2).code(now),
        "code_suspended",
    ),
}


@pytest.mark.parametrize("case", BUS_REFUSALS)
def test_a_refusal_has_its_stable_reason_and_a_record(depot: Depot, case: str) -> None:
    make, reason = BUS_REFUSALS[case]
    depot.fake.issuer.statuses = {1: Status.REVOKED, 2: Status.SUSPENDED}
    with depot.ready() as agent:
        outcome = agent.scan(make(depot.fake.issuer, depot.now))
    assert (outcome.reason, outcome.accepted) == (reason, False)
    (record,) = depot.records()
    assert (record.decision, record.reason) == (Decision.REFUSED, reason)


@pytest.mark.parametrize(
    "text", ["", "hello", "M1:", "M1:" + "é", "M1:\ud800", "x" * 5000, "M1:" + "0" * 300, "\0"]
)
def test_what_is_no_code_is_refused_and_makes_no_record(depot: Depot, text: str) -> None:
    with depot.ready() as agent:
        assert agent.scan(text).reason == "code_invalid"
    assert depot.records() == []


def test_fault_20_a_code_is_taken_once_even_over_a_restart(depot: Depot) -> None:
    text = depot.fake.issuer.phone(depot.now).code(depot.now)
    with depot.ready() as agent:
        assert agent.scan(text).accepted
        assert agent.scan(text).reason == "code_replayed"
    with depot.ready() as agent:
        assert agent.scan(text).reason == "code_replayed"


def test_the_same_text_refused_again_at_once_makes_no_second_record(depot: Depot) -> None:
    """Why: a camera sees a forged code ten times a second and must not fill the disk with it."""
    text = Issuer().code_s(depot.now)
    with depot.ready() as agent:
        assert agent.scan(text).sequence_no == 1
        assert agent.scan(text).sequence_no is None
        depot.wait(11)
        assert agent.scan(text).sequence_no == 2


def test_a_phone_is_bounded_by_its_caps_over_restarts(depot: Depot) -> None:
    phone = depot.fake.issuer.phone(depot.now, cumulative_cap_fen=500, uses_max=10)
    reasons = []
    for _ in range(4):
        with depot.ready() as agent:
            reasons.append(agent.scan(phone.code(depot.now)).reason)
    assert reasons == [None, None, "cap_cumulative_exceeded", "cap_cumulative_exceeded"]
    phone = depot.fake.issuer.phone(depot.now, cumulative_cap_fen=5000, uses_max=1)
    with depot.ready() as agent:
        assert agent.scan(phone.code(depot.now)).accepted
        assert agent.scan(phone.code(depot.now)).reason == "cap_count_exceeded"


@pytest.mark.parametrize("terminal_count", [1, 2, 3])
def test_terminals_cut_off_from_everybody_keep_exposure_inside_the_caps_of_the_code(
    tmp_path: Path, depot: Depot, terminal_count: int
) -> None:
    """Why: with no network at all, caps times terminals is the most that one phone can take."""
    phone = depot.fake.issuer.phone(depot.now, cumulative_cap_fen=600, uses_max=5)
    depot.fake.publish()
    taken_fen, uses = 0, 0
    for number in range(terminal_count):
        one = Depot(tmp_path / f"cut-off-{number}", depot.fake)
        depot.fake.codes.add(code := f"AAAAA-AAAAA-AAAAA-AAAA{number}")
        one.enrol(code)
        with one.agent() as agent:
            assert agent.uplink is not None
            agent.uplink.turn()
        with one.agent(offline=True) as agent:
            outcomes = [agent.scan(phone.code(depot.now)) for _ in range(8)]
        accepted = [outcome for outcome in outcomes if outcome.accepted]
        assert 0 < sum(outcome.amount_fen for outcome in accepted) <= 600
        taken_fen += sum(outcome.amount_fen for outcome in accepted)
        uses += len(accepted)
        assert outcomes[-1].reason == "cap_cumulative_exceeded"
    assert taken_fen <= 600 * terminal_count
    assert uses <= 5 * terminal_count


def test_a_counter_that_goes_back_is_taken_and_reported(depot: Depot) -> None:
    phone = depot.fake.issuer.phone(depot.now)
    with depot.ready() as agent:
        assert agent.scan(phone.code(depot.now, counter=9)).warnings == ()
        assert agent.scan(phone.code(depot.now, counter=3)).warnings == ("counter_regression",)
    assert depot.records()[-1].warnings is RecordWarning.COUNTER_REGRESSION


def test_a_stale_list_allows_only_the_stale_cap(depot: Depot) -> None:
    with depot.ready() as agent:
        depot.wait(3 * 3600)
        phone = depot.fake.issuer.phone(depot.now)
        assert agent.scan(phone.code(depot.now)).reason == "list_stale"
    with depot.ready(amount_fen=100, offline=True) as agent:
        outcome = agent.scan(phone.code(depot.now))
        assert outcome.warnings == ("list_stale",)
    assert depot.records()[-1].warnings is RecordWarning.LIST_STALE


@pytest.mark.parametrize(
    ("options", "reason"), [({"amount_fen": None}, "fare_missing"), ({"amount_fen": 0}, None)]
)
def test_without_a_price_nobody_rides_and_a_price_of_nothing_is_a_price(
    depot: Depot, options: dict[str, Any], reason: str | None
) -> None:
    with depot.ready(**options) as agent:
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == reason


def test_a_gate_takes_identity_and_no_money(depot: Depot) -> None:
    depot.fake.scene, depot.fake.place = "community", {"door": "N01"}
    with depot.ready(amount_fen=None) as agent:
        printed = depot.fake.issuer.code_p(depot.now, purpose=Purpose.IDENTITY, cap_fen=0)
        assert agent.scan(printed).accepted
        assert agent.scan(printed).accepted, "a printed code may be shown again"
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted
    records = depot.records()
    assert [record.amount_fen for record in records] == [0, 0, 0]
    assert {record.place.gate_id for record in records} == {"N01"}


def test_nothing_is_judged_before_the_first_package(depot: Depot) -> None:
    depot.enrol()
    with depot.agent(offline=True) as agent:
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "package_missing"
    (record,) = depot.records()
    assert (record.package_version, record.list_version) == (0, 0)


def test_nothing_is_judged_by_a_package_past_its_end(depot: Depot) -> None:
    with depot.ready(offline=False) as agent:
        depot.wait(2 * 86_400)
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "package_expired"


def test_fault_28_a_clock_set_back_refuses_even_a_code_that_would_look_fresh(depot: Depot) -> None:
    """Why: with the clock at yesterday, yesterday's code on a photograph is fresh again."""
    yesterday = depot.now - 86_400
    depot.fake.issuer.list_version = 5
    with depot.ready() as agent:
        depot.now_s = yesterday
        assert agent.scan(depot.fake.issuer.code_s(yesterday)).reason == "terminal_clock"
        (jumped,) = depot.events("clock_jumped")
        assert jumped["jumped_s"] == -86_400
    with depot.agent(offline=True) as agent:
        assert agent.scan(depot.fake.issuer.code_s(yesterday)).reason == "terminal_clock"
        depot.now_s += 86_400
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted


def test_fault_28_a_clock_set_forward_and_back_forgets_no_code(depot: Depot) -> None:
    """Why: a terminal that forgets by its own clock could be talked into taking a code twice."""
    text = depot.fake.issuer.code_s(depot.now)
    with depot.ready() as agent:
        assert agent.scan(text).accepted
        depot.now_s += 400 * 86_400
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).reason == "package_expired"
        depot.now_s -= 400 * 86_400
        assert agent.scan(text).reason == "code_replayed"
    years = [record.occurred_at_ms // 1000 > depot.now for record in depot.records()]
    assert years == [False, True, False]
    assert chain_breaks(depot.records()) == [], "the numbers keep the order the clock lost"


def test_with_too_many_records_waiting_room_is_kept_for_acceptances(depot: Depot) -> None:
    with depot.ready(offline=bool(depot.fake.keys)) as agent:
        small = _with_bound(agent, depot, 4)
        now, issuer = depot.now, depot.fake.issuer
        refused = [small.decide(Issuer().code_s(now)).sequence_no for _ in range(3)]
        assert refused == [1, 2, None]
        accepted = [small.decide(issuer.code_s(now)) for _ in range(3)]
        assert [outcome.reason for outcome in accepted] == [None, None, "queue_full"]
    assert [record.sequence_no for record in depot.records()] == [1, 2, 3, 4]


def _with_bound(agent: Agent, depot: Depot, unsent_max: int) -> Validator:
    """The agent's validator with another bound."""
    validator = agent.validator
    validator._unsent_max = unsent_max
    return validator


def test_a_full_memory_refuses_rather_than_forgets(depot: Depot) -> None:
    with depot.ready() as agent:
        journal: Journal = agent._journal
        identities = [
            codes.ReplayIdentity(bytes((65, number)), ISSUER_ID, b"", None) for number in range(3)
        ]
        with journal.transaction() as connection:
            memory = ScanMemory(connection, claims_max=2)
            for identity in identities[:2]:
                memory.claim(identity, now_s=0, expires_at_s=1)
            with pytest.raises(codes.CodeError) as refused:
                memory.claim(identities[2], now_s=0, expires_at_s=1)
    assert refused.value.code == "ask_online"


def test_a_foreign_key_in_the_record_is_not_believed(depot: Depot) -> None:
    """Why: the records of a stolen terminal id prove nothing without its key."""
    with depot.ready() as agent:
        agent.scan(depot.fake.issuer.code_s(depot.now))
    (record,) = depot.records()
    with pytest.raises(ValueError, match="signature"):
        verify_record(record.to_bytes(), make_private_key(codes.Algorithm.ED25519).public_key)


FEED = read_feed(demo_feed.feed_files(), demo_feed.MINOR_PER_UNIT)
FARES = write_fares_part(7, [FEED], (), DEFAULT_RULES)


@pytest.mark.parametrize(
    ("place", "tariff_class", "amount_fen", "reason"),
    [
        ({"line_id": "K1", "stop_id": "SC01"}, 0, 100, None),
        ({"line_id": "K1", "stop_id": "SC01"}, 1, 0, None),
        ({"line_id": "K1", "stop_id": "SC01"}, 9, 100, None),
        ({"line_id": "nowhere", "stop_id": "SC01"}, 0, 0, "line_unknown"),
        ({"line_id": "K1", "stop_id": "nowhere"}, 0, 0, "stop_unknown"),
        ({"line_id": "K1"}, 0, 0, "fare_missing"),
        ({}, 0, 0, "fare_missing"),
    ],
)
def test_the_package_prices_by_line_stop_and_the_riders_class(
    depot: Depot, place: dict[str, str], tariff_class: int, amount_fen: int, reason: str | None
) -> None:
    depot.enrol()
    depot.fake.publish(fares=FARES)
    with depot.ready(amount_fen=None, **place) as agent:
        phone = depot.fake.issuer.phone(depot.now, tariff_class=tariff_class)
        outcome = agent.scan(phone.code(depot.now))
    assert (outcome.amount_fen, outcome.reason) == (amount_fen, reason)
    (record,) = depot.records()
    assert record.rule_version == (0 if reason else 7)


def test_an_amount_set_by_hand_counts_before_the_fares(depot: Depot) -> None:
    depot.enrol()
    depot.fake.publish(fares=FARES)
    with depot.ready(line_id="K1", stop_id="SC01") as agent:
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).amount_fen == FARE_FEN


def test_a_gate_opens_by_the_grants_in_its_package(depot: Depot) -> None:
    depot.fake.scene, depot.fake.place = "community", {"door": "N01"}
    issuer, today = depot.fake.issuer, datetime.fromtimestamp(depot.now, UTC).date()
    resident, former, stranger = (issuer.phone(depot.now) for _ in range(3))
    grants = {
        alias: Grant(
            door_group="all",
            relation=Relation.RESIDENT,
            valid_from=today - timedelta(days=90),
            valid_to=today + timedelta(days=days),
        )
        for alias, days in (
            (resident.authorisation.token, 90),
            (former.authorisation.token, -9),
        )
    }
    users = {alias: uuid4() for alias in grants}
    book = AccessBook(
        groups_of_door={"N01": frozenset({"all"})},
        grants_of_user={users[alias]: (grant,) for alias, grant in grants.items()},
    )
    depot.enrol()
    depot.fake.publish(
        access=write_access_part(book, {user: [alias] for alias, user in users.items()})
    )
    with depot.ready(amount_fen=None) as agent:
        reasons = [
            agent.scan(phone.code(depot.now)).reason for phone in (resident, former, stranger)
        ]
        assert reasons == [None, "expired", "no_relation"]
        assert agent.scan(issuer.code_s(depot.now)).reason == "ask_online"
    with depot.ready(amount_fen=None, gate_id="S01") as agent:
        assert agent.scan(resident.code(depot.now)).reason == "door_unknown"


def test_a_visitor_s_pass_opens_as_often_as_was_said_over_restarts(depot: Depot) -> None:
    issuer = depot.fake.issuer
    token = b"a visit!"
    text = issuer.code_p(
        depot.now, token=token, scope=Scope.COMMUNITY, purpose=Purpose.IDENTITY, cap_fen=0
    )
    user_id = UUID(int=1)
    day = datetime.fromtimestamp(depot.now, UTC).date()
    book = AccessBook(
        groups_of_door={"N01": frozenset({"all"})},
        grants_of_user={
            user_id: (
                Grant(
                    door_group="all",
                    relation=Relation.VISITOR,
                    valid_from=day - timedelta(days=1),
                    valid_to=day + timedelta(days=1),
                ),
            )
        },
        uses_of_user={user_id: PassUses(uses_max=2)},
    )
    depot.fake.scene, depot.fake.place = "community", {"door": "N01"}
    depot.enrol()
    depot.fake.publish(access=write_access_part(book, {user_id: [token]}))
    reasons = []
    for _ in range(3):
        with depot.ready(amount_fen=None) as agent:
            reasons.append(agent.scan(text).reason)
    assert reasons == [None, None, "pass_used_up"]


@pytest.mark.parametrize("part", ["fares", "access"])
def test_a_part_nobody_can_read_leaves_the_last_good_package(depot: Depot, part: str) -> None:
    with depot.ready() as agent:
        depot.fake.publish(**{part: b"{}"})
        depot.wait(600)
        assert agent.uplink is not None
        agent.uplink.turn()
        assert agent._journal.fact("package_refused") == "document_part_invalid"
        assert agent.scan(depot.fake.issuer.code_s(depot.now)).accepted
