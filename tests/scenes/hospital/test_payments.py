"""Paying a hospital bill: every way it can go, and where the money is afterwards."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.partners.insurance_gateway import Behaviour
from cardcore.account.request import CreditLimitRequest
from cardcore.business.request import Account, Business, Mode, OrderRequest, User
from cardcore.caller import Caller
from cardcore.errors import AmountInvalidError, ForbiddenError, NotFoundError, RequestInvalidError
from cardcore.user.request import OpenUserRequest
from scenes.hospital.errors import (
    AgreementMissingError,
    BillConflictError,
    PaymentStateError,
    RealNameNeededError,
    RefundUnderWayError,
    ReturnExceedsError,
)
from scenes.hospital.gateway import InsuranceRefusedError, InsuranceSilentError
from scenes.hospital.messages import Function
from scenes.hospital.pricing import HospitalPricer, SplitSealError
from scenes.hospital.request import (
    AgreementRequest,
    ConfirmRequest,
    OwnConfirmRequest,
    PaymentRequest,
    VisitRequest,
)
from scenes.hospital.split import InsuranceSumsError, Split
from tests.city_life import ALL_SCOPES, BUS_OFFICE, CENTRE
from tests.scenes.hospital.conftest import CODE, HIS, MERCHANT, Ward, line

# 1,000 yuan: deductible 50, funds 70 % of the rest, insurance account up to 300 yuan, cash.
TOTAL_FEN, FUND_FEN, ACCOUNT_FEN, CASH_FEN = 100_000, 66_500, 30_000, 3_500
START_FEN = 100_000


def citizen(user_id: UUID) -> Caller:
    return Caller(
        client_id=f"user:{user_id}", merchant_id=None, scopes=frozenset(), user_id=user_id
    )


async def test_a_bill_is_split_shown_settled_and_captured(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(60_000))
    await ward.bill(visit, line(40_000))
    quoted = await ward.quote(visit)
    assert (quoted.state, quoted.fund_fen, quoted.account_fen, quoted.cash_fen) == (
        "quoted",
        FUND_FEN,
        ACCOUNT_FEN,
        CASH_FEN,
    )
    assert await ward.purse_fen(user_id) == START_FEN
    paid = await ward.confirm(quoted, user_id)
    steps = [step.state for step in paid.steps]
    assert steps == ["quoted", "holding", "held", "settling", "settled", "paid"]
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN
    (standing,) = ward.books.standing(CODE)
    assert standing["setl_id"] == paid.setl_id
    assert await ward.life.books_are_right()
    bills = await ward.hospital.list_bills(HIS, visit.visit_id)
    assert {bill.state for bill in bills.bills} == {"paid"}
    assert paid.order_id is not None
    explained = await ward.city.core.explain(CENTRE, paid.order_id)
    assert {one.rule_id: (one.payer, one.amount_fen) for one in explained.lines} == {
        "hospital_cash": ("citizen", CASH_FEN),
        "insurance_fund": ("insurer", FUND_FEN),
        "insurance_account": ("insurer", ACCOUNT_FEN),
    }


async def test_nobody_insured_pays_alone_and_no_message_is_sent(ward: Ward) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.REFUSE)
    paid = await ward.pay(user_id, line(5_000), insured=False)
    assert (paid.state, paid.cash_fen, paid.setl_id) == ("paid", 5_000, None)
    assert await ward.purse_fen(user_id) == START_FEN - 5_000


# What the insurer does with 2207, and where the payment is at once and in the end.
OUTCOMES = [
    (Behaviour.ANSWER, "paid", "paid"),
    (Behaviour.TWICE, "paid", "paid"),
    (Behaviour.SILENT_AFTER, "paid", "paid"),  # asked at once, and found settled
    (Behaviour.OTHER_PERSON, "paid", "paid"),  # no answer, so asked
    (Behaviour.SILENT_BEFORE, "returned", "returned"),  # not there: reversed, released
    (Behaviour.LATE, "returned", "returned"),  # it comes after its reversal, and does nothing
    (Behaviour.REFUSE, "returned", "returned"),
    (Behaviour.OTHER_SPLIT, "returned", "returned"),  # not what the citizen saw
    (Behaviour.WRONG_SUMS, "review", "review"),
]


@pytest.mark.parametrize(("behaviour", "at_once", "later"), OUTCOMES)
async def test_whatever_the_insurer_does_the_three_books_agree(
    ward: Ward, behaviour: Behaviour, at_once: str, later: str
) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, behaviour)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    assert payment.state == at_once, payment.reason
    ward.gateway.deliver()
    await ward.worker()
    payment = await ward.payment(payment.payment_id)
    assert payment.state == later
    paid = later == "paid"
    standing = ward.books.standing(CODE)
    if later == "review":
        assert len(standing) == 1
        assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN  # held, not taken
    else:
        assert [one["setl_id"] for one in standing] == ([payment.setl_id] if paid else [])
        assert await ward.purse_fen(user_id) == START_FEN - (CASH_FEN if paid else 0)
    bills = await ward.hospital.list_bills(HIS, payment.visit_id)
    assert {bill.state for bill in bills.bills} == {"paid" if paid else "open"}


async def test_while_the_insurer_says_nothing_at_all_the_money_stays_held(ward: Ward) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_AFTER)
    ward.gateway.plan(Function.READ_SETTLEMENT, *[Behaviour.SILENT_BEFORE] * 3)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    assert payment.state == "asking"
    await ward.worker()
    assert (await ward.payment(payment.payment_id)).state == "asking"
    await ward.worker(later_s=600)
    await ward.worker(later_s=600)
    assert (await ward.payment(payment.payment_id)).state == "paid"
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN


async def test_a_trial_that_does_not_add_up_makes_no_payment(ward: Ward) -> None:
    visit = await ward.visit(await ward.person())
    await ward.bill(visit, line(TOTAL_FEN))
    for behaviour, refusal in (
        (Behaviour.WRONG_SUMS, InsuranceSumsError),
        (Behaviour.SILENT_AFTER, InsuranceSilentError),
        (Behaviour.REFUSE, InsuranceRefusedError),
    ):
        ward.gateway.plan(Function.TRY_SETTLEMENT, behaviour)
        with pytest.raises(refusal):
            await ward.quote(visit)
    assert (await ward.quote(visit)).state == "quoted"


async def test_a_purse_that_does_not_reach_leaves_nothing_behind(ward: Ward) -> None:
    user_id = await ward.person(balance_fen=1_000)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    assert (payment.state, payment.reason) == ("refused", "insufficient_balance")
    assert ward.books.standing(CODE) == []
    await ward.life.top_up(user_id, 10_000, fund="purse")
    visit_bills = await ward.hospital.list_bills(HIS, payment.visit_id)
    assert visit_bills.bills[0].payment_id is None
    again, _ = await ward.hospital.quote_payment(
        HIS, payment.visit_id, PaymentRequest(), "once more"
    )
    assert (await ward.confirm(again, user_id)).state == "paid"


async def test_a_hold_that_ends_before_the_insurer_answers_takes_the_settlement_back(
    ward: Ward,
) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_AFTER)
    ward.gateway.plan(Function.READ_SETTLEMENT, Behaviour.SILENT_BEFORE)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    ward.clock.now += timedelta(days=60)
    await ward.worker()
    payment = await ward.payment(payment.payment_id)
    assert (payment.state, payment.reason) == ("returned", "hold_expired")
    assert ward.books.standing(CODE) == []


async def test_the_same_confirmation_twice_charges_once(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(TOTAL_FEN))
    quoted = await ward.quote(visit)
    first, again = [
        await ward.hospital.confirm_payment(
            HIS,
            quoted.payment_id,
            ConfirmRequest(user=await ward.shown(user_id)),
            "the same key",
        )
        for _ in range(2)
    ]
    assert (first[1], again[1]) == (False, True)
    assert first[0] == again[0]
    with pytest.raises(PaymentStateError):
        await ward.confirm(quoted, user_id)
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN


async def test_a_bill_is_in_one_payment_at_a_time_and_a_quote_lapses(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id, insured=False)
    bill_id = await ward.bill(visit, line(5_000))
    quoted = await ward.quote(visit)
    with pytest.raises(BillConflictError):
        await ward.quote(visit)
    with pytest.raises(BillConflictError):
        await ward.hospital.quote_payment(
            HIS, visit.visit_id, PaymentRequest(bill_ids=[bill_id]), "named"
        )
    ward.clock.now += timedelta(hours=1)
    with pytest.raises(PaymentStateError):
        await ward.confirm(quoted, user_id)
    assert await ward.hospital.saga.lapse_due(ward.clock.now) == 1
    assert (await ward.payment(quoted.payment_id)).state == "lapsed"
    assert (await ward.confirm(await ward.quote(visit), user_id)).state == "paid"


async def test_a_quote_of_named_bills_said_again_is_the_same_quote(ward: Ward) -> None:
    """Why: the bills are in that quote's own hand by then."""
    visit = await ward.visit(await ward.person())
    named = PaymentRequest(bill_ids=[await ward.bill(visit, line(5_000))])
    first, _ = await ward.hospital.quote_payment(HIS, visit.visit_id, named, "named")
    again = await ward.hospital.quote_payment(HIS, visit.visit_id, named, "named")
    assert again == (first, True)


