"""Paying a hospital bill: every way it can go, and where the money is afterwards."""


from cardcore.business.views import ExplainView
from tests.city_life import CENTRE
from tests.scenes.hospital.conftest import CODE, HIS, Ward, line

# 100 yuan: deductible 50, funds 70 % of the rest, account up to 300 yuan.
TOTAL_FEN, FUND_FEN = 10_000, 3_500
# 1,000 yuan: funds 665, account 300, cash 35.
BIG_FEN, BIG_FUND_FEN, BIG_ACCOUNT_FEN, BIG_CASH_FEN = 100_000, 66_500, 30_000, 3_500


async def test_a_bill_is_split_shown_settled_and_captured(ward: Ward) -> None:
    user_id = await ward.person()
    visit = await ward.visit(user_id)
    await ward.bill(visit, line(60_000), line(40_000))
    quoted = await ward.quote(visit)
    assert quoted.state == "quoted"
    assert (quoted.fund_fen, quoted.account_fen, quoted.cash_fen) == (
        BIG_FUND_FEN,
        BIG_ACCOUNT_FEN,
        BIG_CASH_FEN,
    )
    assert await ward.purse_fen(user_id) == 100_000
    paid = await ward.confirm(quoted, user_id)
    assert [step.state for step in paid.steps] == [
        "quoted",
        "holding",
        "held",
        "settling",
        "settled",
        "paid",
    ]
    assert await ward.purse_fen(user_id) == 100_000 - BIG_CASH_FEN
    (standing,) = ward.books.standing(CODE)
    assert standing["setl_id"] == paid.setl_id
    assert await ward.life.books_are_right()
    bills = await ward.hospital.list_bills(HIS, visit.visit_id)
    assert {bill.state for bill in bills.bills} == {"paid"}
    assert paid.order_id is not None
    explained = await ward.city.core.explain(CENTRE, paid.order_id)
    assert _by_rule(explained) == {
        "hospital_cash": BIG_CASH_FEN,
        "insurance_fund": BIG_FUND_FEN,
        "insurance_account": BIG_ACCOUNT_FEN,
    }


def _by_rule(explained: ExplainView) -> dict[str, int]:
    return {one.rule_id: one.amount_fen for one in explained.lines}
