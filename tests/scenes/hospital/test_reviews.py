"""What does not go on by itself: people decide, every decision leads on, and no fen is lost."""

from uuid import UUID

import pytest

from adapters.partners.insurance_gateway import Behaviour
from cardcore.errors import RequestInvalidError
from scenes.hospital.errors import PaymentStateError
from scenes.hospital.messages import Function
from scenes.hospital.request import ReviewRequest
from scenes.hospital.views import PaymentView, ReturnView
from tests.city_life import BUS_OFFICE
from tests.scenes.hospital.conftest import CODE, HIS, Ward, line

TOTAL_FEN, CASH_FEN = 100_000, 3_500
START_FEN = 100_000


async def decide(ward: Ward, subject_id: UUID, decision: str) -> None:
    request = ReviewRequest.model_validate({"decision": decision, "note": "与经办核对"})
    key = f"decide-{next(ward.numbers)}"
    await ward.hospital.decide_review(HIS, subject_id, request, key)


async def in_review(ward: Ward, user_id: UUID) -> PaymentView:
    ward.gateway.plan(Function.SETTLE, Behaviour.WRONG_SUMS)
    return await ward.pay(user_id, line(TOTAL_FEN))


async def return_of(ward: Ward, back: ReturnView) -> ReturnView:
    return await ward.hospital.read_return(HIS, back.refund_id)


# -- payments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "ends"), [("ask", "paid"), ("cancel", "returned"), ("release", "returned")]
)
async def test_people_decide_about_sums_that_do_not_agree(
    ward: Ward, decision: str, ends: str
) -> None:
    user_id = await ward.person()
    payment = await in_review(ward, user_id)
    ward.clock.advance(seconds=90)
    (review,) = (await ward.hospital.list_reviews(HIS)).reviews
    assert (review.subject_id, review.reason) == (payment.payment_id, "insurance_sums_broken")
    assert (review.owner, review.age_s) == ("insurer", 90)
    assert (await ward.hospital.list_reviews(BUS_OFFICE)).reviews == []
    await decide(ward, payment.payment_id, decision)
    assert (await ward.payment(payment.payment_id)).state == ends
    assert (await ward.hospital.list_reviews(HIS)).reviews == []
    with pytest.raises(PaymentStateError):
        await decide(ward, payment.payment_id, decision)
    assert await ward.purse_fen(user_id) == START_FEN - (CASH_FEN if ends == "paid" else 0)


async def test_a_payment_has_no_rest(ward: Ward) -> None:
    payment = await in_review(ward, await ward.person())
    with pytest.raises(RequestInvalidError):
        await decide(ward, payment.payment_id, "whole")


async def test_a_settlement_that_was_to_be_cancelled_is_not_believed_again(ward: Ward) -> None:
    """Why: the cancelling that was not heard comes late, and the payment would stand alone."""
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.WRONG_SUMS)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.LATE, Behaviour.REFUSE)
    await decide(ward, payment.payment_id, "cancel")
    assert (await ward.payment(payment.payment_id)).state == "cancelling"
    await ward.worker()
    assert (await ward.payment(payment.payment_id)).state == "review"
    await decide(ward, payment.payment_id, "ask")
    ward.gateway.deliver()
    assert (await ward.payment(payment.payment_id)).state == "returned"
    assert ward.books.standing(CODE) == []
    assert await ward.purse_fen(user_id) == START_FEN


async def test_a_settlement_that_was_to_be_reversed_is_not_believed_again(ward: Ward) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.LATE)
    ward.gateway.plan(Function.REVERSE, Behaviour.REFUSE)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    assert payment.state == "review"
    ward.gateway.deliver()
    await decide(ward, payment.payment_id, "ask")
    assert (await ward.payment(payment.payment_id)).state == "returned"
    assert ward.books.standing(CODE) == []
    assert await ward.purse_fen(user_id) == START_FEN


async def test_whoever_is_silent_for_minutes_is_on_the_list(ward: Ward) -> None:
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_AFTER)
    ward.gateway.plan(Function.READ_SETTLEMENT, *[Behaviour.SILENT_BEFORE] * 9)
    payment = await ward.pay(await ward.person(), line(TOTAL_FEN))
    assert (await ward.hospital.list_reviews(HIS)).reviews == []
    for _ in range(6):
        await ward.worker(later_s=600)
    (seen,) = (await ward.hospital.list_reviews(HIS)).reviews
    assert (seen.state, seen.reason, seen.owner) == ("asking", "insurance_silent", "insurer")
    with pytest.raises(PaymentStateError):
        await decide(ward, payment.payment_id, "cancel")


# -- returns ---------------------------------------------------------------------------------------