async def test_others_hospitals_and_others_patients_find_nothing(ward: Ward) -> None:
    user_id, other = await ward.person(), await ward.person()
    paid = await ward.pay(user_id, line(5_000), insured=False)
    with pytest.raises(NotFoundError):
        await ward.hospital.read_payment(BUS_OFFICE, paid.payment_id)
    with pytest.raises(NotFoundError):
        await ward.hospital.read_payment(citizen(other), paid.payment_id)
    assert (await ward.hospital.read_payment(citizen(user_id), paid.payment_id)) == paid
    request = VisitRequest(user=User(user_id=user_id), visit_no="V", dept_code="NK")
    with pytest.raises(ForbiddenError):
        await ward.hospital.open_visit(HIS, MERCHANT, request, "by id")


async def test_a_visit_is_for_somebody_known_by_name(ward: Ward) -> None:
    request = OpenUserRequest(level="phone", phone="13900000001", funds=["transit"])
    opened, _ = await ward.city.core.open_user(CENTRE, request, "phone")
    with pytest.raises(RealNameNeededError):
        await ward.visit(opened.user_id)


async def test_a_citizen_pays_in_their_own_session(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(TOTAL_FEN))
    quoted, _ = await ward.hospital.quote_payment(
        citizen(user_id), visit.visit_id, PaymentRequest(), "mine"
    )
    paid, _ = await ward.hospital.confirm_my_payment(
        citizen(user_id), quoted.payment_id, OwnConfirmRequest(), "yes"
    )
    assert paid.state == "paid"
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN


