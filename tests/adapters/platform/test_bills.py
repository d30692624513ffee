"""Bills and lists over HTTP (fault 37)."""

import csv
import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from adapters import demo_city
from adapters.settings import Settings
from cardcore.business.request import CaptureRequest, RefundRequest
from cardcore.caller import Scope
from tests.adapters.platform.conftest import Web
from tests.city_life import BUS_OFFICE, FLAT_FARE_FEN

DAY = date(2026, 6, 1)
# The last microsecond of the business day, and the first of the next (cut-off 04:30 at +08:00).
LAST = datetime(2026, 6, 1, 20, 29, 59, 999999, tzinfo=UTC)
NEXT = datetime(2026, 6, 1, 20, 30, tzinfo=UTC)


@pytest.fixture
async def office(web: Web) -> None:
    """The bus company's office may fetch bills."""
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[] WHERE client_id = ANY(%s)",
            (
                [Scope.BILLS_READ.value],
                [BUS_OFFICE.client_id, demo_city.GATE_TERMINAL],
            ),
        )


class Desk:
    """The back office of a merchant; its token is fetched anew, because days pass."""

    def __init__(self, web: Web, settings: Settings, client_id: str = BUS_OFFICE.client_id) -> None:
        self.web = web
        self.settings = settings
        self.client_id = client_id

    async def get(self, path: str, **query: Any) -> httpx2.Response:  # noqa: ANN401  (a query's values)
        headers = await self.web.token(self.client_id, self.settings)
        return await self.web.browser().get(path, params=query, headers=headers)

    async def bill(self, on: date = DAY, **query: Any) -> httpx2.Response:  # noqa: ANN401  (a query's values)
        return await self.get(f"/v1/bills/{on}", merchant_id=demo_city.BUS_MERCHANT, **query)

    async def lines(self, on: date = DAY, **query: Any) -> list[dict[str, str]]:  # noqa: ANN401  (a query's values)
        answer = await self.get(f"/v1/bills/{on}/file", merchant_id=demo_city.BUS_MERCHANT, **query)
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.fixture
def desk(web: Web, office: None, city_settings: Settings) -> Desk:
    """The bus company's."""
    return Desk(web, city_settings)


async def refund(web: Web, order_id: UUID, number: str) -> None:
    request = RefundRequest(out_refund_no=number, amount_fen=40, reason="x")
    await web.city.core.refund(BUS_OFFICE, order_id, request, number)


async def test_row_37_every_movement_is_in_exactly_one_bill(web: Web, desk: Desk) -> None:
    """How: paid at a day's last microsecond, refunded at the next one's first; a hold between."""
    user_id = await web.life.person()
    web.clock.now = LAST
    paid, held = await web.life.pay(user_id), await web.life.hold(user_id)
    web.clock.now = NEXT
    await refund(web, paid.order_id, "R1")
    await web.city.core.capture(BUS_OFFICE, held.order_id, CaptureRequest(amount_fen=70), "c")
    web.clock.advance(days=2)
    first, second = await desk.lines(DAY), await desk.lines(DAY + timedelta(days=1))
    assert [(line["kind"], line["amount_fen"]) for line in first] == [("payment", "100")]
    found = sorted((line["kind"], line["amount_fen"]) for line in second)
    assert found == [("capture", "70"), ("refund", "-40")]
    bills = [(await desk.bill(DAY + timedelta(days=n))).json() for n in (0, 1)]
    assert [one["net_fen"] for one in bills] == [FLAT_FARE_FEN, 30]


async def test_row_37_the_bill_of_a_day_that_runs_is_not_ready(web: Web, desk: Desk) -> None:
    answer = await desk.bill()
    for at in (LAST, NEXT, NEXT + timedelta(minutes=9, seconds=59)):
        web.clock.now = at
        answer = await desk.bill()
        assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert answer.json()["facts"] == {"ready_at": "2026-06-02T04:40:00+08:00"}
    web.clock.advance(seconds=1)
    assert (await desk.bill()).status_code == 200
    assert (await desk.bill(date(2999, 1, 1))).status_code == 409


