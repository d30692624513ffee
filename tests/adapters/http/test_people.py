"""People's life, rights and data over HTTP: the face on the fake core, then a whole life."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.http.examples import (
    ACT,
    BIND_PLATE,
    CONSENT,
    DELEGATION,
    DISCLOSE,
    ENTITLEMENT,
    FUND_ACT,
    OPEN_USER,
    UPGRADE,
)
from adapters.http.lifecycle import LIFECYCLE
from adapters.http.privacy import PRIVACY
from adapters.http.rights import RIGHTS
from adapters.settings import Settings
from adapters.wiring import City
from tests.adapters.http.centre import Centre, centre_of
from tests.adapters.http.conftest import Face
from tests.city_life import id_no
from tests.conftest import CityClock

OPERATIONS = [
    pytest.param(one, id=one.run.__name__)
    for noun in (LIFECYCLE, RIGHTS, PRIVACY)
    for one in noun.operations
]


@pytest.fixture
async def centre(
    city: City, city_clock: CityClock, city_settings: Settings
) -> AsyncIterator[Centre]:
    """The card centre, signed in."""
    async with centre_of(city, city_clock, city_settings) as opened:
        yield opened


async def _asked(face: Face, operation: object, headers: dict[str, str]) -> tuple[int, bool]:
    path = operation.path  # type: ignore[attr-defined]
    for name in ("user_id", "claim_id", "credential_id"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    for name in ("entitlement_id", "delegation_id", "consent_id"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    if operation.method == "GET":  # type: ignore[attr-defined]
        answer = await face.http.get(path, headers=headers)
        return answer.status_code, False
    (body,) = operation.examples.values()  # type: ignore[attr-defined]
    first = await face.http.post(path, json=body, headers=headers)
    again = await face.http.post(path, json=body, headers=headers)
    replayed = again.headers.get("idempotent-replayed") == "true"
    assert not replayed or first.content == again.content
    return first.status_code, replayed


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_operation_answers_and_an_act_is_done_once(
    face: Face, operation: object
) -> None:
    status, replayed = await _asked(face, operation, face.keyed())
    unknown = operation.run.__name__ in ("read_claim", "find_user")  # type: ignore[attr-defined]
    assert status == (404 if unknown else operation.status)  # type: ignore[attr-defined]
    assert replayed is operation.keyed  # type: ignore[attr-defined]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_operation_needs_its_scope(face: Face, operation: object) -> None:
    headers = face.bearer("poor", scopes=frozenset({"verify"}))
    status, _ = await _asked(face, operation, {**headers, "Idempotency-Key": "k"})
    assert status == 403


async def test_a_life_in_the_register(centre: Centre) -> None:
    phone = "13800138000"
    body = {"level": "phone", "phone": phone, "funds": ["transit"]}
    user = await centre.post("/v1/users", body)
    path = f"/v1/users/{user['user_id']}"
    await centre.post(f"{path}/level", UPGRADE)
    await centre.post(f"{path}/contact", {"address": "枣庄市山亭区府前路1号"})
    await centre.post(f"{path}/entitlements", ENTITLEMENT)
    await centre.post(f"{path}/plates", BIND_PLATE)
    await centre.post(f"{path}/consents", CONSENT)
    guardian = await centre.post("/v1/users", {"name": "监护人", "id_no": id_no("19800101", 1)})
    delegation = DELEGATION | {"payer_id": guardian["user_id"]}
    await centre.post(f"{path}/delegations", delegation)
    shown = await centre.get(path)
    assert (shown["level"], shown["name_masked"]) == ("real_name", "王**")
    assert (shown["id_no_masked"], shown["phone_masked"]) == (
        "1101**********002X",
        "+86138****8000",
    )
    for noun in ("entitlements", "credentials", "delegations", "consents"):
        view = await centre.get(f"{path}/{noun}")
        assert len(view[noun]) == 1, noun
    disclosed = await centre.post(f"{path}/disclosures", DISCLOSE, status=200)
    assert (disclosed["name"], disclosed["phone"]) == ("王小明", None)
    found = await centre.post("/v1/user-searches", {"phone": phone}, status=200)
    assert found["user_id"] == user["user_id"]
    log = await centre.get(f"{path}/data-accesses", limit="2")
    assert [one["purpose"] for one in log["accesses"]] == ["service", "legal_order"]
    rest = await centre.get(f"{path}/data-accesses", before=str(log["next_before"]))
    assert rest["accesses"]


async def test_refusals_name_the_state_and_what_is_open(centre: Centre) -> None:
    user = await centre.post("/v1/users", OPEN_USER)
    path = f"/v1/users/{user['user_id']}"
    await centre.post(f"{path}/freeze", ACT)
    problem = await centre.post(f"{path}/closure", ACT, status=409)
    assert (problem["code"], problem["facts"]["status"]) == ("person_state", "frozen")
    assert problem["title"] == "当前状态不允许此操作"
    await centre.post(f"{path}/unfreeze", ACT)
    await centre.post(f"{path}/fund-freeze", FUND_ACT)
    problem = await centre.post(f"{path}/closure", ACT, status=409)
    assert problem["code"] == "obligations_open"
    assert problem["facts"] == {"open": ["fund_frozen:purse"]}
    await centre.post(f"{path}/fund-unfreeze", FUND_ACT)
    topup = {"fund": "purse", "amount_fen": 500, "channel": "bank", "channel_no": "B1"}
    await centre.post(f"{path}/topups", topup)
    closed = await centre.post(f"{path}/closure", ACT)
    claim = f"/v1/payout-claims/{closed['object']}"
    problem = await centre.post(f"{path}/erasure", ACT, status=409)
    assert problem["facts"] == {"open": [f"claim:{closed['object']}"]}
    assert (await centre.get(claim))["amount_fen"] == 500
    await centre.post(f"{claim}/settlement", {"channel": "bank", "channel_no": "P1"})
    await centre.post(f"{path}/erasure", ACT)
    assert (await centre.get(path))["name_masked"] == "*"
    history = await centre.get(f"{path}/history")
    assert [one["kind"] for one in history["events"]][-3:] == ["close", "payout", "erase"]


async def test_row_36_a_number_of_another_person_leads_to_them(centre: Centre) -> None:
    known = await centre.post("/v1/users", OPEN_USER)
    user = await centre.post("/v1/users", {"level": "phone", "phone": "13800138000"})
    path = f"/v1/users/{user['user_id']}"
    problem = await centre.post(f"{path}/level", UPGRADE, status=409)
    assert problem["code"] == "person_exists"
    assert problem["facts"] == {"user_id": known["user_id"]}
    merge = {"reason": "duplicate", "duplicate_id": user["user_id"]}
    await centre.post(f"/v1/users/{known['user_id']}/merge", merge)
    merged = await centre.get(path)
    assert (merged["user_id"], merged["merged_ids"]) == (known["user_id"], [user["user_id"]])
    orders = await centre.get(f"{path}/orders", limit="1")
    assert orders == {"user_id": known["user_id"], "orders": [], "next_before": None}


@pytest.mark.parametrize(
    ("query", "field"), [({"before": "x"}, "before"), ({"limit": "0"}, "limit"), ({"x": "1"}, "x")]
)
async def test_a_page_that_is_none_is_refused(
    face: Face, query: dict[str, str], field: str
) -> None:
    path = f"/v1/users/{uuid4()}/data-accesses"
    answer = await face.http.get(path, params=query, headers=face.bearer())
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]
