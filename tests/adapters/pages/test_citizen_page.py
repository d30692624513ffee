"""The citizen's page in a real browser: paying, without a network, and all that may go wrong."""

import base64
import io
import random
from pathlib import Path
from uuid import UUID

import httpx2
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page, Route, expect

from adapters import demo_city
from adapters.bench.qr_photographs import CONDITIONS, shares_read
from adapters.settings import Settings
from adapters.wiring import City
from codes.layout import ClassD, ClassS
from codes.text_form import decode
from tests.adapters.pages.citizen_phone import CODE, KEPT, handset, picture, read_code, town
from tests.adapters.terminal.test_real_city import Street, drain, pull
from tests.city_life import FLAT_FARE_FEN, FLAT_LINE, Life
from tests.conftest import CityClock

NOTICE = "[role=alert]"


@pytest_asyncio.fixture(loop_scope="session")
async def people(city: City, city_clock: CityClock) -> list[UUID]:
    life = Life(city, city_clock)
    return [await life.person(), await life.person()]


def d(text: str) -> ClassD:
    """A class D code."""
    code = decode(text)
    assert isinstance(code, ClassD)
    return code


def scope_of(text: str) -> int:
    """The scenes a class S code is for, as bits."""
    code = decode(text)
    assert isinstance(code, ClassS)
    return code.scope


async def origin(page: Page) -> str | None:
    """Who made the code on the screen."""
    return await page.locator(".frame").get_attribute("data-origin")


