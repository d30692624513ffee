"""Somebody asks on their phone where to go: an alarm that calls 120, departments, the next step."""

from datetime import timedelta
from uuid import UUID

from playwright.async_api import Browser, Page, expect

from adapters import demo_city
from adapters.pages.build import WEB
from adapters.settings import Settings
from adapters.wiring import City
from cardcore.business.request import User
from cardcore.calendar import LOCAL_ZONE
from cardcore.caller import Caller
from scenes.hospital.guidance_request import PlaceRequest
from scenes.hospital.request import DepartmentRequest, RegistrationRequest, ScheduleRequest
from scenes.hospital.views import ScheduleView
from tests.adapters.pages.citizen_phone import handset, picture, town
from tests.adapters.pages.gate_stand import axe_findings
from tests.adapters.pages.test_citizen_looks import TOO_WIDE, look
from tests.city_life import ALL_SCOPES, Life
from tests.conftest import CityClock

MERCHANT = demo_city.HOSPITAL_MERCHANT
HIS = Caller(client_id=demo_city.HOSPITAL_SYSTEM, merchant_id=MERCHANT, scopes=ALL_SCOPES)


async def morning(city: City, clock: CityClock) -> ScheduleView:
    """A department that treats lungs, its window, and tomorrow's morning."""
    department = DepartmentRequest(
        dept_code="NK",
        name_zh="呼吸内科",
        name_en="Respiratory medicine",
        place="门诊楼二层东区",
        place_en="Outpatient building, 2nd floor, east",
        specialties=["respiratory"],
    )
    await city.hospital.put_department(HIS, MERCHANT, department)
    window = PlaceRequest(
        place_code="QD1",
        step="check_in",
        name_zh="自助签到机",
        name_en="Check-in terminal",
        floor_zh="门诊楼一层",
        floor_en="Ground floor",
        window_no="1",
        waiting=3,
    )
    await city.guidance.put_place(HIS, MERCHANT, window)
    starts_at = clock.now + timedelta(hours=12)
    plan = ScheduleRequest(
        dept_code="NK",
        visit_on=starts_at.astimezone(LOCAL_ZONE).date(),
        session="morning",
        fee_fen=0,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=4),
        slot_count=20,
    )
    made, _ = await city.hospital.plan_schedule(HIS, MERCHANT, plan, "plan")
    return made


async def ask(page: Page, text: str) -> None:
    """Write it and go through the questions, however many pages they are on."""
    await page.fill("textarea", text)
    send = page.locator("form button.primary")
    while await send.count():
        await send.click()  # the last one takes the form away


async def fit(page: Page, name: str, axe: str) -> None:
    """Fit for everybody, all in view, and kept for looking at."""
    await page.set_viewport_size({"width": 390, "height": 4_000})
    assert await axe_findings(page, axe) == []
    assert await page.evaluate(TOO_WIDE) <= 0
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.screenshot(path=picture(name), full_page=True)


async def test_where_to_go_and_what_comes_next(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings
) -> None:
    axe = (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    life = Life(city, city_clock)
    user_id = await life.person()
    schedule = await morning(city, city_clock)
    code = await life.code(user_id, scenes=["hospital"], cap_fen=600_000)
    request = RegistrationRequest(user=User(credential=code), schedule_id=schedule.schedule_id)
    await city.hospital.register(HIS, MERCHANT, request, "register")
    async with (
        town(city, city_clock, city_settings, [user_id]) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        for mode, language, waits in (
            ("standard", "zh-CN", "前面还有 3 人"),
            ("elder", "en", "3 before"),
        ):
            await look(page, here.url, mode, language)
            await page.goto(f"{here.url}/citizen/#guidance")
            await expect(page.locator("section.card").first).to_contain_text(waits)
            await page.locator("form button.primary").click()
            await expect(page.locator(".wrong")).not_to_be_empty()
            await fit(page, f"guidance-form-{mode}-{language}", axe)
            await ask(page, "咳嗽有痰一个多星期了")
            await expect(page.locator(".clinics li").first).to_contain_text("19")
            await fit(page, f"guidance-answer-{mode}-{language}", axe)
            await page.locator("button.wide").last.click()
            await ask(page, "胸口疼，直冒冷汗")
            await expect(page.locator(".alarm a")).to_have_attribute("href", "tel:120")
            await fit(page, f"guidance-alarm-{mode}-{language}", axe)


async def test_a_place_is_taken_where_guidance_leads(
    city: City, city_clock: CityClock, browser: Browser, city_settings: Settings
) -> None:
    life = Life(city, city_clock)
    user_id = await life.person()
    schedule = await morning(city, city_clock)
    async with (
        town(city, city_clock, city_settings, [user_id]) as here,
        handset(here, browser) as phone,
    ):
        page = await phone.page()
        await page.goto(f"{here.url}/citizen/#guidance")
        await ask(page, "咳嗽有痰一个多星期了")
        await page.locator(".clinics button").click()
        await expect(page.locator("dialog")).to_contain_text("呼吸内科")
        await page.screenshot(path=picture("guidance-take-standard-zh-CN"))
        await page.locator("dialog button").first.click()  # no
        assert await registrations(city, user_id) == []
        await page.locator(".clinics button").click()
        await page.locator("dialog button.danger").click()
        await expect(page.locator("section.card").first).to_contain_text("自助签到机")
        await page.screenshot(path=picture("guidance-taken-standard-zh-CN"), full_page=True)
        assert await registrations(city, user_id) == [(schedule.schedule_id, "booked")]
        await ask(page, "咳嗽有痰一个多星期了")
        await page.locator(".clinics button").click()
        await page.locator("dialog button.danger").click()
        await expect(page.get_by_role("alert")).to_contain_text("已挂")
        await page.screenshot(path=picture("guidance-taken-twice-standard-zh-CN"))
        assert len(await registrations(city, user_id)) == 1


async def registrations(city: City, user_id: UUID) -> list[tuple[UUID, str]]:
    """Of somebody: for which half day, in which state."""
    me = Caller(client_id=f"user:{user_id}", merchant_id=None, scopes=frozenset(), user_id=user_id)
    found = await city.hospital.my_registrations(me)
    return [(one.schedule_id, one.state) for one in found.registrations]
