"""A parent pays for a child, a grown child for an elder: as far as was allowed, and back."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from cardcore.business.request import User
from cardcore.errors import FundUnknownError, LimitExceededError
from cardcore.user.people_request import Act, GrantDelegationRequest
from scenes.hospital.request import ConfirmRequest, DepositRequest
from scenes.hospital.views import PaymentView
from tests.city_life import CENTRE
from tests.scenes.hospital.conftest import CODE, HIS, Ward, line

# 1,000 yuan of the patient's own insurance: cash 35 yuan.
TOTAL_FEN, CASH_FEN = 100_000, 3_500
START_FEN = 100_000


async def allow(ward: Ward, patient: UUID, payer: UUID, kind: str, **changes: object) -> UUID:
    fields: dict[str, object] = {
        "payer_id": payer,
        "kind": kind,
        "scenes": ["hospital"],
        "use": "when_asked",
        "order_fen_max": TOTAL_FEN,
        "day_fen_max": 2 * TOTAL_FEN,
        "valid_from": ward.clock.now,
        "valid_to": ward.clock.now + timedelta(days=30),
        "evidence": "户口簿 1",
    }
    request = GrantDelegationRequest.model_validate(fields | changes)
    done, _ = await ward.city.core.grant_delegation(CENTRE, patient, request, str(uuid4()))
    assert done.object is not None
    return UUID(done.object)


async def bill_for(ward: Ward, patient: UUID, amount_fen: int = TOTAL_FEN) -> PaymentView:
    visit = await ward.visit(patient)
    await ward.bill(visit, line(amount_fen * 6 // 10), line(amount_fen * 4 // 10))
    return await ward.quote(visit)


@pytest.mark.parametrize("kind", ["guardian", "agent"])
async def test_who_may_pay_for_somebody_does_and_gets_it_back(ward: Ward, kind: str) -> None:
    patient, payer = await ward.person(0), await ward.person()
    await allow(ward, patient, payer, kind)
    quoted = await bill_for(ward, patient)
    paid = await ward.confirm(quoted, payer)
    assert (paid.state, paid.cash_fen) == ("paid", CASH_FEN)
    assert await ward.purse_fen(payer) == START_FEN - CASH_FEN
    assert await ward.purse_fen(patient) == 0
    (standing,) = ward.books.standing(CODE)
    assert standing["psn_no"] == f"P{patient.hex[:20]}", "whose insurance, not whose money"
    assert (await ward.give_back(paid, 2, TOTAL_FEN * 4 // 10)).state == "refunded"
    assert await ward.purse_fen(payer) == START_FEN
    assert await ward.purse_fen(patient) == 0
    assert await ward.life.books_are_right()


async def test_who_may_not_pays_nothing_and_nothing_is_settled(ward: Ward) -> None:
    """Why: whoever stands at the counter with a bill of somebody else is not yet their parent."""
    patient, stranger = await ward.person(0), await ward.person()
    refused = await ward.confirm(await bill_for(ward, patient), stranger)
    assert (refused.state, refused.reason) == ("refused", FundUnknownError.code)
    assert ward.books.standing(CODE) == []
    assert await ward.purse_fen(stranger) == START_FEN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_fen_max": CASH_FEN - 1}, LimitExceededError.code),
        ({"scenes": ["bus"]}, FundUnknownError.code),
        ({"kind": "agent", "use": "when_asked", "order_fen_max": CASH_FEN}, None),
    ],
)
async def test_they_pay_within_what_was_allowed(
    ward: Ward, changes: dict[str, object], reason: str | None
) -> None:
    patient, payer = await ward.person(0), await ward.person()
    await allow(ward, patient, payer, str(changes.pop("kind", "guardian")), **changes)
    ended = await ward.confirm(await bill_for(ward, patient), payer)
    assert (ended.state, ended.reason) == ("paid" if reason is None else "refused", reason)
    assert await ward.purse_fen(payer) == START_FEN - (0 if reason else CASH_FEN)
    assert len(ward.books.standing(CODE)) == (0 if reason else 1)


async def test_what_was_allowed_ends(ward: Ward) -> None:
    patient, payer = await ward.person(0), await ward.person()
    delegation_id = await allow(ward, patient, payer, "guardian")
    await ward.city.core.revoke_delegation(
        CENTRE, delegation_id, Act(reason="user_request"), str(uuid4())
    )
    ended = await ward.confirm(await bill_for(ward, patient), payer)
    assert (ended.state, ended.reason) == ("refused", FundUnknownError.code)


async def test_the_payers_code_is_shown_not_spent(ward: Ward) -> None:
    """Why: two bills of a child are paid by one glance at the parent's telephone."""
    patient, payer = await ward.person(0), await ward.person()
    await allow(ward, patient, payer, "guardian")
    shown: User = await ward.shown(payer)
    for number in range(2):
        quoted = await bill_for(ward, patient, 5_000 + 5 * number)
        paid, _ = await ward.hospital.confirm_payment(
            HIS, quoted.payment_id, ConfirmRequest(user=shown), f"both-{number}"
        )
        assert paid.state == "paid"


async def test_whoever_puts_money_down_for_a_stay_gets_the_rest_back(ward: Ward) -> None:
    patient, payer = await ward.person(0), await ward.person()
    visit = await ward.visit(patient, kind="inpatient", insured=False)
    deposit = DepositRequest(user=await ward.shown(payer), amount_fen=30_000, out_trade_no="YJ1")
    await ward.hospital.put_down(HIS, visit.visit_id, deposit, "deposit")
    await ward.bill(visit, line(12_000))
    quoted = await ward.quote(visit)
    assert (quoted.deposit_fen, quoted.due_fen) == (12_000, 0)
    assert (await ward.confirm(quoted, patient)).state == "paid"
    await ward.hospital.discharge(HIS, visit.visit_id, "home")
    assert await ward.purse_fen(payer) == START_FEN - 12_000
    assert await ward.purse_fen(patient) == 0
    assert await ward.life.books_are_right()
