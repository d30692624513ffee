"""Settlement over HTTP: four eyes for money's way, own papers alone, differences taken up."""

import hashlib
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters import demo_city
from adapters.partners.custodian_bank import Behaviour
from cardcore.base64url import encode_base64url
from cardcore.calendar import day_begins
from cardcore.caller import Scope
from cardcore.settlement.check_row import check_row
from tests.adapters.platform.conftest import Web
from tests.cardcore.account.conftest import SHOP
from tests.cardcore.settlement.conftest import House, opened_house
from tests.city_life import BUS_OFFICE

BUS = demo_city.BUS_MERCHANT
ON = date(2026, 6, 1)
TARIFF = {
    "kind": "set_settlement_tariff",
    "rates": [
        {"scene": "bus", "tiers": [{"from_fen": 0, "per_million": 10_000}]},
        {"merchant_id": SHOP, "tiers": [{"from_fen": 0, "per_million": 0}]},
    ],
}
PAYEE = {"kind": "set_settlement_payee", "merchant_id": BUS, "payee": "6222 0210 0100 0042"}


@pytest.fixture
async def house(web: Web) -> House:
    """The web's city, settled by a worker of this test's own."""
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[] WHERE client_id = %s",
            ([Scope.BILLS_READ.value, Scope.REPORTS_READ.value], BUS_OFFICE.client_id),
        )
    return await opened_house(web.city, web.life, web.clock)


class Http:
    """A system of the demo city, with a fresh token for each question."""

    def __init__(self, web: Web, client_id: str) -> None:
        self.web = web
        self.client_id = client_id

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        **query: Any,  # noqa: ANN401  (a query's values)
    ) -> httpx2.Response:
        headers = await self.web.token(self.client_id, self.web.settings)
        headers["Idempotency-Key"] = uuid4().hex
        return await self.web.browser().request(
            method, f"/v1/{path}", json=body, params=query, headers=headers
        )


async def agreed(web: Web, content: dict[str, Any]) -> httpx2.Response:
    # A one-time password is good once.
    web.clock.advance(seconds=31)
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    return await supervisor.decide(await clerk.propose(content))


async def rides(web: Web, house: House, *, payee: bool = True) -> int:
    """Two rides, settled; the window."""
    if payee:
        assert (await agreed(web, PAYEE)).status_code == 200
    rider = await web.life.person()
    for _ in range(2):
        await web.life.pay(rider)
    number = (await house.settle()).number
    await house.files.make_due(web.clock.now)
    return number


async def test_fees_and_payees_are_decided_by_a_second_operator(web: Web, house: House) -> None:
    clerk = await web.desk("zhang.wei")
    centre, office = Http(web, "card-centre"), Http(web, BUS_OFFICE.client_id)
    assert (await office.ask("GET", f"merchants/{BUS}/payee")).json()["payee"] is None
    proposal = await clerk.propose(TARIFF)
    assert (await clerk.decide(proposal)).status_code == 403
    supervisor = await web.desk("li.na")
    own = await supervisor.propose(PAYEE)
    assert (await supervisor.decide(own)).json()["code"] == "own_proposal"
    assert (await centre.ask("GET", "settlement/tariff")).json() == {"version": None, "rates": []}
    assert (await supervisor.decide(proposal)).status_code == 200
    whole = (await centre.ask("GET", "settlement/tariff")).json()
    assert (whole["version"], len(whole["rates"])) == (1, 2)
    # A merchant does not see another's rate.
    assert len((await office.ask("GET", "settlement/tariff")).json()["rates"]) == 1
    number = await rides(web, house)
    view = (await office.ask("GET", f"merchants/{BUS}/settlements/{number}")).json()
    assert (view["gross_fen"], view["fee_taken_fen"], view["payout_fen"]) == (200, 2, 198)
    assert view["payout"]["state"] == "paid"
    shown = (await office.ask("GET", f"merchants/{BUS}/payee")).json()
    assert (shown["version"], shown["payee"]) == (1, "**0042")
    unknown = await agreed(web, PAYEE | {"merchant_id": "nobody"})
    assert (unknown.status_code, unknown.json()["code"]) == (409, "proposal_impossible")


async def test_windows_are_closed_and_given_up(web: Web, house: House) -> None:
    centre, office = Http(web, "card-centre"), Http(web, BUS_OFFICE.client_id)
    closed = await centre.ask("POST", "settlement/windows", {"purpose": "month's end"})
    assert (closed.status_code, closed.json()["state"]) == (201, "closed")
    given_up = await agreed(web, {"kind": "abort_settlement_window", "number": 1})
    assert given_up.status_code == 200
    again = await agreed(web, {"kind": "abort_settlement_window", "number": 1})
    assert again.json()["code"] == "proposal_impossible"
    listed = (await centre.ask("GET", "settlement/windows")).json()["windows"]
    assert [one["state"] for one in listed] == ["open", "aborted"]
    assert (await centre.ask("GET", "settlement/windows", before=2)).json()["windows"] == listed[1:]
    number = await rides(web, house)
    whole = (await centre.ask("GET", f"settlement/windows/{number}")).json()
    assert whole["window"]["state"] == "settled"
    assert [one["merchant_id"] for one in whole["statements"]] == [BUS]
    assert (await office.ask("POST", "settlement/windows", {"purpose": "x"})).status_code == 403
    for path in ("99", "00", "x", "9" * 40):
        assert (await centre.ask("GET", f"settlement/windows/{path}")).status_code == 404


