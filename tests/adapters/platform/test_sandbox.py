"""The sandbox: its clock, its magic numbers, and that neither exists elsewhere."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.infrastructure import Addresses
from adapters.sandbox import MAGIC
from adapters.settings import Settings
from adapters.wiring import City, make_api, open_city
from cardcore.errors import CardcoreError
from tests.adapters.platform.conftest import PUBLIC_URL, Web
from tests.city_life import VALIDATOR, Life
from tests.conftest import CityClock

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


@pytest.fixture
def sandbox_settings(city_settings: Settings) -> Settings:
    """Settings of a sandbox."""
    return city_settings.model_copy(update={"sandbox": True})


@pytest.fixture
async def sandbox(
    city_addresses: Addresses, sandbox_settings: Settings, city_clock: CityClock
) -> AsyncIterator[Web]:
    """The demo city as a sandbox."""
    async with open_city(city_addresses, sandbox_settings, clock=city_clock) as city:
        app = await make_api(city, public_url=PUBLIC_URL, clock=city_clock)
        made = Web(city, app, city_clock, Life(city, city_clock), sandbox_settings)
        yield made
        for client in made.opened:
            await client.aclose()


def order_json(web: Web, code: str, number: str) -> dict[str, Any]:
    return web.life.ride(code, no=number).model_dump(mode="json")


def code_of(refusal: CardcoreError) -> str:
    return str(getattr(refusal, "reason", refusal.code))


@pytest.mark.parametrize("code", MAGIC)
async def test_each_magic_number_is_refused_as_it_says_and_leaves_nothing(
    sandbox: Web, code: str
) -> None:
    user_id = await sandbox.life.person()
    request = sandbox.life.ride(await sandbox.life.code(user_id), no=f"decline.{code}.7")
    with pytest.raises(CardcoreError) as refused:
        await sandbox.city.core.order(VALIDATOR, request, "k")
    assert code_of(refused.value) == code
    request = sandbox.life.ride(request.user.credential or "", no="N-1")
    order, _ = await sandbox.city.core.order(VALIDATOR, request, "k")
    assert order.status == "captured"


async def test_a_number_that_only_looks_like_magic_is_an_order(sandbox: Web) -> None:
    user_id = await sandbox.life.person()
    order = await sandbox.life.pay(user_id, no="decline.nothing")
    assert order.out_trade_no == "decline.nothing"


async def test_the_clock_moves_ahead_for_everything_and_stays(
    sandbox: Web,
    sandbox_settings: Settings,
    city_addresses: Addresses,
    city_clock: CityClock,
) -> None:
    headers = await sandbox.token("card-centre", sandbox_settings)
    code = await sandbox.life.code(await sandbox.life.person())
    there = city_clock.now + timedelta(minutes=5)
    body = {"now": there.isoformat()}
    browser = sandbox.browser()
    moved = await browser.post("/v1/test-clock", json=body, headers=headers)
    assert moved.json()["now"] == there.astimezone(UTC).isoformat().replace("+00:00", "Z")
    answer = await browser.post(
        "/v1/orders",
        json=order_json(sandbox, code, "N-9"),
        headers={**headers, "Idempotency-Key": "k"},
    )
    assert answer.json()["code"] == "code_expired"
    back = {"now": (there - timedelta(seconds=1)).isoformat()}
    refused = await browser.post("/v1/test-clock", json=back, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "clock_backwards")
    async with open_city(city_addresses, sandbox_settings, clock=city_clock) as again:
        assert again.sandbox_clock is not None
        assert again.sandbox_clock() == there


async def test_outside_a_sandbox_there_is_no_test_clock_and_no_magic(
    web: Web, city_settings: Settings
) -> None:
    headers = await web.token("card-centre", city_settings)
    body = {"now": "2030-01-01T00:00:00Z"}
    answer = await web.browser().post("/v1/test-clock", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_unknown")
    order = await web.life.pay(await web.life.person(), no="decline.user_frozen")
    assert order.status == "captured"


async def test_only_who_may_moves_the_clock(sandbox: Web, sandbox_settings: Settings) -> None:
    headers = await sandbox.token("aishandong", sandbox_settings)
    body = {"now": "2030-01-01T00:00:00Z"}
    answer = await sandbox.browser().post("/v1/test-clock", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_page_lists_every_magic_number() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"`decline.{code}`" in text for code in MAGIC)


def test_a_city_is_no_sandbox_unless_it_is_said(city: City) -> None:
    assert not Settings().sandbox
    assert city.sandbox_clock is None