async def test_paying_after_the_visit_needs_an_agreement_and_keeps_to_the_limit(
    ward: Ward,
) -> None:
    user_id = await ward.person()
    with pytest.raises(AgreementMissingError):
        await ward.visit(user_id, insured=False, pay_after=True)
    request = AgreementRequest(user=await ward.shown(user_id), evidence="协议 1")
    await ward.hospital.sign_agreement(HIS, MERCHANT, request, "sign")
    await ward.city.core.set_credit_limit(
        CENTRE,
        user_id,
        "health_credit",
        CreditLimitRequest(limit_fen=10_000, reason="agreement"),
        "limit",
    )
    states = []
    for amount_fen in (8_000, 3_000):
        visit = await ward.visit(user_id, insured=False, pay_after=True)
        await ward.bill(visit, line(amount_fen))
        quoted = await ward.quote(visit)
        ended, _ = await ward.hospital.confirm_payment(
            HIS, quoted.payment_id, ConfirmRequest(), f"after-{amount_fen}"
        )
        states.append((ended.state, ended.reason))
    assert states == [("paid", None), ("refused", "insufficient_balance")]
    assert await ward.purse_fen(user_id) == START_FEN
    visit = await ward.visit(user_id, insured=False)
    await ward.bill(visit, line(100))
    quoted = await ward.quote(visit)
    with pytest.raises(RequestInvalidError):
        await ward.hospital.confirm_payment(HIS, quoted.payment_id, ConfirmRequest(), "no code")


# -- giving back -----------------------------------------------------------------------------------


async def test_part_of_a_bill_goes_back_to_each_payer_by_a_new_settlement(ward: Ward) -> None:
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    back = await ward.give_back(paid, 2, 40_000)
    # What stays, 600 yuan: funds (600 − 50) × 70 % = 385, account 215, cash nothing.
    assert back.state == "refunded"
    assert (back.fund_fen, back.account_fen, back.cash_fen) == (28_000, 8_500, 3_500)
    assert await ward.purse_fen(user_id) == START_FEN
    (standing,) = ward.books.standing(CODE)
    assert (standing["medfee_sumamt"], standing["psn_cash_pay"]) == ("600.00", "0.00")
    rest = await ward.give_back(paid, 1, 60_000)
    assert (rest.fund_fen, rest.account_fen, rest.cash_fen) == (38_500, 21_500, 0)
    assert ward.books.standing(CODE) == []
    with pytest.raises(ReturnExceedsError):
        await ward.give_back(paid, 1, 1)
    assert paid.order_id is not None
    order = await ward.city.core.read_order(CENTRE, paid.order_id)
    assert (order.status, order.refunded_fen) == ("refunded", TOTAL_FEN)
    assert await ward.life.books_are_right()


