"""A host lets visitors in: given, counted, ended; through no other door, by nobody else."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.door_watch import DoorWatch
from adapters.http.session_cookies import CITIZEN_COOKIE
from adapters.settings import Settings
from cardcore.books import transaction
from cardcore.business.request import Business, Mode, OrderRequest, User
from cardcore.errors import CardcoreError
from scenes.community import service as community
from scenes.community.access import Grant, Relation
from scenes.community.visitors import OPEN_PASSES_MAX
from tests.adapters.platform.conftest import Web
from tests.adapters.platform.test_citizen_acts import Page, opened
from tests.city_life import GATE

TODAY = "2026-06-01"
VISIT = {"door_groups": ["b1"], "valid_from": TODAY, "valid_to": "2026-06-02", "uses_max": 2}
PASSES = "/v1/me/visitor-passes"


async def live_at(web: Web, user_id: UUID, door: str, group: str) -> None:
    async with transaction(web.city.engine) as (connection, _):
        await community.put_door_into_groups(
            connection, door, {group}, recorded_by="test", at=web.life.clock.now
        )
        await community.give_grant(
            connection,
            uuid4(),
            user_id,
            Grant(
                door_group=group,
                relation=Relation.RESIDENT,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 12, 31),
            ),
            recorded_by="test",
            at=web.life.clock.now,
        )


@pytest.fixture
async def host(web: Web, city_settings: Settings) -> Page:
    user_id = await web.life.person()
    await live_at(web, user_id, "N01", "b1")
    return await opened(web, city_settings, user_id)


async def passage(web: Web, text: str) -> str:
    """What the server says of a code at the door: "" for open, else the reason."""
    request = OrderRequest(
        user=User(credential=text),
        mode=Mode.RECORD,
        business=Business(
            scene="community",
            type="passage",
            merchant_id="fuxing-community",
            terminal_id="gate-N01",
            out_trade_no=uuid4().hex,
            occurred_at=web.life.clock.now,
            details={"door": "N01", "direction": "in"},
        ),
    )
    try:
        await web.city.core.order(GATE, request, uuid4().hex)
    except CardcoreError as refusal:
        return str(refusal.facts.get("reason", refusal.code))
    return ""


async def given(host: Page, **changes: object) -> dict[str, Any]:
    answer = await host.post(PASSES, VISIT | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_pass_opens_the_host_s_door_and_is_counted(web: Web, host: Page) -> None:
    one = await given(host, purpose="repair")
    watch = DoorWatch(web.city)
    assert await watch.look()
    assert not await watch.look()
    assert await passage(web, one["text"]) == ""
    listed = await host.get(PASSES)
    assert listed["door_groups"] == ["b1"]
    (shown,) = listed["passes"]
    assert "text" not in shown
    assert (shown["used"], shown["uses_max"], shown["purpose"]) == (1, 2, "repair")


async def test_a_pass_that_was_ended_opens_nothing_and_stays_ended(web: Web, host: Page) -> None:
    one = await given(host)
    for _ in range(2):
        answer = await host.post(f"{PASSES}/{one['pass_id']}/end")
        assert answer.json()["ended"] is True
    await web.city.reload_doors()
    assert await passage(web, one["text"]) == "no_relation"


async def test_a_used_up_pass_is_refused_once_the_doors_were_loaded_again(
    web: Web, host: Page
) -> None:
    one = await given(host, uses_max=1)
    await web.city.reload_doors()
    assert await passage(web, one["text"]) == ""
    await web.city.reload_doors()
    assert await passage(web, one["text"]) == "pass_used_up"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"door_groups": ["b1", "b9"]}, "not_your_door"),
        ({"valid_to": "2026-06-08"}, "too_long"),
        ({"valid_from": "2026-05-01", "valid_to": "2026-05-02"}, "in_the_past"),
    ],
)
async def test_what_is_not_the_host_s_to_give_is_refused(
    host: Page, changes: dict[str, Any], reason: str
) -> None:
    answer = await host.post(PASSES, VISIT | changes)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["code"], problem["facts"]["reason"]) == ("visit_refused", reason)


@pytest.mark.parametrize(
    "changes", [{"valid_to": "2026-05-31"}, {"starts": "08:00:00"}, {"uses_max": 21}]
)
async def test_a_visit_without_a_window_is_no_request(host: Page, changes: dict[str, Any]) -> None:
    answer = await host.post(PASSES, VISIT | changes)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request_invalid"


async def test_a_host_has_no_more_than_ten_passes_open(host: Page) -> None:
    passes = [await given(host) for _ in range(OPEN_PASSES_MAX)]
    refused = await host.post(PASSES, VISIT)
    assert refused.status_code == 409
    assert refused.json()["code"] == "limit_exceeded"
    await host.post(f"{PASSES}/{passes[0]['pass_id']}/end")
    await given(host)


async def test_another_citizen_sees_and_ends_nothing_of_it(
    web: Web, host: Page, city_settings: Settings
) -> None:
    one = await given(host)
    other = await opened(web, city_settings, await web.life.person())
    assert (await other.get(PASSES)) == {"passes": [], "door_groups": []}
    assert (await other.post(f"{PASSES}/{one['pass_id']}/end")).status_code == 404
    assert (await other.post(PASSES, VISIT)).json()["facts"]["reason"] == "not_your_door"
    other.http.cookies.delete(CITIZEN_COOKIE)
    other.http.cookies.clear()
    assert (await other.http.get(PASSES)).status_code == 401