async def test_a_bill_says_the_digest_of_its_file_and_never_changes(web: Web, desk: Desk) -> None:
    await web.life.pay(await web.life.person())
    web.clock.advance(days=2)
    bill = (await desk.bill()).json()
    query = {"merchant_id": demo_city.BUS_MERCHANT}
    file = (await desk.get(f"/v1/bills/{DAY}/file", **query)).content
    assert hashlib.sha256(file).hexdigest() == bill["sha256"]
    assert (bill["version"], bill["rows"], bill["paid_fen"]) == (1, 1, FLAT_FARE_FEN)
    web.clock.advance(days=1)
    assert (await desk.bill()).json() == bill
    with pytest.raises(psycopg.errors.RaiseException):
        async with web.city.pool.connection() as connection:
            await connection.execute("UPDATE cardcore.bill SET rows = 2")


async def test_what_comes_late_makes_a_new_version_and_the_old_one_stays(
    web: Web, desk: Desk
) -> None:
    """How: the late movement is an order whose business day is moved back by hand."""
    user_id = await web.life.person()
    await web.life.pay(user_id)
    web.clock.advance(days=2)
    bills = web.city.core.platform.bills
    assert await bills.make_due(web.clock.now) == 1
    assert await bills.make_due(web.clock.now) == 0
    first = (await desk.bill()).json()
    late = await web.life.pay(user_id)
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.business_order SET business_on = %s WHERE order_id = %s",
            (DAY, late.order_id),
        )
    assert (await desk.bill()).json() == first
    assert await bills.make_due(web.clock.now) == 1
    second = (await desk.bill()).json()
    assert (second["version"], second["rows"]) == (2, 2)
    assert (await desk.bill(version=1)).json() == first
    assert len(await desk.lines(version=1)) == 1
    assert (await desk.bill(version=3)).status_code == 404


async def test_row_33_a_bill_of_another_merchant_is_not_found(
    web: Web, desk: Desk, city_settings: Settings
) -> None:
    web.clock.advance(days=2)
    gate = Desk(web, city_settings, demo_city.GATE_TERMINAL)
    merchant = demo_city.BUS_MERCHANT
    for path in (
        f"/v1/bills/{DAY}?merchant_id={merchant}",
        f"/v1/bills/{DAY}/file?merchant_id={merchant}",
        f"/v1/merchants/{merchant}/orders?business_on={DAY}",
        f"/v1/merchants/{merchant}/refunds?business_on={DAY}",
    ):
        headers = await web.token(gate.client_id, city_settings)
        answer = await web.browser().get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "merchant_unknown")


@pytest.mark.parametrize("on", ["2026-6-1", "20260601", "yesterday", "9999-12-31", "2026-02-29"])
async def test_what_is_no_date_is_refused(desk: Desk, on: str) -> None:
    answer = await desk.get(f"/v1/bills/{on}", merchant_id=demo_city.BUS_MERCHANT)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_orders_and_refunds_of_a_day_are_listed_page_by_page(web: Web, desk: Desk) -> None:
    user_id = await web.life.person()
    made = []
    for number in range(5):
        order = await web.life.pay(user_id)
        await refund(web, order.order_id, f"R{number}")
        made.append(str(order.order_id))
        web.clock.advance(seconds=1)
    for noun, key in (("orders", "order_id"), ("refunds", "order_id")):
        seen: list[str] = []
        query: dict[str, Any] = {"business_on": str(DAY), "limit": 2}
        while True:
            path = f"/v1/merchants/{demo_city.BUS_MERCHANT}/{noun}"
            page = (await desk.get(path, **query)).json()
            assert len(page[noun]) <= 2
            seen += [one[key] for one in page[noun]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == made
    other = {"business_on": str(DAY + timedelta(days=1))}
    path = f"/v1/merchants/{demo_city.BUS_MERCHANT}/orders"
    assert (await desk.get(path, **other)).json() == {"orders": [], "next_cursor": None}
    assert (await desk.get(path, business_on=str(DAY), limit=501)).status_code == 422


async def test_top_ups_of_a_person_are_listed(web: Web, city_settings: Settings) -> None:
    user_id = await web.life.person(balance_fen=0)
    for fen in (100, 200, 300):
        await web.life.top_up(user_id, fen)
        web.clock.advance(seconds=1)
    headers = await web.token("card-centre", city_settings)
    path = f"/v1/users/{user_id}/topups"
    first = (await web.browser().get(f"{path}?limit=2", headers=headers)).json()
    query = f"limit=2&cursor={first['next_cursor']}"
    second = (await web.browser().get(f"{path}?{query}", headers=headers)).json()
    amounts = [one["amount_fen"] for one in first["topups"] + second["topups"]]
    assert amounts == [100, 200, 300]
