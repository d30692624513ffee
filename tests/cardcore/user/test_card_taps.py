"""Taps of cards: what they pay, and which are refused, in the demo city."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from adapters import demo_city
from adapters.first_keys import ISSUER_ID
from cardcore.business.request import CardTapText, Mode, User, VerifyRequest
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    LimitExceededError,
)
from cardcore.user.card_errors import (
    CardCounterError,
    CardDomainError,
    CardInactiveError,
    CardLostError,
    CardTapError,
    CardTapExpiredError,
)
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import (
    BindCardRequest,
    CardDomain,
)
from cardcore.user.card_status import CardStatuses, card_statuses
from cardcore.user.card_taps import CardTaps, find_late_tap, register_card_key
from codes.card_hash_list import CardHashList, sorted_hashes
from codes.card_tap import CardSuite, CardTap
from codes.status import Status
from tests.cardcore.user.card_acts import BUS, change, issue, pay, ride, rows
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, GATE, VALIDATOR, Life
from tests.virtual_card import VirtualCard, card_number


async def test_a_tap_pays_a_fare_as_a_code_does(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    order = await pay(life, tap)
    assert (order.status, order.citizen_fen) == ("captured", FLAT_FARE_FEN)
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN
    assert await life.books_are_right()
    evidence = (await life.city.core.explain(BUS_OFFICE, order.order_id)).evidence
    assert tap.digest.hex() in str(evidence)
    (row,) = await rows(life, "SELECT tap_counter FROM cardcore.card")
    assert row == (1,)


async def test_the_same_tap_again_is_a_replay_and_has_no_effect(life: Life) -> None:
    """Row 20 of the faults, for cards."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    await pay(life, tap)
    with pytest.raises(CodeRefusedError) as refused:
        await pay(life, tap)
    assert refused.value.reason == "code_replayed"
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN


