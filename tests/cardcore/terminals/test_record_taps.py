"""Records of card taps: judged at upload, with the same ends as codes (faults 20, 23)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from adapters import demo_city
from cardcore.books import transaction
from cardcore.errors import ServiceUnavailableError
from cardcore.terminals import tables as terminal_tables
from cardcore.terminals.record_taps import LateTaps
from cardcore.user.card_life import CardVerb
from cardcore.user.card_request import CardDomain
from cardcore.user.card_taps import CardTaps
from codes.card_tap import CardTap
from codes.validator_record import Decision
from hsm_sim.interface import HSMError, HSMUnavailableError, KeyUnknownError
from tests.cardcore.terminals.offline_bus import Validator, cases, outcomes, phone_of
from tests.cardcore.user.card_acts import change, issue, pay
from tests.cardcore.user.test_card_boxes import SilentBox
from tests.city_life import CENTRE, Life
from tests.virtual_card import VirtualCard

BOOKED = ("booked", None)


async def card_of(
    life: Life, *domains: CardDomain, balance_fen: int = 1_000
) -> tuple[UUID, UUID, VirtualCard]:
    """A person with money, their card's id, and the card in their hand."""
    user_id = await life.person(balance_fen=balance_fen)
    view, card = await issue(life, user_id, *domains)
    return user_id, view.card_id, card


async def doubts(life: Life) -> list[tuple[Any, ...]]:
    kept = terminal_tables.terminal_record.c
    async with transaction(life.city.engine) as (connection, _):
        rows = await connection.execute(
            select(kept.reason, kept.liability)
            .where(kept.state == "review")
            .order_by(kept.sequence_no)
        )
        return [tuple(row) for row in rows]


async def test_a_tap_taken_off_line_is_booked_as_of_its_instant(bus: Validator, life: Life) -> None:
    user_id, _, card = await card_of(life)
    tapped_at = life.clock.now
    tap = await card.tap(tapped_at)
    record = bus.tap_record(tap)
    life.clock.advance(hours=30)
    (result,) = (await bus.upload(record)).results
    assert (result.state, result.reason) == BOOKED
    assert result.order_id is not None
    order = await life.city.core.read_order(CENTRE, result.order_id)
    assert (order.occurred_at, order.recorded_at) == (tapped_at, life.clock.now)
    assert await life.balance_fen(user_id) == 900
    assert await life.books_are_right()
    evidence = (await life.city.core.explain(CENTRE, result.order_id)).evidence
    assert tap.digest.hex() in str(evidence)
    async with life.city.pool.connection() as raw:
        counter = await (await raw.execute("SELECT tap_counter FROM cardcore.card")).fetchone()
    assert counter == (card.counter,)


async def test_row_26_a_tap_uploaded_again_is_a_duplicate_with_the_same_order(
    bus: Validator, life: Life
) -> None:
    user_id, _, card = await card_of(life)
    records = [bus.tap_record(await card.tap(life.clock.now)) for _ in range(3)]
    first = await bus.upload(*records)
    again = await bus.upload(*records)
    assert outcomes(first.results) == [BOOKED] * 3
    assert outcomes(again.results) == [("duplicate", None)] * 3
    assert [one.order_id for one in again.results] == [one.order_id for one in first.results]
    assert await life.balance_fen(user_id) == 700


async def test_every_forged_tap_waits_for_a_person_and_is_the_merchants(
    bus: Validator, life: Life
) -> None:
    user_id, _, card = await card_of(life)
    _, _, other = await card_of(life)
    now = life.clock.now
    good = await card.tap(now)
    forged: list[CardTap] = [
        replace(good, tac=bytes(4)),
        replace(good, amount_fen=100),
        await card.tap(now, key_number=other.number),
        await card.tap(now, token=b"nobody's"),
        await card.tap(now, terminal_id="bus-V0002"),
        await card.tap(now, amount_fen=0),
    ]
    records = [bus.tap_record(tap) for tap in forged]
    noise = bus.tap_record(good, evidence=b"\x19noise")
    view = await bus.upload(*records, noise, bus.tap_record(good))
    assert outcomes(view.results) == [("review", "card_tap_invalid")] * 7 + [BOOKED]
    assert set(await doubts(life)) == {("card_tap_invalid", "merchant")}
    assert await life.balance_fen(user_id) == 900


