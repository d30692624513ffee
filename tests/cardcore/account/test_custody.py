"""Custody: right whatever is done by the rules, and an alarm when somebody goes round them."""

import asyncio
import json
import os
from datetime import date, timedelta

import httpx2
import psycopg
import pytest
from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import make_api
from adapters.worker import fund_duties
from cardcore.account.chart import CUSTODY
from cardcore.account.custody import ALARM
from cardcore.account.duties import FundDuties
from cardcore.account.request import CustodyQuery
from cardcore.business.request import RefundRequest
from cardcore.calendar import CUT_OFF_DEFAULT
from tests.cardcore.account.conftest import Funding, key
from tests.city_life import CENTRE

TODAY = date(2026, 6, 1)


@pytest.fixture
def duties(funding: Funding) -> FundDuties:
    return FundDuties(
        engine=funding.city.engine,
        book=funding.city.book,
        signer=funding.city.hsm,
        random_bytes=os.urandom,
        cut_off=CUT_OFF_DEFAULT,
    )


async def a_day_of_money(funding: Funding) -> None:
    """Everything that moves money: own, earmarked, on credit, with a concession; and a refund."""
    await funding.shop(scene="parking")
    await funding.shop()
    user_id = await funding.life.person(funds=("purse", "transit"), balance_fen=2_000)
    senior = await funding.life.person(concession="senior")
    await funding.programme()
    await funding.grant(user_id, 700)
    await funding.credit(user_id, 5_000)
    order = await funding.buy(user_id, 900)
    await funding.buy(user_id, 2_500, scene="parking")
    await funding.life.pay(senior)
    refund = RefundRequest(amount_fen=300, out_refund_no=key(), reason="returned")
    await funding.city.core.refund(CENTRE, order.order_id, refund, key())


async def test_the_books_are_covered_at_the_end_of_every_date(funding: Funding) -> None:
    for _ in range(2):
        await a_day_of_money(funding)
        funding.clock.advance(days=1)
    reports = [
        await funding.city.core.custody(CENTRE, CustodyQuery(on=TODAY + timedelta(days=days)))
        for days in range(-1, 3)
    ]
    assert all(report.ok for report in reports)
    seen = [report.covering.get("custody", 0) for report in reports]
    one_day_fen = 2_000 + 10_000 + 100_000
    assert seen == [0, one_day_fen, 2 * one_day_fen, 2 * one_day_fen]
    assert reports[-1].covering["citizen_credit"] == 2 * (2_500 - 1_800)


async def test_the_check_at_the_cut_off_is_kept_with_the_seal_of_its_day(
    funding: Funding, duties: FundDuties
) -> None:
    await a_day_of_money(funding)
    funding.clock.advance(days=1)
    found = await duties.check_custody(funding.clock.now)
    assert found is not None
    assert (found.ok, found.business_on, found.seal_number) == (True, TODAY, 1)
    assert await duties.check_custody(funding.clock.now) is None
    report = await funding.city.core.custody(CENTRE, CustodyQuery())
    assert (report.seal_number, report.checked_at) == (1, funding.clock.now)
    assert report.covered == found.covered


async def tamper(funding: Funding, statement: str, *values: object) -> None:
    """What only a superuser can do: write past the triggers."""
    async with funding.city.pool.connection() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        changed = await connection.execute(statement.encode(), values)
        assert changed.rowcount >= 1


async def alarms(funding: Funding) -> tuple[dict[str, str], str]:
    """What the health page and the metrics page say."""
    api = await make_api(funding.city, public_url="https://card.example", clock=funding.clock)
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="https://card.example") as http:
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        return ready.json()["parts"], (await http.get("/metrics")).text


async def test_money_put_into_a_purse_past_the_rules_is_an_alarm_until_it_is_undone(
    funding: Funding, duties: FundDuties
) -> None:
    """How: the superuser edits both the counter and the day's total, so that they agree."""
    await a_day_of_money(funding)
    funding.clock.advance(days=1)
    assert await duties.check_custody(funding.clock.now) is not None
    assert (await alarms(funding))[0]["custody"] == "ok"
    funding.clock.advance(days=1)
    for sign in ("-", "+"):
        for table, column, where in (
            ("ledger.account", "debits_posted", "number"),
            ("ledger.day_total", "debits_posted", "account"),
        ):
            await tamper(
                funding,
                f"UPDATE {table} SET {column} = {column} {sign} 5 WHERE {where} = "
                "(SELECT number FROM ledger.account WHERE id = %s)",
                CUSTODY,
            )
        found = await duties.check_custody(funding.clock.now)
        assert found is not None
        parts, page = await alarms(funding)
        if sign == "-":
            assert (found.ok, found.difference_fen, found.trial_balance_fen) == (False, -5, -5)
            assert parts["custody"] == ALARM
            assert 'cardcore_part_not_ok{part="custody"} 1.0' in page
        else:
            assert found.ok
            assert parts["custody"] == "ok"
            assert 'cardcore_part_not_ok{part="custody"} 0.0' in page
        funding.clock.advance(seconds=1)


async def test_a_counter_that_was_edited_is_named(funding: Funding, duties: FundDuties) -> None:
    await a_day_of_money(funding)
    funding.clock.advance(days=1)
    await tamper(
        funding,
        "UPDATE ledger.account SET credits_posted = credits_posted + 1 WHERE code = %s",
        2101,
    )
    found = await duties.check_custody(funding.clock.now)
    assert found is not None
    assert (found.ok, found.counters_off) == (False, ["merchant_payable"])


async def test_the_worker_says_a_difference_in_its_log_and_goes_on(
    funding: Funding, city_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await a_day_of_money(funding)
    await tamper(
        funding,
        "UPDATE ledger.account SET credits_posted = credits_posted + 1 WHERE code = %s",
        2101,
    )
    duties = fund_duties(funding.city.engine, funding.city.book, funding.city.hsm, city_settings)
    funding.clock.advance(days=1)
    done = {duty.name: await duty.run(funding.clock.now) for duty in duties}
    assert {name for name, count in done.items() if count} == {"check_custody"}
    said = capsys.readouterr()
    assert "custody_difference" in said.out + said.err


async def test_the_command_prints_custody_of_a_date(
    funding: Funding, city_addresses: Addresses
) -> None:
    await a_day_of_money(funding)
    url = ["--database-url", city_addresses.database_url]

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["books", "custody", *words, *url])
        return result.exit_code, result.output

    code, output = await asyncio.to_thread(run, "--on", "2026-06-01", "--json")
    report = json.loads(output)
    assert (code, report["ok"], report["covering"]["custody"]) == (0, True, 112_000)
    assert (await asyncio.to_thread(run, "--on", "June"))[0] == 2
    await tamper(
        funding,
        "UPDATE ledger.account SET credits_posted = credits_posted + 1 WHERE code = %s",
        2101,
    )
    code, output = await asyncio.to_thread(run)
    assert code == 1
    assert "merchant_payable" in output


async def test_checks_are_only_ever_added(funding: Funding, duties: FundDuties) -> None:
    await duties.check_custody(funding.clock.now)
    async with funding.city.pool.connection() as connection:
        with pytest.raises(psycopg.errors.RaiseException):
            await connection.execute("UPDATE cardcore.custody_check SET difference_fen = 0")
        await connection.rollback()
