"""Payouts: paid once, whatever the bank does and whenever we die."""

import asyncio

import pytest
from typing_extensions import override

from adapters.partners.custodian_bank import Behaviour
from cardcore.account.channel import ChannelAnswer, ChannelState
from cardcore.books import transaction
from cardcore.settlement.booking import book_some
from cardcore.settlement.payouts import Payouts
from cardcore.settlement.states import PayoutState, WindowState
from tests.cardcore.settlement.conftest import House


async def settled(house: House, behaviour: Behaviour, amount_fen: int = 1_000) -> int:
    """A window with one payout that the bank treats so; its number."""
    await house.payee()
    await house.buy_for(amount_fen)
    house.bank.behaviour = behaviour
    return (await house.settle()).number


async def payout_state(house: House, number: int) -> PayoutState:
    payout = (await house.statement(number)).payout
    assert payout is not None
    return payout.state


@pytest.mark.parametrize("behaviour", [Behaviour.SILENT_AFTER, Behaviour.SILENT_BEFORE])
async def test_a_silent_bank_is_asked_and_the_money_moves_once(
    house: House, behaviour: Behaviour
) -> None:
    """Why: it may have paid and its answer was lost; it may never have heard of it."""
    number = await settled(house, behaviour)
    assert await payout_state(house, number) is PayoutState.HELD
    assert await house.payable_fen() == (1_000, 1_000)
    assert (await house.window(number)).state is WindowState.PROCESSING
    house.bank.behaviour = Behaviour.PAY
    await house.work(seconds=30)
    assert house.bank.told == 1
    await house.work(seconds=60)
    assert await payout_state(house, number) is PayoutState.PAID
    assert house.bank.told == (1 if behaviour is Behaviour.SILENT_AFTER else 2)
    assert await house.bank_moved() == [1_000]
    assert (await house.window(number)).state is WindowState.SETTLED
    await house.assert_covered()


async def test_a_bank_that_answers_late_is_asked_until_it_does(house: House) -> None:
    number = await settled(house, Behaviour.LATER)
    for _ in range(3):
        await house.work(seconds=90)
    assert (house.bank.told, await payout_state(house, number)) == (1, PayoutState.HELD)
    statement = await house.statement(number)
    await house.bank.settle(str(statement.statement_id))
    await house.work(seconds=90)
    assert await payout_state(house, number) is PayoutState.PAID
    assert await house.bank_moved() == [1_000]


async def test_refused_money_is_paid_with_the_next_window(house: House) -> None:
    """Why: the account may be closed; the merchant's money is not lost by it."""
    number = await settled(house, Behaviour.REFUSE)
    window = await house.window(number)
    assert window.state is WindowState.FAILED
    assert await house.payable_fen() == (1_000, 0)
    house.bank.behaviour = Behaviour.PAY
    await house.payee(payee="6222 0210 0100 0043")
    following = await house.settle()
    view = await house.statement(following.number)
    assert (view.carried_in_fen, view.payout_fen) == (1_000, 1_000)
    assert await house.bank_moved() == [1_000]
    await house.assert_covered()


async def test_other_windows_go_on_while_one_payout_is_unknown(house: House) -> None:
    first = await settled(house, Behaviour.LATER)
    house.bank.behaviour = Behaviour.PAY
    await house.buy_for(500)
    second = await house.settle()
    assert second.state is WindowState.SETTLED
    assert (await house.window(first)).state is WindowState.PROCESSING
    view = await house.statement(second.number)
    assert (view.carried_in_fen, view.payout_fen) == (0, 500)
    assert await house.payable_fen() == (1_000, 1_000)


async def test_many_rounds_at_once_tell_the_bank_once(house: House) -> None:
    await house.payee()
    await house.buy_for(1_000)
    await house.close()
    await house.duties.book_due(house.clock.now)
    await asyncio.gather(*(house.payouts.pay_due(house.clock.now) for _ in range(5)))
    assert house.bank.told == 1
    assert await house.bank_moved() == [1_000]
    await house.assert_covered()