async def test_a_tap_of_another_hour_or_domain_waits_for_a_person(
    bus: Validator, life: Life
) -> None:
    _, _, card = await card_of(life, CardDomain(scene="community"))
    elsewhere = bus.tap_record(await card.tap(life.clock.now))
    _, _, good = await card_of(life)
    early = bus.tap_record(await good.tap(life.clock.now - timedelta(hours=1)))
    over = bus.tap_record(await good.tap(life.clock.now, amount_fen=90))
    view = await bus.upload(elsewhere, early, over)
    assert [one.reason for one in view.results] == [
        "card_domain_not_allowed",
        "card_tap_expired",
        "over_limit",
    ]
    assert {liability for _, liability in await doubts(life)} == {"merchant"}


async def test_row_23_a_tap_before_the_loss_is_the_holders_and_one_after_the_issuers(
    bus: Validator, life: Life
) -> None:
    user_id, card_id, card = await card_of(life)
    before = bus.tap_record(await card.tap(life.clock.now))
    life.clock.advance(minutes=5)
    await change(life, card_id, CardVerb.LOSE)
    life.clock.advance(minutes=5)
    after = bus.tap_record(await card.tap(life.clock.now))
    view = await bus.upload(before, after)
    assert outcomes(view.results) == [BOOKED, ("review", "card_lost")]
    assert await doubts(life) == [("card_lost", "issuer")]
    assert await life.balance_fen(user_id) == 900


async def test_a_tap_of_a_card_that_was_frozen_or_not_yet_issued_is_the_issuers(
    bus: Validator, life: Life
) -> None:
    early = life.clock.now
    life.clock.advance(minutes=5)
    _, card_id, card = await card_of(life)
    unissued = bus.tap_record(await card.tap(early), occurred_at_ms=int(early.timestamp() * 1000))
    await change(life, card_id, CardVerb.FREEZE)
    frozen = bus.tap_record(await card.tap(life.clock.now))
    view = await bus.upload(unissued, frozen)
    assert outcomes(view.results) == [("review", "card_inactive")] * 2
    assert await doubts(life) == [("card_inactive", "issuer")] * 2


async def test_row_23_a_tap_of_a_person_frozen_before_it_is_the_issuers(
    bus: Validator, life: Life
) -> None:
    user_id, _, card = await card_of(life)
    async with life.city.pool.connection() as raw:
        await raw.execute(
            "UPDATE cardcore.person SET status = 'frozen' WHERE user_id = %s", (user_id,)
        )
    view = await bus.upload(bus.tap_record(await card.tap(life.clock.now)))
    assert outcomes(view.results) == [("review", "user_frozen")]


async def test_row_20_a_tap_spent_on_line_is_not_charged_again(bus: Validator, life: Life) -> None:
    user_id, _, card = await card_of(life)
    tap = await card.tap(life.clock.now)
    order = await pay(life, tap)
    online = bus.tap_record(tap, decision=Decision.ACCEPTED_ONLINE)
    offline = bus.tap_record(tap)
    view = await bus.upload(online, offline)
    assert outcomes(view.results) == [BOOKED, ("review", "duplicate_code")]
    assert view.results[0].order_id == order.order_id
    assert await life.balance_fen(user_id) == 900
    assert await cases(life) == ["duplicate_code"]


async def test_row_20_two_tokens_of_one_card_in_two_records_are_one_tap(
    bus: Validator, life: Life
) -> None:
    user_id = await life.person(balance_fen=1_000)
    view, card = await issue(
        life, user_id, CardDomain(scene="bus"), CardDomain(merchant_id=demo_city.BUS_MERCHANT)
    )
    one, other = (bytes.fromhex(token.token) for token in view.tokens)
    first = await card.tap(life.clock.now, token=one)
    card.counter -= 1
    twin = await card.tap(life.clock.now, token=other)
    answer = await bus.upload(bus.tap_record(first), bus.tap_record(twin))
    assert outcomes(answer.results) == [BOOKED, ("review", "duplicate_code")]
    assert await life.balance_fen(user_id) == 900