async def test_the_code_on_the_screen_pays_and_the_page_shows_every_fen(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await expect(page.locator("[aria-current=page]")).to_have_text("亮码")
        order = await here.ride(await read_code(page))
        assert order["citizen_fen"] == FLAT_FARE_FEN
        await page.click("text=订单")
        await page.click(".entry")
        await expect(page.locator("main")).to_contain_text(order["out_trade_no"])
        await expect(page.locator(".line .amount")).to_have_text("¥1.00")
        await page.click("text=对这笔有疑问")
        await page.click("text=重复扣款")
        await page.click("text=提交申诉")
        await expect(page.locator(".badge")).to_have_text("处理中")
        await page.click("text=撤回申诉")
        await expect(page.locator(".badge")).to_have_text("已撤回")


async def test_in_a_basement_the_page_makes_codes_that_terminals_accept_and_the_city_books(
    city: City,
    city_clock: CityClock,
    browser: Browser,
    city_settings: Settings,
    people: list[UUID],
    tmp_path: Path,
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        street = Street(here.life, here.url, tmp_path / "terminal")
        await street.enrol(demo_city.BUS_TERMINAL)
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        await street.work(pull)

        await phone.context.set_offline(offline=True)
        await page.reload()
        await expect(page.locator(CODE)).to_be_visible()
        assert await origin(page) == "page"
        await expect(page.locator(".origin")).to_contain_text("离线码")
        await page.screenshot(path=picture("offline"))
        text = await read_code(page)
        outcome = await street.work(
            lambda agent: agent.scan(text), line_id=FLAT_LINE, stop_id="SC01", offline=True
        )
        assert (outcome.reason, outcome.amount_fen) == (None, FLAT_FARE_FEN)

        await phone.context.set_offline(offline=False)
        city_clock.advance(minutes=10)
        assert await street.work(drain) == {"booked": 1}
        await page.click("text=订单")
        await expect(page.locator(".entry .amount")).to_have_text("¥1.00")


async def test_the_key_of_the_phone_cannot_be_taken_out_and_a_purged_one_is_replaced(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        taken = await page.evaluate(
            f"""{KEPT}.then(({{device}}) => Promise.allSettled(
                ["pkcs8", "jwk", "raw"].map((form) =>
                    crypto.subtle.exportKey(form, device.privateKey))
            )).then((tries) => tries.map((one) => one.status))"""
        )
        assert taken == ["rejected"] * 3
        before = await page.evaluate(f"{KEPT}.then(({{device}}) => [...device.publicKey])")
        assert len(before) == 33

        await page.goto("about:blank")
        await phone.context.pages[0].goto(f"{here.url}/citizen/icon.svg")
        await page.evaluate(
            "new Promise((resolve) => {"
            " indexedDB.deleteDatabase('cardcore-citizen').onsuccess = resolve })"
        )
        await page.goto(f"{here.url}/citizen/")
        await phone.ready_for_the_basement(page)
        after = await page.evaluate(f"{KEPT}.then(({{device}}) => [...device.publicKey])")
        assert after != before


async def test_two_tabs_share_a_session_and_never_a_counter(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        first = await phone.page()
        second = await phone.page()
        assert len(phone.codes_given) == 1
        assert await read_code(first) != await read_code(second)
        await phone.ready_for_the_basement(second)
        await phone.context.set_offline(offline=True)
        texts = []
        for page in (first, second, first):
            await page.bring_to_front()
            await page.reload()
            texts.append(await read_code(page))
        counters = [d(text).counter for text in texts]
        assert counters == sorted(set(counters))
        assert {d(text).token for text in texts} == {d(texts[0]).token}


async def test_a_page_killed_while_it_renews_uses_no_number_twice(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await phone.ready_for_the_basement(page)

        async def never(_: Route) -> None:
            """The answer never comes."""

        await page.route("**/v1/me/codes", never)
        await page.reload()
        await expect(page.locator(CODE)).to_be_visible()
        # The server is silent, not away: after a while the page helps itself.
        assert await origin(page) == "page"
        shown = d(await read_code(page))
        await page.close()
        page = await phone.page()
        assert await origin(page) == "server"
        await here.ride(await read_code(page))
        await phone.context.set_offline(offline=True)
        await page.reload()
        assert d(await read_code(page)).counter > shown.counter


async def test_an_ended_session_is_opened_anew_by_the_app_and_by_nobody_else(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        city_clock.advance(minutes=31)
        await page.click("text=账户")
        await expect(page.locator(".fund .amount")).to_have_text("¥100.00")
        assert len(phone.codes_given) == 2
        city_clock.advance(minutes=31)
        phone.account = None
        await page.click("text=订单")
        await expect(page.locator(NOTICE)).to_contain_text("请先登录")
        await page.screenshot(path=picture("session-ended"))


async def test_a_host_code_shown_twice_ends_the_session_it_opened(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        stolen = {"host_code": phone.codes_given[0], "client_id": "aishandong"}
        async with httpx2.AsyncClient(base_url=here.url, trust_env=False) as thief:
            answer = await thief.post("/v1/citizen-session", json=stolen)
        assert answer.json()["code"] == "host_code_refused"
        # The thief has nothing, and the citizen a new session by the next act.
        await page.click("text=账户")
        await expect(page.locator(".fund .amount")).to_have_text("¥100.00")
        assert len(phone.codes_given) == 2


async def test_another_account_in_the_app_finds_nothing_of_the_one_before(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        mine = await page.evaluate(f"{KEPT}.then(({{device}}) => [...device.publicKey])")
        phone.account = list(here.host._accounts.values())[1]
        await phone.context.set_offline(offline=True)
        await page.reload()
        await expect(page.locator(NOTICE)).to_contain_text("暂时不能亮码")
        await page.screenshot(path=picture("no-code"))
        await phone.context.set_offline(offline=False)
        await page.reload()
        order = await here.ride(await read_code(page))
        await phone.ready_for_the_basement(page)
        other = await page.evaluate(f"{KEPT}.then(({{device}}) => [...device.publicKey])")
        assert other != mine
        user = await here.life.balance_fen(people[1])
        assert user == 10_000 - order["citizen_fen"]


async def test_the_app_embeds_the_page_in_a_frame_and_a_stranger_cannot(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser, native=False, viewport=(600, 1000)) as phone,
    ):
        page = await phone.context.new_page()
        await page.goto(here.host_url)
        await page.click("text=示例0")
        frame = page.frame_locator("iframe")
        await expect(frame.locator(CODE)).to_be_visible()
        await page.screenshot(path=picture("host-app"))
        await frame.locator("text=高亮显示").click()
        await expect(page.locator(".screen.brightest")).to_be_visible()
        # The same page of an origin that nobody named: the browser shows it nothing of ours.
        await page.goto(here.host_url.replace("127.0.0.1", "localhost"))
        async with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
            await page.click("text=示例0")
        assert await frame.locator("main").count() == 0


async def test_a_plain_browser_is_told_to_come_by_the_app(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser, native=False, locale="en-GB") as phone,
    ):
        page = await phone.page(waits=False)
        await expect(page.locator(NOTICE)).to_contain_text("Please sign in")


async def test_a_card_and_a_phone_are_reported_lost_from_the_page(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        await page.click("text=我的")
        await page.click("text=卡与设备")
        await page.click("text=挂失")
        await page.click("dialog button:has-text('取消')")
        await expect(page.locator(".badge")).to_have_text("正常")
        await page.click("text=挂失")
        await page.click("dialog button:has-text('确定')")
        await expect(page.locator(".badge")).to_have_text("已挂失")


async def test_a_scene_bound_or_switched_to_is_the_only_one_the_code_is_for(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        assert scope_of(await read_code(page)) == 0x1FF
        await page.click("text=绑定场景")
        await page.click("text=社区")
        assert scope_of(await read_code(page)) == 1 << 4
        await page.screenshot(path=picture("bound"), full_page=True)
        await page.click("text=高亮显示")
        await expect(page.locator("dialog.bright")).to_contain_text("手动调到最亮")
        await page.screenshot(path=picture("bright"))
        await page.click("dialog >> text=关闭")
        await page.reload()
        assert scope_of(await read_code(page)) == 1 << 4
        await page.click("text=融合码")
        assert scope_of(await read_code(page)) == 0x1FF


async def drawn_by(page: Page) -> Image.Image:
    """The symbol as the page has drawn it, not as a screen of some size shows it."""
    await expect(page.locator(CODE)).to_be_visible()
    url = await page.evaluate("document.querySelector('canvas.qr').toDataURL()")
    canvas = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")
    # As style makes it large: every pixel a square.
    return canvas.resize((canvas.width * 8, canvas.height * 8), Image.Resampling.NEAREST)


async def test_what_the_page_draws_is_read_from_a_cracked_screen_in_low_light_30_cm_away(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings, people: list[UUID]
) -> None:
    async with (
        town(city, city_clock, city_settings, people) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await phone.ready_for_the_basement(page)
        for kind in (ClassS, ClassD):
            await phone.context.set_offline(offline=kind is ClassD)
            await page.reload()
            text = await read_code(page)
            assert isinstance(decode(text), kind)
            symbol = (await drawn_by(page), text.encode())
            for how in CONDITIONS:
                _, read = shares_read([symbol] * 3, how, random.Random(how.name))
                assert read == 1, f"{kind.__name__}, {how.name}"
