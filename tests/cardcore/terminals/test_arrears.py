"""Arrears over the real books: paid when money comes, refunded, disputed, listed, on the bill."""

import asyncio
import itertools
import os
from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from cardcore.account.arrears import ArrearsCollection
from cardcore.account.arrears_lists import ArrearsPage
from cardcore.account.chart import (
    LEDGER_CNY,
    SUSPENSE,
    TransferCode,
    arrears_of,
    arrears_payable,
)
from cardcore.account.funding_policy import FundingPlans, read_policy
from cardcore.account.request import StatementQuery
from cardcore.books import transaction
from cardcore.business.dispute_errors import DisputeExceedsError
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DisputeReason,
    Grounds,
    OpenDisputeRequest,
)
from cardcore.business.quote import Payer
from cardcore.business.request import RefundRequest
from cardcore.caller import Caller
from cardcore.charges.charge import GiveBack
from cardcore.charges.writer import ChargeWriter
from cardcore.errors import (
    ForbiddenError,
    FundUnknownError,
    MerchantBalanceError,
    NotFoundError,
    RequestInvalidError,
)
from ledger import Transfer
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


async def test_bills_and_statements_tell_of_arrears_and_disputes_to_the_fen(
    life: Life, bus: Validator
) -> None:
    """How: the bills' sums are held against what the merchant's payable gained."""
    core, on = life.city.core, life.clock.now.date()
    span = {"from_on": on, "to_on": on + timedelta(days=1)}
    with pytest.raises(FundUnknownError):
        await core.merchant_statement(
            CENTRE,
            demo_city.BUS_MERCHANT,
            StatementQuery.model_validate(span | {"fund": "arrears_payable"}),
        )
    user_id, (order_id, other_id) = await debtor(life, bus, has_fen=0, rides=2)
    life.clock.advance(days=1)
    await life.top_up(user_id, 130)
    await refund(life, other_id, 90)  # 70 let off, 20 back
    await life.top_up(user_id, 50)
    ask = OpenDisputeRequest(reason=DisputeReason.NOT_RECOGNISED, amount_fen=30)
    view, _ = await core.open_dispute(CENTRE, order_id, ask, key())
    reply = AnswerDisputeRequest(answer=Answer.ACCEPT, grounds=Grounds.SERVICE_DELIVERED)
    await core.answer_dispute(BUS_OFFICE, view.dispute_id, reply, key())
    life.clock.advance(days=2)
    bills = [
        await core.platform.bills.read(CENTRE, demo_city.BUS_MERCHANT, on + timedelta(days=n), None)
        for n in (0, 1)
    ]
    sums = [(one.rows, one.paid_fen, one.refunded_fen, one.other_fen) for one in bills]
    # Nothing is due on the first day; on the second 130 came, 20 went back, 30 were disputed.
    assert sums == [(4, 200, 0, -200), (5, 0, 90, 130 + 70 - 30)]
    statements = {
        fund: await core.merchant_statement(
            CENTRE,
            demo_city.BUS_MERCHANT,
            StatementQuery.model_validate(span | {"fund": fund}),
        )
        for fund in ("payable", "arrears_payable")
    }
    payable = statements["payable"]
    assert payable.closing_fen - payable.opening_fen == sum(one.net_fen for one in bills) == 80
    assert [(one.kind, one.amount_fen) for one in payable.lines] == [
        ("arrears_paid", 100),
        ("arrears_paid", 30),
        ("refund", -20),
        ("dispute_recovery", -30),
    ]
    assert statements["arrears_payable"].closing_fen == 0
    assert {one.text_en.split(" ")[0] for one in statements["arrears_payable"].lines} == {
        "Payment",
        "Arrears",
        "Refund",
    }


async def test_row_15_a_ride_whose_record_is_not_here_or_not_booked_is_not_refunded(
    life: Life, bus: Validator
) -> None:
    """How: refunds name orders, and a record is none before it is uploaded and booked."""
    user_id = await life.person(balance_fen=0)
    phone = await phone_of(life, user_id)
    dear = bus.record(await phone.code(), 50)
    number = f"R-{dear.record_id.hex}"
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await life.city.core.find_order(CENTRE, demo_city.BUS_MERCHANT, number)
        with pytest.raises(NotFoundError):
            await refund(life, dear.record_id)
        view = await bus.upload(dear)  # taken for less than the fare: it waits for a person
        assert view.results[0].state in ("review", "duplicate")


async def test_row_15_what_the_merchant_is_not_owed_any_more_is_not_refunded(
    life: Life, bus: Validator
) -> None:
    """Why: a refund after settlement would make the merchant's account negative.

    How: the payable is emptied as a settlement does; the debt can still be let off, what was paid
    cannot go back.
    """
    user_id, (order_id,) = await debtor(life, bus, has_fen=0, rides=1)
    await life.top_up(user_id, 40)
    async with life.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT payable_id FROM cardcore.merchant WHERE merchant_id = %s",
            (demo_city.BUS_MERCHANT,),
        )
        row = await found.fetchone()
        assert row is not None
    settled = Transfer(
        id=uuid4().int,
        debit_account_id=row[0].int,
        credit_account_id=SUSPENSE.int,
        amount=40,
        ledger=LEDGER_CNY,
        code=TransferCode.ADJUSTMENT,
    )
    assert list(await life.city.book.create_transfers([settled])) == ["created"]
    with pytest.raises(MerchantBalanceError):
        await refund(life, order_id)
    assert await owed_fen(life, user_id) == 60
    await refund(life, order_id, 60)
    assert await owed_fen(life, user_id) == 0


@pytest.mark.parametrize(
    ("topped_up", "given_back", "owed", "transit"),
    [(0, 60, 140, 0), (40, 100, 100, 40), (100, 100, 100, 100), (130, 70, 70, 70)],
)
async def test_what_a_scene_gives_back_lets_off_the_debt_and_then_returns_what_was_paid(
    life: Life, bus: Validator, topped_up: int, given_back: int, owed: int, transit: int
) -> None:
    """Why: a week priced again gives back rides whose arrears were paid since, in two parts."""
    user_id, (first_id, _) = await debtor(life, bus, has_fen=0, rides=2)
    if topped_up:
        await life.top_up(user_id, topped_up - 10)
        life.clock.advance(minutes=1)
        await life.top_up(user_id, 10)
    async with life.city.pool.connection() as raw:
        plans = FundingPlans(await read_policy(raw))
    charges = ChargeWriter(
        book=life.city.book, plans=plans, random_bytes=os.urandom, cut_off=time(4, 30)
    )
    back = GiveBack(
        order_id=first_id,
        out_refund_no=key(),
        reason="priced again",
        amounts={Payer.CITIZEN: given_back},
    )
    async with transaction(life.city.engine) as (connection, raw):
        booked = await charges.book(
            connection, raw, charges=(), returns=[back], client_id="bus", now=life.clock.now
        )
    assert [one.refusal for one in booked.returns] == [""]
    assert await owed_fen(life, user_id) == owed
    assert await life.balance_fen(user_id) == transit
    (told,) = (await life.city.core.explain(CENTRE, first_id)).refunds
    assert told.amount_fen == given_back
    assert sum(one.amount_fen for one in told.lines[0].transfers) == given_back
    async with transaction(life.city.engine) as (connection, raw):
        again = replace(back, out_refund_no=key(), amounts={Payer.CITIZEN: 101 - given_back})
        refused = await charges.book(
            connection, raw, charges=(), returns=[again], client_id="bus", now=life.clock.now
        )
    assert [one.refusal for one in refused.returns] == ["left_exceeded"]
