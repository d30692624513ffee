"""Two citizens agree that one pays for the other: both agree, both just proved who they are."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from adapters.http.family import INVITE
from adapters.settings import Settings
from cardcore.user.request import OpenUserRequest
from tests.adapters.platform.conftest import Web
from tests.adapters.platform.test_citizen_acts import Page
from tests.city_life import CENTRE, FLAT_FARE_FEN, VALIDATOR

INVITATIONS = "/v1/me/family-invitations"
OPENING, ACCEPTANCE = f"{INVITATIONS}/opening", f"{INVITATIONS}/acceptance"
TERMS: dict[str, Any] = INVITE | {"valid_to": "2027-01-01T00:00:00Z"}
Enter = Callable[..., Awaitable[Page]]


@pytest.fixture
async def people(web: Web) -> tuple[UUID, UUID]:
    """A parent with money and a child without."""
    return await web.life.person(), await web.life.person(balance_fen=0)


@pytest.fixture
def enter(web: Web, city_settings: Settings) -> Enter:
    """Opens a page for somebody; by default one whose app has just seen their fingerprint."""

    async def opened(user_id: UUID, *, fresh: bool = True) -> Page:
        app = await web.token("aishandong", city_settings)
        http = web.browser()
        asked = {"user_id": str(user_id)}
        if fresh:
            asked["authenticated_at"] = web.life.clock.now.isoformat()
        code = await http.post("/v1/host-codes", json=asked, headers=app)
        body = {"host_code": code.json()["host_code"], "client_id": "aishandong"}
        session = await http.post("/v1/citizen-session", json=body)
        return Page(http, str(session.json()["csrf_token"]))

    return opened


async def invited(page: Page, **changes: object) -> str:
    answer = await page.post(INVITATIONS, TERMS | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


async def refused(page: Page, path: str, body: object) -> str:
    answer = await page.post(path, body)
    assert answer.status_code >= 400, answer.text
    return str(answer.json()["code"])


@pytest.mark.parametrize("payer_invites", [True, False])
async def test_one_invites_the_other_accepts_and_the_ride_is_paid(
    web: Web, people: tuple[UUID, UUID], enter: Enter, *, payer_invites: bool
) -> None:
    parent, child = await enter(people[0]), await enter(people[1])
    inviter, invitee = (parent, child) if payer_invites else (child, parent)
    code = await invited(inviter, inviter_pays=payer_invites)
    # Read out on the telephone, typed by somebody old.
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    shown = (await invitee.post(OPENING, {"code": typed})).json()
    assert (shown["state"], shown["inviter_pays"]) == ("open", payer_invites)
    assert shown["inviter_name_masked"].endswith("*")
    assert (await invitee.get("/v1/me/family"))["delegations"] == []
    accepted = await invitee.post(ACCEPTANCE, {"code": typed})
    assert accepted.status_code == 201, accepted.text
    (seen,) = (await parent.get("/v1/me/family"))["delegations"]
    assert (seen["payer_id"], seen["user_id"]) == (str(people[0]), str(people[1]))
    assert seen["delegation_id"] == accepted.json()["object"]
    assert seen["other_name_masked"].endswith("*")
    (mine,) = (await inviter.get(INVITATIONS))["invitations"]
    assert mine["state"] == "accepted"
    assert "code" not in mine
    text = await web.life.code(people[1])
    order, _ = await web.city.core.order(VALIDATOR, web.life.ride(text), "ride")
    assert order.citizen_fen == FLAT_FARE_FEN
    assert await web.life.balance_fen(people[0]) == 10_000 - FLAT_FARE_FEN
    # Either ends it, at once.
    ended = await child.post(f"/v1/me/delegations/{seen['delegation_id']}/revocation")
    assert ended.status_code == 201, ended.text
    (seen,) = (await parent.get("/v1/me/family"))["delegations"]
    assert seen["revoked_at"] is not None


async def test_an_open_session_alone_binds_nobody_s_money(
    web: Web, people: tuple[UUID, UUID], enter: Enter
) -> None:
    stale, child = await enter(people[0], fresh=False), await enter(people[1])
    assert await refused(stale, INVITATIONS, TERMS) == "authentication_stale"
    parent = await enter(people[0])
    code = await invited(parent)
    left = await enter(people[1], fresh=False)
    assert await refused(left, ACCEPTANCE, {"code": code}) == "authentication_stale"
    web.life.clock.advance(minutes=6)
    assert await refused(child, ACCEPTANCE, {"code": code}) == "authentication_stale"
    assert await refused(parent, INVITATIONS, TERMS) == "authentication_stale"
    # Refused for that reason, the invitation is as good as before.
    assert (await (await enter(people[1])).post(ACCEPTANCE, {"code": code})).status_code == 201


async def test_an_app_cannot_name_an_instant_to_come(
    web: Web, city_settings: Settings, people: tuple[UUID, UUID]
) -> None:
    app = await web.token("aishandong", city_settings)
    http = web.browser()
    asked = {"user_id": str(people[0]), "authenticated_at": "2030-01-01T00:00:00Z"}
    code = (await http.post("/v1/host-codes", json=asked, headers=app)).json()["host_code"]
    body = {"host_code": code, "client_id": "aishandong"}
    session = (await http.post("/v1/citizen-session", json=body)).json()
    web.life.clock.advance(minutes=6)
    page = Page(http, session["csrf_token"])
    assert await refused(page, INVITATIONS, TERMS) == "authentication_stale"


async def test_a_code_serves_once_and_never_its_maker(
    web: Web, people: tuple[UUID, UUID], enter: Enter
) -> None:
    parent, child = await enter(people[0]), await enter(people[1])
    third = await enter(await web.life.person())
    code = await invited(parent)
    for path in (OPENING, ACCEPTANCE):
        assert await refused(parent, path, {"code": code}) == "invitation_refused"
        assert await refused(child, path, {"code": "0000-0000-0000"}) == "invitation_refused"
    assert (await child.post(ACCEPTANCE, {"code": code})).status_code == 201
    assert await refused(third, ACCEPTANCE, {"code": code}) == "invitation_refused"


async def test_an_invitation_ends_by_its_maker_and_by_time(
    web: Web, people: tuple[UUID, UUID], enter: Enter
) -> None:
    parent, child = await enter(people[0]), await enter(people[1])
    code = await invited(parent)
    (mine,) = (await parent.get(INVITATIONS))["invitations"]
    withdrawal = f"{INVITATIONS}/{mine['invitation_id']}/withdrawal"
    assert (await child.post(withdrawal)).status_code == 404
    for _ in range(2):
        assert (await parent.post(withdrawal)).json()["state"] == "withdrawn"
    assert await refused(child, ACCEPTANCE, {"code": code}) == "invitation_refused"
    web.life.clock.advance(seconds=1)
    late = await invited(parent)
    web.life.clock.advance(hours=24)
    assert await refused(await enter(people[1]), OPENING, {"code": late}) == "invitation_refused"
    parent = await enter(people[0])
    states = [one["state"] for one in (await parent.get(INVITATIONS))["invitations"]]
    assert states == ["expired", "withdrawn"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order_fen_max": 50_001, "day_fen_max": 60_000}, "limit_exceeded"),
        ({"day_fen_max": 100_001}, "limit_exceeded"),
        ({"month_fen_max": 500_001}, "limit_exceeded"),
        ({"valid_to": "2036-01-01T00:00:00Z"}, "limit_exceeded"),
        ({"valid_to": "2020-01-01T00:00:00Z"}, "person_state"),
        ({"scenes": ["casino"]}, "scene_unknown"),
        ({"day_fen_max": 1}, "request_invalid"),
        ({"scenes": []}, "request_invalid"),
    ],
)
async def test_what_two_people_may_not_agree_on_alone(
    people: tuple[UUID, UUID], enter: Enter, changes: dict[str, object], code: str
) -> None:
    assert await refused(await enter(people[0]), INVITATIONS, TERMS | changes) == code


async def test_only_so_many_invitations_lie_about(people: tuple[UUID, UUID], enter: Enter) -> None:
    parent = await enter(people[0])
    for _ in range(5):
        await invited(parent)
    assert await refused(parent, INVITATIONS, TERMS) == "limit_exceeded"


async def test_whoever_pays_is_known_by_name(
    web: Web, people: tuple[UUID, UUID], enter: Enter
) -> None:
    nobody, _ = await web.city.core.open_user(CENTRE, OpenUserRequest(level="anonymous"), "nobody")
    unnamed = await enter(nobody.user_id)
    assert await refused(unnamed, INVITATIONS, TERMS) == "level_too_low"
    # But may be paid for, or ask to be.
    code = await invited(unnamed, inviter_pays=False)
    parent = await enter(people[0])
    assert (await parent.post(ACCEPTANCE, {"code": code})).status_code == 201
    asked = await invited(parent, inviter_pays=False)
    assert await refused(unnamed, ACCEPTANCE, {"code": asked}) == "level_too_low"
