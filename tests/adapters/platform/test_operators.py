"""Operators sign in, stay in, get locked out (faults 33, 39)."""

from datetime import timedelta

import httpx2
import pytest

from cardcore.platform.operators import FAILURES_FREE, lock_after
from cardcore.platform.roles import SCOPES, Role
from tests.adapters.platform.conftest import PASSWORD, Web


async def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_session_opens_with_password_and_one_time_password(web: Web) -> None:
    desk = await web.desk("zhang.wei")
    who = await desk.get("/v1/operators/session")
    assert who.json() == {
        "operator_id": "zhang.wei",
        "scopes": sorted(SCOPES[Role.CLERK]),
    }
    assert await web.audit("operator.sign_in") == [
        ("operator:zhang.wei", "operator/zhang.wei", "done", "")
    ]


async def test_the_cookie_is_out_of_reach(web: Web) -> None:
    await web.add_operator("zhang.wei", [Role.CLERK])
    _, answer = await web.sign_in("zhang.wei")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-cardcore_operator=")
    for flag in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert flag in cookie.split("; ")
    assert cookie.split(";")[0].partition("=")[2] not in answer.text


async def test_the_database_holds_no_token_no_password_and_no_secret(web: Web) -> None:
    desk = await web.desk("zhang.wei")
    token = desk.http.cookies["__Host-cardcore_operator"]
    async with web.city.pool.connection() as connection:
        for table in ("operator", "operator_session"):
            cursor = await connection.execute(f"SELECT t::text FROM cardcore.{table} t".encode())
            text = str(await cursor.fetchall())
            for secret in (token, desk.csrf_token, PASSWORD, web.secrets["zhang.wei"].hex()):
                assert secret not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"password": PASSWORD + "!"},
        {"totp": "000000"},
        {"operator_id": "nobody"},
    ],
)
async def test_whatever_is_wrong_the_answer_is_the_same(web: Web, changes: dict[str, str]) -> None:
    await web.add_operator("zhang.wei", [Role.CLERK])
    _, answer = await web.sign_in("zhang.wei", **changes)
    assert await code_of(answer) == (401, "sign_in_refused")
    assert answer.json()["facts"] == {}
    assert "set-cookie" not in answer.headers


async def test_a_one_time_password_is_good_once(web: Web) -> None:
    await web.desk("zhang.wei")
    _, again = await web.sign_in("zhang.wei")
    assert await code_of(again) == (401, "sign_in_refused")
    web.clock.advance(seconds=30)
    _, following = await web.sign_in("zhang.wei")
    assert following.status_code == 201


def test_the_wait_doubles_up_to_an_hour() -> None:
    minutes = [lock_after(failures) / timedelta(minutes=1) for failures in range(14)]
    assert minutes == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert lock_after(10**6) == timedelta(hours=1)


async def test_failures_lock_for_a_while_even_for_the_right_password(web: Web) -> None:
    await web.add_operator("zhang.wei", [Role.CLERK])
    for _ in range(FAILURES_FREE + 1):
        await web.sign_in("zhang.wei", password="wrong")
    _, right = await web.sign_in("zhang.wei")
    assert await code_of(right) == (401, "sign_in_refused")
    web.clock.advance(minutes=30)
    _, later = await web.sign_in("zhang.wei")
    assert later.status_code == 201
    outcomes = [row[2] for row in await web.audit("operator.sign_in")]
    assert outcomes == ["sign_in_refused"] * (FAILURES_FREE + 2) + ["done"]


async def test_after_signing_in_failures_count_from_none(web: Web) -> None:
    await web.add_operator("zhang.wei", [Role.CLERK])
    for _ in range(3):
        for _ in range(FAILURES_FREE):
            await web.sign_in("zhang.wei", password="wrong")
        _, right = await web.sign_in("zhang.wei")
        assert right.status_code == 201
        web.clock.advance(seconds=60)


