from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.business.holds import HeldLine, split_capture, transfers_of_capture
from cardcore.business.orders import OrderLine
from cardcore.business.refund_split import split_refund
from cardcore.errors import CaptureExceedsError, RefundExceedsError
from ledger import TransferFlags

CAPTURE_ID = UUID(int=7 << 64)


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


def held(lines: list[OrderLine]) -> list[HeldLine]:
    return [
        HeldLine(line=one, transfer_id=one.transfer_id, held_fen=one.amount_fen)
        for one in lines
        if one.transfer_id is not None
    ]


@given(LINES, st.integers(0, 30_000), st.booleans())
def test_a_capture_takes_the_lines_in_order_and_no_more_than_is_held(
    lines: list[OrderLine], amount_fen: int, keeps_rest: bool
) -> None:
    holding = held(lines)
    held_fen = sum(one.held_fen for one in holding)
    if amount_fen > held_fen:
        with pytest.raises(CaptureExceedsError):
            split_capture(amount_fen, holding, keeps_rest=keeps_rest)
        return
    shares = split_capture(amount_fen, holding, keeps_rest=keeps_rest)
    assert sum(share.taken_fen for share in shares) == amount_fen
    touched = {share.held.line.line_no for share in shares}
    untouched_fen = sum(one.held_fen for one in holding if one.line.line_no not in touched)
    if keeps_rest:
        assert sum(share.kept_fen for share in shares) + untouched_fen == held_fen - amount_fen
    else:
        assert untouched_fen == 0
        assert not any(share.kept_fen for share in shares)
    takes_all = [share.taken_fen == share.held.held_fen for share in shares]
    assert takes_all == sorted(takes_all, reverse=True)


@given(LINES.filter(lambda lines: any(one.amount_fen for one in lines)), st.data())
def test_a_capture_is_one_chain_that_never_frees_what_stays_held(
    lines: list[OrderLine], data: st.DataObject
) -> None:
    """Why: between a posting and the new hold another payment could take the money."""
    holding = held(lines)
    held_fen = sum(one.held_fen for one in holding)
    amount_fen = data.draw(st.integers(1, held_fen))
    shares = split_capture(amount_fen, holding, keeps_rest=True)
    transfers = transfers_of_capture(CAPTURE_ID, UUID(int=9), shares, timeout_s=60)
    assert len({one.id for one in transfers}) == len(transfers)
    assert all(one.flags & TransferFlags.linked for one in transfers[:-1])
    assert not transfers[-1].flags & TransferFlags.linked
    kept = [one for one in transfers if one.flags & TransferFlags.pending]
    assert sum(one.amount for one in kept) == sum(share.kept_fen for share in shares)
    assert all(one.timeout == 60 for one in kept)