async def test_a_card_whose_counter_runs_against_the_clock_opens_a_case_and_goes_on(
    bus: Validator, life: Life
) -> None:
    _, _, card = await card_of(life)
    card.counter = 8
    first = bus.tap_record(await card.tap(life.clock.now))
    # Within what two terminals' clocks may differ a lower counter proves nothing.
    life.clock.advance(seconds=20)
    card.counter = 7
    near = bus.tap_record(await card.tap(life.clock.now))
    view = await bus.upload(first, near)
    assert outcomes(view.results) == [BOOKED] * 2
    assert await cases(life) == []
    life.clock.advance(minutes=10)
    card.counter = 2
    clone = bus.tap_record(await card.tap(life.clock.now))
    assert outcomes((await bus.upload(clone)).results) == [BOOKED]
    assert await cases(life) == ["counter_backwards"]
    card.counter = 9
    await pay(life, await card.tap(life.clock.now))


async def test_row_28_a_tap_under_a_clock_that_jumped_waits_for_a_person(
    bus: Validator, life: Life
) -> None:
    _, _, card = await card_of(life)
    good = bus.tap_record(await card.tap(life.clock.now))
    jumped_at = life.clock.now - timedelta(days=30)
    jumped = bus.tap_record(
        await card.tap(jumped_at), occurred_at_ms=int(jumped_at.timestamp() * 1000)
    )
    future_at = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    future = bus.tap_record(
        await card.tap(life.clock.now), occurred_at_ms=int(future_at.timestamp() * 1000)
    )
    view = await bus.upload(good, jumped, future)
    assert outcomes(view.results) == [BOOKED] + [("review", "clock_jump")] * 2


async def test_a_tap_of_someone_merged_since_is_paid_by_the_survivor(
    bus: Validator, life: Life
) -> None:
    leaving, _, card = await card_of(life)
    survivor = await life.person(balance_fen=1_000)
    record = bus.tap_record(await card.tap(life.clock.now))
    life.clock.advance(minutes=5)
    async with life.city.pool.connection() as raw:
        await raw.execute(
            "UPDATE cardcore.person SET status = 'merged', merged_into = %s WHERE user_id = %s",
            (survivor, leaving),
        )
    assert outcomes((await bus.upload(record)).results) == [BOOKED]
    assert await life.balance_fen(survivor) == 900


async def test_a_refused_tap_is_kept_and_taps_stand_beside_codes(
    bus: Validator, life: Life
) -> None:
    user_id, _, card = await card_of(life)
    phone = await phone_of(life, user_id)
    refused = bus.tap_record(
        await card.tap(life.clock.now), decision=Decision.REFUSED, reason="card_lost"
    )
    view = await bus.upload(
        refused,
        bus.record(await phone.code()),
        bus.tap_record(await card.tap(life.clock.now)),
    )
    assert outcomes(view.results) == [BOOKED] * 3
    assert view.results[0].order_id is None
    assert await life.balance_fen(user_id) == 800


@pytest.mark.parametrize("fault", [HSMUnavailableError(), KeyUnknownError()])
async def test_a_security_module_that_is_away_books_nothing_and_one_that_errs_delays_its_record(
    bus: Validator, life: Life, fault: HSMError
) -> None:
    user_id, _, card = await card_of(life)
    phone = await phone_of(life, user_id)
    records = [bus.tap_record(await card.tap(life.clock.now)), bus.record(await phone.code())]
    writer = life.city.core._records
    well = writer._taps
    parts = life.city.core._parts
    writer._taps = LateTaps(parts.pool, CardTaps(SilentBox(fault)), parts.cut_off)
    if fault.retryable:
        with pytest.raises(ServiceUnavailableError):
            await bus.upload(*records)
        writer._taps = well
        assert outcomes((await bus.upload(*records)).results) == [BOOKED] * 2
    else:
        view = await bus.upload(*records)
        assert outcomes(view.results) == [("review", "fault"), BOOKED]


async def test_one_tap_on_line_and_in_a_record_at_once_is_charged_once(
    bus: Validator, life: Life
) -> None:
    user_id, _, card = await card_of(life)
    tap = await card.tap(life.clock.now)
    answers = await asyncio.gather(
        pay(life, tap), bus.upload(bus.tap_record(tap)), return_exceptions=True
    )
    assert len(answers) == 2
    assert await life.balance_fen(user_id) == 900
    assert await life.books_are_right()
