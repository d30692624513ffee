"""The bill as a file: its sums are its lines', its bytes depend on nothing else (faults 34, 37)."""

import csv
import hashlib
import io
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cardcore.calendar import business_date
from cardcore.platform.bill_file import HEAD, Movement, day_of, write_bill

YEAR = datetime(2026, 1, 1)  # noqa: DTZ001  (hypothesis wants naive bounds)
MOVEMENTS = st.builds(
    Movement,
    kind=st.sampled_from(["payment", "capture", "refund"]),
    entry_id=st.uuids(),
    order_id=st.uuids(),
    out_trade_no=st.text(alphabet='=+-@ab1,"\n:_', min_size=1, max_size=12),
    out_refund_no=st.text(alphabet="=-R1", max_size=6),
    scene=st.just("bus"),
    terminal_id=st.just("bus-V0001"),
    amount_fen=st.integers(1, 10**9),
    recorded_at=st.datetimes(
        YEAR,
        YEAR.replace(year=2027),
        timezones=st.just(UTC),
    ),
)
UNIQUE = st.lists(MOVEMENTS, max_size=20, unique_by=lambda one: one.entry_id)


@given(UNIQUE, st.randoms(use_true_random=False))
def test_the_same_movements_give_the_same_bytes(movements: list[Movement], random: object) -> None:
    shuffled = list(movements)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    bill, other = write_bill(movements), write_bill(shuffled)
    assert bill == other
    assert bill.sha256 == hashlib.sha256(bill.content).digest()


@given(UNIQUE)
def test_count_and_sums_are_those_of_the_lines(movements: list[Movement]) -> None:
    bill = write_bill(movements)
    head, *rows = csv.reader(io.StringIO(bill.content.decode("utf-8"), newline=""))
    assert tuple(head) == HEAD
    amounts = [int(row[7]) for row in rows]
    assert len(rows) == bill.rows
    assert sum(amounts) == bill.paid_fen - bill.refunded_fen + bill.other_fen
    assert {row[0] for row in rows if int(row[7]) < 0} <= {"refund", "arrears", "dispute"}
    assert -sum(fen for row, fen in zip(rows, amounts, strict=True) if row[0] == "refund") == (
        bill.refunded_fen
    )


@given(UNIQUE)
def test_row_34_no_cell_is_a_formula_but_the_amount(movements: list[Movement]) -> None:
    rows = list(csv.reader(io.StringIO(write_bill(movements).content.decode(), newline="")))
    for row in rows[1:]:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row[:7] + row[8:])


@given(
    st.datetimes(YEAR, YEAR.replace(year=2029), timezones=st.just(UTC)),
    st.times(),
)
def test_row_37_each_instant_is_in_exactly_one_day(at: datetime, cut_off: time) -> None:
    on = business_date(at, cut_off)
    days = [on + timedelta(days=offset) for offset in (-1, 0, 1)]
    inside = [day for day in days if day_of(day, cut_off)[0] <= at < day_of(day, cut_off)[1]]
    assert inside == [on]


def test_the_file_of_an_empty_day_is_its_head() -> None:
    bill = write_bill([])
    assert (bill.rows, bill.paid_fen, bill.refunded_fen, bill.other_fen) == (0, 0, 0, 0)
    assert bill.content.decode() == ",".join(HEAD) + "\r\n"


def test_a_refund_is_negative() -> None:
    movement = Movement(
        kind="refund",
        entry_id=UUID(int=1),
        order_id=UUID(int=2),
        out_trade_no="=cmd()",
        out_refund_no="R1",
        scene="bus",
        terminal_id="bus-V0001",
        amount_fen=250,
        recorded_at=datetime(2026, 6, 1, tzinfo=UTC),
    )
    line = write_bill([movement]).content.decode().split("\r\n")[1]
    assert ",'=cmd(),R1,bus,bus-V0001,-250,2026-06-01T08:00:00.000000+08:00" in line
    assert date(2026, 6, 1) == business_date(movement.recorded_at)
