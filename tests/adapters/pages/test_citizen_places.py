"""A link on a sticker binds the code to one line or one door, with a network and without."""

from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from adapters import demo_city
from adapters.settings import Settings
from adapters.wiring import City
from codes.layout import ClassD, ClassS
from codes.text_form import decode
from tests.adapters.pages.citizen_phone import CODE, Handset, handset, picture, read_code, town
from tests.adapters.pages.gate_stand import DOOR, grant, standing
from tests.adapters.terminal.test_real_city import Street, drain, pull
from tests.city_life import FLAT_FARE_FEN, FLAT_LINE, Life
from tests.conftest import CityClock

KINDS = (ClassD, ClassS)


@pytest_asyncio.fixture(loop_scope="session")
async def people(city: City, city_clock: CityClock) -> list[UUID]:
    return [await Life(city, city_clock).person()]


async def follow(page: Page, hash_: str, said: str) -> None:
    """Open the link of a sticker; what the page then says the code is for."""
    await page.evaluate("(hash) => { location.hash = hash }", hash_)
    await expect(page.locator(".purpose")).to_contain_text(said)
    await expect(page.locator(CODE)).to_be_visible()


async def code_of(page: Page, kind: type[ClassD | ClassS]) -> str:
    text = await read_code(page)
    assert isinstance(decode(text), kind)
    return text


async def go_down(phone: Handset, page: Page) -> None:
    """Into the basement, with all the page needs there."""
    await phone.ready_for_the_basement(page)
    await phone.context.set_offline(offline=True)
    await page.reload()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_bound_to_a_line_rides_on_no_other(
    city: City,
    city_clock: CityClock,
    browser: Browser,
    city_settings: Settings,
    people: list[UUID],
    tmp_path: Path,
    kind: type[ClassD | ClassS],
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        street = Street(here.life, here.url, tmp_path / "bus")
        await street.enrol(demo_city.BUS_TERMINAL)
        await street.work(pull)
        page = await phone.page()
        if kind is ClassD:
            await go_down(phone, page)
        await follow(page, f"#at/bus/{FLAT_LINE}", f"仅限 {FLAT_LINE} 路")
        await page.screenshot(path=picture(f"bound-line-{kind.__name__}"))
        text = await code_of(page, kind)
        at = {"stop_id": "SC01", "offline": True}
        refused = await street.work(lambda agent: agent.scan(text), line_id="102", **at)
        assert refused.reason == "context_mismatch"
        taken = await street.work(lambda agent: agent.scan(text), line_id=FLAT_LINE, **at)
        assert (taken.reason, taken.amount_fen) == (None, FLAT_FARE_FEN)
        city_clock.advance(minutes=10)
        # The refusal is a record too; it costs nothing.
        assert await street.work(drain) == {"booked": 2}
        assert await here.life.balance_fen(people[0]) == 10_000 - FLAT_FARE_FEN


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_bound_to_a_door_opens_no_other(
    city: City,
    city_clock: CityClock,
    browser: Browser,
    city_settings: Settings,
    people: list[UUID],
    kind: type[ClassD | ClassS],
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
        standing(city, city_clock, browser) as gate,
    ):
        await grant(here.life, people[0])
        await city.reload_doors()
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        await gate.open()
        await gate.enrol()
        if kind is ClassD:
            await go_down(phone, page)
        await follow(page, "#at/community/S02", "仅限 S02 门")
        assert await gate.scan(await code_of(page, kind)) == "context_mismatch"
        await expect(gate.page.locator(".why")).to_have_text("此码限其他终端使用")
        await follow(page, f"#at/community/{DOOR}", f"仅限 {DOOR} 门")
        assert await gate.scan(await code_of(page, kind)) == ""
        # A link binds once: the person may take it back, and the address no longer says it.
        assert page.url.endswith("#code")
        await page.click("text=融合码")
        await expect(page.locator(".purpose")).to_have_count(0)
        assert await gate.passed(people[0]) == 1
