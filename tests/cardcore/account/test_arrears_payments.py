"""Laws of paying debts and giving payments back."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cardcore.account.arrears_payments import Debt, Paid, share_out, take_back

KINDS = ("transit", "purse", "subsidy_x")
FUNDS = {kind: UUID(int=number) for number, kind in enumerate(KINDS, start=1)}
amounts = st.integers(0, 500)
plans = st.permutations(KINDS).flatmap(lambda order: st.integers(0, 3).map(lambda n: order[:n]))
debts = st.lists(st.tuples(st.integers(1, 300), plans), max_size=6).map(
    lambda made: [
        Debt(order_id=UUID(int=n), line_no=1, merchant_id="M", open_fen=fen, plan=plan)
        for n, (fen, plan) in enumerate(made)
    ]
)
balances = st.dictionaries(st.sampled_from(sorted(FUNDS)), st.integers(-100, 500))


@given(debts, balances)
def test_no_debt_is_overpaid_no_fund_overdrawn_and_older_debts_come_first(
    owed: list[Debt], has: dict[str, int]
) -> None:
    """Why: a newer debt that is paid while an older one could have been is not oldest first."""
    available = {FUNDS[kind]: fen for kind, fen in has.items()}
    shares = share_out(owed, {kind: FUNDS[kind] for kind in has}, dict(available))
    assert all(one.amount_fen > 0 for one in shares)
    for fund_id, fen in available.items():
        given_fen = sum(one.amount_fen for one in shares if one.fund_id == fund_id)
        assert given_fen <= max(fen, 0)
    for place, debt in enumerate(owed):
        paid = [one for one in shares if one.debt is debt]
        assert sum(one.amount_fen for one in paid) <= debt.open_fen
        assert all(one.fund_id in {FUNDS[kind] for kind in debt.plan} for one in paid)
        if sum(one.amount_fen for one in paid) < debt.open_fen:
            # What an older debt wanted and did not get, no newer one got.
            wanted = {FUNDS[kind] for kind in debt.plan}
            newer = [one for later in owed[place + 1 :] for one in shares if one.debt is later]
            assert not any(one.fund_id in wanted for one in newer)


@given(st.lists(amounts, min_size=1, max_size=6), st.data())
def test_what_goes_back_sums_to_the_amount_and_never_above_what_was_paid(
    left: list[int], data: st.DataObject
) -> None:
    paid = [
        Paid(payment_id=UUID(int=n), fund_id=UUID(int=9), left_fen=fen)
        for n, fen in enumerate(left)
    ]
    amount_fen = data.draw(st.integers(0, sum(left)))
    shares = take_back(amount_fen, paid)
    assert sum(fen for _, fen in shares) == amount_fen
    assert all(0 < fen <= one.left_fen for one, fen in shares)


@given(st.lists(amounts, min_size=1, max_size=6), st.data())
def test_refunds_from_the_latest_and_disputes_from_the_oldest_never_meet(
    left: list[int], data: st.DataObject
) -> None:
    """Why: both give back payments of one debt, each without knowing the other's shares."""
    paid = [
        Paid(payment_id=UUID(int=n), fund_id=UUID(int=9), left_fen=fen)
        for n, fen in enumerate(left)
    ]
    refunded = data.draw(st.integers(0, sum(left)))
    disputed = data.draw(st.integers(0, sum(left) - refunded))
    gone = {one.payment_id: 0 for one in paid}
    for one, fen in [*take_back(refunded, paid[::-1]), *take_back(disputed, paid)]:
        gone[one.payment_id] += fen
    assert all(gone[one.payment_id] <= one.left_fen for one in paid)
