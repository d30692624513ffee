"""Funds in the demo city: programmes with money, and what a school sells."""

import itertools
import os
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import pytest

from adapters import demo_city
from adapters.wiring import City
from cardcore.account.duties import FundDuties
from cardcore.account.request import (
    CreditLimitRequest,
    DepositRequest,
    GrantRequest,
    PlanRequest,
    ProgrammeRequest,
    TallyRequest,
)
from cardcore.books import transaction
from cardcore.business.merchants import register_merchant, register_terminal
from cardcore.business.request import Account, Business, Mode, OrderRequest, User
from cardcore.business.views import OrderView
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.caller import Caller
from tests.city_life import ALL_SCOPES, CENTRE, Life
from tests.conftest import CityClock

SHOP = "shop-01"
MEALS = "school_meals"
_numbers = itertools.count(1)


def key() -> str:
    """A fresh idempotency key or number."""
    return f"funds-{next(_numbers)}"


@dataclass
class Funding:
    """What a test does with funds."""

    city: City
    life: Life
    clock: CityClock

    async def shop(
        self, merchant_id: str = SHOP, *, scene: str = "school", name: str = "店"
    ) -> str:
        """A merchant with one terminal of a scene; returns the terminal."""
        terminal_id = f"{merchant_id}-{scene}"
        async with transaction(self.city.engine) as (connection, raw):
            await register_merchant(
                connection,
                raw,
                self.city.book,
                merchant_id=merchant_id,
                name_zh=name,
                name_en=merchant_id,
                now=self.clock.now,
            )
            await register_terminal(
                connection,
                terminal_id=terminal_id,
                merchant_id=merchant_id,
                scene=scene,
                place={},
                now=self.clock.now,
            )
        return terminal_id

    async def buy(
        self,
        user_id: UUID,
        amount_fen: int,
        *,
        scene: str = "school",
        merchant_id: str = SHOP,
        fund: str = "auto",
        mode: Mode = Mode.PAY,
    ) -> OrderView:
        """A purchase at a shop, by the card centre for a user it names."""
        request = OrderRequest(
            user=User(user_id=user_id),
            account=Account(fund=fund),
            business=Business(
                scene=scene,
                type="sale",
                merchant_id=merchant_id,
                terminal_id=f"{merchant_id}-{scene}",
                out_trade_no=key(),
                amount_fen=amount_fen,
                currency="CNY",
                occurred_at=self.clock.now,
                details={},
            ),
            mode=mode,
        )
        order, _ = await self.city.core.order(CENTRE, request, key())
        return order

    async def programme(
        self,
        name: str = MEALS,
        *,
        deposit_fen: int = 100_000,
        days: int = 30,
        scenes: tuple[str, ...] = ("school",),
        merchants: tuple[str, ...] = (),
    ) -> None:
        """A subsidy programme, with money of its payer."""
        today: date = self.clock.now.date()
        request = ProgrammeRequest(
            programme=name,
            name_zh="午餐补贴",
            name_en="School meals",
            payer="education_bureau",
            scenes=list(scenes),
            merchants=list(merchants),
            valid_from=today,
            valid_to=today + timedelta(days=days),
            reason="test",
        )
        await self.city.core.set_programme(CENTRE, request, key())
        if deposit_fen:
            deposit = DepositRequest(amount_fen=deposit_fen, channel="bank", channel_no=key())
            await self.city.core.deposit(CENTRE, name, deposit, key())

    async def grant(self, user_id: UUID, amount_fen: int, name: str = MEALS) -> None:
        """Give a person money of a programme."""
        await self.city.core.grant(
            CENTRE, name, GrantRequest(user_id=user_id, amount_fen=amount_fen), key()
        )

    async def deposit_fen(self, name: str = MEALS) -> int:
        """What a payer has deposited and not granted."""
        return (await self.city.core.read_programme(CENTRE, name)).deposit_fen

    async def return_ended(self) -> int:
        """The worker's duty: return what is left of ended programmes."""
        duties = FundDuties(
            engine=self.city.engine,
            book=self.city.book,
            signer=self.city.hsm,
            random_bytes=os.urandom,
            cut_off=CUT_OFF_DEFAULT,
        )
        return await duties.return_ended(self.clock.now)

    async def plan(self, scene: str, *steps: str) -> int:
        """Give a scene a plan; returns the version."""
        request = PlanRequest(steps=list(steps), reason="test")
        plan, _ = await self.city.core.set_funding_plan(CENTRE, scene, request, key())
        return plan.version

    async def credit(self, user_id: UUID, limit_fen: int, fund: str = "parking_arrears") -> None:
        """Set the limit of a credit line."""
        request = CreditLimitRequest(limit_fen=limit_fen, reason="test")
        await self.city.core.set_credit_limit(CENTRE, user_id, fund, request, key())

    async def give(self, user_id: UUID, quantity: int, fund: str = "rides") -> None:
        """Give counts."""
        request = TallyRequest(quantity=quantity, reason="test")
        await self.city.core.give_tally(CENTRE, user_id, fund, request, key())

    async def use(self, user_id: UUID, quantity: int, fund: str = "rides") -> None:
        """Use counts."""
        request = TallyRequest(quantity=quantity, reason="test")
        await self.city.core.use_tally(CENTRE, user_id, fund, request, key())

    async def tallies(self, user_id: UUID) -> dict[str, int]:
        """Counts by fund."""
        found = await self.city.core.tallies(CENTRE, user_id)
        return {one.fund: one.quantity for one in found.tallies}

    async def balances(self, user_id: UUID) -> dict[str, int]:
        """Balance by fund, in fen."""
        user = await self.city.core.read_user(CENTRE, user_id)
        return {one.fund: one.balance_fen for one in user.funds}

    async def assert_books_are_right(self) -> None:
        """Trial balance and custody difference are zero."""
        books = await self.city.core.books(CENTRE)
        assert (books.trial_balance_fen, books.custody_difference_fen) == (0, 0)


NO_SCOPES = Caller(
    client_id="nobody", merchant_id=None, scopes=ALL_SCOPES - {"funds:admin", "users:read"}
)
BUS = demo_city.BUS_MERCHANT


@pytest.fixture
def funding(city: City, life: Life, city_clock: CityClock) -> Funding:
    """Funds in a city of this test's own."""
    return Funding(city, life, city_clock)
