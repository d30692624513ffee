"""The gate page for everybody: accessible, in both languages, at the sizes tablets have."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from adapters.pages.build import WEB
from adapters.wiring import City
from tests.adapters.pages.gate_stand import axe_findings, shop_of, standing
from tests.conftest import CityClock

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"zh-CN": (1024, 768), "en-US": (390, 844)}


def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `make setup` where Node 20 is")
    return AXE.read_text(encoding="utf-8")


@pytest.mark.parametrize("locale", SIZES)
async def test_each_state_of_the_page_can_be_used_by_everybody(
    city: City, city_clock: CityClock, browser: Browser, locale: str
) -> None:
    source = axe()
    async with standing(city, city_clock, browser, locale=locale, viewport=SIZES[locale]) as stand:
        phone = await stand.resident()
        language = locale[:2]

        async def look(state: str) -> None:
            await stand.picture(f"{state}-{language}")
            findings = await axe_findings(stand.page, source)
            assert findings == [], state
            wide = await stand.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{state} is wider than the screen"

        await stand.open()
        await expect(stand.page.locator("html")).to_have_attribute(
            "lang", "zh-CN" if language == "zh" else "en"
        )
        await look("enrol")
        await stand.enrol()
        await look("ready")
        text = await phone.code(stand.life)
        assert await stand.scan(text) == ""
        await look("pass")
        assert await stand.scan(text) == "code_replayed"
        await look("refusal")


async def test_the_counter_can_be_used_by_everybody_and_speaks_the_other_language(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    source = axe()
    async with standing(city, city_clock, browser, viewport=(390, 844)) as stand:
        await stand.open()
        await stand.enrol(await shop_of(city, city_clock.now))
        name = stand.page.locator("header strong")
        await expect(name).to_have_text("市民卡核验 · 街角小店")
        await stand.picture("counter-zh")
        await expect(stand.page.locator(".blind")).to_have_text("没有摄像头；可用扫码枪")
        await stand.page.get_by_role("button", name="声音：开").click()
        await expect(stand.page.get_by_role("button", name="声音：关")).to_be_visible()
        await stand.page.get_by_role("button", name="English").click()
        await expect(name).to_have_text("Citizen card check · Corner Shop")
        await expect(stand.page.locator(".prompt .large")).to_have_text("Enter the amount first")
        await expect(stand.page.locator(".chip.online")).to_have_text("Online")
        await stand.picture("counter-en")
        assert await axe_findings(stand.page, source) == []
        # Chosen once, it stays: a tablet belongs to its guard.
        await stand.page.reload()
        await expect(stand.page.locator(".chip.online")).to_have_text("Online")


def test_the_pictures_are_kept_where_git_does_not_look() -> None:
    ignored = (Path(__file__).parents[3] / ".gitignore").read_text(encoding="utf-8")
    assert "/tests/screenshots/" in ignored
