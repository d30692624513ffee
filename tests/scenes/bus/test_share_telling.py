"""Operators' shares of transfers, booked as transfers of the ledger by the next window."""

import json
import os
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters import demo_city
from cardcore.calendar import CUT_OFF_DEFAULT
from scenes.bus.clearing_models import ClearingQuery, ClearingRulesRequest
from scenes.bus.operator_revenue import ChainRide, SplitRule
from scenes.bus.service import activate_rules
from scenes.bus.share_telling import ShareTelling, nets_of
from tests.cardcore.settlement.conftest import BUS, RATE, SHOP, House, house  # noqa: F401  (a fixture)
from tests.city_life import CENTRE
from tests.scenes.bus.bus_life import FLAT, BusLife, settling_of

rides = st.builds(
    ChainRide,
    merchant_id=st.sampled_from("ABC"),
    full_fen=st.integers(0, 500),
    money_fen=st.integers(0, 500),
)


@given(st.lists(st.lists(rides, min_size=2, max_size=4), max_size=5), st.sampled_from(SplitRule))
def test_what_one_gives_another_gets(chains: list[list[ChainRide]], rule: SplitRule) -> None:
    assert sum(nets_of(chains, rule).values()) == 0


async def test_a_chain_of_two_operators_is_shared_in_the_books(house: House) -> None:  # noqa: F811  (the fixture)
    """A ride of 100 fen and a free change to another operator's bus."""
    bus = BusLife(house.city, house.clock, settling_of(house.city), house.life)
    document = {"version": "1", "offers": [{"name": "free", "kind": "free", "window_s": 7200}]}
    async with bus.city.pool.connection() as raw:
        await activate_rules(
            raw, document=json.dumps(document), activated_by="test", at=bus.clock.now
        )
    rules = ClearingRulesRequest(version="1", split="pro_rata")
    await house.city.bus_clearing.set_rules(CENTRE, rules)
    rider = await bus.life.person()
    await bus.take(
        bus.report(rider, "single", 1, line=FLAT), bus.report(rider, "single", 30, line="K2")
    )
    await bus.settle()
    # The demo city has one bus company: its second line is run by another from here on.
    async with house.city.pool.connection() as raw:
        await raw.execute(
            "UPDATE scene_bus.journey SET merchant_id = %s WHERE line_id = 'K2'", (SHOP,)
        )
    telling = ShareTelling(house.city.engine, os.urandom, CUT_OFF_DEFAULT)
    assert await telling.tell_due(house.clock.now) == 0
    tomorrow = house.clock.now + timedelta(days=1)
    assert await telling.tell_due(tomorrow) == 1
    assert await telling.tell_due(tomorrow) == 0
    window = await house.settle()
    gave, got = await house.statement(window.number, BUS), await house.statement(window.number)
    # Full fares of 100 and 200 fen: of the 100 that were paid, two thirds are the second's.
    assert (gave.gross_fen, gave.shares_fen) == (100, -67)
    assert (got.gross_fen, got.shares_fen) == (0, 67)
    assert gave.merchant_id == demo_city.BUS_MERCHANT
    await house.assert_covered()


async def test_the_report_tells_the_fee_that_settlement_books(house: House) -> None:  # noqa: F811  (likewise)
    """Why: two tariffs would be two truths. How: one ride, reported and settled."""
    await house.tariff({"scene": "bus", "min_fen": 7} | RATE)
    rider = await house.life.person()
    bus = BusLife(house.city, house.clock, settling_of(house.city), house.life)
    await bus.take(bus.report(rider, "single", 0, line=FLAT))
    await bus.settle()
    on = house.clock.now.date()
    report = await house.city.bus_clearing.report(CENTRE, ClearingQuery(from_on=on))
    view = await house.statement((await house.settle()).number, BUS)
    assert [one.fee_fen for one in report.operators] == [view.fee_fen] == [7]
