"""Charges booked late: what is refused waits and leaves nothing, what goes back finds its way."""

import os
from collections.abc import Sequence
from datetime import date
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters import demo_city
from adapters.wiring import City
from cardcore.account.chart import CUSTODY, LEDGER_CNY, TransferCode, account_id
from cardcore.account.funding_policy import FundingPlans, read_policy
from cardcore.books import transaction
from cardcore.business.quote import Payer, QuoteLine
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.charges.charge import Charge, GiveBack
from cardcore.charges.writer import Booked, ChargeWriter
from ledger import Transfer
from tests.city_life import Life
from tests.conftest import CityClock

ON = date(2026, 6, 1)


class Desk:
    """Books on a running city, each call a transaction of its own."""

    def __init__(self, city: City, clock: CityClock) -> None:
        self.city, self.clock = city, clock
        self.life = Life(city, clock)

    def charge(self, user_id: UUID, citizen_fen: int, subsidy_fen: int = 0) -> Charge:
        parts = ((Payer.CITIZEN, citizen_fen), (Payer.FINANCE_BUREAU, subsidy_fen))
        return Charge(
            user_id=user_id,
            merchant_id=demo_city.BUS_MERCHANT,
            terminal_id=demo_city.BUS_TERMINAL,
            scene="bus",
            type="rides",
            out_trade_no=f"B-{uuid4().hex}",
            business_on=ON,
            occurred_at=self.clock.now,
            lines=tuple(
                QuoteLine(
                    payer=payer,
                    amount_fen=fen,
                    rule_id="rides",
                    rule_version="1",
                    reason_zh="乘车",
                    reason_en="rides",
                )
                for payer, fen in parts
                if fen
            ),
        )

    async def book(
        self, charges: Sequence[Charge] = (), returns: Sequence[GiveBack] = ()
    ) -> Booked:
        async with self.city.pool.connection() as raw:
            plans = FundingPlans(await read_policy(raw))
        writer = ChargeWriter(
            book=self.city.book,
            plans=plans,
            random_bytes=os.urandom,
            cut_off=CUT_OFF_DEFAULT,
        )
        async with transaction(self.city.engine) as (connection, raw):
            return await writer.book(
                connection,
                raw,
                charges=charges,
                returns=returns,
                client_id="worker",
                now=self.clock.now,
            )

    async def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        async with self.city.pool.connection() as raw:
            return await (await raw.execute(sql.encode(), values)).fetchall()

    async def charged(self, user_id: UUID, citizen_fen: int, subsidy_fen: int = 0) -> UUID:
        [result] = (await self.book([self.charge(user_id, citizen_fen, subsidy_fen)])).charges
        assert result.effect_id is not None
        return result.effect_id


@pytest.fixture
def desk(city: City, city_clock: CityClock) -> Desk:
    return Desk(city, city_clock)


def back(order_id: UUID, **fen: int) -> GiveBack:
    return GiveBack(
        order_id=order_id,
        out_refund_no=f"BR-{uuid4().hex}",
        reason="repriced",
        amounts={Payer(payer): amount for payer, amount in fen.items()},
    )


async def test_each_payer_gets_back_of_its_own_lines(desk: Desk) -> None:
    order_id = await desk.charged(await desk.life.person(), 300, 200)
    [first, second] = (
        await desk.book(
            returns=[
                back(order_id, citizen=100, finance_bureau=200),
                back(order_id, citizen=201),
            ]
        )
    ).returns
    assert first.effect_id is not None
    assert (second.effect_id, second.refusal) == (None, "left_exceeded")
    assert await desk.rows(
        "SELECT status, refunded_fen FROM cardcore.business_order WHERE order_id = %s", order_id
    ) == [("captured", 300)]
    [rest] = (await desk.book(returns=[back(order_id, citizen=200)])).returns
    assert rest.effect_id is not None
    assert await desk.rows(
        "SELECT status FROM cardcore.business_order WHERE order_id = %s", order_id
    ) == [("refunded",)]


async def test_what_was_settled_already_does_not_go_back(desk: Desk) -> None:
    order_id = await desk.charged(await desk.life.person(), 300)
    payable = account_id(f"payable:{demo_city.BUS_MERCHANT}")
    paid_out = Transfer(
        id=uuid4().int,
        debit_account_id=payable.int,
        credit_account_id=CUSTODY.int,
        amount=300,
        ledger=LEDGER_CNY,
        code=TransferCode.ADJUSTMENT,
    )
    assert await desk.city.book.create_transfers([paid_out]) == ["created"]
    [result] = (await desk.book(returns=[back(order_id, citizen=100)])).returns
    assert (result.effect_id, result.refusal) == (None, "books_refused")
    assert await desk.rows("SELECT * FROM cardcore.refund") == []


async def test_one_that_is_refused_leaves_its_neighbours_alone(desk: Desk) -> None:
    rich = await desk.life.person()
    await desk.rows("UPDATE cardcore.offline_limit SET arrears_fen_max = 0 RETURNING 1")
    poor = await desk.life.person(balance_fen=0)
    booked = await desk.book(
        [desk.charge(poor, 100), desk.charge(rich, 100), desk.charge(uuid4(), 100)]
    )
    assert [one.refusal for one in booked.charges] == ["over_limit", "", "user_unknown"]


async def test_money_of_a_closed_person_waits_for_them_as_a_claim(desk: Desk) -> None:
    user_id = await desk.life.person()
    order_id = await desk.charged(user_id, 300)
    await desk.rows(
        "UPDATE cardcore.fund SET status = 'closed' WHERE user_id = %s RETURNING 1", user_id
    )
    [result] = (await desk.book(returns=[back(order_id, citizen=100)])).returns
    assert result.effect_id is not None
    assert await desk.rows("SELECT user_id, amount_fen FROM cardcore.payout_claim") == [
        (user_id, 100)
    ]


async def test_someone_merged_since_is_charged_as_their_survivor(desk: Desk) -> None:
    gone, survivor = await desk.life.person(), await desk.life.person()
    await desk.rows(
        "UPDATE cardcore.person SET status = 'merged', merged_into = %s WHERE user_id = %s"
        " RETURNING 1",
        survivor,
        gone,
    )
    order_id = await desk.charged(gone, 100)
    assert await desk.rows(
        "SELECT user_id FROM cardcore.business_order WHERE order_id = %s", order_id
    ) == [(survivor,)]


async def test_a_number_is_booked_once(desk: Desk) -> None:
    charge = desk.charge(await desk.life.person(), 100)
    await desk.book([charge])
    with pytest.raises(psycopg.errors.UniqueViolation):
        await desk.book([charge])
    assert await desk.rows("SELECT count(*) FROM cardcore.business_order") == [(1,)]
