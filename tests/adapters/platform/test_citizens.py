"""Citizens come in by the one-time code of the app that embeds the page (fault 33)."""

import asyncio
from uuid import uuid4

import httpx2
import pytest

from adapters.settings import Settings
from tests.adapters.platform.conftest import Web


class App:
    """The embedding app: its server has a token, its page has none."""

    def __init__(self, web: Web, headers: dict[str, str]) -> None:
        self.web = web
        self.headers = headers

    async def code(self, user_id: object) -> str:
        body = {"user_id": str(user_id)}
        answer = await self.web.browser().post("/v1/host-codes", json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["host_code"])

    async def open(
        self, code: str, *, client_id: str = "aishandong"
    ) -> tuple[httpx2.AsyncClient, httpx2.Response]:
        page = self.web.browser()
        body = {"host_code": code, "client_id": client_id}
        return page, await page.post("/v1/citizen-session", json=body)


@pytest.fixture
async def app(web: Web, city_settings: Settings) -> App:
    """The demo city's app."""
    return App(web, await web.token("aishandong", city_settings))


async def test_a_code_opens_a_session_and_the_session_knows_its_citizen(web: Web, app: App) -> None:
    user_id = await web.life.person(balance_fen=700)
    page, opened = await app.open(await app.code(user_id))
    assert opened.status_code == 201
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith("__Host-cardcore_citizen=")
    assert "HttpOnly" in cookie
    me = await page.get("/v1/me")
    assert me.json()["user_id"] == str(user_id)
    assert me.json()["funds"][0]["balance_fen"] == 700
    assert me.json()["name_masked"].endswith("*")


async def test_a_code_is_good_once_and_shown_again_ends_what_it_opened(web: Web, app: App) -> None:
    """Why: who shows it again has seen it somewhere, and one of the two is a thief."""
    user_id = await web.life.person()
    code = await app.code(user_id)
    page, _ = await app.open(code)
    web.clock.advance(seconds=1)
    other, _ = await app.open(await app.code(user_id))
    _, again = await app.open(code)
    assert (again.status_code, again.json()["code"]) == (403, "host_code_refused")
    assert (await page.get("/v1/me")).status_code == 401
    assert (await web.audit("citizen.sign_in"))[0][2] == "host_code_replayed"
    assert (await other.get("/v1/me")).status_code == 200


async def test_of_many_at_once_one_gets_in(web: Web, app: App) -> None:
    code = await app.code(await web.life.person())
    answers = await asyncio.gather(*(app.open(code) for _ in range(8)))
    assert sorted(answer.status_code for _, answer in answers) == [201] + [403] * 7


async def test_a_code_is_over_after_a_minute(web: Web, app: App) -> None:
    code = await app.code(await web.life.person())
    web.clock.advance(seconds=60)
    _, late = await app.open(code)
    assert late.json()["code"] == "host_code_refused"


@pytest.mark.parametrize("client_id", ["card-centre", "nobody"])
async def test_a_code_opens_nothing_in_another_app(web: Web, app: App, client_id: str) -> None:
    code = await app.code(await web.life.person())
    _, other = await app.open(code, client_id=client_id)
    assert other.json()["code"] == "host_code_refused"
    _, own = await app.open(code)
    assert own.status_code == 201


async def test_a_made_up_code_opens_nothing(app: App) -> None:
    _, answer = await app.open("x" * 43)
    assert answer.json()["code"] == "host_code_refused"


async def test_a_session_ends_by_age_and_by_leaving(web: Web, app: App) -> None:
    user_id = await web.life.person()
    page, opened = await app.open(await app.code(user_id))
    csrf = {"X-CSRF-Token": opened.json()["csrf_token"]}
    assert (await page.delete("/v1/citizen-session")).json()["code"] == "csrf_refused"
    assert (await page.delete("/v1/citizen-session", headers=csrf)).status_code == 200
    assert (await page.get("/v1/me")).status_code == 401
    page, _ = await app.open(await app.code(user_id))
    web.clock.advance(minutes=30)
    assert (await page.get("/v1/me")).json()["code"] == "session_invalid"


async def test_a_frozen_person_is_out_and_gets_no_code(web: Web, app: App) -> None:
    user_id = await web.life.person()
    page, _ = await app.open(await app.code(user_id))
    unused = await app.code(user_id)
    async with web.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.person SET status = 'frozen' WHERE user_id = %s", (user_id,)
        )
    assert (await page.get("/v1/me")).status_code == 401
    _, refused = await app.open(unused)
    assert refused.json()["code"] == "host_code_refused"
    body = {"user_id": str(user_id)}
    answer = await web.browser().post("/v1/host-codes", json=body, headers=app.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_unknown")
    body = {"user_id": str(uuid4())}
    answer = await web.browser().post("/v1/host-codes", json=body, headers=app.headers)
    assert answer.status_code == 404


async def test_row_33_a_citizens_session_is_nothing_on_an_operators_route(
    web: Web, app: App
) -> None:
    page, opened = await app.open(await app.code(await web.life.person()))
    token = page.cookies["__Host-cardcore_citizen"]
    page.cookies.set("__Host-cardcore_operator", token, domain="card.example")
    csrf = {"X-CSRF-Token": opened.json()["csrf_token"]}
    for path in ("/v1/operators/session", "/v1/clients", "/v1/proposals"):
        assert (await page.get(path, headers=csrf)).status_code == 401
    assert (await page.get("/v1/books")).json()["code"] == "token_missing"
