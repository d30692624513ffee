"""What a citizen does with what is his, and never with what is another's (fault 33)."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from adapters.http.examples import AUTHORISE, ISSUE_CARD
from adapters.settings import Settings
from cardcore.user.card_request import IssueCardRequest
from cardcore.user.people_request import GrantDelegationRequest
from tests.adapters.platform.conftest import Web
from tests.adapters.platform.test_citizen_views import page_of
from tests.city_life import CENTRE, VALIDATOR


class Page:
    """A citizen's page: its session and its token against forged requests."""

    def __init__(self, http: httpx2.AsyncClient, csrf_token: str) -> None:
        self.http = http
        self.csrf_token = csrf_token

    async def get(self, path: str) -> Any:  # noqa: ANN401  (JSON)
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None) -> httpx2.Response:
        headers = {"X-CSRF-Token": self.csrf_token, "Idempotency-Key": uuid4().hex}
        if body is None:
            return await self.http.post(path, headers=headers)
        return await self.http.post(path, json=body, headers=headers)


async def opened(web: Web, settings: Settings, user_id: UUID) -> Page:
    return Page(*await page_of(web, settings, user_id))


@pytest.fixture
async def people(web: Web) -> tuple[UUID, UUID]:
    return await web.life.person(), await web.life.person()


async def test_a_page_loaded_anew_is_told_its_token_again(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    page = await opened(web, city_settings, people[0])
    session = await page.get("/v1/citizen-session")
    assert session["csrf_token"] == page.csrf_token
    await page.http.delete("/v1/citizen-session", headers={"X-CSRF-Token": page.csrf_token})
    assert (await page.http.get("/v1/citizen-session")).status_code == 401


async def test_a_citizen_s_own_code_pays_and_the_page_shows_every_fen(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    page = await opened(web, city_settings, people[0])
    code = await page.post("/v1/me/codes", {"scenes": ["bus"]})
    assert code.status_code == 201, code.text
    ride = web.life.ride(code.json()["text"])
    paid, _ = await web.city.core.order(VALIDATOR, ride, "ride")
    path = f"/v1/me/orders/{paid.order_id}"
    assert (await page.get(path))["citizen_fen"] == 100
    explained = await page.get(f"{path}/explain")
    assert explained["explained_fen"] == explained["nominal_fen"] == 100
    other = await opened(web, city_settings, people[1])
    assert (await other.http.get(path)).status_code == 404
    assert (await other.http.get(f"{path}/explain")).status_code == 404


async def test_without_the_page_s_own_token_no_code_is_given(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    page = await opened(web, city_settings, people[0])
    answer = await page.http.post("/v1/me/codes", json={"scenes": ["bus"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_refused")


async def test_a_phone_s_key_is_authorised_and_reported_lost(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    page = await opened(web, city_settings, people[0])
    given = await page.post("/v1/me/authorisations", AUTHORISE)
    assert given.status_code == 201, given.text
    (device,) = (await page.get("/v1/me/credentials"))["credentials"]
    other = await opened(web, city_settings, people[1])
    path = f"/v1/me/credentials/{device['credential_id']}/loss"
    assert (await other.post(path)).status_code == 404
    assert (await page.post(path)).status_code == 201
    (device,) = (await page.get("/v1/me/credentials"))["credentials"]
    assert device["status"] == "lost"


async def test_a_card_is_reported_lost_by_its_holder_alone(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    request = IssueCardRequest.model_validate(ISSUE_CARD)
    card, _ = await web.city.core.issue_card(CENTRE, people[0], request, "card")
    page = await opened(web, city_settings, people[0])
    other = await opened(web, city_settings, people[1])
    path = f"/v1/me/cards/{card.card_id}/loss"
    assert (await other.post(path)).json()["code"] == "card_unknown"
    assert (await page.post(path)).json()["status"] == "lost"
    (shown,) = (await page.get("/v1/me/cards"))["cards"]
    assert shown["liability_from"] is not None
    assert (await other.get("/v1/me/cards"))["cards"] == []


async def test_a_ride_is_disputed_and_the_dispute_withdrawn_by_whoever_paid(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    order = await web.life.pay(people[0])
    page = await opened(web, city_settings, people[0])
    other = await opened(web, city_settings, people[1])
    path = f"/v1/me/orders/{order.order_id}/disputes"
    assert (await other.post(path, {"reason": "charged_twice"})).status_code == 404
    made = await page.post(path, {"reason": "charged_twice"})
    assert made.status_code == 201, made.text
    assert (await other.get("/v1/me/disputes"))["disputes"] == []
    (listed,) = (await page.get("/v1/me/disputes"))["disputes"]
    assert listed == made.json()
    withdrawal = f"/v1/me/disputes/{listed['dispute_id']}/withdrawal"
    assert (await other.post(withdrawal)).status_code == 404
    assert (await page.post(withdrawal)).json()["status"] == "withdrawn"


async def test_a_delegation_is_ended_by_either_side_and_by_nobody_else(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    elder, child = people
    stranger = await web.life.person()
    request = GrantDelegationRequest.model_validate(
        {
            "payer_id": child,
            "kind": "agent",
            "scenes": ["bus"],
            "order_fen_max": 500,
            "day_fen_max": 2_000,
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": "2027-01-01T00:00:00Z",
        }
    )
    granted, _ = await web.city.core.grant_delegation(CENTRE, elder, request, "family")
    path = f"/v1/me/delegations/{granted.object}/revocation"
    assert (await (await opened(web, city_settings, stranger)).post(path)).status_code == 404
    payer = await opened(web, city_settings, child)
    assert (await payer.post(path)).status_code == 201
    (seen,) = (await payer.get("/v1/me/delegations"))["delegations"]
    assert seen["revoked_at"] is not None
