"""Two phones: one person offers to pay, the other accepts; a code bound to one merchant."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from adapters import demo_city
from adapters.pages.build import WEB
from adapters.settings import Settings
from adapters.wiring import City
from cardcore.books import transaction
from cardcore.business.merchants import register_merchant, register_terminal
from cardcore.errors import CodeRefusedError
from codes.layout import ClassD, ClassS
from codes.text_form import decode
from tests.adapters.pages.citizen_phone import CODE, Handset, handset, picture, read_code, town
from tests.adapters.pages.gate_stand import axe_findings
from tests.adapters.terminal.test_real_city import Street, drain, pull
from tests.city_life import FLAT_FARE_FEN, FLAT_LINE, VALIDATOR, Life
from tests.conftest import CityClock


@pytest_asyncio.fixture(loop_scope="session")
async def people(city: City, city_clock: CityClock) -> list[UUID]:
    """Somebody with money, and somebody without."""
    life = Life(city, city_clock)
    return [await life.person(), await life.person(balance_fen=0)]


async def invite(phone: Handset, page: Page, axe: str) -> str:
    """Offer to pay, as a person would; what the page shows as the code."""
    await page.click("text=为家人付款")
    await page.click("label:has-text('¥50.00') >> nth=0")
    await page.click("form button.primary")
    await expect(page.locator("form .wrong")).to_be_empty()
    await expect(page.locator(".big-code")).to_be_visible()
    assert await axe_findings(page, axe) == []
    await page.screenshot(path=picture("family-code"), full_page=True)
    code = await page.locator(".big-code").inner_text()
    await page.click("text=完成")
    await expect(page.locator(".badge.warn")).to_have_text("等待对方接受")
    assert len(phone.codes_given) == 2
    return code


async def test_one_offers_to_pay_and_the_other_accepts_on_a_phone_of_their_own(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    axe = (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as parent,
        handset(here, browser, account=1) as child,
    ):
        # By way of the code, which tells the phone the city's clock.
        mine = await parent.page()
        await mine.goto(f"{here.url}/citizen/#family")
        code = await invite(parent, mine, axe)

        theirs = await child.page("#family/join", waits=False)
        await theirs.fill("input[name=code]", code.lower().replace("-", ""))
        await theirs.click("text=查看邀请")
        await expect(theirs.locator("h2")).to_contain_text("愿意为您付款")
        assert await axe_findings(theirs, axe) == []
        await theirs.screenshot(path=picture("family-offer"), full_page=True)
        # Whoever only has the phone in hand agrees to nothing.
        child.proves = False
        await theirs.click("button:text-is('同意')")
        await expect(theirs.locator("[role=alert]")).to_contain_text("未完成本人验证")
        child.proves = True
        await theirs.click("text=重试")
        await theirs.click("button.primary")
        await expect(theirs.locator("h2")).to_contain_text("为我付款")

        await theirs.goto(f"{here.url}/citizen/#code")
        order = await here.ride(await read_code(theirs))
        assert await here.life.balance_fen(people[0]) == 10_000 - FLAT_FARE_FEN
        assert order["citizen_fen"] == FLAT_FARE_FEN

        await mine.reload()
        await expect(mine.locator("h2").first).to_contain_text("我为")
        await mine.click("button.danger")
        await mine.click("dialog .danger")
        await expect(mine.locator(".badge")).to_have_text("已解除")


async def test_a_day_s_limit_below_one_payment_s_is_told_before_anything_is_sent(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page("#family/ask", waits=False)
        await page.click("label:has-text('¥500.00')")
        await page.click("form button.primary")
        await expect(page.locator("form .wrong")).to_have_text("每天的上限不能低于每笔的上限")


async def test_a_code_bound_to_a_merchant_is_good_there_alone(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        await here.life.pay(people[0])
        page = await phone.page()
        await page.click("text=绑定场景")
        await page.click(".chips >> nth=1 >> button >> nth=1")
        await expect(page.locator(".purpose")).to_contain_text("仅限")
        await expect(page.locator(CODE)).to_be_visible()
        await page.screenshot(path=picture("bound-merchant"), full_page=True)
        text = await read_code(page)
        elsewhere = here.life.ride(text)
        business = elsewhere.business.model_copy(
            update={"merchant_id": "other-bus", "terminal_id": "other-01"}
        )
        with pytest.raises(CodeRefusedError, match="another terminal"):
            city.core._parts.codes.accept(
                text,
                scene="bus",
                places=(business.merchant_id, business.terminal_id),
                pays=True,
                now=city_clock.now,
            )
        order, _ = await city.core.order(VALIDATOR, here.life.ride(text), "bound")
        assert order.citizen_fen == FLAT_FARE_FEN
        await page.reload()
        await expect(page.locator(".purpose")).to_contain_text("仅限")


async def other_bus(city: City, now: datetime) -> str:
    """Register a bus of another operator; its terminal's number."""
    async with transaction(city.engine) as (connection, raw):
        await register_merchant(
            connection,
            raw,
            city.book,
            merchant_id="other-bus",
            name_zh="城郊公交",
            name_en="Suburban Bus",
            now=now,
        )
        await register_terminal(
            connection,
            terminal_id="other-01",
            merchant_id="other-bus",
            scene="bus",
            place={"vehicle": "V0002"},
            now=now,
        )
    return "other-01"


@pytest.mark.parametrize("kind", [ClassD, ClassS])
async def test_terminals_without_a_network_keep_to_the_merchant_a_code_is_bound_to(
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
        await here.life.pay(people[0])
        street = Street(here.life, here.url, tmp_path / "named")
        elsewhere = Street(here.life, here.url, tmp_path / "other")
        await street.enrol(demo_city.BUS_TERMINAL)
        await elsewhere.enrol(await other_bus(city, city_clock.now))
        for one in (street, elsewhere):
            await one.work(pull)
        page = await phone.page()
        await page.click("text=绑定场景")
        await page.click(".chips >> nth=1 >> button >> nth=1")
        await expect(page.locator(".purpose")).to_contain_text("仅限")
        if kind is ClassD:
            await phone.ready_for_the_basement(page)
            await phone.context.set_offline(offline=True)
            await page.reload()
            await expect(page.locator(".purpose")).to_contain_text("仅限")
        text = await read_code(page)
        assert isinstance(decode(text), kind)

        at = {"line_id": FLAT_LINE, "stop_id": "SC01", "offline": True}
        refused = await elsewhere.work(lambda agent: agent.scan(text), **at)
        assert refused.reason == "context_mismatch"
        taken = await street.work(lambda agent: agent.scan(text), **at)
        assert (taken.reason, taken.amount_fen) == (None, FLAT_FARE_FEN)

        before = await here.life.balance_fen(people[0])
        city_clock.advance(minutes=10)
        assert await street.work(drain) == {"booked": 1}
        assert await here.life.balance_fen(people[0]) == before - FLAT_FARE_FEN
        assert await here.life.books_are_right()
