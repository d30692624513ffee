"""Bills of days of rides, debts, refunds and disputes in any order, held against the ledger."""

from datetime import timedelta
from random import Random

import pytest

from adapters import demo_city
from cardcore.account.request import StatementQuery
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DisputeReason,
    Grounds,
    OpenDisputeRequest,
)
from cardcore.errors import CardcoreError
from tests.cardcore.terminals.offline_bus import Validator, phone_of
from tests.cardcore.terminals.test_arrears import key, refund
from tests.city_life import BUS_OFFICE, CENTRE, Life

DAYS = 3  # as long as a phone may stay off-line
ACTS_PER_DAY = 8


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_days_bill_is_what_the_ledger_moved_for_the_merchant_that_day(
    life: Life, bus: Validator, seed: int
) -> None:
    draw = Random(seed)
    core, first = life.city.core, life.clock.now.date()
    person = await life.person(balance_fen=150)
    orders = []
    done: set[str] = set()
    phone = await phone_of(life, person)
    for _ in range(DAYS):
        for _ in range(ACTS_PER_DAY):
            life.clock.advance(minutes=1)
            act = draw.choice(["ride", "ride", "top_up", "refund", "dispute"])
            try:
                if act == "ride":
                    (result,) = (await bus.upload(bus.record(await phone.code()))).results
                    assert result.order_id is not None
                    orders.append(result.order_id)
                elif act == "top_up":
                    await life.top_up(person, draw.randint(10, 200))
                elif act == "refund" and orders:
                    await refund(life, draw.choice(orders), draw.randint(1, 100))
                elif act == "dispute" and orders:
                    ask = OpenDisputeRequest(
                        reason=DisputeReason.NOT_RECOGNISED, amount_fen=draw.randint(1, 60)
                    )
                    view, _ = await core.open_dispute(CENTRE, draw.choice(orders), ask, key())
                    reply = AnswerDisputeRequest(
                        answer=Answer.ACCEPT, grounds=Grounds.SERVICE_DELIVERED
                    )
                    await core.answer_dispute(BUS_OFFICE, view.dispute_id, reply, key())
                done.add(act)
            except CardcoreError:
                pass  # nothing is left of that order, or the merchant has nothing to give
        life.clock.advance(days=1)
    life.clock.advance(days=1)
    assert {"ride", "top_up", "refund", "dispute"} <= done
    moved_fen = 0
    for number in range(DAYS):
        on = first + timedelta(days=number)
        bill = await core.platform.bills.read(CENTRE, demo_city.BUS_MERCHANT, on, None)
        page = await core.merchant_statement(
            CENTRE,
            demo_city.BUS_MERCHANT,
            StatementQuery(fund="payable", from_on=on, to_on=on),
        )
        assert bill.net_fen == page.closing_fen - page.opening_fen
        moved_fen += abs(bill.net_fen)
    assert moved_fen
    assert await life.books_are_right()
