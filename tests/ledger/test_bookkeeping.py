"""The bank side: as-of balances, periods, chart, statements, corrections, partitions, the role."""

import csv
import datetime as dt
import io
from pathlib import Path

import openpyxl
import psycopg
import pypdf
import pytest

from ledger import Account, AccountFlags, Ledger, Transfer, TransferFlags
from ledger.as_of import balance_effective_on, balances_recorded_at, roll_up
from ledger.business_day import DAY_NS, BusinessDay, day_number
from ledger.chart import ChartEntry, chart_balances, define_chart, trial_balance
from ledger.corrections import (
    post_pending_chain,
    reverse_transfer,
    set_overdraft_limit,
    void_pending_chain,
)
from ledger.errors import AccountUnknownError, TransferUnknownError
from ledger.partitions import make_partitions
from ledger.periods import (
    PeriodNotLaterError,
    RequestUnknownError,
    SecondPersonNeededError,
    approve_reopening,
    close_through,
    closed_through,
    request_reopening,
)
from ledger.queries import instant_of
from ledger.statement_files import FontMissingError, find_font, to_csv, to_pdf, to_xlsx, yuan
from ledger.statements import read_statement
from ledger.testing import ManualClock

UTC = dt.UTC
MAY_1 = dt.date(2026, 5, 1)


def noon(day: dt.date) -> dt.datetime:
    """Noon in Shanghai."""
    return dt.datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def move(id_: int, amount: int = 5, **changes: object) -> Transfer:
    fields: dict[str, object] = {
        "debit_account_id": 1, "credit_account_id": 2, "ledger": 1, "code": 7,
    }  # fmt: skip
    return Transfer(id=id_, amount=amount, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def opened(book: Ledger, clock: ManualClock) -> Ledger:
    clock.now_ns = day_number(MAY_1) * DAY_NS + 4 * 3600 * 10**9
    await book.create_accounts([Account(id=n, ledger=1, code=n) for n in (1, 2, 3)])
    return book


def next_day(clock: ManualClock) -> None:
    clock.advance_s(86_400)


# -- as of ------------------------------------------------------------------------------------


async def test_a_back_dated_transfer_changes_the_day_it_counts_for_only(
    opened: Ledger, clock: ManualClock
) -> None:
    for rolled in (False, True):
        base = 10 if rolled else 0
        await opened.create_transfers([move(base + 1)])
        next_day(clock)
        await opened.create_transfers([move(base + 2, effective_at=noon(MAY_1)), move(base + 3)])
        if rolled:
            assert await roll_up(opened) == 6
            assert await roll_up(opened) == 0
    may_1 = await balance_effective_on(opened, 2, MAY_1)
    may_2 = await balance_effective_on(opened, 2, dt.date(2026, 5, 2))
    may_3 = await balance_effective_on(opened, 2, dt.date(2026, 5, 3))
    assert (may_1.posted, may_2.posted, may_3.posted) == (15, 25, 30)
    assert (await balance_effective_on(opened, 1, MAY_1)).posted == -15
    assert (await balance_effective_on(opened, 2, dt.date(2026, 4, 30))).posted == 0


async def test_totals_are_whole_while_only_a_part_is_rolled_up(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(1), move(2)])
    await roll_up(opened)
    await opened.create_transfers([move(3), move(4, flags=TransferFlags.pending)])
    assert (await balance_effective_on(opened, 2, MAY_1)).credits_posted == 15


async def test_the_books_are_seen_as_they_were_recorded(opened: Ledger, clock: ManualClock) -> None:
    [first] = await opened.create_transfers([move(1)])
    [hold] = await opened.create_transfers([move(2, flags=TransferFlags.pending, timeout=10)])
    clock.advance_s(20)
    assert await opened.expire_pending_transfers() == 1
    [last] = await opened.create_transfers(
        [move(3, debit_account_id=2, credit_account_id=1, effective_at=noon(MAY_1))]
    )

    async def at(timestamp: int) -> tuple[int, int, int, int]:
        # Instants have microseconds; the books count nanoseconds.
        balances = await balances_recorded_at(opened, 2, instant_of(timestamp + 999))
        return (
            balances.debits_pending, balances.debits_posted,
            balances.credits_pending, balances.credits_posted,
        )  # fmt: skip

    assert await at(first.timestamp - 2000) == (0, 0, 0, 0)
    assert await at(hold.timestamp + 5_000_000) == (0, 0, 5, 5)
    assert await at(last.timestamp - 2_000_000) == (0, 0, 5, 5)
    assert await at(last.timestamp) == (0, 5, 0, 5)


