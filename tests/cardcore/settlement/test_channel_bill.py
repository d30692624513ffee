"""Bills as files: read whole or refused, saying what and where; in UTF-8 and in GBK."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardcore.settlement.channel_bill import (
    BillRow,
    ChannelBill,
    read_bill,
    with_trailer,
    write_bill,
)
from cardcore.settlement.errors import BillInvalidError

numbers = st.from_regex(r"\A[0-9A-Za-z_.:\-]{1,20}\Z")
rows = st.lists(
    st.builds(
        BillRow,
        channel_no=numbers,
        our_no=st.just("") | numbers,
        direction=st.sampled_from(["in", "out"]),
        amount_fen=st.integers(1, 10**9),
        state=st.sampled_from(["paid", "refused"]),
        moved_at=st.datetimes(timezones=st.just(UTC)),
    ),
    max_size=12,
)
ONE = BillRow(
    channel_no="B1",
    our_no="",
    direction="out",
    amount_fen=1_234,
    state="paid",
    moved_at=datetime(2026, 6, 1, 2, 0, tzinfo=UTC),
)


@given(rows)
def test_what_is_written_is_read(given: list[BillRow]) -> None:
    bill = read_bill(write_bill(given))
    assert list(bill.rows) == given
    signed = [
        one.amount_fen * (1 if one.direction == "in" else -1)
        for one in given
        if one.state == "paid"
    ]
    assert bill.in_fen - bill.out_fen == sum(signed)


@given(rows, st.data())
def test_row_38_a_file_that_was_cut_anywhere_is_refused(
    given: list[BillRow], data: st.DataObject
) -> None:
    """Why: half a bill would make a hundred differences that are none."""
    content = write_bill(given)
    # The last line's own end may be missing: nothing was lost with it.
    length = data.draw(st.integers(0, len(content) - 3))
    with pytest.raises(BillInvalidError):
        read_bill(content[:length])


@given(rows.filter(bool), st.data())
def test_row_38_a_file_with_one_byte_changed_is_refused(
    given: list[BillRow], data: st.DataObject
) -> None:
    content = bytearray(write_bill(given))
    place = data.draw(st.integers(0, len(content) - 3))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BillInvalidError):
        read_bill(bytes(content))


def test_row_38_a_bill_in_gbk_with_chinese_columns_is_read() -> None:
    body = (
        "渠道流水号,商户单号,收支,金额（元）,状态,时间,摘要\r\n"
        "B1,,支,12.34,成功,2026-06-01 10:00:00,结算款 山亭公交\r\n"
    )
    bill = read_bill(with_trailer(body.encode("gbk"), ChannelBill(rows=[ONE])))
    assert list(bill.rows) == [ONE]
    assert read_bill(with_trailer(body.encode("utf-8-sig"), ChannelBill(rows=[ONE]))).rows == [ONE]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",,out,1,paid,2026-06-01T10:00:00+08:00", "channel_no"),
        ("=cmd(),,out,1,paid,2026-06-01T10:00:00+08:00", "channel_no"),
        ("B1,a b,out,1,paid,2026-06-01T10:00:00+08:00", "our_no"),
        ("B1,,sideways,1,paid,2026-06-01T10:00:00+08:00", "direction"),
        ("B1,,out,0,paid,2026-06-01T10:00:00+08:00", "amount_fen"),
        ("B1,,out,-1,paid,2026-06-01T10:00:00+08:00", "amount_fen"),
        ("B1,,out,1.00,paid,2026-06-01T10:00:00+08:00", "amount_fen"),
        ("B1,,out,9999999999999,paid,2026-06-01T10:00:00+08:00", "amount_fen"),
        ("B1,,out,1,maybe,2026-06-01T10:00:00+08:00", "state"),
        ("B1,,out,1,paid,yesterday", "moved_at"),
        ("B1,,out,1,paid", "row"),
    ],
)
def test_a_cell_that_is_none_is_named_with_its_line(row: str, field: str) -> None:
    body = write_bill([ONE]).rsplit(b"count", 1)[0] + row.encode() + b"\r\n"
    with pytest.raises(BillInvalidError) as refused:
        read_bill(with_trailer(body, ChannelBill(rows=[ONE, ONE])))
    assert (refused.value.field, refused.value.facts) == (field, {"line": 3})


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "sha256"),
        (b"\xff" * 40, "sha256"),
        (with_trailer(b"\xff\xff\xff\n", ChannelBill(rows=[])), "content"),
        (with_trailer(b"channel_no,our_no\r\n", ChannelBill(rows=[])), "head"),
        (with_trailer(b"state,state\r\n", ChannelBill(rows=[])), "head"),
        (write_bill([ONE]).replace(b"count,1", b"count,2"), "count"),
        (write_bill([ONE]).replace(b"out_fen,1234", b"out_fen,1235"), "out_fen"),
    ],
)
def test_a_file_that_is_no_bill_is_refused_by_what_is_wrong(content: bytes, field: str) -> None:
    with pytest.raises(BillInvalidError) as refused:
        read_bill(content)
    assert refused.value.field == field
