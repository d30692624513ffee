"""The gate page in a real browser: it enrols, decides without a network, brings records in."""

import asyncio
from dataclasses import replace
from pathlib import Path

from playwright.async_api import Browser, Route, expect

from adapters import demo_city
from adapters.bench.film import write_film
from adapters.wiring import City
from cardcore.terminals.request import RevocationRequest
from tests.adapters.pages.gate_stand import PASS, REFUSAL, phone_of, standing, with_camera
from tests.city_life import CENTRE
from tests.conftest import CityClock

FILM_TIMEOUT_S = 90


async def test_a_code_that_moves_before_the_camera_opens_the_gate(
    city: City, city_clock: CityClock, browser: Browser, tmp_path: Path
) -> None:
    camera = tmp_path / "phone.y4m"
    write_film(["NOTHING YET"], camera)
    async with (
        with_camera(browser, camera) as seeing,
        standing(city, city_clock, seeing) as stand,
    ):
        phone = await stand.resident()
        write_film([await phone.code(stand.life)], camera)
        await stand.open()
        async with stand.verdict(timeout_s=FILM_TIMEOUT_S) as told:
            await stand.enrol()
        assert await told == ""
        await stand.picture("camera-pass")
        await expect(stand.page.locator(PASS)).to_be_hidden()
        # Still before the camera: it is the same scan, and the gate does not cry out.
        await expect(stand.page.locator(".frames")).not_to_be_empty()
        assert await stand.page.locator(REFUSAL).count() == 0
        assert await stand.passed(phone.user_id) == 1


async def test_a_phone_held_up_before_the_data_has_come_waits_and_need_not_be_taken_away(
    city: City, city_clock: CityClock, browser: Browser, tmp_path: Path
) -> None:
    camera = tmp_path / "phone.y4m"
    write_film(["NOTHING YET"], camera)
    async with (
        with_camera(browser, camera) as seeing,
        standing(city, city_clock, seeing) as stand,
    ):
        phone = await stand.resident()
        write_film([await phone.code(stand.life)], camera)
        may_answer = asyncio.Event()
        asked: list[str] = []

        async def first_nothing_then_late(route: Route) -> None:
            asked.append(route.request.url)
            if len(asked) == 1:
                await may_answer.wait()
                await route.abort()
            else:
                await route.continue_()

        await stand.page.route("**/v1/terminal-package*", first_nothing_then_late)
        await stand.open()
        enrolling = asyncio.create_task(stand.enrol())
        # The camera reads and the data is under way: nobody is sent away.
        await expect(stand.page.locator(".frames")).not_to_be_empty()
        await expect(stand.page.locator(".prompt .large")).to_have_text("正在下载核验数据…")
        await expect(stand.page.locator(".result")).to_be_hidden()
        await stand.picture("camera-loading")
        # The network was away: that is said, and once it is back the same phone passes where it is.
        async with stand.verdict(timeout_s=FILM_TIMEOUT_S) as told:
            may_answer.set()
        assert await told == "package_missing"
        while await told != "":
            async with stand.verdict(timeout_s=FILM_TIMEOUT_S) as told:
                pass
            assert await told in {"", "package_missing"}
        await enrolling
        assert await stand.passed(phone.user_id) == 1


async def test_each_code_that_may_not_pass_is_refused_with_its_reason(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser) as stand:
        life = stand.life
        phone = await stand.resident()
        stranger = await phone_of(life, await life.person())
        elsewhere = await phone_of(life, phone.user_id, "bus")
        old = await phone.code(life)
        life.clock.advance(minutes=5)
        await stand.open()
        await stand.enrol()
        good = await phone.code(life)
        flipped = good[:-1] + ("0" if good[-1] != "0" else "1")
        assert await stand.type(good) == ""
        assert await stand.scan(good) == "code_replayed"
        await expect(stand.page.locator(".why")).to_have_text("此码已使用，请刷新")
        await expect(stand.page.locator(".code")).to_have_text("code_replayed")
        assert await stand.scan(old) == "code_expired"
        assert await stand.scan(await phone.code(life, age_s=-300)) == "clock_skew"
        assert await stand.scan(await stranger.code(life)) == "no_relation"
        assert await stand.scan(await elsewhere.code(life)) == "scene_not_allowed"
        assert await stand.scan("HTTPS://EXAMPLE.INVALID/FOREIGN") == "code_invalid"
        assert await stand.scan(flipped) == "code_invalid"


