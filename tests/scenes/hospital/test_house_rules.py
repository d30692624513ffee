"""A hospital's own rules: who may change them, and that they hold from then on."""

import pytest
from pydantic import ValidationError

from cardcore.books import transaction
from cardcore.errors import ForbiddenError
from scenes.hospital.errors import (
    DepositStateError,
    HospitalUnknownError,
    PrepaymentOffError,
    RegistrationLimitError,
)
from scenes.hospital.house_rules import HouseRulesRequest
from tests.city_life import CENTRE
from tests.scenes.hospital.conftest import HIS, MERCHANT, Ward, line
from tests.scenes.hospital.test_registrations import plan, put_down, register

PREPAID = HouseRulesRequest(outpatient_prepayment=True, purpose="试点")


async def changed(ward: Ward) -> list[tuple[str, str, str]]:
    async with transaction(ward.city.engine) as (_, raw):
        found = await raw.execute(
            "SELECT client_id, object, purpose FROM cardcore.audit_event"
            " WHERE action = 'hospital.rules' ORDER BY seq"
        )
        return await found.fetchall()


async def test_outpatients_prepay_where_it_was_switched_on_and_get_the_rest_back(
    ward: Ward,
) -> None:
    user_id = await ward.person(50_000)
    visit = await ward.visit(user_id, insured=False)
    with pytest.raises(PrepaymentOffError):
        await ward.hospital.open_prepayment(HIS, visit.visit_id, "off")
    rules = await ward.hospital.change_house_rules(CENTRE, MERCHANT, PREPAID)
    assert rules.outpatient_prepayment
    await ward.hospital.open_prepayment(HIS, visit.visit_id, "on")
    await put_down(ward, visit.visit_id, user_id, 30_000)
    assert await ward.purse_fen(user_id) == 20_000
    await ward.bill(visit, line(12_000))
    quoted = await ward.quote(visit)
    assert (quoted.cash_fen, quoted.deposit_fen, quoted.due_fen) == (12_000, 12_000, 0)
    assert (await ward.confirm(quoted, user_id)).state == "paid"
    await ward.hospital.discharge(HIS, visit.visit_id, "home")
    deposit = await ward.hospital.read_deposit(HIS, visit.visit_id)
    assert (deposit.state, deposit.used_fen, deposit.returned_fen) == ("closed", 12_000, 18_000)
    assert await ward.purse_fen(user_id) == 38_000
    with pytest.raises(DepositStateError):
        await put_down(ward, visit.visit_id, user_id, 100)
    assert await ward.life.books_are_right()


async def test_it_is_off_again_for_the_next_visit(ward: Ward) -> None:
    await ward.hospital.change_house_rules(CENTRE, MERCHANT, PREPAID)
    off = HouseRulesRequest(outpatient_prepayment=False, purpose="试点结束")
    await ward.hospital.change_house_rules(CENTRE, MERCHANT, off)
    visit = await ward.visit(await ward.person())
    with pytest.raises(PrepaymentOffError):
        await ward.hospital.open_prepayment(HIS, visit.visit_id, "off")
    assert await changed(ward) == [
        (CENTRE.client_id, f"hospital/{MERCHANT}", "试点"),
        (CENTRE.client_id, f"hospital/{MERCHANT}", "试点结束"),
    ]


async def test_a_rule_holds_from_then_on_and_the_same_again_is_no_change(ward: Ward) -> None:
    user_id = await ward.person()
    one = HouseRulesRequest(per_day_max=1, purpose="号源紧张")
    for _ in range(2):
        rules = await ward.hospital.change_house_rules(CENTRE, MERCHANT, one)
        assert rules == await ward.hospital.read_house_rules(HIS, MERCHANT)
    assert (rules.per_day_max, rules.hold_s) == (1, 600)
    assert len(await changed(ward)) == 1
    await register(ward, await plan(ward), user_id)
    with pytest.raises(RegistrationLimitError):
        await register(ward, await plan(ward, session="afternoon"), user_id)


async def test_a_hospital_reads_its_rules_and_does_not_change_them(ward: Ward) -> None:
    with pytest.raises(ForbiddenError):
        await ward.hospital.change_house_rules(HIS, MERCHANT, PREPAID)
    with pytest.raises(HospitalUnknownError):
        await ward.hospital.read_house_rules(HIS, "shanting-bus")
    with pytest.raises(HospitalUnknownError):
        await ward.hospital.change_house_rules(CENTRE, "shanting-bus", PREPAID)
    assert await changed(ward) == []


@pytest.mark.parametrize(
    "said",
    [{}, {"hold_s": 0}, {"days_ahead": 366}, {"per_day_max": 0}, {"outpatient_prepayment": "yes"}],
)
def test_nothing_or_nonsense_is_no_change(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HouseRulesRequest.model_validate(said | {"purpose": "x"}, strict=True)
