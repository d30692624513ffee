"""Four eyes (fault 39): one proposes, another decides what was read, and it is done once."""

import asyncio
from uuid import uuid4

import jwt
import psycopg
import pytest

from adapters.settings import Settings
from tests.adapters.platform.conftest import Web
from tests.cardcore.test_audit import verdict
from tests.city_life import CENTRE

LIMIT = {"kind": "set_fund_limit", "fund": "transit", "balance_fen_max": 200_000}


async def limit_fen(web: Web) -> int:
    async with web.city.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT balance_fen_max FROM cardcore.fund_kind WHERE kind = 'transit'"
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_a_limit_changes_when_a_second_operator_approves(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    before = await limit_fen(web)
    proposal = await clerk.propose(LIMIT)
    assert (proposal["status"], await limit_fen(web)) == ("open", before)
    waiting = (await supervisor.get("/v1/proposals")).json()["proposals"]
    assert waiting == [proposal]
    approved = await supervisor.decide(proposal)
    assert approved.json()["status"] == "approved"
    assert approved.json()["decided_by"] == "operator:li.na"
    assert await limit_fen(web) == 200_000
    assert (await supervisor.decide(proposal)).json() == approved.json()
    assert (await supervisor.get("/v1/proposals")).json() == {"proposals": []}
    rows = await web.audit("proposal.approved")
    assert rows == [("operator:li.na", f"proposal/{proposal['proposal_id']}", "done", "核对无误")]


async def test_row_39_the_own_proposal_is_not_for_oneself_to_approve(web: Web) -> None:
    supervisor = await web.desk("li.na")
    before = await limit_fen(web)
    proposal = await supervisor.propose(LIMIT)
    for verb in ("approve", "reject"):
        answer = await supervisor.decide(proposal, verb)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_proposal")
    assert await limit_fen(web) == before
    assert [row[2] for row in await web.audit("proposal.approved")] == ["own_proposal"]


async def test_row_39_the_table_itself_refuses_the_own_approval(web: Web) -> None:
    """Why: the program may be wrong; the table is the second judge."""
    clerk = await web.desk("zhang.wei")
    await clerk.propose(LIMIT)
    decide = (
        "UPDATE cardcore.proposal SET status = 'approved', decided_at = now(), decided_by = '%s'"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        async with web.city.pool.connection() as connection:
            await connection.execute((decide % "operator:zhang.wei").encode())
    for statement in (
        "UPDATE cardcore.proposal SET content = '{}'",
        "DELETE FROM cardcore.proposal",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            async with web.city.pool.connection() as connection:
                await connection.execute(statement.encode())


async def test_a_clerk_proposes_but_does_not_decide(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    proposal = await supervisor.propose(LIMIT)
    answer = await clerk.decide(proposal)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_only_what_was_read_can_be_approved(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    proposal = await clerk.propose(LIMIT)
    answer = await supervisor.decide({**proposal, "digest": "0" * 64})
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_changed")


async def test_a_rejected_withdrawn_or_old_proposal_is_not_open_any_more(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    rejected, withdrawn, old = [await clerk.propose(LIMIT) for _ in range(3)]
    assert (await supervisor.decide(rejected, "reject")).json()["status"] == "rejected"
    path = f"/v1/proposals/{withdrawn['proposal_id']}"
    assert (await supervisor.post(f"{path}/withdraw")).status_code == 404
    assert (await clerk.post(f"{path}/withdraw")).json()["status"] == "withdrawn"
    assert (await clerk.post(f"{path}/withdraw")).json()["code"] == "proposal_state"
    web.clock.advance(days=7)
    supervisor = await web.desk("li.na")
    for proposal in (rejected, withdrawn, old):
        answer = await supervisor.decide(proposal)
        assert (answer.status_code, answer.json()["code"]) == (409, "proposal_state")
    assert (await supervisor.get(path)).json()["status"] == "withdrawn"
    assert (await supervisor.get(f"/v1/proposals/{uuid4()}")).status_code == 404


async def test_the_same_key_proposes_once(web: Web) -> None:
    clerk = await web.desk("zhang.wei")
    body = {"content": LIMIT, "purpose": "x"}
    answers = [
        await clerk.post("/v1/proposals", body, **{"Idempotency-Key": "one"}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"


async def test_money_moves_between_suspense_and_a_fund_once(web: Web) -> None:
    """How: two supervisors approve at the same instant."""
    user_id = await web.life.person(balance_fen=1_000)
    clerk = await web.desk("zhang.wei")
    first, second = await web.desk("li.na"), await web.desk("wang.fang")
    fund = f"fund:{await web.fund_id(user_id)}"
    proposal = await clerk.propose(
        {"kind": "adjust_money", "from_account": "suspense", "to_account": fund, "amount_fen": 250}
    )
    answers = await asyncio.gather(first.decide(proposal), second.decide(proposal))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await web.life.balance_fen(user_id) == 1_250
    assert await web.life.books_are_right()


@pytest.mark.parametrize(
    ("from_account", "to_account"),
    [
        ("fund:{fund}", "payable:shanting-bus"),
        ("suspense", "suspense"),
        ("suspense", "payable:nobody"),
        ("suspense", "fund:1"),
        ("suspense", "fund:00000000-0000-7000-8000-000000000000"),
        ("suspense", "custody"),
        ("fund:{fund}", "suspense"),
    ],
)
async def test_what_cannot_be_done_stays_open_and_moves_nothing(
    web: Web, from_account: str, to_account: str
) -> None:
    """Why: the last row would take more than the fund holds."""
    user_id = await web.life.person(balance_fen=100)
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    fund = await web.fund_id(user_id)
    proposal = await clerk.propose(
        {
            "kind": "adjust_money",
            "from_account": from_account.format(fund=fund),
            "to_account": to_account,
            "amount_fen": 101,
        }
    )
    answer = await supervisor.decide(proposal)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_impossible")
    path = f"/v1/proposals/{proposal['proposal_id']}"
    assert (await supervisor.get(path)).json()["status"] == "open"
    assert await web.life.balance_fen(user_id) == 100


async def test_an_unknown_kind_of_fund_has_no_limit(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    answer = await supervisor.decide(await clerk.propose({**LIMIT, "fund": "gold"}))
    assert answer.json()["code"] == "proposal_impossible"


async def test_a_new_access_key_signs_at_once_and_the_old_one_ends_with_its_tokens(
    web: Web, city_settings: Settings
) -> None:
    security, supervisor = await web.desk("zhao.min"), await web.desk("li.na")
    old = await web.token("card-centre", city_settings)
    assert (
        await supervisor.decide(await security.propose({"kind": "rotate_access_key"}))
    ).is_success
    web.clock.advance(seconds=11)
    new = await web.token("card-centre", city_settings)
    kids = [jwt.get_unverified_header(one["Authorization"][7:])["kid"] for one in (old, new)]
    assert kids == ["1", "2"]
    for headers in (old, new):
        assert (await web.browser().get("/v1/books", headers=headers)).status_code == 200


async def test_a_leaked_access_key_opens_nothing_from_then_on(
    web: Web, city_settings: Settings
) -> None:
    security, supervisor = await web.desk("zhao.min"), await web.desk("li.na")
    old = await web.token("card-centre", city_settings)
    browser = web.browser()
    assert (await browser.get("/v1/books", headers=old)).status_code == 200
    leaked = {"kind": "rotate_access_key", "at_once": True}
    assert (await supervisor.decide(await security.propose(leaked))).is_success
    web.clock.advance(seconds=16)
    answer = await browser.get("/v1/books", headers=old)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    new = await web.token("card-centre", city_settings)
    assert (await browser.get("/v1/books", headers=new)).status_code == 200


async def test_all_of_it_stands_in_the_chain(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    await supervisor.decide(await clerk.propose(LIMIT))
    assert (await verdict(web.city)).finding is None


async def test_a_limit_on_orders_gets_a_new_version_by_two_operators(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    content = {
        "kind": "set_order_limit",
        "limit_id": "retail_day",
        "scene": "retail",
        "subject": "user",
        "measure": "amount",
        "period": "day",
        "limit_max": 50_000,
        "name_zh": "消费单日限额",
        "name_en": "Retail, one day",
    }
    approved = await supervisor.decide(await clerk.propose(content))
    assert approved.json()["status"] == "approved"
    async with web.city.pool.connection() as connection:
        rules = web.city.core.rules
        assert await rules.refresh(connection)
    (rule,) = [one for one in rules.current.limits if one.limit_id == "retail_day"]
    assert (rule.version, rule.limit_max) == (2, 50_000)


async def test_a_limit_of_a_fund_is_a_version_of_the_funding_policy(web: Web) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    content = {"kind": "set_fund_limit", "fund": "purse", "topup_fen_max": 100_000}
    proposal = await clerk.propose(content)
    before = await policy(web)
    await supervisor.decide(proposal)
    version, subject, client_id, reason = await policy(web)
    assert (version, subject, client_id) == (before[0] + 1, "limit:purse", "operator:li.na")
    assert reason == f"工单 2026-118 (proposal {proposal['proposal_id']})"
    kinds = await web.city.core.fund_kinds(CENTRE)
    (purse,) = [one for one in kinds.kinds if one.fund == "purse"]
    assert (purse.topup_fen_max, purse.topup_day_fen_max) == (100_000, 500_000)


async def policy(web: Web) -> tuple[int, str, str, str]:
    async with web.city.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT version, subject, client_id, reason FROM cardcore.funding_policy"
            " ORDER BY version DESC LIMIT 1"
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), row[1], row[2], row[3]


@pytest.mark.parametrize(
    ("fund", "limits", "field"),
    [
        ("purse", {"balance_fen_max": 500_001}, "balance_fen_max"),
        ("purse", {"credit_fen_max": 100}, "credit_fen_max"),
        ("health_credit", {"balance_fen_max": 100}, "balance_fen_max"),
        ("purse", {"topup_fen_max": 500_001}, "topup_fen_max"),
        ("purse", {"withdrawal_day_fen_max": 299_999}, "withdrawal_fen_max"),
    ],
)
async def test_a_limit_the_law_or_the_kind_of_fund_does_not_have_is_not_set(
    web: Web, fund: str, limits: dict[str, int], field: str
) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    before = await policy(web)
    content = {"kind": "set_fund_limit", "fund": fund, **limits}
    answer = await supervisor.decide(await clerk.propose(content))
    assert answer.json()["code"] == "proposal_impossible"
    assert answer.json()["errors"][0]["field"] == field
    assert await policy(web) == before


async def test_a_proposal_that_changes_no_limit_is_not_one(web: Web) -> None:
    clerk = await web.desk("zhang.wei")
    body = {"content": {"kind": "set_fund_limit", "fund": "purse"}, "purpose": "x"}
    answer = await clerk.post("/v1/proposals", body, **{"Idempotency-Key": "none"})
    assert answer.status_code == 422


@pytest.mark.parametrize(("scene", "known"), [("bus", True), ("*", True), ("nowhere", False)])
async def test_the_time_of_holds_is_changed_for_scenes_that_are_there(
    web: Web, scene: str, known: bool
) -> None:
    clerk, supervisor = await web.desk("zhang.wei"), await web.desk("li.na")
    content = {"kind": "set_hold_time", "scene": scene, "timeout_s": 3600}
    answer = await supervisor.decide(await clerk.propose(content))
    async with web.city.pool.connection() as connection:
        rules = web.city.core.rules
        assert await rules.refresh(connection) == known
    assert (rules.current.hold_timeouts_s.get(scene) == 3600) == known
    assert (answer.json()["code"] if not known else answer.json()["status"]) == (
        "approved" if known else "proposal_impossible"
    )