async def test_booking_and_paying_one_window_do_not_wait_for_each_other(house: House) -> None:
    """Why: both need the window and the ledger; taken in two orders they would wait for ever.

    How: statements are booked one at a time while those that are booked are paid.
    """
    shops = [f"shop-{number}" for number in range(10, 22)]
    for shop in shops:
        await house.shop(shop)
        await house.payee(shop)
        await house.buy_for(1_000, shop)
    await house.close()
    city, now = house.city, house.clock.now
    async with transaction(city.engine) as (_, raw):
        await house.windows.compute(raw, 1, now)

    async def book() -> None:
        booked = 1
        while booked:
            async with transaction(city.engine) as (_, raw):
                booked = await book_some(raw, city.book, 1, now, at_once=1)

    async def pay() -> None:
        for _ in range(2 * len(shops)):
            await house.payouts.pay_due(now)

    await asyncio.gather(book(), pay(), pay())
    await house.work(seconds=90)
    assert await house.bank_moved() == [1_000] * len(shops)
    assert (await house.window(1)).state is WindowState.SETTLED
    await house.assert_covered()


async def test_without_a_bank_payouts_wait(house: House) -> None:
    await house.payee()
    await house.buy_for(1_000)
    await house.close()
    await house.duties.book_due(house.clock.now)
    without = Payouts(house.city.engine, house.city.book, None)
    assert await without.pay_due(house.clock.now) == 0
    assert await house.payable_fen() == (1_000, 1_000)


class DeadError(Exception):
    """The process has died here."""


class Dying(Payouts):
    """Dies when the bank has answered."""

    @override
    async def resolve(self, payout_id: object, answer: ChannelAnswer, now: object) -> None:
        raise DeadError


async def test_who_dies_after_the_bank_has_paid_finds_it_out(house: House) -> None:
    """Why: between the bank's answer and our row there is no transaction."""
    await house.payee()
    await house.buy_for(1_000)
    closed = await house.close()
    await house.duties.book_due(house.clock.now)
    dying = Dying(house.city.engine, house.city.book, house.bank)
    with pytest.raises(DeadError):
        await dying.pay_due(house.clock.now)
    assert await house.bank_moved() == [1_000]
    assert await payout_state(house, closed.number) is PayoutState.HELD
    await house.work(seconds=61)
    assert house.bank.told == 1
    assert await payout_state(house, closed.number) is PayoutState.PAID
    assert await house.bank_moved() == [1_000]
    await house.assert_covered()


@pytest.mark.parametrize("step", ["close", "compute", "book"])
async def test_who_dies_before_a_commit_leaves_nothing_and_the_next_goes_on(
    house: House, step: str
) -> None:
    """How: the step is done in a transaction that is rolled back, then by the worker."""
    await house.tariff({"tiers": [{"from_fen": 0, "per_million": 10_000}]})
    await house.payee()
    await house.buy_for(1_000)
    now, city = house.clock.now, house.city
    if step != "close":
        await house.close()
    if step == "book":
        async with transaction(city.engine) as (_, raw):
            await house.windows.compute(raw, 1, now)

    async def die() -> None:
        async with transaction(city.engine) as (_, raw):
            if step == "close":
                await house.windows.close(raw, on=now.date(), by="worker", now=now)
            elif step == "compute":
                assert await house.windows.compute(raw, 1, now) == 1
            else:
                assert await book_some(raw, city.book, 1, now) == 1
            raise DeadError

    with pytest.raises(DeadError):
        await die()
    assert await house.payable_fen() == (1_000, 0)
    if step == "close":
        await house.close()
    await house.work()
    view = await house.statement(1)
    assert (view.fee_taken_fen, view.payout_fen) == (10, 990)
    assert await house.bank_moved() == [990]
    await house.work(seconds=90)
    assert await house.bank_moved() == [990]
    await house.assert_covered()


async def test_a_bank_that_changes_its_word_changes_nothing(house: House) -> None:
    number = await settled(house, Behaviour.PAY)
    statement = await house.statement(number)
    refused = ChannelAnswer(state=ChannelState.REFUSED, reason="account_closed")
    await house.payouts.resolve(statement.statement_id, refused, house.clock.now)
    assert await payout_state(house, number) is PayoutState.PAID
    assert await house.payable_fen() == (0, 0)
    await house.assert_covered()
