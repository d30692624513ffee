"""From postings to money at the bank: windows, statements, fees, payouts, receipts."""

import asyncio
import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.account.chart import account_id
from cardcore.books import transaction
from cardcore.business.request import CaptureRequest, Mode
from cardcore.errors import ForbiddenError, MerchantUnknownError, OrderConflictError
from cardcore.settlement.errors import ReceiptExceedsError, WindowStateError, WindowUnknownError
from cardcore.settlement.net import Figures, due_fen
from cardcore.settlement.request import FileQuery, ReceiptRequest, WindowsQuery
from cardcore.settlement.states import WINDOW_STEPS, PayoutState, WindowState, end_of
from cardcore.settlement.views import StatementView
from cardcore.settlement.windows import abort_window
from tests.cardcore.account.conftest import SHOP, key
from tests.cardcore.settlement.conftest import BUS, RATE, House, ended
from tests.city_life import BUS_OFFICE, CENTRE

fen = st.integers(-(10**9), 10**9)


@given(carried=fen, business=fen, fee=fen, shares=fen)
def test_what_is_due_is_the_sum_of_its_parts(
    carried: int, business: int, fee: int, shares: int
) -> None:
    due = due_fen(carried_in_fen=carried, business_fen=business, fee_fen=fee, shares_fen=shares)
    assert due + fee == carried + business + shares


def test_every_state_of_a_window_leads_on_or_is_an_end() -> None:
    ends = {state for state, steps in WINDOW_STEPS.items() if not steps}
    assert ends == {WindowState.SETTLED, WindowState.FAILED, WindowState.ABORTED}
    assert set(WINDOW_STEPS) == set(WindowState)


@pytest.mark.parametrize(
    ("payouts", "end"),
    [
        ({}, WindowState.SETTLED),
        ({PayoutState.PAID: 3}, WindowState.SETTLED),
        ({PayoutState.PAID: 3, PayoutState.HELD: 1}, None),
        ({PayoutState.PAID: 3, PayoutState.REFUSED: 1}, WindowState.FAILED),
        ({PayoutState.HELD: 1, PayoutState.REFUSED: 1}, None),
    ],
)
def test_how_a_window_ends(payouts: dict[PayoutState, int], end: WindowState | None) -> None:
    assert end_of(payouts) is end


async def test_a_days_business_is_paid_less_the_fee(house: House) -> None:
    await house.tariff({"merchant_id": SHOP, "scene": "school"} | RATE)
    await house.payee()
    order = await house.buy_for(10_000)
    await house.buy_for(1_042)
    await house.give_back(order, 2_000)
    window = await house.settle()
    assert ended(window) is WindowState.SETTLED
    view = await house.statement(window.number)
    # 6 per mille of 9,042 fen is 54.252.
    assert (view.gross_fen, view.refunds_fen, view.fee_fen, view.fee_taken_fen) == (
        11_042,
        2_000,
        54,
        54,
    )
    assert (view.payout_fen, view.carried_out_fen) == (8_988, 0)
    assert view.payout is not None
    assert view.payout.state is PayoutState.PAID
    assert [
        (one.scene, one.taken_fen, one.returned_fen, one.fee_fen) for one in view.turnovers
    ] == [("school", 11_042, 2_000, 54)]
    assert await house.bank_moved() == [8_988]
    assert await house.payable_fen() == (0, 0)
    await house.assert_covered()


async def test_captures_are_business_and_holds_are_not(house: House) -> None:
    """Why: what is held is not the merchant's yet."""
    held = await house.buy(house.user_id, 700, mode=Mode.HOLD)
    window = await house.settle()
    with pytest.raises(WindowUnknownError):
        await house.statement(window.number)
    await house.city.core.capture(CENTRE, held.order_id, CaptureRequest(), key())
    view = await house.statement((await house.settle()).number)
    assert (view.gross_fen, view.adjustments_fen, view.carried_out_fen) == (700, 0, 700)
    assert view.held_back == "no_payee"


async def test_money_without_a_payee_is_carried_until_there_is_one(house: House) -> None:
    await house.buy_for(1_000)
    first = await house.settle()
    assert (await house.statement(first.number)).held_back == "no_payee"
    await house.payee()
    second = await house.statement((await house.settle()).number)
    assert (second.carried_in_fen, second.gross_fen, second.payout_fen) == (1_000, 0, 1_000)
    # The payout itself is a posting, and lies in the window that was open when it was booked.
    third = await house.statement((await house.settle()).number)
    assert (third.postings, third.carried_in_fen, third.held_back) == (1, 0, "nothing_due")
    await house.assert_covered()