async def test_an_expired_hold_is_gone_between_two_transfers(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(2, flags=TransferFlags.pending, timeout=10)])
    clock.advance_s(20)
    await opened.expire_pending_transfers()
    for account_id in (1, 2):
        balances = await balances_recorded_at(opened, account_id, instant_of(clock() + 10**6))
        assert balances.debits_pending == balances.credits_pending == 0


# -- periods ----------------------------------------------------------------------------------


async def test_what_counts_for_a_closed_day_lands_in_the_next_open_one_marked(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(1)])
    next_day(clock)
    await close_through(opened, MAY_1, by="li")
    assert await closed_through(opened) == MAY_1
    results = await opened.create_transfers([move(2, effective_at=noon(MAY_1))])
    assert results == ["created"]
    assert (await balance_effective_on(opened, 2, MAY_1)).posted == 5
    statement = await read_statement(opened, 2, MAY_1, dt.date(2026, 5, 2))
    late = statement.lines[1]
    assert late.effective_on == dt.date(2026, 5, 2)
    assert late.effective_at == noon(MAY_1)


async def test_days_are_closed_forward_only(opened: Ledger) -> None:
    await opened.create_transfers([move(1)])
    await close_through(opened, MAY_1, by="li")
    with pytest.raises(PeriodNotLaterError):
        await close_through(opened, MAY_1, by="li")


async def test_opening_again_takes_two_persons(opened: Ledger, clock: ManualClock) -> None:
    await opened.create_transfers([move(1)])
    await close_through(opened, MAY_1, by="li")
    request = await request_reopening(opened, dt.date(2026, 4, 30), by="li", reason="late bus")
    with pytest.raises(SecondPersonNeededError):
        await approve_reopening(opened, request, by="li")
    await approve_reopening(opened, request, by="wang")
    assert await closed_through(opened) == dt.date(2026, 4, 30)
    await opened.create_transfers([move(2, effective_at=noon(MAY_1))])
    assert (await balance_effective_on(opened, 2, MAY_1)).posted == 10
    with pytest.raises(RequestUnknownError):
        await approve_reopening(opened, request, by="wang")


async def test_a_new_shard_knows_what_is_closed(opened: Ledger, ledger_url: str) -> None:
    await opened.create_transfers([move(1)])
    await close_through(opened, dt.date(2026, 6, 1), by="li")
    async with await Ledger.open(ledger_url, clock=lambda: 1) as second:
        await second.create_transfers([move(2)])
    assert (await balance_effective_on(opened, 2, dt.date(2026, 6, 1))).posted == 5


