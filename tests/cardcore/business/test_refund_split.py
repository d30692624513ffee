from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.holds import split_capture
from cardcore.business.orders import OrderLine
from cardcore.business.refund_split import split_refund
from cardcore.errors import CaptureExceedsError, RefundExceedsError


def line(line_no: int, amount_fen: int) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        payer="citizen",
        fund="transit",
        amount_fen=amount_fen,
        debit_account_id=UUID(int=1),
        credit_account_id=UUID(int=2),
        transfer_id=UUID(int=100 + line_no) if amount_fen else None,
        rule_id="r",
        rule_version="1",
        reason_zh="票价",
        reason_en="fare",
    )


LINES = st.lists(st.integers(0, 5000), min_size=1, max_size=5).map(
    lambda amounts: [line(number, fen) for number, fen in enumerate(amounts, start=1)]
)


@given(LINES, st.lists(st.integers(1, 6000), max_size=8))
def test_refunds_never_sum_to_more_than_was_captured(
    lines: list[OrderLine], wanted: list[int]
) -> None:
    """Why: a fen refunded twice is a fen stolen."""
    captured = {one.line_no: one.amount_fen for one in lines}
    refunded: dict[int, int] = {}
    for amount_fen in wanted:
        try:
            shares = split_refund(amount_fen, lines, captured, refunded)
        except RefundExceedsError:
            assert amount_fen > sum(captured.values()) - sum(refunded.values())
            continue
        assert sum(fen for _, fen in shares) == amount_fen
        for given_line, fen in shares:
            refunded[given_line.line_no] = refunded.get(given_line.line_no, 0) + fen
    assert all(fen <= captured[line_no] for line_no, fen in refunded.items())


@given(LINES, st.integers(1, 25_000))
def test_the_line_that_paid_last_gives_back_first(lines: list[OrderLine], amount_fen: int) -> None:
    captured = {one.line_no: one.amount_fen for one in lines}
    try:
        shares = split_refund(amount_fen, lines, captured, {})
    except RefundExceedsError:
        return
    numbers = [one.line_no for one, _ in shares]
    assert numbers == sorted(numbers, reverse=True)
    for given_line, fen in shares[:-1]:
        assert fen == given_line.amount_fen


def test_nothing_left_is_refused() -> None:
    with pytest.raises(RefundExceedsError):
        split_refund(None, [line(1, 200)], {1: 200}, {1: 200})


@given(LINES, st.integers(0, 30_000))
def test_a_capture_takes_the_lines_in_order_and_no_more_than_is_held(
    lines: list[OrderLine], amount_fen: int
) -> None:
    held_fen = sum(one.amount_fen for one in lines)
    if amount_fen > held_fen:
        with pytest.raises(CaptureExceedsError):
            split_capture(amount_fen, lines)
        return
    shares = split_capture(amount_fen, lines)
    assert sum(fen for _, fen in shares) == amount_fen
    assert {one.line_no for one, _ in shares} == {one.line_no for one in lines if one.amount_fen}