async def test_a_merchant_reads_its_file_and_proves_a_row(web: Web, house: House) -> None:
    number = await rides(web, house)
    office, path = Http(web, BUS_OFFICE.client_id), f"merchants/{BUS}/settlements"
    listed = (await office.ask("GET", path)).json()["statements"]
    assert [one["number"] for one in listed] == [number]
    view = (await office.ask("GET", f"{path}/{number}/file")).json()
    file = await office.ask("GET", f"{path}/{number}/file.csv")
    assert file.headers["content-type"].startswith("text/csv")
    assert hashlib.sha256(file.content).hexdigest() == view["sha256"]
    proof = (await office.ask("GET", f"{path}/{number}/rows/2/proof")).json()
    assert check_row(proof, bytes.fromhex(view["public_key"]))[0]
    assert (await office.ask("GET", f"{path}/{number}/rows/3/proof")).status_code == 404
    assert (await office.ask("GET", f"{path}/{number}/file", version=2)).status_code == 404


async def test_row_33_another_merchants_settlement_is_not_found(web: Web, house: House) -> None:
    """Why 404: that it exists is nobody else's business."""
    await house.buy_for(500)
    number = await rides(web, house)
    office, path = Http(web, BUS_OFFICE.client_id), f"merchants/{SHOP}/settlements"
    for rest in (path, f"{path}/{number}", f"{path}/{number}/file", f"{path}/{number}/file.csv",
                 f"{path}/{number}/rows/1/proof", f"merchants/{SHOP}/payee"):  # fmt: skip
        answer = await office.ask("GET", rest)
        assert (answer.status_code, answer.json()["code"]) == (404, "merchant_unknown"), rest
    seen = (await office.ask("GET", f"settlement/windows/{number}")).json()["statements"]
    assert [one["merchant_id"] for one in seen] == [BUS]
    assert (await office.ask("GET", "settlement/differences")).status_code == 403
    none = await Http(web, "card-centre").ask("GET", f"merchants/nobody/settlements/{number}")
    assert none.status_code == 404


async def test_row_38_a_difference_is_taken_up_and_ended_by_four_eyes(
    web: Web, house: House
) -> None:
    """How: the bank says that it paid, and its bill of the day does not have it."""
    house.bank.behaviour = Behaviour.LIE
    await rides(web, house)
    web.clock.now = day_begins(ON + timedelta(days=1)) + timedelta(hours=1)
    content = await house.bank.bill(ON)
    assert content is not None
    centre = Http(web, "card-centre")
    bill = {"source": "custodian", "business_on": str(ON), "content": encode_base64url(content)}
    taken = await centre.ask("POST", "settlement/bills", bill)
    assert taken.status_code == 201, taken.text
    assert taken.json()["compared"][0]["differences"] == 1
    cut = bill | {"content": encode_base64url(content[: len(content) // 2])}
    refused = await centre.ask("POST", "settlement/bills", cut)
    assert (refused.status_code, refused.json()["code"]) == (422, "bill_invalid")
    for wrong in ({"content": "a"}, {"content": "=="}, {"source": "nobody"}):
        assert (await centre.ask("POST", "settlement/bills", bill | wrong)).status_code == 422
    clerk = await web.desk("zhang.wei")
    (found,) = (await clerk.get("/v1/settlement/differences")).json()["differences"]
    assert (found["kind"], found["ours_fen"], found["age_days"]) == ("ours_only", -200, 1)
    path = f"/v1/settlement/differences/{found['difference_id']}/owner"
    taken_up = await clerk.post(path, {"owner": "operator:zhang.wei"})
    assert taken_up.json()["owner"] == "operator:zhang.wei"
    resolve = {"kind": "resolve_difference", "difference_id": found["difference_id"]}
    assert (await agreed(web, resolve | {"outcome": "adjusted"})).status_code == 200
    assert (await clerk.get("/v1/settlement/differences")).json() == {"differences": []}
    back = {
        "kind": "adjust_money",
        "from_account": "suspense",
        "to_account": f"payable:{BUS}",
        "amount_fen": 200,
    }
    assert (await agreed(web, back)).status_code == 200
    # The day after, the merchant is paid what the bank had not moved.
    house.bank.behaviour = Behaviour.PAY
    view = await house.statement((await house.settle()).number, BUS)
    assert (view.adjustments_fen, view.payout_fen) == (200, 200)
    assert await house.bank_moved() == [200]
    again = await agreed(web, resolve | {"outcome": "explained"})
    assert again.json()["code"] == "proposal_impossible"
    await house.assert_covered()


async def test_receipts_and_shares_over_http(web: Web, house: House) -> None:
    centre = Http(web, "card-centre")
    receipt = {"payer": "finance_bureau", "amount_fen": 100, "bank_no": "F1"}
    answer = await centre.ask("POST", "settlement/receipts", receipt)
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_exceeds")
    shares = {"scene": "bus", "business_on": str(ON), "nets": {BUS: -5, SHOP: 5}}
    told = await centre.ask("POST", "settlement/shares", shares)
    assert (told.status_code, told.json()["moves"]) == (201, 1)
    uneven = shares | {"nets": {BUS: -5, SHOP: 6}}
    assert (await centre.ask("POST", "settlement/shares", uneven)).status_code == 422
