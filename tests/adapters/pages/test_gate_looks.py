"""The gate page for everybody: accessible, in both languages, at the sizes tablets have."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from adapters.pages.build import WEB
from adapters.wiring import City
from tests.adapters.pages.gate_stand import Stand, axe_findings, phone_of, shop_of, standing
from tests.conftest import CityClock

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
LANGUAGES = ("zh-CN", "en-US")
# A tablet lying and standing, and the narrowest phone there is.
SIZES = {"landscape": (1024, 768), "portrait": (768, 1024), "narrow": (320, 640)}
# What a tablet cannot scroll to while people queue must be in view.
HIDDEN = """() => [...document.querySelectorAll('.result, .side, html')]
    .filter((one) => one.checkVisibility())
    .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
    .map((one) => `${one.className || one.tagName} ${one.scrollWidth}x${one.scrollHeight}`
        + ` in ${one.clientWidth}x${one.clientHeight}`)"""
# An answer goes by itself after a while; its picture is taken at every size.
STAY = "for (const one of document.querySelectorAll('.result')) one.hidden = false"


def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `make setup` where Node 20 is")
    return AXE.read_text(encoding="utf-8")


async def look(stand: Stand, state: str, source: str) -> None:
    """Keep a picture of the state at every size, and judge it."""
    page = stand.page
    answered = await page.locator(".result").is_visible()
    language = (await page.evaluate("document.documentElement.lang"))[:2]
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        if answered:
            await page.evaluate(STAY)
        await stand.picture(f"{state}-{language}-{size}")
        # A form may be longer than the screen; what is read at a glance may not.
        if state != "enrol":
            assert await page.evaluate(HIDDEN) == [], f"{state} {language} {size}"
    findings = await axe_findings(page, source)
    assert findings == [], state
    await page.set_viewport_size({"width": 1024, "height": 768})


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_each_state_of_the_gate_can_be_used_by_everybody(
    city: City, city_clock: CityClock, browser: Browser, locale: str
) -> None:
    source = axe()
    async with standing(city, city_clock, browser, locale=locale) as stand:
        phone = await stand.resident()
        stranger = await phone_of(stand.life, await stand.life.person())
        await stand.open()
        await expect(stand.page.locator("html")).to_have_attribute(
            "lang", "zh-CN" if locale == "zh-CN" else "en"
        )
        await look(stand, "enrol", source)
        await stand.enrol()
        await look(stand, "ready", source)
        text = await phone.code(stand.life)
        assert await stand.scan(text) == ""
        await look(stand, "pass", source)
        assert await stand.scan(text) == "code_replayed"
        await look(stand, "refusal", source)
        assert await stand.scan(await stranger.code(stand.life)) == "no_relation"
        await stand.context.set_offline(offline=True)
        assert await stand.scan(await phone.code(stand.life)) == ""
        await stand.page.locator(".result").click()
        await expect(stand.page.locator(".chip.waiting")).to_be_visible()
        await expect(stand.page.locator(".chip.offline")).to_be_visible()
        await look(stand, "queue", source)


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_each_state_of_the_counter_can_be_used_by_everybody(
    city: City, city_clock: CityClock, browser: Browser, locale: str
) -> None:
    source = axe()
    async with standing(city, city_clock, browser, locale=locale) as stand:
        life, page = stand.life, stand.page
        user_id = await life.person(balance_fen=3000, funds=("purse",))
        await stand.open()
        await stand.enrol(await shop_of(city, city_clock.now))
        await look(stand, "counter-ready", source)
        for key in ("1", "2", "5", "0"):
            await page.locator(".keypad").get_by_role("button", name=key, exact=True).click()
        await page.locator(".keypad .main").click()
        await look(stand, "counter-amount", source)
        assert await stand.scan(await life.code(user_id, scenes=["retail"])) == ""
        await look(stand, "counter-paid", source)
        await page.locator(".result").click()
        for key in ("4", "0", "00"):
            await page.locator(".keypad").get_by_role("button", name=key, exact=True).click()
        await page.locator(".keypad .main").click()
        text = await life.code(user_id, scenes=["retail"])
        assert await stand.scan(text) == "insufficient_balance"
        await look(stand, "counter-refusal", source)


async def test_the_counter_speaks_the_other_language(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser, viewport=(390, 844)) as stand:
        await stand.open()
        await stand.enrol(await shop_of(city, city_clock.now))
        name = stand.page.locator("header strong")
        await expect(name).to_have_text("市民卡核验 · 街角小店")
        await expect(stand.page.locator(".blind")).to_have_text("没有摄像头；可用扫码枪")
        await stand.page.get_by_role("button", name="声音：开").click()
        await expect(stand.page.get_by_role("button", name="声音：关")).to_be_visible()
        await stand.page.get_by_role("button", name="English").click()
        await expect(name).to_have_text("Citizen card check · Corner Shop")
        await expect(stand.page.locator(".prompt .large")).to_have_text("Enter the amount first")
        await expect(stand.page.locator(".chip.online")).to_have_text("Online")
        # Chosen once, it stays: a tablet belongs to its guard.
        await stand.page.reload()
        await expect(stand.page.locator(".chip.online")).to_have_text("Online")


def test_the_pictures_are_kept_where_git_does_not_look() -> None:
    ignored = (Path(__file__).parents[3] / ".gitignore").read_text(encoding="utf-8")
    assert "/tests/screenshots/" in ignored
