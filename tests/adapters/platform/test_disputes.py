"""Disputes over HTTP, from the opening to the decision."""

from uuid import uuid4

import pytest

from adapters import demo_city
from adapters.settings import Settings
from cardcore.caller import Scope
from tests.adapters.platform.conftest import Web
from tests.city_life import BUS_OFFICE, FLAT_FARE_FEN


@pytest.fixture
async def parties(web: Web) -> None:
    """The card centre's client may open and decide; merchants may read and answer."""
    scopes = [Scope.DISPUTES_READ.value, Scope.DISPUTES_ANSWER.value]
    centre = [Scope.DISPUTES_WRITE.value, Scope.DISPUTES_DECIDE.value]
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[]", (scopes,)
        )
        await connection.execute(
            "UPDATE cardcore.client SET scopes = scopes || %s::text[] WHERE merchant_id IS NULL",
            (centre,),
        )


@pytest.mark.usefixtures("parties")
async def test_a_dispute_goes_from_the_opening_to_the_decision(
    web: Web, city_settings: Settings
) -> None:
    async with web.city.pool.connection() as connection:
        found = await connection.execute(
            "SELECT client_id FROM cardcore.client WHERE merchant_id IS NULL LIMIT 1"
        )
        row = await found.fetchone()
    assert row is not None
    centre = await web.token(row[0], city_settings)
    office = await web.token(BUS_OFFICE.client_id, city_settings)
    gate = await web.token(demo_city.GATE_TERMINAL, city_settings)
    order = await web.life.pay(await web.life.person(balance_fen=500))
    http = web.browser()

    def keyed(headers: dict[str, str]) -> dict[str, str]:
        return headers | {"Idempotency-Key": str(uuid4())}

    opened = await http.post(
        f"/v1/orders/{order.order_id}/disputes",
        json={"reason": "not_recognised"},
        headers=keyed(centre),
    )
    assert opened.status_code == 201
    path = f"/v1/disputes/{opened.json()['dispute_id']}"
    credited = await http.post(f"{path}/credit", headers=keyed(centre))
    assert credited.json()["credited_fen"] == FLAT_FARE_FEN
    answered = await http.post(
        f"{path}/answer",
        json={"answer": "contest", "grounds": "service_delivered", "reference": "T-1"},
        headers=keyed(office),
    )
    assert answered.json()["status"] == "contested"
    evidence = await http.get(f"{path}/evidence", headers=office)
    assert evidence.json()["sha256"] == opened.json()["evidence_sha256"]
    assert (await http.get(path, headers=gate)).status_code == 404
    forbidden = await http.post(f"{path}/withdrawal", headers=keyed(office))
    assert forbidden.status_code == 403
    decided = await http.post(
        f"{path}/decision",
        json={"finding": "merchant", "grounds": "amount_right"},
        headers=keyed(centre),
    )
    assert decided.json()["borne_by"] == "citizen"
    late = await http.post(f"{path}/withdrawal", headers=keyed(centre))
    assert (late.status_code, late.json()["code"]) == (409, "dispute_state")
    again = await http.get(path, headers=office)
    assert [one["step"] for one in again.json()["events"]] == [
        "open",
        "credit",
        "contest",
        "decide_for_merchant",
    ]


@pytest.mark.usefixtures("parties")
async def test_above_the_limit_two_operators_credit_and_decide(
    web: Web, city_settings: Settings
) -> None:
    """Why: a dispute's decision moves money as an adjustment does; no one person may alone."""
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.dispute_rule SET alone_fen_max = %s", (FLAT_FARE_FEN - 1,)
        )
    centre = await web.token("card-centre", city_settings)
    user_id = await web.life.person(balance_fen=500)
    order = await web.life.pay(user_id)
    http = web.browser()

    def keyed() -> dict[str, str]:
        return centre | {"Idempotency-Key": str(uuid4())}

    opened = await http.post(
        f"/v1/orders/{order.order_id}/disputes",
        json={"reason": "not_recognised"},
        headers=keyed(),
    )
    dispute_id = opened.json()["dispute_id"]
    alone = await http.post(f"/v1/disputes/{dispute_id}/credit", headers=keyed())
    assert (alone.status_code, alone.json()["code"]) == (403, "second_operator_needed")
    assert alone.json()["facts"]["limit_fen"] == FLAT_FARE_FEN - 1
    finding = {"finding": "citizen", "grounds": "evidence_weak", "reference": "D-1"}
    alone = await http.post(f"/v1/disputes/{dispute_id}/decision", json=finding, headers=keyed())
    assert alone.json()["code"] == "second_operator_needed"

    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    listed = (await clerk.get("/v1/disputes")).json()["disputes"]
    assert [one["dispute_id"] for one in listed] == [dispute_id]
    credit = await clerk.propose({"kind": "credit_dispute", "dispute_id": dispute_id})
    assert (await web.life.balance_fen(user_id)) == 500 - FLAT_FARE_FEN
    assert (await supervisor.decide(credit)).json()["status"] == "approved"
    assert (await web.life.balance_fen(user_id)) == 500
    again = await clerk.propose({"kind": "credit_dispute", "dispute_id": dispute_id})
    refused = await supervisor.decide(again)
    assert (refused.status_code, refused.json()["facts"]["reason"]) == (409, "dispute_state")

    content = {"kind": "decide_dispute", "dispute_id": dispute_id} | finding
    own = await supervisor.propose(content)
    assert (await supervisor.decide(own)).json()["code"] == "own_proposal"
    decided = await (await web.desk("wang.fang")).decide(own)
    assert decided.json()["status"] == "approved"
    seen = (await clerk.get(f"/v1/disputes/{dispute_id}")).json()
    assert (seen["status"], seen["borne_by"]) == ("for_citizen", "merchant")
    steps = [(one["step"], one["reference"]) for one in seen["events"]]
    assert steps == [("open", None), ("credit", None), ("decide_for_citizen", "D-1")]
    assert await web.life.books_are_right()
