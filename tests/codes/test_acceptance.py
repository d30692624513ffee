"""Acceptance: each rule, its reason code, and the order of the rules."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import codes
from codes import (
    Algorithm,
    CodeClass,
    FlagD,
    FlagP,
    FlagS,
    KeyRing,
    KeyUse,
    MemoryReplayGuard,
    Policy,
    Purpose,
    Scope,
    Status,
    context_of,
)
from codes.suites import make_private_key
from tests.codes import city
from tests.codes.city import BUS, GATE, NOW_S, RING
from tests.codes.judging import OneStatus, accept, flip, refusal


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_class_s_code_is_accepted_in_every_suite(algorithm: Algorithm) -> None:
    flags = FlagS.USER_VERIFIED | 3
    text = city.code_s(algorithm, domain=7, tariff_class=9, flags=flags)
    accepted = accept(text, replace(BUS, domain=7), status_list=None, amount_fen=2000)
    code = codes.decode(text)
    assert isinstance(code, codes.ClassS)
    assert accepted.code_class is CodeClass.S
    assert accepted.issuer_id == city.ISSUER_ID
    assert accepted.kid == algorithm
    assert accepted.token == code.token
    assert accepted.scope == Scope.BUS
    assert accepted.tariff_class == 9
    assert accepted.purpose == Purpose.PAY | Purpose.IDENTITY
    assert accepted.made_at == datetime.fromtimestamp(NOW_S, UTC)
    assert accepted.expires_at == datetime.fromtimestamp(NOW_S + 30, UTC)
    assert accepted.cap_fen == 2000
    assert accepted.cumulative_cap_fen is None
    assert accepted.uses_max is None
    assert accepted.domain == 7
    assert accepted.context == bytes(4)
    assert accepted.flags == FlagS.USER_VERIFIED
    assert accepted.companions == 3
    assert accepted.jti == code.jti
    assert accepted.counter is None
    assert accepted.status_index is None
    assert accepted.replay_key == b"S\x37\x04" + code.jti
    assert accepted.single_use
    assert not accepted.replay_claimed
    assert accepted.warnings == ()
    assert len(accepted.digest) == 32


@pytest.mark.parametrize(("issuer", "device"), city.DEVICE_SUITES)
def test_a_class_d_code_is_accepted_in_every_suite(issuer: Algorithm, device: Algorithm) -> None:
    granted = city.authorisation(issuer, device)
    accepted = accept(city.code_d(granted, flags=FlagD.PHONE_OFFLINE | 2), amount_fen=200)
    assert accepted.code_class is CodeClass.D
    assert accepted.kid == issuer
    assert accepted.token == granted.token
    assert accepted.scope == Scope.BUS
    assert accepted.made_at_s == NOW_S
    assert accepted.expires_at_s == NOW_S + 30
    assert accepted.cap_fen == 2000
    assert accepted.cumulative_cap_fen == 10_000
    assert accepted.uses_max == 20
    assert accepted.domain == 0
    assert accepted.context == bytes(4)
    assert accepted.flags == FlagD.PHONE_OFFLINE
    assert accepted.companions == 2
    assert accepted.jti is None
    assert accepted.counter == 7
    assert accepted.status_index == 5
    assert accepted.replay_key == b"D\x37\x04" + granted.token + b"\0\0\7"


@pytest.mark.parametrize("algorithm", city.ALGORITHMS)
def test_a_printed_code_opens_a_gate_in_every_suite(algorithm: Algorithm) -> None:
    text = city.code_p(algorithm, flags=FlagP.PHOTO_CHECK)
    guard = MemoryReplayGuard()
    accept(text, GATE, replay=guard)
    accepted = accept(text, GATE, replay=guard)
    assert accepted.code_class is CodeClass.P
    assert accepted.flags == FlagP.PHOTO_CHECK
    assert accepted.status_index == 6
    assert accepted.context == bytes(4)
    assert not accepted.single_use
    assert accepted.replay_key == b"P\x37\x04" + accepted.token
    assert len(guard) == 0


def test_the_clock_may_be_given_in_any_zone() -> None:
    text = city.code_s()
    zone = timezone(timedelta(hours=8))
    assert accept(text, now=datetime.fromtimestamp(NOW_S, zone)).made_at_s == NOW_S
    with pytest.raises(AssertionError):
        accept(text, now=datetime.fromtimestamp(NOW_S, UTC).replace(tzinfo=None))


def test_a_key_is_believed_only_as_the_ring_says() -> None:
    key = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert key is not None
    text = city.code_s()
    assert refusal(text, ring=KeyRing()) == "code_invalid"
    for change in (
        {"not_after_s": NOW_S},
        {"not_before_s": NOW_S + 1},
        {"uses": frozenset({KeyUse.PACKAGES})},
        {"public_key": make_private_key(Algorithm.ES256).public_key.raw},
        {
            "algorithm": Algorithm.ED25519,
            "public_key": city.ISSUER[Algorithm.ED25519].public_key.raw,
        },
    ):
        assert refusal(text, ring=KeyRing([replace(key, **change)])) == "code_invalid"
    accept(text, ring=KeyRing([replace(key, not_before_s=NOW_S, not_after_s=NOW_S + 1)]))


@pytest.mark.parametrize(
    ("make", "policy", "now_s", "reason"),
    [
        (city.code_s, BUS, NOW_S + 60, None),  # ttl 30 and skew 30
        (city.code_s, BUS, NOW_S + 61, "code_expired"),
        (city.code_s, replace(BUS, skew_s=0), NOW_S + 30, None),
        (city.code_s, replace(BUS, skew_s=0), NOW_S + 31, "code_expired"),
        (city.code_s, BUS, NOW_S - 30, None),
        (city.code_s, BUS, NOW_S - 31, "clock_skew"),
        (city.code_d, BUS, NOW_S + 60, None),
        (city.code_d, BUS, NOW_S + 61, "code_expired"),
        (city.code_d, BUS, NOW_S - 31, "clock_skew"),
        (city.code_d, BUS, NOW_S - 3631, "clock_skew"),  # authorised in the future
        (city.code_p, GATE, NOW_S + 364 * 86_400 + 30, None),
        (city.code_p, GATE, NOW_S + 364 * 86_400 + 31, "code_expired"),
        (city.code_p, GATE, NOW_S - 86_400 - 31, "clock_skew"),
    ],
)
def test_the_window_of_a_code_is_kept(
    make: Callable[[], str], policy: Policy, now_s: int, reason: str | None
) -> None:
    key = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert key is not None
    long_lived = KeyRing([replace(key, not_after_s=NOW_S + 10**9)])
    fresh_list = OneStatus(issued_at_s=now_s, expires_at_s=now_s + 1)
    more = {"ring": long_lived, "status_list": fresh_list}
    if reason is None:
        accept(make(), policy, now_s, **more)
    else:
        assert refusal(make(), policy, now_s, **more) == reason


def test_nothing_is_made_or_accepted_after_the_authorisation_ends() -> None:
    granted = city.authorisation(authorised_at_s=NOW_S - 600, validity_min=10)
    accept(city.code_d(granted, made_at_s=NOW_S))
    assert refusal(city.code_d(granted, made_at_s=NOW_S), now=NOW_S + 1) == "code_expired"
    late = city.code_d(granted, made_at_s=NOW_S + 1)
    assert refusal(late, now=NOW_S) == "code_expired"


CONTEXT = context_of("bus-4711", Algorithm.ES256)
HERE = replace(BUS, place_ids=("line-30", "bus-4711"))


@pytest.mark.parametrize(
    ("changes", "policy", "amount_fen", "reason"),
    [
        ({"scope": Scope.HOSPITAL}, BUS, 0, "scene_not_allowed"),
        ({"scope": Scope(0)}, BUS, 0, "scene_not_allowed"),
        ({"scope": Scope.HOSPITAL | Scope.BUS}, BUS, 0, None),
        ({"purpose": Purpose.IDENTITY}, BUS, 0, "purpose_not_allowed"),
        ({"purpose": Purpose.PAY}, replace(BUS, needs=Purpose.IDENTITY), 0, "purpose_not_allowed"),
        (
            {"purpose": Purpose.IDENTITY},
            replace(BUS, needs=Purpose.IDENTITY),
            1,
            "purpose_not_allowed",
        ),
        ({"purpose": Purpose.IDENTITY}, replace(BUS, needs=Purpose.IDENTITY), 0, None),
        ({"purpose": Purpose.PAY | Purpose.ONLINE_REQUIRED}, BUS, 0, "ask_online"),
        ({"purpose": Purpose.PAY | Purpose.ONLINE_REQUIRED}, replace(BUS, online=True), 0, None),
        ({"domain": 7}, BUS, 0, "domain_not_allowed"),
        ({"domain": 7}, replace(BUS, domain=8), 0, "domain_not_allowed"),
        ({"domain": 7}, replace(BUS, domain=7), 0, None),
        ({"domain": 0}, replace(BUS, domain=7), 0, None),
        ({"context": CONTEXT}, BUS, 0, "context_mismatch"),
        ({"context": CONTEXT}, replace(BUS, place_ids=("bus-4712",)), 0, "context_mismatch"),
        ({"context": CONTEXT}, HERE, 0, None),
        ({}, HERE, 0, None),
        ({}, replace(HERE, context_required=True), 0, "context_mismatch"),
        ({}, replace(BUS, user_verified_required=True), 0, "user_verification_required"),
        ({"flags": 0x80}, replace(BUS, user_verified_required=True), 0, None),
        ({}, BUS, 2000, None),
        ({}, BUS, 2001, "cap_exceeded"),
        ({"cap_fen": 0}, BUS, 1, "cap_exceeded"),
        ({"cap_fen": 0}, BUS, 0, None),
    ],
)
def test_rights_and_caps_of_class_s_are_kept(
    changes: dict[str, Any], policy: Policy, amount_fen: int, reason: str | None
) -> None:
    text = city.code_s(**changes)
    if reason is None:
        accept(text, policy, amount_fen=amount_fen)
    else:
        assert refusal(text, policy, amount_fen=amount_fen) == reason


def test_the_context_of_an_sm2_issuer_is_sm3() -> None:
    place = "bus-4711"
    sm3 = context_of(place, Algorithm.SM2_SM3)
    assert sm3 != context_of(place, Algorithm.ED25519)
    policy = replace(BUS, place_ids=(place,))
    accept(city.code_s(Algorithm.SM2_SM3, context=sm3), policy)
    wrong = city.code_s(Algorithm.SM2_SM3, context=context_of(place, Algorithm.ED25519))
    assert refusal(wrong, policy) == "context_mismatch"


def test_a_printed_code_pays_online_only() -> None:
    text = city.code_p(scope=Scope.BUS, purpose=Purpose.PAY, cap_fen=500)
    assert refusal(text, BUS, amount_fen=100) == "ask_online"
    assert accept(text, replace(BUS, online=True), amount_fen=100).cap_fen == 500


@pytest.mark.parametrize(
    ("status", "online", "reason"),
    [
        (Status.VALID, False, None),
        (Status.REVOKED, False, "code_revoked"),
        (Status.REVOKED, True, "code_revoked"),
        (Status.SUSPENDED, False, "code_suspended"),
        (Status.ASK_ONLINE, False, "ask_online"),
        (Status.ASK_ONLINE, True, None),
    ],
)
@pytest.mark.parametrize("letter", ["D", "P"])
def test_the_status_bit_decides(
    letter: str, status: Status, *, online: bool, reason: str | None
) -> None:
    policy = replace(BUS if letter == "D" else GATE, online=online)
    text = city.CODE_OF_CLASS[letter]()
    if reason is None:
        accept(text, policy, status_list=OneStatus(status))
    else:
        assert refusal(text, policy, status_list=OneStatus(status)) == reason


OLD = OneStatus(issued_at_s=NOW_S - 7201)


@pytest.mark.parametrize(
    ("status_list", "stale_cap_fen", "amount_fen", "outcome"),
    [
        (None, 1000, 0, "list_stale"),
        (OneStatus(issued_at_s=NOW_S - 7200), None, 100, ()),
        (OLD, None, 0, "list_stale"),
        (OLD, 0, 0, ("list_stale",)),
        (OLD, 0, 1, "list_stale"),
        (OLD, 200, 200, ("list_stale",)),
        (OLD, 200, 201, "list_stale"),
        (replace(OLD, answer=Status.REVOKED), 200, 0, "code_revoked"),
        (OneStatus(expires_at_s=NOW_S - 1), None, 0, "list_stale"),
        (OneStatus(issued_at_s=NOW_S + 31), None, 0, "list_stale"),
        (OneStatus(issued_at_s=NOW_S + 30), None, 0, ()),
    ],
)
def test_a_stale_list_is_good_for_the_stale_cap_only(
    status_list: OneStatus | None, stale_cap_fen: int | None, amount_fen: int, outcome: object
) -> None:
    policy = replace(BUS, stale_cap_fen=stale_cap_fen)
    more: dict[str, Any] = {"status_list": status_list, "amount_fen": amount_fen}
    if isinstance(outcome, str):
        assert refusal(city.code_d(), policy, **more) == outcome
    else:
        assert accept(city.code_d(), policy, **more).warnings == outcome


def test_status_may_be_left_to_a_caller_that_has_the_register() -> None:
    accept(city.code_d(), replace(BUS, status_by_caller=True), status_list=None)


def test_the_order_of_the_rules_is_fixed() -> None:
    """How: one code that breaks every rule; mending the first shows the next."""
    text = flip(
        city.code_d(
            city.authorisation(scope=Scope.HOSPITAL, kid=77, cap_fen=0), made_at_s=NOW_S - 1000
        ),
        203,
    )
    key = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert key is not None
    ring = KeyRing([replace(key, kid=77)])
    revoked = OneStatus(Status.REVOKED)
    hospital = replace(BUS, scope=Scope.HOSPITAL)
    then_s = NOW_S - 1000
    guard = MemoryReplayGuard()
    more: dict[str, Any] = {"status_list": revoked, "amount_fen": 1, "replay": guard}
    assert refusal(text + "?", **more) == "code_invalid"
    assert refusal(text, **more) == "code_invalid"
    assert refusal(text, ring=ring, now=then_s - 10_000, **more) == "clock_skew"
    assert refusal(text, ring=ring, **more) == "code_expired"
    assert refusal(text, ring=ring, now=then_s, **more) == "scene_not_allowed"
    assert refusal(text, hospital, then_s, ring=ring, **more) == "code_revoked"
    more["status_list"] = OneStatus(issued_at_s=then_s)
    assert refusal(text, hospital, then_s, ring=ring, **more) == "code_invalid"
    assert len(guard) == 0, "a refusal before the replay step leaves no trace"
    mended = flip(text, 203)
    assert refusal(mended, hospital, then_s, ring=ring, **more) == "cap_exceeded"
    assert refusal(mended, hospital, then_s, ring=ring, **more) == "code_replayed"