def test_a_business_day_begins_at_its_cut_off() -> None:
    calendar = BusinessDay(cut_off_s=4 * 3600 + 1800)
    night_bus = dt.datetime(2026, 5, 2, 4, 29, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    assert calendar.date(night_bus) == MAY_1
    assert calendar.date(night_bus + dt.timedelta(minutes=1)) == dt.date(2026, 5, 2)
    first, last = calendar.bounds_ns(MAY_1)
    assert calendar.number(first) == calendar.number(last) == day_number(MAY_1)
    assert calendar.number(first - 1) == calendar.number(last + 1) - 2


# -- chart and trial balance ------------------------------------------------------------------


async def test_balances_roll_up_along_the_chart(opened: Ledger) -> None:
    await define_chart(
        opened,
        [
            ChartEntry(ledger=1, code=100, name="负债"),
            ChartEntry(ledger=1, code=2, name="市民卡余额", parent=100),
            ChartEntry(ledger=1, code=3, name="商户", parent=100),
            ChartEntry(ledger=1, code=1, name="托管银行"),
        ],
    )
    await opened.create_transfers([move(1), move(2, 3, credit_account_id=3)])
    lines = await chart_balances(opened, 1)
    assert [(line.code, line.depth, line.posted) for line in lines] == [
        (1, 0, -8), (100, 0, 8), (2, 1, 5), (3, 1, 3),
    ]  # fmt: skip
    await define_chart(opened, [ChartEntry(ledger=1, code=3, name="商户应付", parent=2)])
    assert [(line.code, line.depth) for line in await chart_balances(opened, 1)][2:] == [
        (2, 1), (3, 2),
    ]  # fmt: skip


async def test_the_trial_balance_is_even(opened: Ledger) -> None:
    await opened.create_transfers([move(1), move(2, flags=TransferFlags.pending)])
    lines = await trial_balance(opened)
    assert sum(line.debits_posted - line.credits_posted for line in lines) == 0
    assert sum(line.debits_pending - line.credits_pending for line in lines) == 0
    assert await trial_balance(opened, ledger=2) == []


# -- corrections ------------------------------------------------------------------------------


async def test_a_whole_pending_chain_is_posted_in_one_call(opened: Ledger) -> None:
    pending, linked = TransferFlags.pending, TransferFlags.linked
    results = await opened.create_transfers(
        [
            move(1),
            move(2, flags=pending | linked),
            move(3, flags=linked),
            move(4, 9, flags=pending),
            move(5, flags=pending),
        ]
    )
    assert set(results) == {"created"}
    for member in (4, 2):  # any member will do, and again is answered as done
        answers = await post_pending_chain(opened, member)
        assert set(answers) == ({"created"} if member == 4 else {"linked_event_failed", "exists"})
    [account] = await opened.lookup_accounts([2])
    assert (account.credits_pending, account.credits_posted) == (5, 5 + 5 + 5 + 9)
    assert await void_pending_chain(opened, 5) == ["created"]
    [account] = await opened.lookup_accounts([2])
    assert account.credits_pending == 0


async def test_a_chain_that_is_not_there_is_refused(opened: Ledger) -> None:
    with pytest.raises(TransferUnknownError):
        await void_pending_chain(opened, 99)


async def test_a_reversal_mirrors_once(opened: Ledger) -> None:
    await opened.create_transfers([move(1), move(2, flags=TransferFlags.pending)])
    assert await reverse_transfer(opened, 1) == "created"
    assert await reverse_transfer(opened, 1) == "exists"
    again = await reverse_transfer(opened, 1, new_id=lambda _: 77)
    assert again == "reversed_transfer_already_reversed"
    assert await reverse_transfer(opened, 2) == "reversed_transfer_does_not_match"
    with pytest.raises(TransferUnknownError):
        await reverse_transfer(opened, 99)
    [account] = await opened.lookup_accounts([2])
    assert (account.debits_posted, account.credits_posted) == (5, 5)


async def test_an_overdraft_limit_counts_pending_and_can_be_changed(opened: Ledger) -> None:
    limited = AccountFlags.debits_must_not_exceed_credits
    await opened.create_accounts(
        [Account(id=9, ledger=1, code=1, flags=limited, overdraft_limit=10)]
    )
    hold = move(1, 8, debit_account_id=9, flags=TransferFlags.pending)
    assert await opened.create_transfers([hold, move(2, 3, debit_account_id=9)]) == [
        "created", "exceeds_credits",
    ]  # fmt: skip
    await set_overdraft_limit(opened, 9, 11, reason="salary account")
    assert await opened.create_transfers([move(3, 3, debit_account_id=9)]) == ["created"]
    with pytest.raises(psycopg.errors.CheckViolation):
        await set_overdraft_limit(opened, 9, 1, reason="too low for what is drawn")
    with pytest.raises(AccountUnknownError):
        await set_overdraft_limit(opened, 1, 5, reason="this account has no limit flag")


# -- statements -------------------------------------------------------------------------------


async def statement_bytes(opened: Ledger, clock: ManualClock, text: str) -> dict[str, bytes]:
    await opened.create_transfers([move(1, 1234)])
    next_day(clock)
    await opened.create_transfers(
        [move(2, 34, debit_account_id=2, credit_account_id=1, user_data_128=5), move(3, 100)]
    )
    statement = await read_statement(
        opened, 2, dt.date(2026, 5, 2), dt.date(2026, 5, 2), describe=lambda _: text
    )
    assert (statement.opening, statement.debits, statement.credits, statement.closing) == (
        1234, 34, 100, 1300,
    )  # fmt: skip
    return {
        "csv": to_csv(statement),
        "xlsx": to_xlsx(statement),
        "pdf": to_pdf(statement),
    }


def printed_text(pdf: bytes) -> str:
    """The text of the first page without any white space."""
    text = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    return "".join(text.replace("\0", "").split())


@pytest.mark.parametrize("text", ["=cmd()", "+1+1", "@SUM(A1)", "-2+3", "\t=1", "坐公交 𠀋"])
async def test_text_reaches_every_form_and_runs_in_none(
    opened: Ledger, clock: ManualClock, text: str
) -> None:
    files = await statement_bytes(opened, clock, text)
    rows = list(csv.reader(io.StringIO(files["csv"].decode("utf-8-sig"))))
    shown = rows[6][2]
    assert text.strip() in shown
    assert not shown.startswith(("=", "+", "-", "@", "\t"))
    sheet = openpyxl.load_workbook(io.BytesIO(files["xlsx"])).active
    assert sheet is not None
    cell = sheet.cell(row=7, column=3)
    assert cell.data_type == "s"
    assert text.strip() in str(cell.value)
    assert sheet.cell(row=7, column=6).value == 0.34
    printed = printed_text(files["pdf"])
    assert text.strip().replace(" ", "") in printed
    assert "13.00" in printed


async def test_a_character_the_font_lacks_is_printed_as_its_code_point(
    opened: Ledger, clock: ManualClock
) -> None:
    files = await statement_bytes(opened, clock, "张\U00030ede")
    assert "U+30EDE" in printed_text(files["pdf"])


async def test_a_statement_without_describer_names_code_and_order(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(1), move(2, user_data_128=255)])
    statement = await read_statement(opened, 1, MAY_1, MAY_1)
    assert [line.text for line in statement.lines] == ["7", "7 " + "0" * 30 + "ff"]
    with pytest.raises(AccountUnknownError):
        await read_statement(opened, 99, MAY_1, MAY_1)


