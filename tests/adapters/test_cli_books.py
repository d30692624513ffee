"""``cardcore books settlement``: the last windows, and whether people are needed."""

import asyncio
import json
import os
from datetime import date

from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.infrastructure import Addresses
from adapters.partners.custodian_bank import Behaviour
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.settlement.channel_bill import write_bill
from cardcore.settlement.reconciliation import Reconciliation
from tests.cardcore.settlement.conftest import House, house  # noqa: F401  (a fixture)

ON = date(2026, 6, 1)


async def test_windows_are_shown_and_what_waits_for_people_ends_with_1(
    house: House,  # noqa: F811  (the fixture)
    city_addresses: Addresses,
) -> None:
    async def run(*more: str) -> tuple[int, str]:
        arguments = ["books", "settlement", "--database-url", city_addresses.database_url, *more]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        return result.exit_code, result.output

    await house.payee()
    await house.buy_for(1_000)
    await house.settle()
    code, text = await run("--json")
    report = json.loads(text)
    assert (code, report["differences"]) == (0, [])
    newest, settled = report["windows"]
    assert (newest["state"], settled["state"]) == ("open", "settled")
    assert (settled["merchants"], settled["payouts_fen"], settled["unpaid"]) == (1, 1_000, 0)
    house.bank.behaviour = Behaviour.REFUSE
    await house.buy_for(500)
    await house.settle()
    code, text = await run()
    assert (code, "failed" in text) == (1, True)
    books = Reconciliation(house.city.engine, os.urandom, CUT_OFF_DEFAULT)
    await books.take_bill("custodian", ON, write_bill([]), by="test", now=house.clock.now)
    code, text = await run("--windows", "1")
    assert (code, "custodian ours_only" in text) == (1, True)
