"""The replay guard in memory: once, bounded, across threads; counters are watched."""

import threading
from dataclasses import replace

import pytest

from codes.errors import AskOnlineError, CodeReplayedError
from codes.presented import identity_of
from codes.replay import COUNTER_REGRESSION, MemoryReplayGuard, ReplayIdentity
from tests.codes.test_text_form import AUTHORISATION, D, P, S

TOKEN = b"TOKEN..."
NOW_S = 1_790_000_000


def identity_s(issuer_id: int, token: bytes, jti: bytes) -> ReplayIdentity:
    return identity_of(replace(S, issuer_id=issuer_id, token=token, jti=jti).to_bytes())


def identity_d(issuer_id: int, token: bytes, counter: int) -> ReplayIdentity:
    granted = replace(AUTHORISATION, issuer_id=issuer_id, token=token)
    return identity_of(replace(D, authorisation=granted, counter=counter).to_bytes())


def identity_p(issuer_id: int, token: bytes) -> ReplayIdentity:
    return identity_of(replace(P, issuer_id=issuer_id, token=token).to_bytes())


def _claim(guard: MemoryReplayGuard, identity: ReplayIdentity, now_s: int = NOW_S) -> object:
    return guard.claim(identity, now_s=now_s, expires_at_s=now_s + 60)


def test_identities_of_the_classes_never_meet() -> None:
    keys = {
        identity_s(1, TOKEN, TOKEN).key,
        identity_d(1, TOKEN, 0).key,
        identity_p(1, TOKEN).key,
        identity_d(2, TOKEN, 0).key,
        identity_d(1, TOKEN, 1).key,
    }
    assert len(keys) == 5


def test_an_identity_is_claimed_once() -> None:
    guard = MemoryReplayGuard()
    _claim(guard, identity_s(1, TOKEN, b"jti....."))
    with pytest.raises(CodeReplayedError):
        _claim(guard, identity_s(1, b"another.", b"jti....."))
    _claim(guard, identity_s(2, TOKEN, b"jti....."))


def test_an_identity_is_kept_to_its_last_second_and_then_forgotten() -> None:
    guard = MemoryReplayGuard()
    identity = identity_d(1, TOKEN, 3)
    _claim(guard, identity)
    with pytest.raises(CodeReplayedError):
        _claim(guard, identity, NOW_S + 60)
    _claim(guard, identity_d(1, TOKEN, 4), NOW_S + 61)
    assert len(guard) == 1


def test_a_full_guard_refuses_instead_of_forgetting() -> None:
    """Why: forgetting would let somebody flood it and then replay."""
    guard = MemoryReplayGuard(identities_max=2)
    for counter in (1, 2):
        _claim(guard, identity_d(1, TOKEN, counter))
    with pytest.raises(AskOnlineError):
        _claim(guard, identity_d(1, TOKEN, 3))
    with pytest.raises(CodeReplayedError):
        _claim(guard, identity_d(1, TOKEN, 1))
    _claim(guard, identity_d(1, TOKEN, 3), NOW_S + 61)


def test_a_counter_that_goes_back_is_reported_even_after_its_codes_ended() -> None:
    guard = MemoryReplayGuard()
    assert _claim(guard, identity_d(1, TOKEN, 10)) == ()
    assert _claim(guard, identity_d(1, TOKEN, 9), NOW_S + 3600) == (COUNTER_REGRESSION,)
    assert _claim(guard, identity_d(1, TOKEN, 11), NOW_S + 3601) == ()
    assert _claim(guard, identity_d(1, b"another.", 1), NOW_S + 3602) == ()


def test_only_so_many_counters_are_remembered() -> None:
    guard = MemoryReplayGuard(devices_max=2)
    for token in (b"token--1", b"token--2", b"token--3"):
        _claim(guard, identity_d(1, token, 10))
    assert _claim(guard, identity_d(1, b"token--1", 5)) == ()
    assert _claim(guard, identity_d(1, b"token--3", 5)) == (COUNTER_REGRESSION,)


def test_of_many_threads_one_wins() -> None:
    guard = MemoryReplayGuard()
    start = threading.Barrier(8)
    won: list[int] = []

    def present(number: int) -> None:
        start.wait()
        for counter in range(200):
            try:
                _claim(guard, identity_d(1, TOKEN, counter))
            except CodeReplayedError:
                continue
            won.append(counter)

    threads = [threading.Thread(target=present, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(200))