async def test_what_is_given_back_after_the_cut_lowers_what_is_paid(house: House) -> None:
    """Why: the payable never goes below zero, and nothing is paid twice or forgotten."""
    await house.payee()
    order = await house.buy_for(1_000)
    closed = await house.close()
    await house.give_back(order, 400)
    await house.work()
    view = await house.statement(closed.number)
    assert (view.payout_fen, view.carried_out_fen) == (600, 400)
    following = await house.statement((await house.settle()).number)
    assert (following.carried_in_fen, following.refunds_fen, following.payout_fen) == (400, 400, 0)
    assert following.held_back == "nothing_due"
    assert await house.payable_fen() == (0, 0)
    await house.assert_covered()


async def test_a_fee_that_cannot_be_taken_is_owed(house: House) -> None:
    await house.tariff({"min_fen": 500} | RATE)
    order = await house.buy_for(1_000)
    closed = await house.close()
    await house.give_back(order, 900)
    await house.work()
    view = await house.statement(closed.number)
    assert (view.fee_fen, view.fee_taken_fen) == (500, 100)
    await house.buy_for(2_000)
    following = await house.statement((await house.settle()).number)
    assert (following.fee_fen, following.fee_owed_fen, following.fee_taken_fen) == (500, 900, 900)
    await house.assert_covered()


async def test_no_fee_is_taken_where_there_is_nothing(house: House) -> None:
    await house.tariff({"min_fen": 500} | RATE)
    order = await house.buy_for(1_000)
    closed = await house.close()
    await house.give_back(order, 1_000)
    await house.work()
    view = await house.statement(closed.number)
    assert (view.fee_owed_fen, view.fee_taken_fen, view.carried_out_fen) == (500, 0, 1_000)
    following = await house.statement((await house.settle()).number)
    assert (following.fee_owed_fen, following.carried_out_fen) == (500, 0)


async def test_an_aborted_window_is_settled_by_the_next(house: House) -> None:
    await house.payee()
    await house.buy_for(300)
    given_up = await house.close()
    async with transaction(house.city.engine) as (_, raw):
        await abort_window(raw, given_up.number, house.clock.now)
    await house.buy_for(400)
    window = await house.settle()
    assert (await house.statement(window.number)).gross_fen == 700
    assert (await house.window(given_up.number)).settled_in == window.number
    async with transaction(house.city.engine) as (_, raw):
        with pytest.raises(WindowStateError):
            await abort_window(raw, window.number, house.clock.now)
        with pytest.raises(WindowUnknownError):
            await abort_window(raw, 99, house.clock.now)
    assert await house.bank_moved() == [700]
    await house.assert_covered()


async def test_the_workers_rounds_do_all_of_it_from_the_cut_off_to_the_file(house: House) -> None:
    """How: the duty is called every ten minutes of a night, by two workers at once."""
    await house.tariff(RATE)
    await house.payee()
    await house.buy_for(10_000)
    house.clock.advance(hours=18)
    for _ in range(12):
        house.clock.advance(minutes=10)
        await asyncio.gather(*(house.duties.settle_due(house.clock.now) for _ in range(2)))
    ended = [
        one for one in (await house.desk.windows(CENTRE, WindowsQuery())).windows if one.ended_at
    ]
    # The first round of an installation closes what was booked before it; then each cut-off one.
    assert [(one.number, one.state, one.closed_by) for one in ended] == [
        (2, WindowState.SETTLED, "worker"),
        (1, WindowState.SETTLED, "worker"),
    ]
    paid = [await house.statement(one.number) for one in ended[-1:]]
    assert [(one.fee_taken_fen, one.payout_fen) for one in paid] == [(60, 9_940)]
    file = await house.desk.files.read(CENTRE, SHOP, ended[-1].number, FileQuery())
    assert "payout=paid\n" in file.head
    assert (house.bank.told, await house.bank_moved()) == (1, [9_940])
    await house.assert_covered()


async def test_a_window_waits_for_one_before_it_that_may_still_be_given_up(house: House) -> None:
    """Why: the next window settles what an aborted one held; it must know that it is aborted."""
    await house.payee()
    await house.buy_for(300)
    await house.duties.close_due(house.clock.now)
    await house.buy_for(400)
    second = await house.settle()
    assert second.state is WindowState.CLOSED
    async with transaction(house.city.engine) as (_, raw):
        await abort_window(raw, second.number - 1, house.clock.now)
    await house.work()
    assert (await house.statement(second.number)).payout_fen == 700


