"""The key ring: one JSON text, strict reading, windows."""

import json
from dataclasses import replace
from typing import Any

import pytest

from codes import Algorithm, IssuerKey, KeyRing, KeyRingError, KeyUse
from codes.suites import KeyFormError
from tests.codes import city
from tests.codes.city import NOW_S, RING

KEY = next(iter(RING))


def test_json_comes_back_as_the_same_ring() -> None:
    again = KeyRing.from_json(RING.to_json())
    assert again == RING
    assert hash(again) == hash(RING)
    assert again.to_json() == RING.to_json()
    assert len(again) == 3
    assert KeyRing() != RING
    assert RING.to_json() != RING


def test_json_tells_an_outside_verifier_all_it_needs() -> None:
    entry = json.loads(RING.to_json())["keys"][0]
    assert entry == {
        "issuer_id": city.ISSUER_ID,
        "kid": 1,
        "algorithm": "ed25519",
        "public_key": city.ISSUER[Algorithm.ED25519].public_key.raw.hex(),
        "not_before": "2026-05-28T20:26:40Z",
        "not_after": "2027-01-15T08:00:00Z",
        "uses": ["codes", "lists", "packages"],
    }


def test_uses_default_to_codes() -> None:
    document = json.loads(RING.to_json())
    del document["keys"][0]["uses"]
    ring = KeyRing.from_json(json.dumps(document))
    key = ring.get(city.ISSUER_ID, 1)
    assert key is not None
    assert key.uses == {KeyUse.CODES}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer_id": "14084"},
        {"issuer_id": True},
        {"issuer_id": 65536},
        {"kid": 1.0},
        {"kid": -1},
        {"algorithm": "rsa"},
        {"algorithm": None},
        {"public_key": "00"},
        {"public_key": "zz"},
        {"not_before": "2026-05-27T19:33:20"},
        {"not_before": 5},
        {"not_before": "2030-01-01T00:00:00Z"},
        {"uses": ["everything"]},
    ],
)
def test_an_entry_that_is_no_key_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(RING.to_json())
    document["keys"][0].update(change)
    with pytest.raises(KeyRingError):
        KeyRing.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys":5}', "[" * 100_000, b"\xff"])
def test_what_is_no_ring_is_refused(text: str | bytes) -> None:
    with pytest.raises(KeyRingError):
        KeyRing.from_json(text)


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(KeyRingError, match="two keys"):
        RING.with_key(KEY)
    document = json.loads(RING.to_json())
    document["keys"].append(document["keys"][0])
    with pytest.raises(KeyRingError, match="two keys"):
        KeyRing.from_json(json.dumps(document))


def test_a_ring_has_a_limit() -> None:
    keys = [replace(KEY, issuer_id=number // 256, kid=number % 256) for number in range(4097)]
    KeyRing(keys[:4096])
    with pytest.raises(KeyRingError, match="more than"):
        KeyRing(keys)


def test_rings_are_values() -> None:
    fewer = RING.without(city.ISSUER_ID, 1)
    assert fewer.get(city.ISSUER_ID, 1) is None
    assert RING.get(city.ISSUER_ID, 1) == KEY
    assert fewer.with_key(KEY) == RING
    assert RING.without(1, 1) == RING


def test_a_window_includes_its_first_second_and_not_its_last() -> None:
    key = replace(KEY, not_before_s=NOW_S, not_after_s=NOW_S + 10)
    assert [key.is_current(NOW_S + s) for s in (-1, 0, 9, 10)] == [False, True, True, False]


def test_a_window_is_not_empty() -> None:
    with pytest.raises(KeyFormError):
        replace(KEY, not_before_s=NOW_S, not_after_s=NOW_S)


def test_a_key_of_another_algorithm_is_refused() -> None:
    with pytest.raises(KeyFormError):
        IssuerKey(
            issuer_id=1,
            kid=1,
            algorithm=Algorithm.ES256,
            public_key=bytes(32),
            not_before_s=0,
            not_after_s=1,
        )
