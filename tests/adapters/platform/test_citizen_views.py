"""What a citizen reads about himself, and nothing about others (fault 33)."""

from typing import Any
from uuid import uuid4

import httpx2

from adapters.http.examples import ACT, CONSENT
from adapters.settings import Settings
from tests.adapters.platform.conftest import Web

VIEWS = {
    "orders": "orders",
    "data-accesses": "accesses",
    "history": "events",
    "credentials": "credentials",
    "entitlements": "entitlements",
    "delegations": "delegations",
    "consents": "consents",
}


async def page_of(web: Web, settings: Settings, user_id: object) -> tuple[httpx2.AsyncClient, str]:
    """A page of a citizen who has just proved who they are, and its token against forgeries."""
    app = await web.token("aishandong", settings)
    page = web.browser()
    asked = {"user_id": str(user_id), "authenticated_at": web.clock.now.isoformat()}
    code = await page.post("/v1/host-codes", json=asked, headers=app)
    body = {"host_code": code.json()["host_code"], "client_id": "aishandong"}
    opened = await page.post("/v1/citizen-session", json=body)
    return page, str(opened.json()["csrf_token"])


async def consented(web: Web, settings: Settings, user_id: object) -> str:
    """Somebody's consent, written down by the card centre."""
    centre = await web.token("card-centre", settings)
    headers = centre | {"Idempotency-Key": uuid4().hex}
    path = f"/v1/users/{user_id}/consents"
    answer = await web.browser().post(path, json=CONSENT, headers=headers)
    return str(answer.json()["object"])


async def test_a_citizen_reads_what_is_kept_of_him(web: Web, city_settings: Settings) -> None:
    user_id = await web.life.person()
    order = await web.life.pay(user_id)
    await consented(web, city_settings, user_id)
    page, _ = await page_of(web, city_settings, user_id)
    seen: dict[str, list[Any]] = {}
    for path, field in VIEWS.items():
        answer = await page.get(f"/v1/me/{path}")
        assert answer.status_code == 200, answer.text
        seen[path] = answer.json()[field]
    assert [one["order_id"] for one in seen["orders"]] == [str(order.order_id)]
    assert [one["purpose"] for one in seen["data-accesses"]] == ["registration"]
    assert [one["kind"] for one in seen["history"]] == ["consent_granted"]
    assert len(seen["consents"]) == 1


async def test_nobody_reads_anything_without_a_session(web: Web) -> None:
    for path in VIEWS:
        assert (await web.browser().get(f"/v1/me/{path}")).status_code == 401


async def test_row_33_a_citizen_withdraws_his_own_consent_and_nobody_elses(
    web: Web, city_settings: Settings
) -> None:
    mine, other = await web.life.person(), await web.life.person()
    page, csrf = await page_of(web, city_settings, mine)
    own = await consented(web, city_settings, mine)
    foreign = await consented(web, city_settings, other)

    async def withdrawn(consent_id: str) -> int:
        headers = {"X-CSRF-Token": csrf, "Idempotency-Key": uuid4().hex}
        path = f"/v1/me/consents/{consent_id}/withdrawal"
        return (await page.post(path, json=ACT, headers=headers)).status_code

    assert await withdrawn(foreign) == 404
    assert await withdrawn(own) == 201
    assert await withdrawn(own) == 409
    centre = await web.token("card-centre", city_settings)
    kept = await web.browser().get(f"/v1/users/{other}/consents", headers=centre)
    assert kept.json()["consents"][0]["withdrawn_at"] is None