def test_the_font_is_looked_for_in_the_package_then_in_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_font().suffix == ".otf"
    monkeypatch.setattr("ledger.statement_files.FONT_MODULE", "no_such_font_module")
    monkeypatch.setattr("ledger.statement_files.FONT_FILES", (Path("/no/font.ttc"),))
    with pytest.raises(FontMissingError):
        find_font()


def test_fen_are_shown_as_yuan() -> None:
    assert [yuan(n) for n in (0, 5, -5, 123456)] == ["0.00", "0.05", "-0.05", "1234.56"]


# -- partitions and the role ------------------------------------------------------------------


async def test_partitions_are_made_ahead_and_used(opened: Ledger, clock: ManualClock) -> None:
    made = await make_partitions(opened, MAY_1, months_ahead=1)
    assert made == [dt.date(2026, 5, 1), dt.date(2026, 6, 1)]
    assert await make_partitions(opened, MAY_1, months_ahead=1) == []
    await opened.create_transfers([move(1)])
    async with opened.reading() as cursor:
        await cursor.execute("SELECT count(*) FROM ledger.transfer_202605")
        assert await cursor.fetchone() == (1,)
    clock.advance_s(70 * 86_400)  # July has no partition: the default one takes it
    await opened.create_transfers([move(2)])
    assert await make_partitions(opened, dt.date(2026, 7, 1), months_ahead=0) == []
    assert await opened.create_transfers([move(1), move(2)]) == ["exists", "exists"]


async def test_the_writer_role_can_do_its_job_and_nothing_more(
    opened: Ledger, ledger_url: str, clock: ManualClock
) -> None:
    with psycopg.connect(ledger_url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS ledger_app")
        admin.execute("CREATE ROLE ledger_app LOGIN IN ROLE ledger_writer")
    url = ledger_url.replace("postgres@", "ledger_app@")
    async with await Ledger.open(url, clock=clock) as app:
        await app.create_accounts([Account(id=21, ledger=1, code=1)])
        pending = TransferFlags.pending
        await app.create_transfers([move(1), move(2, flags=pending, timeout=1), move(3, 0)])
        clock.advance_s(5)
        assert await app.expire_pending_transfers() == 1
        assert await reverse_transfer(app, 1) == "created"
        await roll_up(app)
        await close_through(app, MAY_1, by="li")
        await make_partitions(app, dt.date(2027, 1, 1), months_ahead=0)
    with psycopg.connect(url) as connection:
        for statement in (
            "DELETE FROM ledger.transfer",
            "UPDATE ledger.transfer SET amount = 1",
            "UPDATE ledger.account SET code = 3",
            "DELETE FROM ledger.batch",
            "SET session_replication_role = replica",
            "ALTER TABLE ledger.transfer DISABLE TRIGGER ALL",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())
    with psycopg.connect(ledger_url, autocommit=True) as admin:
        admin.execute("DROP ROLE ledger_app")


async def test_the_database_refuses_what_the_rules_refuse(opened: Ledger, ledger_url: str) -> None:
    """Why: the second judge must hold even where the first has a bug."""
    limited = AccountFlags.debits_must_not_exceed_credits
    await opened.create_accounts([Account(id=9, ledger=1, code=1, flags=limited)])
    with psycopg.connect(ledger_url) as connection:
        for statement in (
            "UPDATE ledger.account SET debits_posted = 1 WHERE flags & 2 <> 0",
            "UPDATE ledger.account SET debits_pending = -1",
        ):
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute(statement.encode())
