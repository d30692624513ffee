"""Key epochs: overlap, no gap, no early signature, kids never given twice."""

from dataclasses import replace

import pytest

import codes
from codes import Algorithm, KeyRing, KeyUse
from codes.key_epochs import EpochPlan, KeyEpochError, publish_epoch, signing_key, without_ended
from codes.suites import make_private_key
from tests.codes import city
from tests.codes.city import BUS, NOW_S

DAY_S = 86_400
KEYS = [make_private_key(Algorithm.ES256) for _ in range(3)]
PLAN = EpochPlan(
    issuer_id=city.ISSUER_ID,
    algorithm=Algorithm.ES256,
    public_key=KEYS[0].public_key.raw,
    uses=frozenset({KeyUse.CODES}),
    signs_from_s=NOW_S,
    signs_until_s=NOW_S + 90 * DAY_S,
    lead_s=2 * DAY_S,
    code_life_s=7 * DAY_S,
)
NEXT = replace(
    PLAN,
    public_key=KEYS[1].public_key.raw,
    signs_from_s=NOW_S + 89 * DAY_S,
    signs_until_s=NOW_S + 180 * DAY_S,
)


def _two_epochs() -> KeyRing:
    ring, first_kid = publish_epoch(KeyRing(), PLAN, now_s=NOW_S)
    ring, second_kid = publish_epoch(ring, NEXT, now_s=NOW_S + 80 * DAY_S)
    assert (first_kid, second_kid) == (1, 2)
    return ring


@pytest.mark.parametrize(
    ("day", "kid"), [(0, 1), (50, 1), (88.9, 1), (89, 2), (91, 2), (150, 2), (179, 2)]
)
def test_the_youngest_begun_epoch_signs(day: float, kid: int) -> None:
    now_s = NOW_S + int(day * DAY_S)
    key = signing_key(
        _two_epochs(), city.ISSUER_ID, KeyUse.CODES, now_s=now_s, code_life_s=7 * DAY_S
    )
    assert key.kid == kid


@pytest.mark.parametrize("day", [-1, 181])
def test_outside_the_epochs_nothing_is_signed(day: int) -> None:
    with pytest.raises(KeyEpochError):
        signing_key(
            _two_epochs(),
            city.ISSUER_ID,
            KeyUse.CODES,
            now_s=NOW_S + day * DAY_S,
            code_life_s=7 * DAY_S,
        )


def test_a_terminal_that_pulled_before_the_change_verifies_codes_of_both_epochs() -> None:
    ring = KeyRing.from_json(_two_epochs().to_json())
    change_s = NEXT.signs_from_s
    for kid, key, made_at_s in ((1, KEYS[0], change_s - 1), (2, KEYS[1], change_s)):
        text = city.code_s(kid=kid, issued_at_s=made_at_s, sign=city.signer_of(key))
        for now_s in (change_s - 1, change_s, change_s + 10):
            codes.verify(text, ring, None, BUS, now_s, None)


def test_a_key_published_too_late_is_refused() -> None:
    ring, _ = publish_epoch(KeyRing(), PLAN, now_s=NOW_S)
    with pytest.raises(KeyEpochError, match="too late"):
        publish_epoch(ring, NEXT, now_s=NEXT.signs_from_s - 2 * DAY_S + 1)
    publish_epoch(ring, NEXT, now_s=NEXT.signs_from_s - 2 * DAY_S)


def test_a_gap_between_epochs_is_refused() -> None:
    ring, _ = publish_epoch(KeyRing(), PLAN, now_s=NOW_S)
    gap = replace(NEXT, signs_from_s=PLAN.signs_until_s + 1)
    with pytest.raises(KeyEpochError, match="between"):
        publish_epoch(ring, gap, now_s=NOW_S)
    touching = replace(NEXT, signs_from_s=PLAN.signs_until_s)
    publish_epoch(ring, touching, now_s=NOW_S)


def test_a_kid_in_the_ring_is_never_given_again() -> None:
    ring = KeyRing()
    for number in range(256):
        use = frozenset({KeyUse.CODES}) if number % 2 else frozenset({KeyUse.LISTS})
        plan = replace(PLAN, uses=use, signs_from_s=NOW_S + number * 100)
        ring, _ = publish_epoch(ring, plan, now_s=NOW_S - 3 * DAY_S)
    assert len(ring) == 256
    with pytest.raises(KeyEpochError, match="256"):
        publish_epoch(ring, replace(PLAN, uses=frozenset({KeyUse.PACKAGES})), now_s=NOW_S)
    freed = ring.without(city.ISSUER_ID, 77)
    _, kid = publish_epoch(freed, replace(PLAN, uses=frozenset({KeyUse.PACKAGES})), now_s=NOW_S)
    assert kid == 77


def test_ended_keys_leave_the_ring() -> None:
    ring = _two_epochs()
    end_s = PLAN.signs_until_s + PLAN.code_life_s + 30
    assert len(without_ended(ring, now_s=end_s - 1)) == 2
    assert [key.kid for key in without_ended(ring, now_s=end_s)] == [2]