async def test_a_session_ends_by_silence_by_age_and_by_leaving(web: Web) -> None:
    desk = await web.desk("zhang.wei")
    for _ in range(3):
        web.clock.advance(minutes=14)
        assert (await desk.get("/v1/operators/session")).status_code == 200
    web.clock.advance(minutes=16)
    assert await code_of(await desk.get("/v1/operators/session")) == (401, "session_invalid")
    desk = await web.desk("zhang.wei")
    for _ in range(8 * 60 // 14):
        web.clock.advance(minutes=14)
        assert (await desk.get("/v1/operators/session")).status_code == 200
    web.clock.advance(minutes=14)
    assert (await desk.get("/v1/operators/session")).status_code == 401
    desk = await web.desk("zhang.wei")
    token = desk.http.cookies["__Host-cardcore_operator"]
    left = await desk.http.delete(
        "/v1/operators/session", headers={"X-CSRF-Token": desk.csrf_token}
    )
    assert left.status_code == 200
    assert "Max-Age=0" in left.headers["set-cookie"]
    desk.http.cookies.set("__Host-cardcore_operator", token, domain="card.example")
    assert (await desk.get("/v1/operators/session")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRF-Token": "x" * 43},
        {"X-CSRF-Token": "\xe9"},
        {"Sec-Fetch-Site": "cross-site", "with": "own"},
        {"Sec-Fetch-Site": "same-site", "with": "own"},
    ],
)
async def test_a_change_needs_the_sessions_own_token_from_our_own_page(
    web: Web, headers: dict[str, str]
) -> None:
    desk = await web.desk("zhang.wei")
    given = {
        name.encode(): value.encode("latin-1") for name, value in headers.items() if name != "with"
    }
    if "with" in headers:
        given[b"X-CSRF-Token"] = desk.csrf_token.encode()
    answer = await desk.http.delete("/v1/operators/session", headers=given)
    assert await code_of(answer) == (403, "csrf_refused")
    assert (await desk.get("/v1/operators/session")).status_code == 200


@pytest.mark.parametrize(
    "cookie", ["", "__Host-cardcore_operator=", "cardcore_operator=x", "=;\x80"]
)
async def test_without_its_cookie_there_is_no_session(web: Web, cookie: str) -> None:
    answer = await web.browser().get(
        "/v1/operators/session", headers={b"Cookie": cookie.encode("latin-1")}
    )
    assert await code_of(answer) == (401, "session_invalid")


async def test_an_operator_is_added_by_another_and_shut_out_at_once(web: Web) -> None:
    security = await web.desk("zhao.min")
    request = {
        "operator_id": "zhang.wei",
        "name": "张伟",
        "roles": ["clerk"],
        "password": PASSWORD,
    }
    added = await security.post("/v1/operators", request)
    assert added.status_code == 201
    assert added.json()["totp_uri"].startswith("otpauth://totp/cardcore%3Azhang.wei?secret=")
    assert await code_of(await security.post("/v1/operators", request)) == (409, "operator_exists")
    listed = (await security.get("/v1/operators")).json()["operators"]
    assert [(one["operator_id"], one["status"]) for one in listed] == [
        ("zhang.wei", "active"),
        ("zhao.min", "active"),
    ]
    clerk = await web.desk("sun.li")
    shut = await security.post("/v1/operators/sun.li/disable")
    assert shut.json()["status"] == "disabled"
    assert (await clerk.get("/v1/operators/session")).status_code == 401
    web.clock.advance(seconds=30)
    _, again = await web.sign_in("sun.li")
    assert again.status_code == 401
    assert (await security.post("/v1/operators/nobody/disable")).status_code == 404
    assert (await security.post("/v1/operators/zhao.min/disable")).status_code == 403


@pytest.mark.parametrize("password", ["short", "zhang.wei zhang.wei", "aaaaaaaaaaaaaaaa"])
async def test_a_password_easy_to_guess_is_refused(web: Web, password: str) -> None:
    security = await web.desk("zhao.min")
    request = {
        "operator_id": "zhang.wei",
        "name": "张伟",
        "roles": ["clerk"],
        "password": password,
    }
    assert await code_of(await security.post("/v1/operators", request)) == (422, "password_weak")
