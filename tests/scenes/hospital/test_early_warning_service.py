"""The feed of early warning over the scene's tables: days that are over, few hidden, no person."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from cardcore.books import transaction
from cardcore.calendar import LOCAL_ZONE
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError
from scenes.hospital.early_warning_service import (
    PointCount,
    PointCountsRequest,
    SignalsQuery,
)
from scenes.hospital.errors import CountedDayError
from scenes.hospital.guidance_request import GuidanceRequest
from scenes.hospital.guidance_tables import point_count, symptom_count
from tests.city_life import CENTRE
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward
from tests.scenes.hospital.test_registrations import MORNING, check_in, plan, register

FEVER = "fever_respiratory"


async def counted(ward: Ward, days: dict[date, int], group: str = FEVER) -> None:
    """What guidance has counted on some days."""
    async with transaction(ward.city.engine) as (connection, _):
        await connection.execute(
            insert(symptom_count),
            [
                {
                    "counted_on": day,
                    "merchant_id": MERCHANT,
                    "symptom_group": group,
                    "asked": count,
                }
                for day, count in days.items()
            ],
        )


async def sent(ward: Ward, day: date, count: int, *, by: Caller = CENTRE) -> None:
    """What gates have counted on a day."""
    request = PointCountsRequest(
        counted_on=day, point="gate", counts=[PointCount(symptom_group=FEVER, count=count)]
    )
    await ward.city.warnings.put_counts(by, request)


async def told(ward: Ward, since: date) -> list[dict[str, Any]]:
    """The events."""
    return (await ward.city.warnings.signals(CENTRE, SignalsQuery(since=since))).events


def level_on(events: list[dict[str, Any]], day: date) -> str:
    """The level of fevers on a day."""
    (level,) = [
        one["data"]["level"]
        for one in events
        if one["type"] == "cardcore.health.level"
        and one["data"]["counted_on"] == day.isoformat()
        and one["data"]["group"] == FEVER
    ]
    return str(level)


async def test_an_outbreak_at_two_points_is_a_warning(ward: Ward) -> None:
    today = ward.clock.now.astimezone(LOCAL_ZONE).date()
    past = {today - timedelta(days=number): 10 for number in range(1, 61)}
    yesterday = today - timedelta(days=1)
    await counted(ward, past | {yesterday: 40, today: 99})
    alone = await told(ward, yesterday)
    assert level_on(alone, yesterday) == "watch"
    async with transaction(ward.city.engine) as (connection, _):
        await connection.execute(
            insert(point_count),
            [
                {
                    "counted_on": day,
                    "point": "gate",
                    "symptom_group": FEVER,
                    "told_by": "gates",
                    "counted": 6,
                    "recorded_at": ward.clock.now,
                }
                for day in past
            ],
        )
    await sent(ward, yesterday, 14)
    both = await told(ward, yesterday)
    assert level_on(both, yesterday) == "warning"
    figures = {
        one["data"]["point"]: one["data"]["count"]
        for one in both
        if one["type"] == "cardcore.health.counts"
    }
    assert figures == {"guidance": 40, "gate": 20}
    # Today is not over: nobody watches a count rise.
    assert {one["data"]["counted_on"] for one in both} == {yesterday.isoformat()}
    assert await told(ward, yesterday) == both
    assert await told(ward, today) == []


async def test_a_few_look_like_any_few_and_no_person_is_told(ward: Ward) -> None:
    guidance, user_id = ward.city.guidance, await ward.person()
    day = ward.clock.now.astimezone(LOCAL_ZONE).date()
    for _ in range(3):
        await guidance.guide(HIS, MERCHANT, GuidanceRequest(text="发烧咳嗽"))
    schedule = await plan(ward, fee_fen=0, dept_code="NK")
    async with transaction(ward.city.engine) as (connection, _):
        await connection.exec_driver_sql(
            "UPDATE scene_hospital.department SET specialties = '{fever_clinic}'"
            " WHERE dept_code = 'NK'"
        )
    booked = await register(ward, schedule, user_id)
    ward.clock.now = MORNING
    await check_in(ward, booked, user_id)
    ward.clock.now += timedelta(days=1)
    events = await told(ward, day)
    few = [one for one in events if one["type"] == "cardcore.health.counts"]
    assert {one["data"]["point"] for one in few} == {"guidance", "fever_clinic"}
    small = [one for one in few if one["data"]["few"]]
    assert [(one["data"]["count"], one["data"]["score"]) for one in small] == [(None, None)] * 2
    assert len({one["sequence"] for one in small}) == 1
    text = json.dumps(events)
    for word in (MERCHANT, "NK", str(user_id), str(booked.registration_id)):
        assert word not in text


async def test_who_may_send_and_read_and_which_days(ward: Ward) -> None:
    today = ward.clock.now.astimezone(LOCAL_ZONE).date()
    for day in (today + timedelta(days=1), today - timedelta(days=15)):
        with pytest.raises(CountedDayError):
            await sent(ward, day, 5)
    nobody = Caller(client_id="x", merchant_id=None, scopes=frozenset())
    with pytest.raises(ForbiddenError):
        await sent(ward, today, 5, by=nobody)
    with pytest.raises(ForbiddenError):
        await ward.city.warnings.signals(HIS, SignalsQuery(since=today))
    await sent(ward, today, 5)
    await sent(ward, today, 7)  # the day again replaces it
    await sent(ward, today, 2, by=HIS)  # another gate's adds to it
    await counted(ward, {today - timedelta(days=800): 9})
    async with transaction(ward.city.engine) as (connection, _):
        assert await connection.scalar(select(func.sum(point_count.c.counted))) == 9
    assert await ward.city.warnings.forget_due(ward.clock.now) == 1
    assert await ward.city.warnings.forget_due(ward.clock.now) == 0
