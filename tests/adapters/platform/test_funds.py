"""Funds and statements over HTTP: every answer stands in the OpenAPI document."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from adapters.http.funds import FUNDS
from adapters.http.operation import Operation
from adapters.http.statements import STATEMENTS
from adapters.settings import Settings
from tests.adapters.platform.conftest import Web

Ask = Callable[..., object]
SPAN = {"from_on": "2026-06-01", "to_on": "2026-06-01"}


def path_of(operation: Operation, **names: str) -> str:
    given = {"user_id": str(uuid4()), "merchant_id": "m", "scene": "s", "programme": "p"}
    path = operation.path
    for name, value in (given | {"fund": "rides"} | names).items():
        path = path.replace(f"{{{name}}}", value)
    return path


PROTECTED = [
    pytest.param(one, id=one.run.__name__)
    for noun in (FUNDS, STATEMENTS)
    for one in noun.operations
    if one.access == "client"
]


@pytest.mark.parametrize("operation", PROTECTED)
async def test_without_the_scope_it_is_forbidden(
    web: Web, city_settings: Settings, operation: Operation
) -> None:
    browser = web.browser()
    query = {"fund": "purse", **SPAN} if operation.body and operation.method == "GET" else {}
    body = next(iter(operation.examples.values()), None)
    bare = await browser.request(operation.method, path_of(operation), params=query, json=body)
    assert bare.status_code == 401
    headers = await web.token("shanting-bus-office", city_settings)
    answer = await browser.request(
        operation.method,
        path_of(operation),
        params=query,
        json=body,
        headers=headers | {"Idempotency-Key": "k"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_two_operators_cannot_raise_a_fund_above_its_regime(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    proposal = await clerk.propose(
        {"kind": "set_fund_limit", "fund": "purse", "balance_fen_max": 500_001}
    )
    answer = await supervisor.decide(proposal)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_impossible")
    assert answer.json()["facts"]["limit_fen"] == 500_000


async def test_a_subsidy_from_its_programme_to_the_paper_it_stands_on(
    web: Web, city_settings: Settings
) -> None:
    browser = web.browser()
    headers = await web.token("card-centre", city_settings)
    user_id = str(await web.life.person(funds=("purse",), balance_fen=1_000))
    numbers = iter(range(100))

    async def post(path: str, body: object) -> dict[str, object]:
        key = {"Idempotency-Key": f"k{next(numbers)}"}
        answer = await browser.post(path, json=body, headers=headers | key)
        assert answer.status_code == 201, answer.text
        again = await browser.post(path, json=body, headers=headers | key)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json() == answer.json()
        return dict(answer.json())

    for operation in FUNDS.operations:
        if operation.method != "POST" or not operation.path.startswith("/v1/subsidy"):
            continue
        (body,) = operation.examples.values()
        body = dict(body) | ({"user_id": user_id} if "user_id" in body else {})
        await post(path_of(operation, programme="school_meals_2026_autumn"), body)
    await post("/v1/funding-plans/venue", {"steps": ["subsidy", "purse"], "reason": "r"})
    await post(f"/v1/users/{user_id}/credit-lines/parking_arrears", {"limit_fen": 9, "reason": "r"})
    await post(f"/v1/users/{user_id}/tallies/rides", {"quantity": 5, "reason": "r"})
    await post(f"/v1/users/{user_id}/tallies/rides/uses", {"quantity": 2, "reason": "r"})

    async def get(path: str, **query: str) -> dict[str, object]:
        answer = await browser.get(path, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    tallies = await get(f"/v1/users/{user_id}/tallies")
    assert tallies["tallies"] == [{"fund": "rides", "unit": "rides", "quantity": 3}]
    programme = await get("/v1/subsidy-programmes/school_meals_2026_autumn")
    assert programme["deposit_fen"] == 10_000_000 - 40_000
    assert (await get("/v1/funding-plans"))["version"] == 3
    assert len((await get("/v1/fund-kinds"))["kinds"]) == 10  # type: ignore[arg-type]
    statement = await get(f"/v1/users/{user_id}/statement", fund="school_meals_2026_autumn", **SPAN)
    assert (statement["closing_fen"], statement["final"]) == (40_000, False)
    for form, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
        paper = await browser.get(
            f"/v1/users/{user_id}/statement.{form}",
            params={"fund": "purse", "language": "en", **SPAN},
            headers=headers,
        )
        assert paper.content.startswith(start)
        assert paper.headers["Content-Disposition"].endswith(f'statement-purse.{form}"')
    merchant = await get("/v1/merchants/shanting-bus/statement", fund="payable", **SPAN)
    assert merchant["lines"] == []
    books = await browser.get(
        "/v1/merchants/shanting-bus/statement.csv",
        params={"fund": "payable", **SPAN},
        headers=headers,
    )
    assert books.status_code == 200
