"""Guidance over a hospital's own tables: free places, the way through a visit, nothing kept."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError, NotFoundError
from scenes.hospital.errors import HospitalUnknownError
from scenes.hospital.guidance_request import (
    DoneStepRequest,
    GuidanceRequest,
    OwnGuidanceRequest,
    PlaceRequest,
)
from scenes.hospital.guidance_tables import symptom_count
from scenes.hospital.guidance_views import NextStepsView
from scenes.hospital.request import DepartmentRequest
from tests.adapters.http.centre import centre_of
from tests.adapters.test_planted_data import columns_in_clear
from tests.city_life import BUS_OFFICE
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward, line
from tests.scenes.hospital.test_payments import citizen
from tests.scenes.hospital.test_registrations import MORNING, call, check_in, paid, plan, register

COUGH = "咳嗽有痰一个多星期了"
CANARY = "金丝雀巷的老王说"


async def treats(ward: Ward, dept_code: str, *specialties: str, place_en: str = "") -> None:
    """A department, where it is, and what it treats."""
    request = DepartmentRequest(
        dept_code=dept_code,
        name_zh="内科",
        name_en="Medicine",
        place="门诊楼二层",
        place_en=place_en,
        specialties=list(specialties),
    )
    await ward.hospital.put_department(HIS, MERCHANT, request)


async def put_place(ward: Ward, code: str, step: str, **more: object) -> None:
    """A window."""
    fields = {
        "place_code": code,
        "step": step,
        "name_zh": f"{code}窗口",
        "name_en": f"Window {code}",
        "floor_zh": "一层",
        "floor_en": "Ground floor",
    }
    await ward.city.guidance.put_place(HIS, MERCHANT, PlaceRequest.model_validate(fields | more))


async def test_departments_come_with_places_that_are_free(ward: Ward) -> None:
    first = await plan(ward, slot_count=2, walk_in_count=1)
    second = await plan(ward, session="afternoon", starts_at=MORNING + timedelta(hours=6))
    await plan(ward, dept_code="PF")  # treats nothing that was said
    await treats(ward, "NK", "respiratory", "cardiology")
    request = GuidanceRequest(text=COUGH)
    found = await ward.city.guidance.guide(HIS, MERCHANT, request)
    assert (found.urgency, found.red_flags, found.ask_zh) == ("routine", [], None)
    lungs = found.departments[0]
    assert (lungs.specialty, lungs.words[0]) == ("respiratory", "咳嗽")
    assert [one.schedule_id for one in lungs.clinics] == [first.schedule_id, second.schedule_id]
    assert [one.free_count for one in lungs.clinics] == [1, 3]
    assert {(one.place, one.place_en) for one in lungs.clinics} == {("门诊楼二层", "门诊楼二层")}
    await treats(ward, "NK", "respiratory", place_en="Outpatient building, 2nd floor")
    found = await ward.city.guidance.guide(HIS, MERCHANT, request)
    assert {one.place_en for one in found.departments[0].clinics} == {
        "Outpatient building, 2nd floor"
    }
    await register(ward, first, await ward.person())
    asked = OwnGuidanceRequest(text=COUGH)
    mine = await ward.city.guidance.guide_me(citizen(await ward.person()), asked)
    assert [one.schedule_id for one in mine.departments[0].clinics] == [second.schedule_id]
    ward.clock.now = second.ends_at
    over = await ward.city.guidance.guide(HIS, MERCHANT, request)
    assert over.departments[0].clinics == []


async def test_an_emergency_comes_first_and_nothing_understood_sends_nowhere(ward: Ward) -> None:
    guidance = ward.city.guidance
    red = await guidance.guide(HIS, MERCHANT, GuidanceRequest(text="胸口疼，直冒冷汗"))
    assert (red.urgency, red.departments[0].specialty) == ("call_120", "emergency")
    assert "120" in red.red_flags[0].advice_zh
    unclear = await guidance.guide(HIS, MERCHANT, GuidanceRequest(text="停车场在哪"))
    assert (unclear.urgency, unclear.departments) == ("unclear", [])
    assert unclear.ask_zh
    assert unclear.ask_en
    assert red.notice_zh == unclear.notice_zh
    assert (red.version, len(red.digest)) == (unclear.version, 64)


async def test_another_hospital_or_a_wrong_scope_is_refused(ward: Ward) -> None:
    guidance, request = ward.city.guidance, GuidanceRequest(text=COUGH)
    with pytest.raises(HospitalUnknownError):
        await guidance.guide(BUS_OFFICE, MERCHANT, request)
    nobody = Caller(client_id="x", merchant_id=MERCHANT, scopes=frozenset())
    with pytest.raises(ForbiddenError):
        await guidance.guide(nobody, MERCHANT, request)
    with pytest.raises(NotFoundError):
        await put_place(ward, "X", "pay", dept_code="NOWHERE")


async def test_complaints_are_counted_and_nothing_else(ward: Ward) -> None:
    guidance = ward.city.guidance
    for text in ("发烧咳嗽", "咳嗽发烧两天", "拉肚子", "脚崴了"):
        await guidance.guide(HIS, MERCHANT, GuidanceRequest(text=text))
    await guidance.guide_me(citizen(await ward.person()), OwnGuidanceRequest(text="拉肚子"))
    async with transaction(ward.city.engine) as (connection, _):
        rows = (await connection.execute(select(symptom_count))).all()
    assert sorted((row.merchant_id, row.symptom_group, row.asked) for row in rows) == [
        ("", "vomiting_diarrhoea", 1),
        (MERCHANT, "fever_respiratory", 2),
        (MERCHANT, "vomiting_diarrhoea", 1),
    ]


async def test_what_was_said_is_written_down_nowhere(
    ward: Ward, city_addresses: Addresses, city_settings: Settings
) -> None:
    """No log line, no metric, no column: neither of what was answered nor of what was refused."""
    async with centre_of(ward.city, ward.clock, city_settings) as centre:
        path = f"/v1/hospitals/{MERCHANT}/guidance"
        said = {"text": f"{CANARY}胸口疼，直冒冷汗", "age": {"years": 61}}
        answer = await centre.post(path, said, status=200)
        assert answer["urgency"] == "call_120"
        await centre.post(path, {"text": CANARY * 40}, status=422)
        await centre.post(path, {"text": CANARY, "name": CANARY}, status=422)
        logged = centre.log.getvalue().decode()
        metrics = await centre.text("/metrics")
    assert "guidance" in logged
    rows = "".join(columns_in_clear(city_addresses.database_url))
    for place in (logged, metrics, rows):
        for word in (CANARY, "胸口疼", "冷汗"):
            assert word not in place
            assert word.encode().hex() not in place


def told(view: NextStepsView) -> list[tuple[str, str | None, int | None]]:
    """Step, place and how many come before, of each."""
    return [
        (one.step, one.place.place_code if one.place else None, one.ahead) for one in view.steps
    ]


async def test_the_way_through_a_visit(ward: Ward) -> None:
    guidance, schedule, user_id = ward.city.guidance, await plan(ward), await ward.person()
    await put_place(ward, "SF1", "pay", waiting=7)
    await put_place(ward, "SF2", "pay", waiting=2)
    await put_place(ward, "JY", "laboratory")
    await put_place(ward, "YF", "pharmacy", window_no="3")
    other = await paid(
        ward, await register(ward, schedule, neighbour := await ward.person()), neighbour
    )
    held = await register(ward, schedule, user_id)
    me = citizen(user_id)

    async def steps() -> list[tuple[str, str | None, int | None]]:
        return told(await guidance.steps_of_registration(me, held.registration_id))

    assert await steps() == [("pay_registration", "SF2", 2)]
    booked = await paid(ward, held, user_id)
    assert await steps() == [("check_in", "NK", None)]
    ward.clock.now = MORNING
    await check_in(ward, other, neighbour)
    await check_in(ward, booked, user_id)
    assert await steps() == [("wait", "NK", 1)]
    await call(ward, schedule)
    assert await steps() == [("wait", "NK", 0)]
    await call(ward, schedule)
    assert await steps() == [("consult", "NK", None)]
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(600, "XA01AAA001"), line(400, "250101001"))
    assert (await steps())[1:] == [("pay", "SF1", None)]  # nobody has counted there lately
    await ward.confirm(await ward.quote(visit), user_id)
    assert (await steps())[1:] == [
        ("laboratory", "JY", None),
        ("report", None, None),
        ("pharmacy", "YF", None),
    ]
    done = await guidance.mark_done(HIS, visit.visit_id, DoneStepRequest(step="laboratory"))
    assert [one.step for one in done.steps][1:] == ["report", "pharmacy"]
    for step in ("laboratory", "report", "pharmacy"):
        left = await guidance.mark_done(
            HIS, visit.visit_id, DoneStepRequest.model_validate({"step": step})
        )
    assert [one.step for one in left.steps] == ["consult"]
    assert told(await guidance.steps_of_visit(me, visit.visit_id)) == await steps()


async def test_nobody_sees_the_way_of_another(ward: Ward) -> None:
    held = await register(ward, await plan(ward), await ward.person())
    other = citizen(await ward.person())
    with pytest.raises(NotFoundError):
        await ward.city.guidance.steps_of_registration(other, held.registration_id)
    with pytest.raises(NotFoundError):
        await ward.city.guidance.steps_of_visit(other, UUID(int=1))
    with pytest.raises(NotFoundError):
        await ward.city.guidance.mark_done(HIS, UUID(int=1), DoneStepRequest(step="pharmacy"))
