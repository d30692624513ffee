"""A car-park owner is paid as every merchant is: what its day says is what settlement pays."""

from adapters import demo_city
from tests.cardcore.settlement.conftest import opened_house
from tests.city_life import CENTRE
from tests.scenes.parking.conftest import EAST, WEST, WEST_OWNER, Lot


async def test_a_car_park_owner_is_settled_like_any_merchant(lot: Lot) -> None:
    house = await opened_house(lot.city, lot.life, lot.clock)
    await house.payee(demo_city.PARKING_MERCHANT)
    await lot.owner(balance_fen=2_000)
    for park in (EAST, WEST):
        await lot.seen("in", minute=0 if park == EAST else 200, park=park)
        await lot.seen("out", minute=120 if park == EAST else 320, park=park)
    window = await house.settle()
    on = lot.began.date()
    day = await lot.parking.day(CENTRE, EAST, on)
    east = await house.statement(window.number, demo_city.PARKING_MERCHANT)
    west = await house.statement(window.number, WEST_OWNER)
    assert day.net_fen == east.payout_fen == 500
    assert (west.payout_fen, west.held_back, west.carried_out_fen) == (0, "no_payee", 500)
    assert await house.bank_moved() == [500]
    assert await lot.payable_fen(demo_city.PARKING_MERCHANT) == 0
    await house.assert_covered()
