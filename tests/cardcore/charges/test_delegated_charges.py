"""Charges that somebody else pays: as of the journey, within the delegation's limits."""

import asyncio
from datetime import date

import pytest

from adapters.wiring import City
from cardcore.account.chart import arrears_of
from cardcore.charges.charge import OvertakenError
from cardcore.user.people_request import Act, CloseRequest
from tests.cardcore.business.test_delegated_orders import family, grant, key, ride
from tests.cardcore.charges.test_writer import Desk, back
from tests.city_life import CENTRE, FLAT_FARE_FEN
from tests.conftest import CityClock


@pytest.fixture
def desk(city: City, city_clock: CityClock) -> Desk:
    return Desk(city, city_clock)


async def test_a_guardian_pays_a_charge_and_what_goes_back_is_theirs(desk: Desk) -> None:
    life = desk.life
    child, guardian, delegation_id = await family(life, own_fen=299)
    order_id = await desk.charged(child, 300, 200)
    assert await life.balance_fen(child) == 299
    assert await life.balance_fen(guardian) == 9_700
    citizens, bureaus = (await life.city.core.explain(CENTRE, order_id)).lines
    assert (citizens.paid_by, citizens.delegation_id, citizens.payer_id) == (
        "guardian",
        delegation_id,
        guardian,
    )
    assert bureaus.delegation_id is None
    await desk.book(returns=[back(order_id, citizen=100)])
    assert await life.balance_fen(guardian) == 9_800
    assert await life.balance_fen(child) == 299
    assert await life.books_are_right()


async def test_what_goes_back_to_a_payer_who_has_left_waits_for_them(desk: Desk) -> None:
    life = desk.life
    child, guardian, _ = await family(life, payer_fen=300)
    order_id = await desk.charged(child, 300)
    await life.city.core.close_user(CENTRE, guardian, CloseRequest(reason="user_request"), key())
    await desk.book(returns=[back(order_id, citizen=100)])
    claims = await desk.rows("SELECT user_id, amount_fen FROM cardcore.payout_claim")
    assert claims == [(guardian, 100)]
    assert await life.books_are_right()


async def test_charges_and_orders_use_up_the_same_limits_then_the_person_pays_and_owes(
    desk: Desk,
) -> None:
    life = desk.life
    child, guardian, _ = await family(
        life, own_fen=150, use="first", order_fen_max=300, day_fen_max=FLAT_FARE_FEN + 350
    )
    await ride(life, child)
    [(today,)] = await desk.rows("SELECT max(business_on) FROM cardcore.business_order")
    assert isinstance(today, date)
    charges = [desk.charge(child, fen)._replace(business_on=today) for fen in (300, 200)]
    booked = await desk.book(charges)
    assert [one.refusal for one in booked.charges] == ["", ""]
    assert await life.balance_fen(guardian) == 10_000 - FLAT_FARE_FEN - 300
    assert await life.balance_fen(child) == 0
    (debt,) = await life.city.book.lookup_accounts([arrears_of(child).int])
    assert debt.debits_posted == 50
    assert await life.books_are_right()


async def test_what_was_in_force_at_the_journey_decides(desk: Desk) -> None:
    life = desk.life
    child, guardian, delegation_id = await family(life, own_fen=1_000, use="first")
    travelled = desk.charge(child, 100)
    life.clock.advance(minutes=1)
    await life.city.core.revoke_delegation(CENTRE, delegation_id, Act(reason="user_request"), key())
    life.clock.advance(minutes=1)
    await desk.book([travelled, desk.charge(child, 200)])
    assert await life.balance_fen(guardian) == 9_900
    assert await life.balance_fen(child) == 800
    await grant(life, child, guardian, use="first")
    await life.city.core.freeze_user(CENTRE, guardian, Act(reason="user_request"), key())
    await desk.book([desk.charge(child, 100)])
    assert await life.balance_fen(child) == 700


async def test_two_writers_at_once_do_not_pass_a_limit_together(desk: Desk) -> None:
    life = desk.life
    child, guardian, _ = await family(
        life, own_fen=1_000, use="first", order_fen_max=100, day_fen_max=100
    )

    async def charged() -> None:
        charge = desk.charge(child, 100)
        for _ in range(6):
            try:
                await desk.book([charge])
            except OvertakenError:
                continue
            return
        raise AssertionError

    await asyncio.gather(charged(), charged())
    assert await life.balance_fen(guardian) == 9_900
    assert await life.balance_fen(child) == 900