async def test_one_tap_in_twenty_requests_at_once_pays_once(life: Life) -> None:
    """Row 1 of the faults, with other keys: the judge is the tap, not the request."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now)
    answers = await asyncio.gather(*(pay(life, tap) for _ in range(20)), return_exceptions=True)
    refusals = [one for one in answers if isinstance(one, BaseException)]
    assert len(refusals) == 19
    assert {getattr(one, "reason", None) for one in refusals} == {"code_replayed"}
    assert await life.balance_fen(user_id) == 500 - FLAT_FARE_FEN


async def test_taps_in_flight_together_leave_the_highest_counter(life: Life) -> None:
    user_id = await life.person(balance_fen=5000)
    _, card = await issue(life, user_id)
    taps = [await card.tap(life.clock.now) for _ in range(20)]
    await asyncio.gather(*(pay(life, tap) for tap in reversed(taps)), return_exceptions=True)
    assert await rows(life, "SELECT tap_counter FROM cardcore.card") == [(20,)]


async def test_a_booked_tap_is_answered_again_whatever_became_of_the_card(life: Life) -> None:
    """Row 6 of the faults: the reply was lost, and the card too."""
    user_id = await life.person(balance_fen=500)
    view, card = await issue(life, user_id)
    request = ride(life, await card.tap(life.clock.now))
    first, _ = await life.city.core.order(VALIDATOR, request, "key")
    await change(life, view.card_id, CardVerb.LOSE)
    life.clock.advance(hours=3)
    again, replayed = await life.city.core.order(VALIDATOR, request, "key")
    assert replayed
    assert again == first


async def test_a_token_is_good_in_its_domain_alone(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    view, card = await issue(
        life,
        user_id,
        CardDomain(scene="bus"),
        CardDomain(scene="community", merchant_id=demo_city.GATE_MERCHANT),
        CardDomain(merchant_id="somebody-else"),
    )
    token = {(one.scene, one.merchant_id): bytes.fromhex(one.token) for one in view.tokens}
    assert len(set(token.values())) == 3
    for domain in (("community", demo_city.GATE_MERCHANT), (None, "somebody-else")):
        with pytest.raises(CardDomainError):
            await pay(life, await card.tap(life.clock.now, token=token[domain]))
    await pay(life, await card.tap(life.clock.now, token=token["bus", None]))


async def test_two_tokens_of_one_card_are_one_card_to_the_judge_of_replays(life: Life) -> None:
    """Why: the token stands outside the TAC, so another one can be put in its place."""
    user_id = await life.person(balance_fen=500)
    view, card = await issue(
        life, user_id, CardDomain(scene="bus"), CardDomain(merchant_id=demo_city.BUS_MERCHANT)
    )
    one, other = (bytes.fromhex(token.token) for token in view.tokens)
    tap = await card.tap(life.clock.now, token=one)
    await pay(life, tap)
    card.counter -= 1
    twin = await card.tap(life.clock.now, token=other)
    with pytest.raises(CodeRefusedError) as refused:
        await pay(life, twin)
    assert refused.value.reason == "code_replayed"


async def test_every_forged_tap_has_the_same_answer(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    _, other = await issue(life, user_id)
    now = life.clock.now
    good = await card.tap(now)
    flipped = bytearray(good.to_bytes())
    flipped[16] ^= 1
    forged: list[CardTap | str] = [
        await card.tap(now, key_number=other.number),
        await card.tap(now, token=b"nobody's"),
        await card.tap(now, token=other.token),
        replace(good, amount_fen=100),
        replace(good, key_version=9),
        replace(good, issuer_id=1),
        "",
        "A" * 55,
        "A" * 1024,
        "🚌",
    ]
    answers = set()
    for tap in forged:
        with pytest.raises(CardTapError) as refused:
            await pay(life, tap)
        answers.add((refused.value.code, refused.value.detail, refused.value.field))
    assert answers == {("card_tap_invalid", "The card tap is not valid", "user.card")}
    await pay(life, good)


@pytest.mark.parametrize(("late_s", "good"), [(-31, False), (-30, True), (300, True), (301, False)])
async def test_a_tap_is_good_around_its_instant(life: Life, late_s: int, good: bool) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now - timedelta(seconds=late_s))
    if good:
        await pay(life, tap)
    else:
        with pytest.raises(CardTapExpiredError):
            await pay(life, tap)


async def test_a_tap_of_another_terminal_is_refused(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    with pytest.raises(CardTapError):
        await pay(life, await card.tap(life.clock.now, terminal_id="bus-V9999"))


async def test_a_counter_that_goes_backwards_is_refused(life: Life) -> None:
    """Why: an old tap somebody kept, or the copy of a card."""
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    kept = await card.tap(life.clock.now)
    await pay(life, await card.tap(life.clock.now))
    with pytest.raises(CardCounterError):
        await pay(life, kept)


async def test_a_tap_pays_no_more_than_the_card_agreed_to(life: Life) -> None:
    user_id = await life.person(balance_fen=500)
    _, card = await issue(life, user_id)
    with pytest.raises(LimitExceededError):
        await pay(life, await card.tap(life.clock.now, amount_fen=FLAT_FARE_FEN - 1))
    with pytest.raises(CardTapError):
        await pay(life, await card.tap(life.clock.now, amount_fen=0))
    assert await life.balance_fen(user_id) == 500


async def test_a_tap_opens_a_door_and_is_quoted_and_verified_like_a_code(life: Life) -> None:
    user_id = await life.person(balance_fen=500, concession="senior")
    _, card = await issue(life, user_id)
    tap = await card.tap(life.clock.now, amount_fen=0)
    verify = VerifyRequest(
        user=User(card=CardTapText(tap=tap.to_text())),
        scene="bus",
        merchant_id=demo_city.BUS_MERCHANT,
        terminal_id=demo_city.BUS_TERMINAL,
    )
    seen = await life.city.core.verify(VALIDATOR, verify)
    assert (seen.code_class, seen.concessions) == ("T", ["senior"])
    assert seen.expires_at == datetime.fromtimestamp(tap.made_at_s + 300, UTC)
    quoted = await life.city.core.quote(VALIDATOR, ride(life, await card.tap(life.clock.now)))
    assert quoted.nominal_fen == FLAT_FARE_FEN
    record = ride(life, tap).model_copy(update={"mode": Mode.RECORD})
    with pytest.raises(CardcoreError):
        await life.city.core.order(VALIDATOR, record, "a fare is not recorded")


async def test_row_23_terminals_are_told_what_to_refuse_without_a_card_number(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    async with life.city.engine.begin() as connection:
        await register_card_key(
            connection,
            issuer_id=ISSUER_ID,
            key_version=2,
            suite=CardSuite.TDES,
            label="legacy",
            now=life.clock.now,
        )
    good_view, good = await issue(life, user_id)
    lost_view, _ = await issue(life, user_id)
    closed_view, _ = await issue(life, user_id)
    unbound_view, unbound = await issue(life, user_id)
    old_view, _ = await issue(life, user_id, valid_to=date(2026, 5, 31))
    legacy_view, legacy = await issue(life, user_id, kind="legacy")
    assert legacy_view.status_index is None
    for view, verb in (
        (lost_view, CardVerb.LOSE),
        (closed_view, CardVerb.CLOSE),
        (unbound_view, CardVerb.UNBIND),
        (old_view, CardVerb.CLOSE),
        (legacy_view, CardVerb.LOSE),
    ):
        await change(life, view.card_id, verb)

    async def told(issuer_id: int = ISSUER_ID) -> CardStatuses:
        async with life.city.engine.connect() as connection:
            return await card_statuses(connection, issuer_id=issuer_id, on=date(2026, 6, 1))

    before = await told()
    assert before.indexed == {
        lost_view.status_index: Status.SUSPENDED,
        closed_view.status_index: Status.REVOKED,
        unbound_view.status_index: Status.SUSPENDED,
    }
    assert good_view.status_index not in before.indexed
    assert before.denied == [legacy.token.hex()]
    assert good.token.hex() not in before.denied
    nobodys = await told(issuer_id=1)
    assert (nobodys.indexed, nobodys.denied) == ({}, [])
    await change(life, lost_view.card_id, CardVerb.FIND)
    await change(life, legacy_view.card_id, CardVerb.FIND)
    bind = BindCardRequest(number=unbound.number, user_id=user_id)
    await life.city.core.bind_card(CENTRE, bind, "bind")
    after = await told()
    assert after.indexed == {closed_view.status_index: Status.REVOKED}
    assert after.denied == [unbound.token.hex()]
    hashes = CardHashList(
        issuer_id=ISSUER_ID,
        version=1,
        issued_at_s=0,
        expires_at_s=1,
        ttl_s=1,
        salt=b"01234567",
        hash_size=5,
        hashes=sorted_hashes(before.denied, b"01234567"),
    )
    assert hashes.must_ask_online(legacy.token.hex())
    assert not hashes.must_ask_online(good.token.hex())


async def test_an_identity_tap_opens_the_gate_of_a_community(life: Life) -> None:
    user_id = await life.person(balance_fen=0)
    _, card = await issue(life, user_id, CardDomain(scene="community"))
    tap = await card.tap(life.clock.now, amount_fen=0, terminal_id=demo_city.GATE_TERMINAL)
    user = User(card=CardTapText(tap=tap.to_text()))
    passage = life.passage("").model_copy(update={"user": user})
    order, _ = await life.city.core.order(GATE, passage, "passage")
    assert (order.status, order.nominal_fen) == ("recorded", 0)
    with pytest.raises(CodeRefusedError):
        await life.city.core.order(
            GATE, life.passage("").model_copy(update={"user": user}), "again"
        )


async def test_row_23_a_late_record_is_judged_by_the_state_at_its_instant(life: Life) -> None:
    """Why: the loss report parts what the holder bears from what the issuer bears."""
    first, second = await life.person(balance_fen=0), await life.person(balance_fen=0)
    taps, core, clock = CardTaps(life.city.hsm), life.city.core, life.clock
    early = await VirtualCard(life.city.hsm, card_number(1), bytes(8)).tap(clock.now)
    clock.advance(minutes=10)
    view, card = await issue(life, first)
    clock.advance(minutes=10)
    before = await card.tap(clock.now)
    clock.advance(minutes=10)
    await change(life, view.card_id, CardVerb.LOSE)
    clock.advance(minutes=10)
    after = await card.tap(clock.now)
    clock.advance(minutes=10)
    await change(life, view.card_id, CardVerb.FIND)
    await change(life, view.card_id, CardVerb.UNBIND)
    await core.bind_card(CENTRE, BindCardRequest(number=card.number, user_id=second), "bind")
    clock.advance(days=2)

    async def late(tap: CardTap, made_at: datetime | None = None) -> UUID:
        at = made_at or datetime.fromtimestamp(tap.made_at_s, UTC)
        async with life.city.pool.connection() as connection:
            found = await find_late_tap(connection, tap.to_bytes(), at)
        shown = await taps.judge(found, BUS, pays=True, at=at, on=date(2026, 6, 1))
        assert (shown.card_id, shown.code.token) == (view.card_id, tap.token)
        return shown.user_id

    assert await late(before) == first
    with pytest.raises(CardLostError):
        await late(after)
    with pytest.raises(CardTapExpiredError):
        await late(before, clock.now)
    with pytest.raises(CardTapError):
        await late(early)
    assert card.token != bytes(8)
    too_early = await card.tap(clock.now - timedelta(days=30))
    with pytest.raises(CardInactiveError):
        await late(too_early)
    async with life.city.pool.connection() as connection:
        with pytest.raises(CardTapError):
            await find_late_tap(connection, b"\x19", clock.now)
