"""Acceptance with memory: replay, offline caps, authorisations seen before."""

from dataclasses import replace
from typing import Any

import pytest

from codes import (
    Algorithm,
    AuthorisationCache,
    KeyRing,
    MemoryOfflineUses,
    MemoryReplayGuard,
    VerifierMemory,
    base45,
)
from codes.suites import make_private_key
from tests.codes import city
from tests.codes.city import BUS, RING
from tests.codes.judging import P256_ORDER, accept, flip, refusal


def test_a_code_is_accepted_once() -> None:
    guard = MemoryReplayGuard()
    for text in (city.code_s(), city.code_d()):
        assert accept(text, replay=guard).replay_claimed
        assert refusal(text, replay=guard) == "code_replayed"


def test_row_22_the_high_s_twin_of_a_code_is_the_same_code() -> None:
    """Why: anybody can flip s of an ECDSA signature, and the twin verifies."""
    text = city.code_s()
    data = base45.decode(text[3:])
    twin_s = P256_ORDER - int.from_bytes(data[72:], "big")
    twin = "M1:" + base45.encode(data[:72] + twin_s.to_bytes(32, "big"))
    assert twin != text
    assert accept(twin).replay_key == accept(text).replay_key
    guard = MemoryReplayGuard()
    accept(text, replay=guard)
    assert refusal(twin, replay=guard) == "code_replayed"


def test_a_counter_going_backwards_is_reported() -> None:
    guard = MemoryReplayGuard()
    granted = city.authorisation()
    assert accept(city.code_d(granted, counter=9), replay=guard).warnings == ()
    assert accept(city.code_d(granted, counter=8), replay=guard).warnings == ("counter_regression",)
    assert accept(city.code_d(granted, counter=10), replay=guard).warnings == ()


@pytest.mark.parametrize(
    ("changes", "amounts_fen", "reason"),
    [
        ({"cumulative_cap_fen": 500}, [200, 200, 200], "cap_cumulative_exceeded"),
        ({"uses_max": 2}, [0, 0, 0], "cap_count_exceeded"),
        ({"uses_max": 0}, [0], "cap_count_exceeded"),
        ({"cap_fen": 200}, [200, 210], "cap_exceeded"),
    ],
)
def test_the_offline_caps_of_an_authorisation_are_kept(
    changes: dict[str, Any], amounts_fen: list[int], reason: str
) -> None:
    memory = VerifierMemory(offline_uses=MemoryOfflineUses())
    granted = city.authorisation(**changes)
    *good, last = enumerate(amounts_fen)
    for counter, amount_fen in good:
        accept(city.code_d(granted, counter=counter), amount_fen=amount_fen, memory=memory)
    counter, amount_fen = last
    text = city.code_d(granted, counter=counter)
    assert refusal(text, amount_fen=amount_fen, memory=memory) == reason


def test_without_memory_one_use_is_held_against_the_caps() -> None:
    granted = city.authorisation(cumulative_cap_fen=100)
    assert refusal(city.code_d(granted), amount_fen=200) == "cap_cumulative_exceeded"
    accept(city.code_d(granted), amount_fen=100)


def test_offline_caps_do_not_count_online() -> None:
    granted = city.authorisation(uses_max=0)
    accept(city.code_d(granted), replace(BUS, online=True), amount_fen=100)


def test_a_known_authorisation_is_believed_only_under_the_same_issuer_key() -> None:
    memory = VerifierMemory(authorisations=AuthorisationCache())
    assert memory.authorisations is not None
    granted = city.authorisation()
    accept(city.code_d(granted, counter=1), memory=memory)
    accept(city.code_d(granted, counter=2), memory=memory)
    assert len(memory.authorisations) == 1
    key = RING.get(city.ISSUER_ID, Algorithm.ES256)
    assert key is not None
    other = make_private_key(Algorithm.ES256).public_key.raw
    ring = KeyRing([replace(key, public_key=other)])
    text = city.code_d(granted, counter=3)
    assert refusal(text, ring=ring, memory=memory) == "code_invalid"
    assert refusal(flip(text, 200), memory=memory) == "code_invalid"
    assert refusal(text[:-3], memory=memory) == "code_invalid"


def test_an_authorisation_with_a_wrong_signature_is_not_remembered() -> None:
    memory = VerifierMemory(authorisations=AuthorisationCache())
    assert memory.authorisations is not None
    assert refusal(flip(city.code_d(), 70), memory=memory) == "code_invalid"
    assert len(memory.authorisations) == 0


def test_the_least_recently_used_authorisation_is_forgotten_first() -> None:
    cache = AuthorisationCache(authorisations_max=2)
    device_key = city.PHONE[Algorithm.ES256].public_key
    one, two, three = (city.authorisation() for _ in range(3))
    for granted in (one, two):
        cache.add(granted.to_bytes(), b"key", device_key)
    assert cache.get(one.to_bytes(), b"key") is not None
    cache.add(three.to_bytes(), b"key", device_key)
    assert cache.get(two.to_bytes(), b"key") is None
    assert cache.get(one.to_bytes(), b"key") is not None