async def in_return_review(ward: Ward, user_id: UUID, *behaviours: Behaviour) -> ReturnView:
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    ward.gateway.plan(Function.SETTLE, *behaviours)
    back = await ward.give_back(paid, 2, 40_000)
    assert back.state == "review"
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN
    return back


@pytest.mark.parametrize("behaviour", [Behaviour.WRONG_SUMS, Behaviour.REFUSE])
@pytest.mark.parametrize("decision", ["ask", "cancel"])
async def test_a_rest_that_cannot_be_settled_is_settled_anew(
    ward: Ward, behaviour: Behaviour, decision: str
) -> None:
    user_id = await ward.person()
    back = await in_return_review(ward, user_id, behaviour)
    await decide(ward, back.refund_id, decision)
    back = await return_of(ward, back)
    assert (back.state, back.whole, back.cash_fen) == ("refunded", False, CASH_FEN)
    (standing,) = ward.books.standing(CODE)
    assert standing["medfee_sumamt"] == "600.00"
    assert await ward.purse_fen(user_id) == START_FEN


@pytest.mark.parametrize("behaviour", [Behaviour.WRONG_SUMS, Behaviour.REFUSE])
async def test_or_all_of_it_goes_back_and_the_rest_is_billed_anew(
    ward: Ward, behaviour: Behaviour
) -> None:
    user_id = await ward.person()
    back = await in_return_review(ward, user_id, behaviour)
    await decide(ward, back.refund_id, "whole")
    await billed_anew(ward, back, user_id)


async def test_what_people_know_not_to_stand_is_let_go(ward: Ward) -> None:
    user_id = await ward.person()
    back = await in_return_review(ward, user_id, Behaviour.REFUSE)
    await decide(ward, back.refund_id, "release")
    await billed_anew(ward, back, user_id)


async def billed_anew(ward: Ward, back: ReturnView, user_id: UUID) -> None:
    """Everything is given back, and what stays of the items can be paid again."""
    back = await return_of(ward, back)
    assert (back.state, back.whole, back.amount_fen) == ("refunded", True, TOTAL_FEN)
    assert await ward.purse_fen(user_id) == START_FEN
    assert ward.books.standing(CODE) == []
    paid = await ward.payment(back.payment_id)
    bills = (await ward.hospital.list_bills(HIS, paid.visit_id)).bills
    old, new = sorted(bills, key=lambda one: one.follows_bill_id is not None)
    assert (new.state, new.total_fen, new.follows_bill_id) == ("open", 60_000, old.bill_id)
    assert all(one.returned_fen == one.amount_fen for one in old.lines)
    again = await ward.quote(await ward.hospital.read_visit(HIS, paid.visit_id))
    assert again.total_fen == 60_000
    assert (await ward.confirm(again, user_id)).state == "paid"
    assert await ward.life.books_are_right()


@pytest.mark.parametrize(
    "behaviours",
    [
        (),
        (Behaviour.SILENT_AFTER,),
        (Behaviour.SILENT_BEFORE,),
        (Behaviour.LATE, Behaviour.REFUSE),
    ],
)
async def test_a_rest_that_costs_a_payer_more_ends_with_everything_given_back(
    ward: Ward, behaviours: tuple[Behaviour, ...]
) -> None:
    """Why: another bill's return has filled the insurance account; nobody agreed to use it here."""
    user_id = await ward.person(balance_fen=200_000)
    first = await ward.pay(user_id, line(TOTAL_FEN))
    second = await ward.pay(user_id, line(60_000), line(40_000))
    # The account was empty: funds 700 yuan, cash 300 yuan.
    assert (second.account_fen, second.cash_fen) == (0, 30_000)
    assert (await ward.give_back(first, 1, TOTAL_FEN)).state == "refunded"
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.ANSWER, *behaviours)
    back = await ward.give_back(second, 2, 100)
    await ward.worker()
    ward.gateway.deliver()
    if Behaviour.REFUSE in behaviours:
        assert (await return_of(ward, back)).state == "review"
        await decide(ward, back.refund_id, "ask")
    back = await return_of(ward, back)
    assert (back.state, back.whole) == ("refunded", True)
    refused = Behaviour.REFUSE in behaviours
    assert back.fault == ("insurance_refused" if refused else "resettled_above")
    assert await ward.purse_fen(user_id) == 200_000
    assert ward.books.standing(CODE) == []
    again = await ward.quote(await ward.hospital.read_visit(HIS, second.visit_id))
    assert (again.total_fen, again.account_fen) == (99_900, 30_000)
    assert (await ward.confirm(again, user_id)).state == "paid"
    assert await ward.life.books_are_right()
