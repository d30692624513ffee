"""Arrears over the real books: paid when money comes, refunded, disputed, listed, on the bill."""

import asyncio
import itertools
import os
from datetime import time
from uuid import UUID

import pytest

from adapters import demo_city
from cardcore.account.arrears import ArrearsCollection
from cardcore.account.arrears_lists import ArrearsPage
from cardcore.account.chart import arrears_of, arrears_payable
from cardcore.business.dispute_errors import DisputeExceedsError
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DisputeReason,
    Grounds,
    OpenDisputeRequest,
)
from cardcore.business.request import RefundRequest
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError, RequestInvalidError
from tests.cardcore.terminals.offline_bus import Validator, phone_of
from tests.cardcore.user.people_acts import act, do
from tests.city_life import BUS_OFFICE, CENTRE, FLAT_FARE_FEN, GATE, Life

FARE = FLAT_FARE_FEN
_keys = itertools.count(1)


def key() -> str:
    return f"arrears-{next(_keys)}"


async def debtor(
    life: Life, bus: Validator, *, has_fen: int, rides: int
) -> tuple[UUID, list[UUID]]:
    """Somebody who rode off-line with too little money; their orders, oldest first."""
    user_id = await life.person(balance_fen=has_fen, funds=("transit", "purse"))
    phone = await phone_of(life, user_id)
    orders = []
    for _ in range(rides):
        life.clock.advance(minutes=1)
        view = await bus.upload(bus.record(await phone.code()))
        order_id = view.results[0].order_id
        assert order_id is not None
        orders.append(order_id)
    return user_id, orders


async def owed_fen(life: Life, user_id: UUID) -> int:
    """What the ledger, the person's list and the merchant's account say alike."""
    listed = await life.city.core.arrears_of(CENTRE, user_id)
    payable = arrears_payable(demo_city.BUS_MERCHANT)
    debt, due = await life.city.book.lookup_accounts([arrears_of(user_id).int, payable.int])
    assert debt.debits_posted - debt.credits_posted == listed.open_fen
    assert due.credits_posted - due.debits_posted == listed.open_fen
    assert sum(one.open_fen for one in listed.debts) == listed.open_fen
    assert await life.books_are_right()
    return listed.open_fen


async def refund(life: Life, order_id: UUID, amount_fen: int | None = None) -> None:
    request = RefundRequest(out_refund_no=key(), amount_fen=amount_fen, reason="r")
    await life.city.core.refund(CENTRE, order_id, request, key())


def collection(life: Life) -> ArrearsCollection:
    return ArrearsCollection(life.city.engine, life.city.book, os.urandom, time(4, 30))


async def test_a_top_up_pays_the_oldest_first_at_once_and_each_payment_is_told(
    life: Life, bus: Validator
) -> None:
    user_id, orders = await debtor(life, bus, has_fen=FARE // 2, rides=3)
    assert await owed_fen(life, user_id) == 250
    await life.top_up(user_id, 120)
    assert await owed_fen(life, user_id) == 130
    assert await life.balance_fen(user_id) == 0
    open_fen = {
        one.order_id: one.open_fen
        for one in (await life.city.core.arrears_of(CENTRE, user_id)).debts
    }
    assert [open_fen[one] for one in orders] == [0, 30, 100]
    await life.top_up(user_id, 500, fund="purse")
    assert await owed_fen(life, user_id) == 0
    assert await life.balance_fen(user_id, "purse") == 370
    async with life.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT subject_id, payload->>'amount_fen', payload->>'open_fen' FROM cardcore.outbox"
            " WHERE topic = 'arrears.paid' ORDER BY seq"
        )
        assert await found.fetchall() == [
            (orders[0], "50", "0"),
            (orders[1], "70", "30"),
            (orders[1], "30", "0"),
            (orders[2], "100", "0"),
        ]
    (_, line) = (await life.city.core.explain(CENTRE, orders[0])).lines
    assert [(one.debit_account, one.credit_account, one.amount_fen) for one in line.transfers] == [
        ("arrears", f"arrears_payable:{demo_city.BUS_MERCHANT}", 50),
        ("fund:transit", f"payable:{demo_city.BUS_MERCHANT}", 50),
        (f"arrears_payable:{demo_city.BUS_MERCHANT}", "arrears", 50),
    ]


async def test_the_worker_finds_money_that_came_another_way_and_takes_it_once(
    life: Life, bus: Validator
) -> None:
    user_id = await life.person(balance_fen=FARE)
    phone = await phone_of(life, user_id)
    earlier = await life.pay(user_id)
    order_id = (await bus.upload(bus.record(await phone.code()))).results[0].order_id
    await refund(life, earlier.order_id, 60)
    first, second = collection(life), collection(life)
    assert sorted(
        await asyncio.gather(first.collect_due(life.clock.now), second.collect_due(life.clock.now))
    ) == [0, 1]
    assert await owed_fen(life, user_id) == 40
    assert await first.collect_due(life.clock.now) == 0
    (debt,) = (await life.city.core.arrears_of(CENTRE, user_id)).debts
    assert (debt.order_id, debt.paid_fen, debt.open_fen) == (order_id, 60, 40)


