"""Registering for a visit: places, limits, the queue, and what is given back."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from cardcore.errors import NotFoundError, OrderExistsError
from scenes.hospital.errors import (
    BillConflictError,
    CancelWindowError,
    DepositStateError,
    HospitalUnknownError,
    NobodyWaitsError,
    PaymentStateError,
    PrepaymentOffError,
    RegisteredAlreadyError,
    RegistrationLimitError,
    RegistrationStateError,
    ScheduleExistsError,
    SlotUnavailableError,
)
from scenes.hospital.request import (
    CallRequest,
    CheckInRequest,
    DepartmentRequest,
    DepositRequest,
    DoctorRequest,
    InsuranceRequest,
    OwnRegistrationRequest,
    RegistrationRequest,
    ScheduleRequest,
    SchedulesQuery,
)
from scenes.hospital.views import RegistrationView, ScheduleView
from tests.city_life import BUS_OFFICE, CENTRE
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward, line
from tests.scenes.hospital.test_payments import citizen

MORNING = datetime(2026, 6, 2, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai, the day after the clock's


async def plan(
    ward: Ward, *, fee_fen: int = 500, dept_code: str = "NK", **more: object
) -> ScheduleView:
    await ward.hospital.put_department(
        HIS,
        MERCHANT,
        DepartmentRequest(dept_code=dept_code, name_zh="内科", name_en="Medicine", place="二层"),
    )
    starts_at = more.pop("starts_at", MORNING)
    assert isinstance(starts_at, datetime)
    fields: dict[str, object] = {
        "dept_code": dept_code,
        "visit_on": starts_at.date(),
        "session": "morning",
        "fee_fen": fee_fen,
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=4),
        "slot_count": 4,
        "walk_in_count": 1,
    }
    request = ScheduleRequest.model_validate(fields | more)
    view, _ = await ward.hospital.plan_schedule(
        HIS, MERCHANT, request, f"plan-{next(ward.numbers)}"
    )
    return view


async def register(
    ward: Ward, schedule: ScheduleView, user_id: UUID, *, walk_in: bool = False
) -> RegistrationView:
    request = RegistrationRequest(
        user=await ward.shown(user_id), schedule_id=schedule.schedule_id, walk_in=walk_in
    )
    view, _ = await ward.hospital.register(HIS, MERCHANT, request, f"register-{next(ward.numbers)}")
    return view


async def paid(ward: Ward, held: RegistrationView, user_id: UUID) -> RegistrationView:
    visit, _ = await ward.hospital.bill_registration(
        HIS, held.registration_id, InsuranceRequest(), f"fee-{next(ward.numbers)}"
    )
    await ward.confirm(await ward.quote(visit), user_id)
    return await ward.hospital.read_registration(HIS, held.registration_id)


async def check_in(
    ward: Ward, booked: RegistrationView, user_id: UUID, *, priority: int = 0
) -> RegistrationView:
    request = CheckInRequest.model_validate(
        {"user": await ward.shown(user_id), "priority": priority}
    )
    view, _ = await ward.hospital.check_in(
        HIS, booked.registration_id, request, f"in-{next(ward.numbers)}"
    )
    return view


async def call(ward: Ward, schedule: ScheduleView, before: str = "seen") -> UUID:
    request = CallRequest.model_validate({"schedule_id": schedule.schedule_id, "before": before})
    view, _ = await ward.hospital.call_next(HIS, request, f"call-{next(ward.numbers)}")
    return view.registration_id


async def test_a_place_is_held_paid_and_booked(ward: Ward) -> None:
    schedule, user_id = await plan(ward), await ward.person()
    held = await register(ward, schedule, user_id)
    assert (held.state, held.fee_fen, held.slot_at) == ("held", 500, MORNING)
    assert held.hold_ends_at == ward.clock.now + timedelta(seconds=600)
    booked = await paid(ward, held, user_id)
    assert (booked.state, booked.hold_ends_at) == ("booked", None)
    assert await ward.purse_fen(user_id) == 100_000 - 500
    query = SchedulesQuery(visit_on=schedule.visit_on, dept_code="NK")
    (shown,) = (await ward.hospital.list_schedules(HIS, MERCHANT, query)).schedules
    assert (shown.free_count, shown.free_walk_in_count) == (3 - 1 + 0, 1)


async def test_a_place_without_a_fee_is_booked_at_once(ward: Ward) -> None:
    schedule, user_id = await plan(ward, fee_fen=0), await ward.person()
    mine, _ = await ward.hospital.register_myself(
        citizen(user_id),
        OwnRegistrationRequest(merchant_id=MERCHANT, schedule_id=schedule.schedule_id),
        "mine",
    )
    assert mine.state == "booked"
    assert (await ward.hospital.my_registrations(citizen(user_id))).registrations == [mine]


async def test_what_nobody_pays_for_goes_to_somebody_else(ward: Ward) -> None:
    schedule, user_id = await plan(ward, slot_count=1, walk_in_count=0), await ward.person()
    held = await register(ward, schedule, user_id)
    visit, _ = await ward.hospital.bill_registration(
        HIS, held.registration_id, InsuranceRequest(), "fee"
    )
    quoted = await ward.quote(visit)
    with pytest.raises(SlotUnavailableError):
        await register(ward, schedule, await ward.person())
    ward.clock.now += timedelta(seconds=601)
    assert await ward.hospital.end_registrations(ward.clock.now) == 1
    with pytest.raises(PaymentStateError):
        await ward.confirm(quoted, user_id)
    assert (await register(ward, schedule, await ward.person())).state == "held"


async def test_two_counters_never_sell_one_place_twice(ward: Ward) -> None:
    schedule = await plan(ward, fee_fen=0, slot_count=3, walk_in_count=0)
    people = [await ward.person(0) for _ in range(8)]
    answers = await asyncio.gather(
        *(register(ward, schedule, one) for one in people), return_exceptions=True
    )
    got = [one.slot_no for one in answers if isinstance(one, RegistrationView)]
    assert sorted(got) == [1, 2, 3]
    others = [one for one in answers if not isinstance(one, RegistrationView)]
    assert {type(one) for one in others} == {SlotUnavailableError}


async def test_one_place_a_half_day_and_three_a_day(ward: Ward) -> None:
    user_id = await ward.person()
    first = await plan(ward, fee_fen=0)
    await register(ward, first, user_id)
    with pytest.raises(RegisteredAlreadyError):
        await register(ward, first, user_id)
    for dept_code in ("WK", "EK"):
        await register(ward, await plan(ward, fee_fen=0, dept_code=dept_code), user_id)
    with pytest.raises(RegistrationLimitError):
        await register(ward, await plan(ward, fee_fen=0, dept_code="YK"), user_id)


async def test_walk_ins_have_places_of_their_own(ward: Ward) -> None:
    schedule = await plan(ward, fee_fen=0, slot_count=2, walk_in_count=1)
    await register(ward, schedule, await ward.person(0))
    with pytest.raises(SlotUnavailableError):
        await register(ward, schedule, await ward.person(0))
    walked_in = await register(ward, schedule, await ward.person(0), walk_in=True)
    assert walked_in.state == "booked"


async def test_a_place_is_given_back_with_its_fee_until_two_hours_before(ward: Ward) -> None:
    schedule, user_id = await plan(ward), await ward.person()
    booked = await paid(ward, await register(ward, schedule, user_id), user_id)
    assert await ward.purse_fen(user_id) == 99_500
    gone, _ = await ward.hospital.cancel_registration(HIS, booked.registration_id, "back")
    assert gone.state == "cancelled"
    assert await ward.purse_fen(user_id) == 100_000
    late = await paid(ward, await register(ward, schedule, user_id), user_id)
    ward.clock.now = MORNING - timedelta(hours=1)
    with pytest.raises(CancelWindowError):
        await ward.hospital.cancel_registration(citizen(user_id), late.registration_id, "late")


async def test_three_missed_visits_bar_for_thirty_days(ward: Ward) -> None:
    user_id = await ward.person()
    for day in range(3):
        schedule = await plan(ward, fee_fen=0, starts_at=MORNING + timedelta(days=day))
        await register(ward, schedule, user_id)
        ward.clock.now = schedule.ends_at
        assert await ward.hospital.end_registrations(ward.clock.now) == 1
    schedule = await plan(ward, fee_fen=0, starts_at=MORNING + timedelta(days=3))
    with pytest.raises(RegistrationLimitError) as refused:
        await register(ward, schedule, user_id)
    assert refused.value.facts["limit"] == "no_show"
    ward.clock.now += timedelta(days=31)
    schedule = await plan(ward, fee_fen=0, starts_at=MORNING + timedelta(days=35))
    assert (await register(ward, schedule, user_id)).state == "booked"


async def test_patients_are_called_by_priority_and_by_turn(ward: Ward) -> None:
    schedule = await plan(ward, fee_fen=0, slot_count=8, walk_in_count=0)
    people = [await ward.person(0) for _ in range(5)]
    booked = [await register(ward, schedule, one) for one in people]
    with pytest.raises(NobodyWaitsError):
        await call(ward, schedule)
    for number, (one, user_id) in enumerate(zip(booked, people, strict=True)):
        view = await check_in(ward, one, user_id, priority=int(number == 3))
        assert view.queue_no == number + 1
    assert (await ward.hospital.read_registration(HIS, booked[0].registration_id)).ahead == 1
    ids = [one.registration_id for one in booked]
    assert await call(ward, schedule) == ids[3]
    assert await call(ward, schedule) == ids[0]
    # Called and not there: again after three others, here after all that wait.
    assert await call(ward, schedule, before="passed") == ids[1]
    assert await call(ward, schedule) == ids[2]
    assert await call(ward, schedule) == ids[4]
    assert await call(ward, schedule) == ids[0]
    with pytest.raises(RegistrationStateError):
        await check_in(ward, booked[1], people[1])


async def test_only_whoever_registered_checks_in(ward: Ward) -> None:
    schedule, user_id = await plan(ward, fee_fen=0), await ward.person()
    booked = await register(ward, schedule, user_id)
    with pytest.raises(RegistrationStateError):
        await check_in(ward, booked, await ward.person())


async def test_schedules_are_planned_once_and_found_by_their_hospital_alone(ward: Ward) -> None:
    schedule = await plan(ward)
    await ward.hospital.put_doctor(
        HIS,
        MERCHANT,
        DoctorRequest(
            doctor_code="D1", dept_code="NK", name="甲", title_zh="主任医师", title_en="Chief"
        ),
    )
    with pytest.raises(ScheduleExistsError):
        await plan(ward)
    with pytest.raises(HospitalUnknownError):
        await ward.hospital.list_schedules(
            BUS_OFFICE, MERCHANT, SchedulesQuery(visit_on=date(2026, 6, 2))
        )
    booked = await register(ward, schedule, await ward.person())
    with pytest.raises(NotFoundError):
        await ward.hospital.read_registration(BUS_OFFICE, booked.registration_id)
    ward.clock.now = schedule.ends_at
    with pytest.raises(SlotUnavailableError):
        await register(ward, schedule, await ward.person())


# -- deposits --------------------------------------------------------------------------------------


async def put_down(ward: Ward, visit_id: UUID, user_id: UUID, amount_fen: int) -> None:
    number = next(ward.numbers)
    request = DepositRequest(
        user=await ward.shown(user_id), amount_fen=amount_fen, out_trade_no=f"YJ{number}"
    )
    await ward.hospital.put_down(HIS, visit_id, request, f"deposit-{number}")


async def test_the_number_of_a_deposit_under_another_key_names_what_was_put_down(
    ward: Ward,
) -> None:
    """Row 3 of the faults, at the ward."""
    user_id = await ward.person(200_000)
    visit = await ward.visit(user_id, kind="inpatient")
    for amount_fen, refusal in ((50_000, None), (50_000, OrderExistsError), (1, BillConflictError)):
        ask = DepositRequest(
            user=await ward.shown(user_id), amount_fen=amount_fen, out_trade_no="YJ-once"
        )
        if refusal is None:
            await ward.hospital.put_down(HIS, visit.visit_id, ask, "first")
            continue
        with pytest.raises(refusal) as refused:
            await ward.hospital.put_down(HIS, visit.visit_id, ask, refusal.code)
        if refusal is OrderExistsError:
            named = await ward.life.city.core.read_order(
                CENTRE, UUID(str(refused.value.facts["order_id"]))
            )
            assert named.captured_fen == 50_000
    assert await ward.purse_fen(user_id) == 150_000


async def test_a_stay_is_paid_from_its_deposit_and_the_rest_goes_back(ward: Ward) -> None:
    user_id = await ward.person(200_000)
    visit = await ward.visit(user_id, kind="inpatient")
    await put_down(ward, visit.visit_id, user_id, 50_000)
    await put_down(ward, visit.visit_id, user_id, 30_000)
    assert await ward.purse_fen(user_id) == 120_000
    for _ in range(2):
        await ward.bill(visit, line(100_000))
    deposit = await ward.hospital.read_deposit(HIS, visit.visit_id)
    assert (deposit.paid_fen, deposit.charged_fen, deposit.available_fen) == (
        80_000,
        200_000,
        80_000,
    )
    with pytest.raises(BillConflictError):
        await ward.hospital.discharge(HIS, visit.visit_id, "too early")
    # 2,000 yuan: funds (2000 − 50) × 70 % = 1365, account 300, cash 335 from the deposit.
    quoted = await ward.quote(visit)
    assert (quoted.cash_fen, quoted.deposit_fen, quoted.due_fen) == (33_500, 33_500, 0)
    assert (await ward.confirm(quoted, user_id)).state == "paid"
    await ward.hospital.discharge(HIS, visit.visit_id, "home")
    deposit = await ward.hospital.read_deposit(HIS, visit.visit_id)
    assert (deposit.state, deposit.used_fen, deposit.returned_fen) == ("closed", 33_500, 46_500)
    assert await ward.purse_fen(user_id) == 200_000 - 33_500
    with pytest.raises(DepositStateError):
        await put_down(ward, visit.visit_id, user_id, 100)
    assert await ward.life.books_are_right()


async def test_outpatients_prepay_only_where_the_hospital_allows_it(ward: Ward) -> None:
    visit = await ward.visit(await ward.person())
    with pytest.raises(PrepaymentOffError):
        await ward.hospital.open_prepayment(HIS, visit.visit_id, "off")