@pytest.mark.parametrize(
    ("function", "behaviour"),
    [
        (Function.CANCEL_SETTLEMENT, Behaviour.SILENT_BEFORE),
        (Function.CANCEL_SETTLEMENT, Behaviour.SILENT_AFTER),
        (Function.CANCEL_SETTLEMENT, Behaviour.TWICE),
        (Function.SETTLE, Behaviour.SILENT_BEFORE),
        (Function.SETTLE, Behaviour.SILENT_AFTER),
        (Function.SETTLE, Behaviour.LATE),
        (Function.SEND_FEES, Behaviour.SILENT_AFTER),
    ],
)
async def test_a_return_ends_whatever_the_insurer_does(
    ward: Ward, function: Function, behaviour: Behaviour
) -> None:
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    ward.gateway.plan(function, behaviour)
    back = await ward.give_back(paid, 2, 40_000)
    ward.gateway.deliver()
    await ward.worker()
    back = await ward.hospital.read_return(HIS, back.refund_id)
    assert (back.state, back.cash_fen) == ("refunded", 3_500)
    assert len(ward.books.standing(CODE)) == 1
    assert await ward.purse_fen(user_id) == START_FEN


async def test_a_settlement_the_insurer_keeps_changes_nothing(ward: Ward) -> None:
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(TOTAL_FEN))
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.REFUSE)
    back = await ward.give_back(paid, 1, 10_000)
    assert (back.state, back.fault) == ("refused", "insurance_refused")
    assert (await ward.give_back(paid, 1, TOTAL_FEN)).state == "refunded"


async def test_a_refusal_after_an_unheard_cancelling_is_not_believed(ward: Ward) -> None:
    """Why: the first one may have been done, or may be on its way still."""
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    ward.gateway.plan(
        Function.CANCEL_SETTLEMENT, Behaviour.LATE, Behaviour.REFUSE, Behaviour.REFUSE
    )
    back = await ward.give_back(paid, 2, 40_000)
    await ward.worker()
    assert (await ward.hospital.read_return(HIS, back.refund_id)).state == "cancelling"
    ward.gateway.deliver()
    await ward.worker()
    assert (await ward.hospital.read_return(HIS, back.refund_id)).state == "refunded"
    assert len(ward.books.standing(CODE)) == 1


async def test_twenty_returns_at_once_never_give_back_more_than_was_paid(ward: Ward) -> None:
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(10_000), insured=False)
    answers = await asyncio.gather(
        *(ward.give_back(paid, 1, 900) for _ in range(20)), return_exceptions=True
    )
    given = [one for one in answers if not isinstance(one, BaseException)]
    refused = {type(one) for one in answers if isinstance(one, BaseException)}
    assert refused <= {RefundUnderWayError, ReturnExceedsError}
    while True:  # those that were told to come again do
        try:
            given.append(await ward.give_back(paid, 1, 900))
        except ReturnExceedsError:
            break
    assert {one.state for one in given} == {"refunded"}
    assert len(given) == 10_000 // 900
    assert await ward.purse_fen(user_id) == START_FEN - 10_000 + 900 * len(given)


# -- what the core is told -------------------------------------------------------------------------


async def test_nobody_else_can_make_the_insurer_owe(ward: Ward) -> None:
    user_id = await ward.person()
    split = Split(fund_fen=5_000, account_fen=0, cash_fen=100, hospital_fen=0)
    forged = HospitalPricer(b"another key").details("p", "v", split)
    for details, amount_fen, refusal in (
        (forged, 5_100, SplitSealError),
        ({"payment_id": "p"}, 5_100, RequestInvalidError),
        (ward.hospital._pricer.details("p", "v", split), 5_000, AmountInvalidError),
    ):
        request = OrderRequest(
            user=await ward.shown(user_id),
            account=Account(),
            business=Business(
                scene="hospital",
                type="fee",
                merchant_id=MERCHANT,
                terminal_id="hospital-C01",
                out_trade_no="X",
                amount_fen=amount_fen,
                currency="CNY",
                occurred_at=ward.clock.now,
                details=details,
            ),
            mode=Mode.HOLD,
        )
        caller = Caller(client_id="x", merchant_id=MERCHANT, scopes=ALL_SCOPES)
        with pytest.raises(refusal):
            await ward.city.core.order(caller, request, f"forged-{amount_fen}-{refusal.__name__}")