async def test_nothing_is_taken_from_who_is_frozen_and_it_is_taken_afterwards(
    life: Life, bus: Validator
) -> None:
    user_id, _ = await debtor(life, bus, has_fen=0, rides=1)
    await do(life.city.core.freeze_user, user_id)
    await life.top_up(user_id, 500)
    assert await owed_fen(life, user_id) == FARE
    await do(life.city.core.unfreeze_user, user_id, act())
    assert await collection(life).collect_due(life.clock.now) == 1
    assert await owed_fen(life, user_id) == 0


@pytest.mark.parametrize(
    ("topped_up", "refunds", "owed", "purse"),
    [
        (0, (None,), 0, 0),  # nothing was paid: the debt is let off
        (0, (40,), 60, 0),
        (30, (80,), 0, 10),  # 70 let off, 10 back
        (30, (70, 20), 0, 20),
        (100, (None,), 0, 100),  # all was paid: all goes back
        (100, (30, 70), 0, 100),
    ],
)
async def test_a_refund_lets_off_what_is_owed_before_it_gives_back_what_was_paid(
    life: Life,
    bus: Validator,
    topped_up: int,
    refunds: tuple[int | None, ...],
    owed: int,
    purse: int,
) -> None:
    user_id, (order_id,) = await debtor(life, bus, has_fen=0, rides=1)
    if topped_up:
        await life.top_up(user_id, topped_up, fund="purse")
    for amount_fen in refunds:
        await refund(life, order_id, amount_fen)
    assert await owed_fen(life, user_id) == owed
    assert await life.balance_fen(user_id, "purse") == purse
    explained = await life.city.core.explain(CENTRE, order_id)
    moved = sum(
        transfer.amount_fen
        for one in explained.refunds
        for line in one.lines
        for transfer in line.transfers
    )
    assert moved == sum(one.amount_fen for one in explained.refunds)


async def test_what_was_paid_of_a_debt_may_be_disputed_and_what_is_owed_may_not(
    life: Life, bus: Validator
) -> None:
    user_id, (order_id,) = await debtor(life, bus, has_fen=0, rides=1)
    ask = OpenDisputeRequest(reason=DisputeReason.NOT_RECOGNISED)
    with pytest.raises(DisputeExceedsError):
        await life.city.core.open_dispute(CENTRE, order_id, ask, key())
    await life.top_up(user_id, 30)
    life.clock.advance(minutes=1)
    await life.top_up(user_id, 20, fund="purse")
    view, _ = await life.city.core.open_dispute(CENTRE, order_id, ask, key())
    assert view.amount_fen == 50
    await refund(life, order_id, 50)
    assert await owed_fen(life, user_id) == 0
    reply = AnswerDisputeRequest(answer=Answer.ACCEPT, grounds=Grounds.SERVICE_DELIVERED)
    after, _ = await life.city.core.answer_dispute(BUS_OFFICE, view.dispute_id, reply, key())
    assert (after.credited_fen, after.recovered_fen) == (50, 50)
    assert await life.balance_fen(user_id) == 30
    assert await life.balance_fen(user_id, "purse") == 20
    (told,) = (await life.city.core.explain(BUS_OFFICE, order_id)).disputes
    assert (told.dispute_id, told.credited_fen, told.borne_by) == (view.dispute_id, 50, "merchant")
    assert [(one.debit_account, one.credit_account, one.amount_fen) for one in told.transfers] == [
        ("disputes", "fund:transit", 30),
        ("disputes", "fund:purse", 20),
        (f"payable:{demo_city.BUS_MERCHANT}", "disputes", 50),
    ]
    assert await life.books_are_right()


async def test_open_debts_are_listed_page_by_page_to_those_they_concern(
    life: Life, bus: Validator
) -> None:
    _, first = await debtor(life, bus, has_fen=0, rides=2)
    _, second = await debtor(life, bus, has_fen=0, rides=1)
    core = life.city.core
    page = await core.open_arrears(CENTRE, ArrearsPage(limit=2))
    assert [one.order_id for one in page.debts] == first
    rest = await core.open_arrears(BUS_OFFICE, ArrearsPage(limit=2, cursor=page.next_cursor))
    assert ([one.order_id for one in rest.debts], rest.next_cursor) == (second, None)
    assert (await core.open_arrears(GATE, ArrearsPage())).debts == []
    narrowed = ArrearsPage(merchant_id=demo_city.GATE_MERCHANT)
    assert (await core.open_arrears(CENTRE, narrowed)).debts == []
    with pytest.raises(RequestInvalidError):
        await core.open_arrears(CENTRE, ArrearsPage(cursor="bm8"))
    nobody = Caller(client_id="x", merchant_id=None, scopes=frozenset())
    with pytest.raises(ForbiddenError):
        await core.open_arrears(nobody, ArrearsPage())
    with pytest.raises(ForbiddenError):
        await core.arrears_of(nobody, UUID(int=1))
