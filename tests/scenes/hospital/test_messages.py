"""What is said to the insurer fits the published interface; every answer is held to its laws."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from adapters.partners.insurance_gateway import Behaviour
from scenes.hospital.gateway import InsuranceSilentError
from scenes.hospital.messages import (
    DetailsComparison,
    Envelope,
    FeeDetail,
    Function,
    Reply,
    Reversal,
    Sent,
    Settlement,
    SettlementCancelling,
    SettlementInfo,
    SettlementQuery,
    TotalsComparison,
    TrialSettlement,
    VisitDescription,
    VisitRegistration,
)
from scenes.hospital.request import ReviewRequest
from scenes.hospital.split import InsuranceSumsError, check_cancelling, self_paid, split_of
from tests.scenes.hospital.conftest import CODE, HIS, Ward, line
from tests.scenes.hospital.test_rules import info_of, sound

START_FEN: Final = 100_000
TOTAL_FEN, CASH_FEN = 100_000, 3_500

# Widths of fields as the specification for designated institutions publishes them. Amounts: 16,2.
WIDTHS: Final = {
    "acct_used_flag": 3, "atddr_no": 30, "begntime": 19, "bilg_dept_codg": 30, "chrg_bchno": 30,
    "clr_type": 6, "cnt": 16, "dept_code": 30, "dept_name": 100, "dr_name": 50,
    "fee_ocur_time": 19, "feedetl_sn": 30, "insutype": 6, "invono": 20, "ipt_otp_no": 30,
    "main_cond_dscr": 1000, "mdtrt_cert_no": 50, "mdtrt_cert_type": 3, "mdtrt_id": 30,
    "med_list_codg": 50, "med_type": 6, "medins_list_codg": 150, "oinfno": 4, "omsgid": 30,
    "psn_no": 30, "psn_setlway": 6, "rx_circ_flag": 3, "rxno": 30, "setl_id": 30,
    "setl_optins": 6, "stmt_begndate": 10, "stmt_enddate": 10,
}  # fmt: skip
AMOUNTS: Final = frozenset(
    {
        "acct_pay", "cash_payamt", "det_item_fee_sumamt", "fund_pay_sumamt", "medfee_sumamt",
        "pric",
    }
)  # fmt: skip
COUNTS: Final = frozenset({"fixmedins_setl_cnt", "startrow"})
# Node "setlinfo" of 2207, as published, as far as money and identity go.
SETLINFO: Final = frozenset(
    {
        "mdtrt_id", "setl_id", "psn_no", "insutype", "setl_time", "med_type", "medfee_sumamt",
        "hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay",
        "fund_pay_sumamt", "psn_part_amt", "acct_pay", "psn_cash_pay", "hosp_part_amt", "balc",
        "acct_mulaid_pay", "medins_setl_id", "clr_optins", "clr_way", "clr_type",
    }
)  # fmt: skip
SENT: Final[list[type[Sent]]] = [
    VisitRegistration,
    VisitDescription,
    FeeDetail,
    TrialSettlement,
    Settlement,
    SettlementCancelling,
    Reversal,
    SettlementQuery,
    TotalsComparison,
    DetailsComparison,
]


@pytest.mark.parametrize("kind", SENT)
def test_what_is_sent_has_published_names(kind: type[BaseModel]) -> None:
    assert set(kind.model_fields) <= set(WIDTHS) | AMOUNTS | COUNTS


def test_what_a_settlement_answers_has_the_published_names() -> None:
    """Whether it was cancelled (``refd_setl_flag``) is told by 5203 alone."""
    assert set(SettlementInfo.model_fields) - {"refd_setl_flag"} == SETLINFO


class Listener:
    """A gateway that keeps what goes through it."""

    def __init__(self, ward: Ward) -> None:
        self._gateway = ward.gateway
        self.heard: list[Envelope] = []
        ward.hospital._around.insurer._gateway = self

    async def send(self, envelope: Envelope) -> Reply:
        self.heard.append(envelope)
        return await self._gateway.send(envelope)


def fields_of(sent: object) -> list[tuple[str, Any]]:
    if isinstance(sent, list):
        return [field for one in sent for field in fields_of(one)]
    assert isinstance(sent, dict)
    found: list[tuple[str, Any]] = []
    for name, value in sent.items():
        found += fields_of(value) if isinstance(value, dict | list) else [(name, value)]
    return found


async def test_everything_that_is_said_fits_the_published_widths(ward: Ward) -> None:
    listener = Listener(ward)
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    ward.gateway.plan(Function.SETTLE, Behaviour.SILENT_BEFORE)
    assert (await ward.give_back(paid, 2, 40_000)).state == "refunded"
    ward.gateway.plan(Function.SETTLE, Behaviour.OTHER_SPLIT)
    assert (await ward.pay(user_id, line(TOTAL_FEN))).state == "returned"
    await ward.hospital.reconcile_due(ward.clock.now)
    assert {one.infno for one in listener.heard} == set(Function)
    for envelope in listener.heard:
        assert len(envelope.msgid) <= 30
        for name, value in fields_of(envelope.input):
            assert len(str(value)) <= WIDTHS.get(name, 16), (envelope.infno, name, value)
    said = [one.msgid for one in listener.heard if one.infno is Function.SETTLE]
    assert len(said) == len(set(said)), "2207 is said once"


# -- the laws, on every answer ---------------------------------------------------------------------


@given(sound(), st.integers(-500, 500).filter(bool))
def test_a_cancelling_takes_back_what_was_settled(
    answer: tuple[dict[str, int], int], by_fen: int
) -> None:
    sums, total_fen = answer
    settled = split_of(info_of(sums), sent_fen=total_fen)
    mirrored = info_of(sums).mirrored()
    check_cancelling(mirrored, sent_fen=total_fen, settled=settled)
    for wrong, booked in (
        (mirrored.model_copy(update={"psn_cash_pay": mirrored.psn_cash_pay + by_fen}), settled),
        (mirrored, self_paid(total_fen + 1)),
        (info_of(sums), settled) if total_fen else (mirrored, self_paid(1)),
    ):
        with pytest.raises(InsuranceSumsError):
            check_cancelling(wrong, sent_fen=total_fen, settled=booked)


async def decide(ward: Ward, subject_id: object, decision: str) -> None:
    request = ReviewRequest.model_validate({"decision": decision, "note": "与经办核对"})
    key = f"decide-{next(ward.numbers)}"
    await ward.hospital.decide_review(HIS, subject_id, request, key)  # type: ignore[arg-type]


@pytest.mark.parametrize("behaviour", [Behaviour.WRONG_SUMS, Behaviour.OTHER_SPLIT])
@pytest.mark.parametrize("decision", ["ask", "cancel", "whole", "release"])
async def test_a_cancelling_that_does_not_add_up_moves_no_money_until_people_have_looked(
    ward: Ward, behaviour: Behaviour, decision: str
) -> None:
    user_id = await ward.person()
    paid = await ward.pay(user_id, line(60_000), line(40_000))
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, behaviour)
    back = await ward.give_back(paid, 2, 40_000)
    assert (back.state, back.fault) == ("review", "insurance_sums_broken")
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN
    await decide(ward, back.refund_id, decision)
    back = await ward.hospital.read_return(HIS, back.refund_id)
    whole = decision in ("whole", "release")
    assert (back.state, back.whole) == ("refunded", whole)
    assert len(ward.books.standing(CODE)) == (0 if whole else 1)
    assert await ward.purse_fen(user_id) == START_FEN
    assert await ward.life.books_are_right()


@pytest.mark.parametrize("decision", ["ask", "cancel"])
async def test_nor_does_one_of_a_payment_that_came_to_nothing(ward: Ward, decision: str) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.OTHER_SPLIT)
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.WRONG_SUMS)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    assert (payment.state, payment.reason) == ("review", "insurance_sums_broken")
    assert await ward.purse_fen(user_id) == START_FEN - CASH_FEN  # held as it was shown
    await decide(ward, payment.payment_id, decision)
    assert (await ward.payment(payment.payment_id)).state == "returned"
    assert ward.books.standing(CODE) == []
    assert await ward.purse_fen(user_id) == START_FEN


async def test_what_is_found_cancelled_must_add_up_too(ward: Ward) -> None:
    user_id = await ward.person()
    ward.gateway.plan(Function.SETTLE, Behaviour.OTHER_SPLIT)
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.WRONG_SUMS)
    payment = await ward.pay(user_id, line(TOTAL_FEN))
    ward.gateway.plan(Function.READ_SETTLEMENT, Behaviour.WRONG_SUMS)
    await decide(ward, payment.payment_id, "ask")
    assert (await ward.payment(payment.payment_id)).state == "review"
    await decide(ward, payment.payment_id, "ask")
    assert (await ward.payment(payment.payment_id)).state == "returned"


async def test_an_answer_about_somebody_else_is_no_answer(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(TOTAL_FEN))
    ward.gateway.plan(Function.TRY_SETTLEMENT, Behaviour.OTHER_PERSON)
    with pytest.raises(InsuranceSilentError):
        await ward.quote(visit)
    ward.gateway.plan(Function.SETTLE, Behaviour.OTHER_PERSON)
    ward.gateway.plan(Function.READ_SETTLEMENT, Behaviour.OTHER_PERSON)
    payment = await ward.confirm(await ward.quote(visit), user_id)
    assert payment.state == "asking"
    await ward.worker()
    payment = await ward.payment(payment.payment_id)
    assert payment.state == "paid"
    ward.gateway.plan(Function.CANCEL_SETTLEMENT, Behaviour.OTHER_PERSON)
    back = await ward.give_back(payment, 1, TOTAL_FEN)
    assert back.state == "cancelling"
    await ward.worker()
    assert (await ward.hospital.read_return(HIS, back.refund_id)).state == "refunded"
    assert await ward.purse_fen(user_id) == START_FEN
