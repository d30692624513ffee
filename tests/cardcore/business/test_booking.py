from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cardcore.account.chart import subsidy_receivable
from cardcore.account.funding_plan import FundShare
from cardcore.business.booking import lines_of_order, transfers_of_order
from cardcore.business.quote import Payer, Quote, QuoteLine
from cardcore.ids import new_id
from ledger import TransferFlags

ORDER_ID = new_id(datetime(2026, 1, 1, tzinfo=UTC), bytes)
PAYABLE, SUBSIDY_PAYABLE = UUID(int=7), UUID(int=8)


def quoted(payer: Payer, amount_fen: int) -> QuoteLine:
    return QuoteLine(
        payer=payer,
        amount_fen=amount_fen,
        rule_id="rule",
        rule_version="1",
        reason_zh="票价",
        reason_en="fare",
    )


QUOTES = st.lists(
    st.builds(quoted, st.sampled_from(list(Payer)), st.integers(0, 900)), min_size=1, max_size=6
).map(lambda lines: Quote(lines=tuple(lines)))


@st.composite
def quotes_with_shares(draw: st.DrawFn) -> tuple[Quote, list[FundShare]]:
    quote = draw(QUOTES)
    left_fen, shares = quote.citizen_fen, []
    while left_fen:
        fen = draw(st.integers(1, left_fen))
        fund_no = len(shares) + 1
        shares.append(FundShare(fund_id=UUID(int=fund_no), kind=f"f{fund_no}", amount_fen=fen))
        left_fen -= fen
    return quote, shares


@given(quotes_with_shares(), st.booleans())
def test_every_fen_of_a_quote_becomes_a_fen_of_a_transfer(
    case: tuple[Quote, list[FundShare]], pending: bool
) -> None:
    """Why: what the citizen was told must be what the ledger says, line by line."""
    quote, shares = case
    lines = lines_of_order(
        ORDER_ID, quote, shares, payable_id=PAYABLE, subsidy_payable_id=SUBSIDY_PAYABLE
    )
    transfers = transfers_of_order(ORDER_ID, lines, pending=pending)
    assert sum(transfer.amount for transfer in transfers) == quote.nominal_fen
    assert len({transfer.id for transfer in transfers}) == len(transfers)
    drawn: dict[int, int] = {}
    for transfer in transfers:
        if transfer.credit_account_id == PAYABLE.int:
            account = transfer.debit_account_id
            drawn[account] = drawn.get(account, 0) + transfer.amount
    assert drawn == {share.fund_id.int: share.amount_fen for share in shares}
    for payer in set(Payer) - {Payer.CITIZEN}:
        owed_fen = sum(line.amount_fen for line in quote.lines if line.payer is payer)
        booked_fen = sum(
            transfer.amount
            for transfer in transfers
            if transfer.debit_account_id == subsidy_receivable(payer).int
        )
        assert booked_fen == owed_fen


@given(quotes_with_shares())
def test_the_transfers_of_an_order_are_one_closed_chain(
    case: tuple[Quote, list[FundShare]],
) -> None:
    quote, shares = case
    lines = lines_of_order(
        ORDER_ID, quote, shares, payable_id=PAYABLE, subsidy_payable_id=SUBSIDY_PAYABLE
    )
    linked = [
        bool(transfer.flags & TransferFlags.linked)
        for transfer in transfers_of_order(ORDER_ID, lines, pending=True)
    ]
    assert linked == [True] * (len(linked) - 1) + [False] * min(len(linked), 1)


def test_a_free_ride_keeps_its_zero_line_beside_the_full_fare_of_the_bureau() -> None:
    quote = Quote(lines=(quoted(Payer.CITIZEN, 0), quoted(Payer.FINANCE_BUREAU, 200)))
    lines = lines_of_order(
        ORDER_ID, quote, [], payable_id=PAYABLE, subsidy_payable_id=SUBSIDY_PAYABLE
    )
    assert [(line.payer, line.amount_fen) for line in lines] == [
        ("citizen", 0),
        ("finance_bureau", 200),
    ]
    assert lines[0].transfer_id is None
    assert len(transfers_of_order(ORDER_ID, lines, pending=False)) == 1
