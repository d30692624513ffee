"""Paying a credit line back out of one's own purse."""

import asyncio
import itertools
from dataclasses import dataclass
from uuid import UUID

import pytest

from cardcore.account.request import RepaymentRequest
from cardcore.account.views import RepaymentView
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    UserFrozenError,
)
from cardcore.user.people_request import FundAct
from tests.cardcore.account.conftest import Funding
from tests.city_life import CENTRE

_numbers = itertools.count(1)
CREDIT = "parking_arrears"


def key() -> str:
    return f"repay-{next(_numbers)}"


@dataclass
class Owing:
    """Somebody who owes on a credit line."""

    funding: Funding
    user_id: UUID

    async def repay(self, name: str | None = None, **fields: object) -> tuple[RepaymentView, bool]:
        request = RepaymentRequest.model_validate(fields)
        core = self.funding.city.core
        return await core.repay_credit(CENTRE, self.user_id, CREDIT, request, name or key())

    async def top_up(self, amount_fen: int) -> None:
        await self.funding.life.top_up(self.user_id, amount_fen, fund="purse")

    async def balances(self) -> dict[str, int]:
        found = await self.funding.balances(self.user_id)
        return {"purse": found["purse"], CREDIT: found[CREDIT]}


async def owing(funding: Funding, owed_fen: int) -> Owing:
    await funding.shop(scene="parking")
    user_id = await funding.life.person(funds=("purse",), balance_fen=0)
    await funding.credit(user_id, 1_000)
    await funding.buy(user_id, owed_fen, scene="parking")
    return Owing(funding, user_id)


async def test_the_purse_pays_back_what_it_can_and_no_more_than_is_owed(funding: Funding) -> None:
    person = await owing(funding, 600)
    await person.top_up(200)
    paid, _ = await person.repay()
    assert (paid.amount_fen, paid.owed_fen, paid.source) == (200, 400, "purse")
    assert await person.balances() == {"purse": 0, CREDIT: -400}
    await person.top_up(1_000)
    paid, _ = await person.repay(amount_fen=100)
    assert paid.owed_fen == 300
    with pytest.raises(LimitExceededError):
        await person.repay(amount_fen=301)
    paid, _ = await person.repay()
    assert await person.balances() == {"purse": 600, CREDIT: 0}
    await funding.assert_books_are_right()


async def test_a_repeated_repayment_is_answered_and_not_paid_again(funding: Funding) -> None:
    person = await owing(funding, 600)
    await person.top_up(700)
    first = await person.repay("once", amount_fen=200)
    again = await person.repay("once", amount_fen=200)
    assert (again[0], first[1], again[1]) == (first[0], False, True)
    assert await person.balances() == {"purse": 500, CREDIT: -400}


async def test_many_repayments_at_once_never_pay_more_than_is_owed(funding: Funding) -> None:
    person = await owing(funding, 600)
    await person.top_up(1_000)
    tries = await asyncio.gather(
        *(person.repay(amount_fen=250) for _ in range(6)), return_exceptions=True
    )
    paid = [one for one in tries if not isinstance(one, BaseException)]
    assert len(paid) == 2
    assert all(isinstance(one, LimitExceededError) for one in tries if one not in paid)
    assert await person.balances() == {"purse": 500, CREDIT: -100}
    await funding.assert_books_are_right()


async def test_what_cannot_pay_back_is_refused(funding: Funding) -> None:
    person = await owing(funding, 600)
    with pytest.raises(InsufficientBalanceError):
        await person.repay()
    await person.top_up(500)
    with pytest.raises(InsufficientBalanceError):
        await person.repay(amount_fen=501)
    for source in ("transit", CREDIT):
        with pytest.raises(FundUnknownError):
            await person.repay(source=source)
    act = FundAct(reason="legal_order", fund="purse")
    await funding.city.core.freeze_fund(CENTRE, person.user_id, act, key())
    with pytest.raises(UserFrozenError):
        await person.repay()
