"""Money at the counter, visitors and doors: what the gate page asks the server, and when."""

import os
from datetime import timedelta

from playwright.async_api import Browser, expect

from adapters.wiring import City
from scenes.community.visits import NewVisitorPass, VisitorDesk
from tests.adapters.pages.gate_stand import Stand, phone_of, shop_of, standing
from tests.conftest import CityClock


async def enter(stand: Stand, *keys: str) -> None:
    for key in (*keys, "收款"):
        await stand.page.locator(".keypad").get_by_role("button", name=key, exact=True).click()


async def clear(stand: Stand) -> None:
    # A touch takes the last answer away.
    await stand.page.locator(".result").click()
    await stand.page.locator(".keypad").get_by_role("button", name="清除").click()


async def test_a_counter_charges_on_line_and_falls_back_to_the_caps_of_the_code(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser, viewport=(800, 1100)) as stand:
        life, page = stand.life, stand.page
        user_id = await life.person(balance_fen=3000, funds=("purse",))
        phone = await phone_of(life, user_id, "retail")
        terminal_id = await shop_of(city, city_clock.now)
        await stand.open()
        await stand.enrol(terminal_id)
        # A person's keys are no scan, and nothing is charged before an amount was named.
        await page.keyboard.type("12345678")
        await expect(page.locator(".amount")).to_have_text("¥ 0.00")
        await enter(stand, "1", "2", "5", "0")
        await expect(page.locator(".prompt .large")).to_have_text("请出示市民码付款")
        await stand.picture("counter-amount")
        text = await life.code(user_id, scenes=["retail"])
        assert await stand.scan(text) == ""
        await stand.picture("counter-paid")
        await page.locator(".result").click()
        assert await life.balance_fen(user_id, "purse") == 1750
        await enter(stand, "4", "0", "00")
        assert await stand.scan(await phone.code(life)) == "insufficient_balance"
        await stand.context.set_offline(offline=True)
        await clear(stand)
        await enter(stand, "6", "0", "00")
        assert await stand.scan(await phone.code(life)) == "cap_exceeded"
        await clear(stand)
        await enter(stand, "2", "00")
        assert await stand.scan(await phone.code(life)) == ""
        await stand.context.set_offline(offline=False)
        await expect(page.locator(".chip.waiting")).to_have_count(0)
        assert await life.balance_fen(user_id, "purse") == 1550
        assert await life.books_are_right()


async def test_a_door_asks_the_server_about_a_code_no_package_can_know(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser) as stand:
        life = stand.life
        phone = await stand.resident()
        stranger_id = await life.person()
        await city.reload_doors()
        await stand.open()
        await stand.enrol()
        assert await stand.scan(await life.code(phone.user_id)) == ""
        assert await stand.scan(await life.code(stranger_id)) == "no_relation"
        assert await stand.passages(phone.user_id) == 1
        await stand.context.set_offline(offline=True)
        assert await stand.scan(await life.code(phone.user_id)) == "ask_online"


async def test_a_visitor_s_pass_opens_the_gate_without_a_network_as_often_as_was_said(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser) as stand:
        host = await stand.resident()
        desk = VisitorDesk(
            core=city.core, engine=city.engine, clock=city_clock, random_bytes=os.urandom
        )
        today = (city_clock.now + timedelta(hours=8)).date()
        given = await desk.give(
            host.user_id,
            NewVisitorPass(door_groups=["all"], valid_from=today, valid_to=today, uses_max=2),
        )
        await stand.open()
        await stand.enrol()
        await stand.context.set_offline(offline=True)
        found = [await stand.scan(given.text) for _ in range(3)]
        assert found == ["", "", "pass_used_up"]
        await stand.context.set_offline(offline=False)
        await expect(stand.page.locator(".chip.waiting")).to_have_count(0)
        (listed,) = (await desk.passes(host.user_id)).passes
        assert (listed.used, listed.uses_max) == (2, 2)