async def test_what_was_decided_without_a_network_is_booked_once(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser) as stand:
        life, page = stand.life, stand.page
        phone = await stand.resident()
        await stand.open()
        await stand.enrol()
        await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        await stand.context.set_offline(offline=True)
        await page.reload()
        await expect(page.locator(".chip.offline")).to_be_visible()
        first, second = await phone.code(life), await phone.code(life)
        assert await stand.scan(first) == ""
        await expect(page.locator(".chip.waiting")).to_have_text("待传 1")
        # The tablet is switched off and on again in the basement: nothing is forgotten.
        await page.reload()
        await expect(page.locator(".chip.waiting")).to_have_text("待传 1")
        assert await stand.scan(first) == "code_replayed"
        assert await stand.scan(second) == ""
        assert await stand.passages(phone.user_id) == 0

        lost: list[str] = []

        async def lose_the_first_answer(route: Route) -> None:
            await route.fetch()
            lost.append(route.request.url)
            await route.abort()
            await page.unroute("**/v1/records")

        await page.route("**/v1/records", lose_the_first_answer)
        await stand.context.set_offline(offline=False)
        await expect(page.locator(".chip.waiting")).to_have_count(0)
        assert len(lost) == 1
        assert await stand.passages(phone.user_id) == 2
        assert await life.books_are_right()


async def test_two_tabs_let_a_code_pass_once_and_a_tidied_browser_is_enrolled_anew(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser) as stand:
        phone = await stand.resident()
        await stand.open()
        await stand.enrol()
        other = replace(stand, page=await stand.context.new_page())
        await other.page.goto(f"{stand.url}/gate/")
        await other.ready()
        await stand.context.set_offline(offline=True)
        text = await phone.code(stand.life)
        assert await other.scan(text) == ""
        assert await stand.scan(text) == "code_replayed"
        await stand.context.set_offline(offline=False)
        assert await stand.passed(phone.user_id) == 1

        await other.page.close()
        debugger = await stand.context.new_cdp_session(stand.page)
        everything = {"origin": stand.url, "storageTypes": "all"}
        await debugger.send("Storage.clearDataForOrigin", everything)
        await stand.page.reload()
        await stand.enrol()
        assert await stand.scan(await phone.code(stand.life)) == ""
        assert await stand.passed(phone.user_id, times=2) == 2


async def test_only_the_right_code_enrols_and_a_revoked_terminal_is_told_so(
    city: City, city_clock: CityClock, browser: Browser
) -> None:
    async with standing(city, city_clock, browser, locale="en-US") as stand:
        page = stand.page
        phone = await stand.resident()
        await stand.open()
        await page.fill("#terminal-id", demo_city.GATE_TERMINAL)
        await page.fill("#activation-code", "00000-00000-00000-00000")
        await page.click("button[type=submit]")
        await expect(page.locator(".fault")).to_have_text("The activation code is not valid")
        await stand.enrol()
        assert await page.evaluate(TAKE_THE_KEY) == "InvalidAccessError"
        await city.core.revoke_terminal(
            CENTRE, demo_city.GATE_TERMINAL, RevocationRequest(since=city_clock.now)
        )
        city_clock.advance(minutes=11)
        await stand.context.clock.set_fixed_time(city_clock.now)
        assert await stand.scan(await phone.code(stand.life)) == ""
        await expect(page.locator(".notice")).to_contain_text("shut out")
        # Nothing is thrown away: what it decided goes up if it is let in again.
        await expect(page.locator(".chip.waiting")).to_have_text("To send 1")


# A thief at the open tablet: the key's handle is there, its secret is not.
TAKE_THE_KEY = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("gate");
    opening.onerror = reject;
    opening.onsuccess = () => {
        const facts = opening.result.transaction("fact").objectStore("fact");
        const asked = facts.get("enrolment");
        asked.onsuccess = async () => {
            const { privateKey } = asked.result.value.pair;
            const out = crypto.subtle.exportKey("pkcs8", privateKey);
            resolve(await out.then(() => "taken", (error) => error.name));
        };
    };
})"""