async def test_row_37_windows_close_at_the_cut_off_once_by_any_worker(house: House) -> None:
    """Why: what is booked lies on one side, whoever closes and how often.

    How: two workers at once, again the same night, and the night after.
    """
    await house.buy_for(100)
    now = house.clock.now
    assert sum(await asyncio.gather(*(house.duties.close_due(now) for _ in range(3)))) == 1
    house.clock.advance(hours=18)
    assert await house.duties.close_due(house.clock.now) == 0
    await house.buy_for(200)
    house.clock.advance(hours=6)
    assert await house.duties.close_due(house.clock.now) == 1
    await house.duties.book_due(house.clock.now)
    # What was closed by itself may be looked at, and given up, for half an hour.
    assert (await house.window(2)).state is WindowState.CLOSED
    house.clock.advance(minutes=30)
    await house.duties.book_due(house.clock.now)
    views = (await house.desk.windows(CENTRE, WindowsQuery())).windows
    assert [(one.number, one.state) for one in views] == [
        (3, WindowState.OPEN),
        (2, WindowState.SETTLED),
        (1, WindowState.SETTLED),
    ]
    assert [str(one.business_on) for one in views[1:]] == ["2026-06-01", "2026-05-31"]
    assert [(await house.statement(n)).gross_fen for n in (1, 2)] == [100, 200]


async def test_every_posting_lies_in_exactly_one_window_under_concurrent_writers(
    house: House,
) -> None:
    """How: buyers pay and get back while windows are closed and booked between them."""
    orders: list[UUID] = []

    async def shop() -> None:
        for amount in range(1, 13):
            orders.append(await house.buy_for(100 + amount))
            if amount % 4 == 0:
                await house.give_back(orders.pop(), 50)

    async def cut() -> None:
        for _ in range(6):
            await house.close()
            await house.duties.book_due(house.clock.now)

    await asyncio.gather(shop(), shop(), shop(), cut(), cut())
    await house.settle()
    async with house.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT sum(gross_fen - refunds_fen), sum(postings) FROM cardcore.settlement_statement"
            " WHERE merchant_id = %s",
            (SHOP,),
        )
        net_fen, postings = await found.fetchone() or (0, 0)
        found = await connection.execute(
            "SELECT count(*) FROM ledger.transfer t JOIN ledger.account a"
            " ON a.number IN (t.debit_account, t.credit_account) WHERE a.id = %s",
            (account_id(f"payable:{SHOP}"),),
        )
        (booked,) = await found.fetchone() or (0,)
    assert net_fen == 3 * (sum(range(101, 113)) - 3 * 50)
    assert postings == booked == 3 * 15
    assert (await house.payable_fen())[0] == net_fen
    await house.assert_covered()


async def test_row_37_ranges_of_windows_touch_and_never_overlap(house: House) -> None:
    """Why: the table is the second judge of it."""
    for amount in (1, 2, 3):
        await house.buy_for(amount)
        await house.close()
    async with house.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT count(*) FROM (SELECT after, lag(through, 1, 0::bigint) OVER"
            " (PARTITION BY shard ORDER BY number) AS before FROM cardcore.settlement_cut) x"
            " WHERE after <> before"
        )
        assert await found.fetchone() == (0,)
    with pytest.raises(Exception, match="settlement_cut_no_overlap"):
        async with house.city.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO cardcore.settlement_cut SELECT 4, shard, after, through"
                " FROM cardcore.settlement_cut WHERE number = 1 AND through > after"
            )


