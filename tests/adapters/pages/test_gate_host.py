"""A host lets somebody in from the citizen's page; what the page shows opens the door."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from adapters.pages.build import WEB
from adapters.settings import Settings
from adapters.symbol_reader import symbols_in
from adapters.wiring import City
from tests.adapters.pages.citizen_phone import handset, picture, town
from tests.adapters.pages.gate_stand import axe_findings, grant
from tests.city_life import GATE, Life
from tests.conftest import CityClock

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_a_host_gives_a_pass_keeps_its_picture_and_ends_it(
    city: City,
    city_clock: CityClock,
    browser: Browser,
    city_settings: Settings,
    tmp_path: Path,
    locale: str,
) -> None:
    life = Life(city, city_clock)
    host_id = await life.person()
    async with (
        town(city, city_clock, city_settings, [host_id]) as here,
        handset(here, browser, locale=locale) as phone,
    ):
        await grant(life, host_id)
        source = AXE.read_text(encoding="utf-8")
        await phone.context.clock.set_fixed_time(city_clock.now)
        page = await phone.page("#visitors", waits=False)
        form = page.locator("form.invitation")
        # To the end: what lies under the bar at the bottom cannot be touched, nor judged.
        await form.locator("button.primary").scroll_into_view_if_needed()
        await page.mouse.wheel(0, 2_000)
        await expect(page.locator("p.quiet").last).to_be_in_viewport()
        assert await axe_findings(page, source) == []
        await page.screenshot(path=picture(f"visitors-{locale}"), full_page=True)
        await form.locator("input[value=repair]").check()
        await form.locator("button.primary").click()
        await expect(page.locator("canvas.qr")).to_be_visible()
        assert await axe_findings(page, source) == []
        await page.screenshot(path=picture(f"visitor-pass-{locale}"))
        async with page.expect_download() as saving:
            await page.locator("a[download]").click()
        saved = tmp_path / "pass.png"
        await (await saving.value).save_as(saved)
        (read,) = symbols_in(Image.open(saved), qr_only=True)
        await city.reload_doors()
        passage = life.passage(read.text)
        order, _ = await city.core.order(GATE, passage, "visitor-1")
        assert order.status == "recorded"
        await page.locator("section.code button").click()
        entry = page.locator(".entries li")
        await expect(entry).to_contain_text("1 / 2" if locale == "zh-CN" else "Used 1 of 2")
        await entry.locator("button").click()
        await page.locator("dialog button.danger").click()
        await expect(entry).to_contain_text("已作废" if locale == "zh-CN" else "Ended")
