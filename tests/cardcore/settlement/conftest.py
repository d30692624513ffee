"""A demo city that settles: its worker's duties, and a custodian bank that is simulated."""

import itertools
import os
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from adapters.partners.custodian_bank import SimulatedBank
from adapters.wiring import City
from cardcore.account.chart import CUSTODY, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.custody import read_custody
from cardcore.books import transaction
from cardcore.business.request import RefundRequest
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.connections import RawConnection
from cardcore.settlement.duties import SettlementDuties
from cardcore.settlement.files import Files
from cardcore.settlement.payouts import Payouts
from cardcore.settlement.request import (
    CloseWindow,
    SetSettlementPayee,
    SetSettlementTariff,
)
from cardcore.settlement.service import Settlement
from cardcore.settlement.states import WindowState
from cardcore.settlement.tariffs import set_payee, set_tariff
from cardcore.settlement.views import StatementView, WindowView
from cardcore.settlement.windows import Windows
from ledger import Transfer
from ledger.verify import verify
from tests.cardcore.account.conftest import SHOP, Funding
from tests.city_life import CENTRE, Life
from tests.conftest import CityClock

BUS = demo_city.BUS_MERCHANT
CLOSING = CloseWindow(purpose="test")
ACCOUNT = "6222 0210 0100 0042"
RATE = {"tiers": [{"from_fen": 0, "per_million": 6_000}]}


class House(Funding):
    """A city, its settlement and its bank."""

    bank: SimulatedBank
    duties: SettlementDuties
    payouts: Payouts
    files: Files
    windows: Windows
    desk: Settlement
    user_id: UUID

    async def buy_for(self, amount_fen: int, merchant_id: str = SHOP) -> UUID:
        """A purchase of the one customer; returns the order."""
        return (await self.buy(self.user_id, amount_fen, merchant_id=merchant_id)).order_id

    async def give_back(self, order_id: UUID, amount_fen: int) -> None:
        """A refund."""
        number = f"R{next(_numbers)}"
        request = RefundRequest(out_refund_no=number, amount_fen=amount_fen, reason="test")
        await self.city.core.refund(CENTRE, order_id, request, number)

    async def close(self) -> WindowView:
        """Close the open window."""
        return await self.desk.close_window(CENTRE, CLOSING)

    async def settle(self, **later: float) -> WindowView:
        """Close the window and do a round of the worker; the window as it stands then."""
        closed = await self.close()
        self.clock.advance(**later or {"seconds": 1})
        await self.work()
        return await self.window(closed.number)

    async def work(self, **later: float) -> None:
        """A round of booking and paying, without closing by the calendar."""
        self.clock.advance(**later)
        await self.duties.book_due(self.clock.now)
        await self.payouts.pay_due(self.clock.now)

    async def window(self, number: int) -> WindowView:
        """A window as it stands."""
        return (await self.desk.statements(CENTRE, number)).window

    async def statement(self, number: int, merchant_id: str = SHOP) -> StatementView:
        """A merchant's statement."""
        return await self.desk.statement(CENTRE, merchant_id, number)

    async def tariff(self, *rates: dict[str, Any]) -> None:
        """Decide a tariff."""
        content = SetSettlementTariff.model_validate(
            {"kind": "set_settlement_tariff", "rates": list(rates)}
        )
        async with transaction(self.city.engine) as (_, raw):
            await set_tariff(
                raw, content, proposal_id=_proposal(), by="operator:li.na", now=self.clock.now
            )

    async def payee(self, merchant_id: str = SHOP, payee: str = ACCOUNT) -> None:
        """Decide where a merchant is paid."""
        content = SetSettlementPayee(
            kind="set_settlement_payee", merchant_id=merchant_id, payee=payee
        )
        async with transaction(self.city.engine) as (_, raw):
            await set_payee(
                raw, content, proposal_id=_proposal(), by="operator:li.na", now=self.clock.now
            )

    async def payable_fen(self, merchant_id: str = SHOP) -> tuple[int, int]:
        """What a merchant's payable holds, and what of it is held for the bank."""
        async with transaction(self.city.engine) as (_, raw):
            found = await raw.execute(
                "SELECT payable_id FROM cardcore.merchant WHERE merchant_id = %s", (merchant_id,)
            )
            row = await found.fetchone()
            assert row is not None
            (one,) = await self.city.book.lookup_accounts([row[0].int], connection=raw)
        return one.credits_posted - one.debits_posted, one.debits_pending

    async def bank_moved(self) -> list[int]:
        """What the bank has paid out, in fen."""
        async with self.city.pool.connection() as connection:
            found = await connection.execute(
                "SELECT amount_fen FROM bank_simulator.movement WHERE direction = 'out'"
                " ORDER BY number"
            )
            return [row[0] for row in await found.fetchall()]

    async def drain(self) -> int:
        """Move all the bank holds away, behind our back; returns how much that was."""
        async with transaction(self.city.engine) as (_, raw):
            (one,) = await self.city.book.lookup_accounts([CUSTODY.int], connection=raw)
            held_fen = one.debits_posted - one.credits_posted
            await self._adjust(raw, SUSPENSE, CUSTODY, held_fen)
        return held_fen

    async def refill(self, amount_fen: int) -> None:
        """Bring it back."""
        async with transaction(self.city.engine) as (_, raw):
            await self._adjust(raw, CUSTODY, SUSPENSE, amount_fen)

    async def _adjust(self, raw: RawConnection, debit: UUID, credit: UUID, fen: int) -> None:
        (result,) = await self.city.book.create_transfers(
            [
                Transfer(
                    id=uuid4().int,
                    debit_account_id=debit.int,
                    credit_account_id=credit.int,
                    amount=fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.ADJUSTMENT,
                )
            ],
            connection=raw,
        )
        assert result == "created"

    async def assert_covered(self) -> None:
        """The books are right, and the bank holds what it must cover."""
        await self.assert_books_are_right()
        async with transaction(self.city.engine) as (_, raw):
            found = await read_custody(raw, date.max)
        assert found.ok, found
        assert not await verify(self.city.book)


_numbers = itertools.count(1)


def _proposal() -> UUID:
    return UUID(int=next(_numbers))


def ended(view: WindowView) -> WindowState:
    """How a window ended."""
    assert view.ended_at is not None, view
    return view.state


async def opened_house(city: City, life: Life, clock: CityClock) -> House:
    """A city with a shop, a rich customer, a bank, and the worker's duties."""
    opened = House(city, life, clock)
    opened.bank = SimulatedBank(city.pool, clock)
    await opened.bank.prepare()
    opened.duties = SettlementDuties(
        engine=city.engine,
        book=city.book,
        bank=opened.bank,
        signer=city.hsm,
        random_bytes=os.urandom,
        cut_off=CUT_OFF_DEFAULT,
    )
    opened.payouts = Payouts(city.engine, city.book, opened.bank)
    opened.files = Files(city.engine, city.hsm)
    opened.windows = Windows(city.book, os.urandom)
    opened.desk = city.core.platform.settlement
    await opened.shop()
    opened.user_id = await life.person(funds=("purse",), balance_fen=200_000)
    return opened


@pytest.fixture
async def house(city: City, city_clock: CityClock) -> House:
    """A house in a city of this test's own."""
    return await opened_house(city, Life(city, city_clock), city_clock)
