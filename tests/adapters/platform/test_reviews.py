"""Records that wait for a person: listed, written off by one, charged by two (faults 27, 39)."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import demo_city
from adapters.settings import Settings
from tests.adapters.platform.conftest import Desk, Web
from tests.cardcore.terminals.offline_bus import Validator, phone_of, private
from tests.city_life import CENTRE


@pytest.fixture
def bus(web: Web, city_settings: Settings) -> Validator:
    """A validator off-line."""
    key = demo_city.client_key(city_settings.clients_home, demo_city.BUS_TERMINAL)
    secret = private(key.private_bytes_raw(), key.public_key().public_bytes_raw())
    return Validator(web.life, secret)


async def waiting(web: Web, bus: Validator, *, has_fen: int = 1_000) -> tuple[UUID, UUID]:
    """Somebody, and a ride of theirs that was taken for half its price and so waits."""
    user_id = await web.life.person(balance_fen=has_fen)
    record = bus.record(await (await phone_of(web.life, user_id)).code(), 50)
    view = await bus.upload(record)
    assert (view.results[0].state, view.results[0].reason) == ("review", "amount_mismatch")
    return user_id, record.record_id


def charge(record_id: UUID, amount_fen: int = 50, **more: object) -> dict[str, Any]:
    content = {"kind": "charge_record", "record_id": str(record_id), "amount_fen": amount_fen}
    return content | {name: str(value) for name, value in more.items()}


async def write_off(
    desk: Desk, record_id: UUID, *, liability: str = "merchant", key: str = "w"
) -> Any:  # noqa: ANN401  (an HTTP answer)
    body = {"liability": liability, "purpose": "工单 1"}
    path = f"/v1/record-reviews/{record_id}/write-off"
    return await desk.post(path, body, **{"Idempotency-Key": key})


async def test_a_record_is_charged_when_a_second_operator_approves(
    web: Web, bus: Validator
) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    user_id, record_id = await waiting(web, bus)
    (listed,) = (await clerk.get("/v1/record-reviews")).json()["records"]
    assert (listed["record_id"], listed["reason"], listed["liability"]) == (
        str(record_id),
        "amount_mismatch",
        "merchant",
    )
    proposal = await clerk.propose(charge(record_id))
    assert await web.life.balance_fen(user_id) == 1_000
    assert (await supervisor.decide(proposal)).json()["status"] == "approved"
    assert await web.life.balance_fen(user_id) == 950
    assert (await supervisor.decide(proposal)).json()["status"] == "approved"
    assert await web.life.balance_fen(user_id) == 950
    assert (await clerk.get("/v1/record-reviews")).json()["records"] == []
    decided = (await clerk.get(f"/v1/record-reviews/{record_id}")).json()
    assert (decided["decision"], decided["decided_by"]) == ("charged", "operator:li.na")
    order = await web.city.core.read_order(CENTRE, UUID(decided["order_id"]))
    assert (order.out_trade_no, order.lines[0].rule_id) == (
        f"R-{record_id.hex}",
        "record_review",
    )
    assert await web.life.books_are_right()
    again = await clerk.propose(charge(record_id))
    answer = await supervisor.decide(again)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_impossible")


async def test_row_39_one_operator_alone_charges_nothing(web: Web, bus: Validator) -> None:
    supervisor = await web.desk("li.na")
    user_id, record_id = await waiting(web, bus)
    answer = await supervisor.decide(await supervisor.propose(charge(record_id)))
    assert (answer.status_code, answer.json()["code"]) == (403, "own_proposal")
    assert await web.life.balance_fen(user_id) == 1_000


async def test_a_record_is_written_off_once_and_nothing_moves(web: Web, bus: Validator) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    user_id, record_id = await waiting(web, bus)
    assert (await write_off(clerk, record_id)).status_code == 403
    answer = await write_off(supervisor, record_id, liability="issuer")
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert (view["decision"], view["liability"], view["order_id"]) == (
        "written_off",
        "issuer",
        None,
    )
    replay = await write_off(supervisor, record_id, liability="issuer")
    assert replay.json() == view
    late = await write_off(supervisor, record_id, key="other")
    assert (late.status_code, late.json()["code"]) == (409, "record_decided")
    refused = await supervisor.decide(await clerk.propose(charge(record_id)))
    assert refused.json()["code"] == "proposal_impossible"
    assert await web.life.balance_fen(user_id) == 1_000
    rows = await web.audit("record.write_off")
    assert rows[0] == ("operator:li.na", f"record/{record_id}", "done", "工单 1")


async def test_what_cannot_be_charged_stays_open_and_says_why(web: Web, bus: Validator) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    user_id, record_id = await waiting(web, bus, has_fen=0)
    too_much = await supervisor.decide(await clerk.propose(charge(record_id, 51)))
    assert too_much.json()["facts"] == {"amount_fen": 50}
    unknown = await supervisor.decide(await clerk.propose(charge(uuid4())))
    assert unknown.json()["code"] == "proposal_impossible"
    async with web.city.pool.connection() as connection:
        await connection.execute("UPDATE cardcore.offline_limit SET arrears_fen_max = 0")
    poor = await supervisor.decide(await clerk.propose(charge(record_id)))
    assert poor.json()["facts"] == {"reason": "over_limit"}
    async with web.city.pool.connection() as connection:
        await connection.execute("DELETE FROM cardcore.code_token")
    nobody = await supervisor.decide(await clerk.propose(charge(record_id)))
    assert nobody.json()["errors"][0]["field"] == "user_id"
    await web.life.top_up(user_id, 80)
    named = await supervisor.decide(await clerk.propose(charge(record_id, user_id=user_id)))
    assert named.json()["status"] == "approved"
    assert await web.life.balance_fen(user_id) == 30


async def test_the_queue_is_read_page_by_page(web: Web, bus: Validator) -> None:
    clerk = await web.desk("zhang.wei")
    ids = []
    for _ in range(3):
        web.clock.advance(minutes=1)
        ids.append(str((await waiting(web, bus))[1]))
    first = (await clerk.get("/v1/record-reviews", limit=2)).json()
    rest = (await clerk.get("/v1/record-reviews", limit=2, cursor=first["next_cursor"])).json()
    assert [one["record_id"] for one in first["records"] + rest["records"]] == ids
    assert rest["next_cursor"] is None
    assert (await clerk.get(f"/v1/record-reviews/{uuid4()}")).status_code == 404


async def test_contradictions_between_records_are_listed_page_by_page(
    web: Web, bus: Validator
) -> None:
    clerk = await web.desk("zhang.wei")
    phone = await phone_of(web.life, await web.life.person(balance_fen=1_000))
    twins = []
    for _ in range(3):
        web.clock.advance(minutes=1)
        code = await phone.code()
        records = [bus.record(code), bus.record(code)]
        await bus.upload(*records)
        twins.append((str(records[1].record_id), str(records[0].record_id)))
    first = (await clerk.get("/v1/record-cases", limit=2)).json()
    rest = (await clerk.get("/v1/record-cases", limit=2, cursor=first["next_cursor"])).json()
    cases = first["cases"] + rest["cases"]
    assert {one["kind"] for one in cases} == {"duplicate_code"}
    assert [(one["record_id"], one["other_id"]) for one in cases] == twins
    assert {one["merchant_id"] for one in cases} == {demo_city.BUS_MERCHANT}
    assert rest["next_cursor"] is None
