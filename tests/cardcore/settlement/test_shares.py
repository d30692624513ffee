"""Shares between merchants: matched so that each ends with its net, told again by difference."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.errors import ForbiddenError, MerchantUnknownError
from cardcore.settlement.request import SharesRequest
from cardcore.settlement.shares import matched
from tests.cardcore.settlement.conftest import BUS, SHOP, House
from tests.city_life import BUS_OFFICE, CENTRE

ON = date(2026, 6, 1)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(-999, 999)))
def test_everybody_ends_with_its_net(nets: dict[str, int]) -> None:
    nets["rest"] = -sum(nets.values())
    moves = matched(nets)
    assert len(moves) < max(len(nets), 1)
    assert all(fen > 0 and giver != getter for giver, getter, fen in moves)
    got = dict.fromkeys(nets, 0)
    for giver, getter, fen in moves:
        got[giver] -= fen
        got[getter] += fen
    assert got == nets


async def tell(house: House, fen: int) -> int:
    request = SharesRequest(scene="bus", business_on=ON, nets={SHOP: -fen, BUS: fen})
    return (await house.desk.tell_shares(CENTRE, request)).moves


async def test_a_share_is_a_transfer_and_moves_once(house: House) -> None:
    await house.buy_for(1_000)
    assert await tell(house, 300) == 1
    assert await tell(house, 300) == 0
    window = await house.settle()
    gave, got = await house.statement(window.number), await house.statement(window.number, BUS)
    assert (gave.shares_fen, got.shares_fen) == (-300, 300)
    assert (await house.payable_fen())[0] == 700
    # The ride came late: the day's share is another now, and only the difference moves.
    assert await tell(house, 250) == 1
    window = await house.settle()
    assert (await house.statement(window.number)).shares_fen == 50
    assert (await house.payable_fen())[0] == 750
    await house.assert_covered()


async def test_who_holds_less_gives_what_there_is_and_the_rest_later(house: House) -> None:
    await tell(house, 300)
    nothing = await house.settle()
    assert (await house.desk.statements(CENTRE, nothing.number)).statements == []
    await house.buy_for(100)
    some = await house.settle()
    assert (await house.statement(some.number)).shares_fen == -100
    assert await tell(house, 300) == 0
    await house.buy_for(500)
    rest = await house.settle()
    assert (await house.statement(rest.number)).shares_fen == -200
    assert (await house.payable_fen(BUS))[0] == 300
    await house.assert_covered()


async def test_shares_are_the_centres_to_tell_of_merchants_it_knows(house: House) -> None:
    request = SharesRequest(scene="bus", business_on=ON, nets={"nobody": -1, BUS: 1})
    with pytest.raises(MerchantUnknownError):
        await house.desk.tell_shares(CENTRE, request)
    with pytest.raises(ForbiddenError):
        await house.desk.tell_shares(BUS_OFFICE, request)