async def subsidised(house: House, fen: int) -> None:
    """A ride of a senior citizen: the finance bureau owes the bus all of it."""
    senior = await house.life.person(concession="senior_65", balance_fen=0)
    for _ in range(fen // 100):
        order = await house.life.pay(senior)
        assert order.nominal_fen == 100


def receipt(amount_fen: int, no: str = "R1") -> ReceiptRequest:
    return ReceiptRequest(payer="finance_bureau", amount_fen=amount_fen, bank_no=no)


async def test_a_subsidy_is_paid_out_when_its_payer_has_paid(house: House) -> None:
    await house.payee(BUS)
    await subsidised(house, 500)
    first = await house.statement((await house.settle()).number, BUS)
    assert (first.subsidies_fen, first.gross_fen, first.payout_fen) == (500, 0, 0)
    taken, again = await house.desk.take_receipt(CENTRE, receipt(300), "receipt-1")
    assert (taken.merchants, again) == ({BUS: 300}, False)
    assert await house.desk.take_receipt(CENTRE, receipt(300), "receipt-1") == (taken, True)
    second = await house.statement((await house.settle()).number, BUS)
    assert (second.cleared_fen, second.subsidies_fen, second.payout_fen) == (300, 0, 300)
    with pytest.raises(ReceiptExceedsError) as refused:
        await house.desk.take_receipt(CENTRE, receipt(201, "R2"), "receipt-2")
    assert refused.value.facts == {"owed_fen": 200}
    with pytest.raises(OrderConflictError):
        await house.desk.take_receipt(CENTRE, receipt(200), "receipt-3")
    await house.desk.take_receipt(CENTRE, receipt(200, "R3"), "receipt-4")
    assert (await house.statement((await house.settle()).number, BUS)).payout_fen == 200
    assert await house.bank_moved() == [300, 200]
    await house.assert_covered()


async def test_receipts_and_closing_are_the_centres(house: House) -> None:
    with pytest.raises(ForbiddenError):
        await house.desk.take_receipt(BUS_OFFICE, receipt(1), "receipt-1")
    window = await house.settle()
    with pytest.raises(MerchantUnknownError):
        await house.desk.statement(BUS_OFFICE, SHOP, window.number)
    with pytest.raises(MerchantUnknownError):
        await house.desk.payee(BUS_OFFICE, SHOP)
    await house.buy_for(100)
    window = await house.settle()
    assert (await house.desk.statements(BUS_OFFICE, window.number)).statements == []


async def test_custody_that_is_short_pays_nothing_and_fails_the_window(house: House) -> None:
    """How: what the bank holds is moved away behind our back, so that it does not reach."""
    await house.payee()
    await house.buy_for(1_000)
    drained = await house.drain()
    window = await house.settle()
    assert ended(window) is WindowState.FAILED
    assert (await house.statement(window.number)).held_back == "custody_short"
    await house.refill(drained)
    view = await house.statement((await house.settle()).number)
    assert (view.carried_in_fen, view.payout_fen) == (1_000, 1_000)
    await house.assert_covered()


def law(view: StatementView) -> bool:
    """The law of a statement that is booked."""
    figures = Figures(
        gross_fen=view.gross_fen,
        refunds_fen=view.refunds_fen,
        arrears_fen=view.arrears_fen,
        cleared_fen=view.cleared_fen,
        disputes_fen=view.disputes_fen,
        adjustments_fen=view.adjustments_fen,
    )
    assert view.payout_fen is not None
    assert view.carried_out_fen is not None
    assert view.fee_taken_fen is not None
    return view.payout_fen + view.carried_out_fen == (
        view.carried_in_fen + figures.business_fen - view.fee_taken_fen + view.shares_fen
    )


async def test_whatever_happens_the_payable_is_what_statements_say(house: House) -> None:
    """Law: payable = carried out + business behind the cut; what left it was paid or is a fee.

    How: random days in one city, one after the other, each ended by a window.
    """
    await house.tariff({"min_fen": 7, "max_fen": 20} | RATE)
    await house.payee()
    dice = random.Random(20261201)
    verbs = ["buy", "buy", "buy", "refund", "close", "work"]
    days = [
        [(dice.choice(verbs), dice.randint(1, 900)) for _ in range(dice.randint(0, 14))]
        for _ in range(8)
    ]
    orders: list[tuple[UUID, int]] = []
    for day in days:
        for step, amount in day:
            if step == "buy":
                orders.append((await house.buy_for(amount), amount))
            elif step == "refund" and orders:
                order, most = orders.pop()
                if (await house.payable_fen())[0] - (await house.payable_fen())[1] >= most:
                    await house.give_back(order, min(amount, most))
            elif step == "close":
                await house.close()
            elif step == "work":
                await house.work(seconds=90)
        window = await house.settle(seconds=90)
        await house.work(seconds=90)
        found = [
            one
            for number in range(1, window.number + 1)
            for one in (await house.desk.statements(CENTRE, number)).statements
            if one.merchant_id == SHOP
        ]
        assert all(map(law, found))
        if found:
            payable, held = await house.payable_fen()
            assert payable - held == found[-1].carried_out_fen
        paid = sum(one.payout_fen or 0 for one in found)
        assert sum(await house.bank_moved()) == paid
    await house.assert_covered()
