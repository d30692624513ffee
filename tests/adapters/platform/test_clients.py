"""Clients are registered, re-keyed and shut out by operators (faults 25, 33)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters import demo_city
from adapters.client_assertion import ASSERTION_TYPE, client_assertion
from adapters.demo_city import public_jwk
from cardcore.caller import Scope
from tests.adapters.platform.conftest import PUBLIC_URL, Desk, Web


def registration(key: Ed25519PrivateKey, **changes: object) -> dict[str, Any]:
    return {
        "client_id": "bus-new-office",
        "merchant_id": demo_city.BUS_MERCHANT,
        "scopes": ["orders:read"],
        "public_key": public_jwk(key),
        "purpose": "合同 2026-31",
    } | changes


async def can_enter(web: Web, client_id: str, key: Ed25519PrivateKey) -> bool:
    proof = client_assertion(
        client_id, key, audience=f"{PUBLIC_URL}/v1/oauth/token", now=web.clock.now
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": proof,
    }
    return (await web.browser().post("/v1/oauth/token", data=form)).status_code == 200


@pytest.fixture
async def security(web: Web) -> Desk:
    """An operator who looks after clients."""
    return await web.desk("zhao.min")


async def test_a_registered_client_enters_with_its_key(web: Web, security: Desk) -> None:
    key = Ed25519PrivateKey.generate()
    made = await security.post("/v1/clients", registration(key))
    assert made.status_code == 201, made.text
    assert await can_enter(web, "bus-new-office", key)
    again = await security.post("/v1/clients", registration(key))
    assert (again.status_code, again.json()) == (201, made.json())
    other = await security.post("/v1/clients", registration(key, scopes=["verify"]))
    assert (other.status_code, other.json()["code"]) == (409, "client_exists")
    assert await web.audit("client.register") == [
        ("operator:zhao.min", "client/bus-new-office", "done", "合同 2026-31")
    ]


async def test_two_keys_are_good_while_a_client_changes_them(web: Web, security: Desk) -> None:
    first, second, third = [Ed25519PrivateKey.generate() for _ in range(3)]
    await security.post("/v1/clients", registration(first))
    body = {"public_key": public_jwk(second), "former_valid_s": 600, "purpose": "轮换"}
    path = "/v1/clients/bus-new-office"
    view = (await security.post(f"{path}/keys", body)).json()
    assert view["former_key_thumbprint"] is not None
    assert [await can_enter(web, "bus-new-office", key) for key in (first, second)] == [True, True]
    assert (await security.post(f"{path}/keys", body)).json() == view
    web.clock.advance(seconds=600)
    assert [await can_enter(web, "bus-new-office", key) for key in (first, second)] == [False, True]
    assert (await security.get(path)).json()["former_key_thumbprint"] is None
    stolen = {"public_key": public_jwk(third), "former_valid_s": 0, "purpose": "泄露"}
    await security.post(f"{path}/keys", stolen)
    keys = (first, second, third)
    assert [await can_enter(web, "bus-new-office", key) for key in keys] == [False, False, True]


async def test_row_25_a_revoked_client_is_out_whatever_it_holds(web: Web, security: Desk) -> None:
    key = Ed25519PrivateKey.generate()
    await security.post("/v1/clients", registration(key))
    path = "/v1/clients/bus-new-office"
    for _ in range(2):
        revoked = await security.post(f"{path}/revoke", {"purpose": "终端被盗"})
        assert revoked.json()["status"] == "revoked"
    assert not await can_enter(web, "bus-new-office", key)
    assert (await security.post("/v1/clients", registration(key))).status_code == 409
    next_key = {"public_key": public_jwk(key), "purpose": "x"}
    assert (await security.post(f"{path}/keys", next_key)).status_code == 404
    assert len(await web.audit("client.revoke")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"merchant_id": "nobody"}, "merchant_unknown"),
        ({"public_key": {"kty": "oct", "k": "AA"}}, "key_unfit"),
        ({"scopes": ["everything"]}, "request_invalid"),
        ({"scopes": []}, "request_invalid"),
        ({"purpose": ""}, "request_invalid"),
        ({"status": "active"}, "request_invalid"),
    ],
)
async def test_an_unfit_registration_is_refused(
    security: Desk, changes: dict[str, object], code: str
) -> None:
    answer = await security.post(
        "/v1/clients", registration(Ed25519PrivateKey.generate(), **changes)
    )
    assert answer.json()["code"] == code


async def test_clients_are_listed_page_by_page(security: Desk) -> None:
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await security.get("/v1/clients", **query)).json()
        seen += [one["client_id"] for one in page["clients"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == sorted(client.client_id for client in demo_city.CLIENTS)
    unknown = await security.get("/v1/clients/nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "client_unknown")


async def test_the_audit_log_is_read_newest_first(web: Web, security: Desk) -> None:
    for number in range(3):
        key = Ed25519PrivateKey.generate()
        await security.post("/v1/clients", registration(key, client_id=f"c{number}"))
    auditor = await web.desk("sun.li")
    first = (await auditor.get("/v1/audit-events", limit=3)).json()
    second = (await auditor.get("/v1/audit-events", cursor=first["next_cursor"], limit=3)).json()
    events = first["events"] + second["events"]
    assert [one["seq"] for one in events] == sorted((one["seq"] for one in events), reverse=True)
    objects = [one["object"] for one in events if one["action"] == "client.register"]
    assert objects == ["client/c2", "client/c1", "client/c0"]
    assert (await auditor.get("/v1/audit-events", cursor="AAAA")).status_code == 422


async def test_the_catalogue_names_every_scope_in_both_languages(web: Web) -> None:
    scopes = (await web.browser().get("/v1/scopes")).json()["scopes"]
    assert {one["scope"] for one in scopes} == {scope.value for scope in Scope}
    assert all(one["zh"] and one["en"] for one in scopes)
