"""Account statements: opening balance, lines, closing balance, by business day.

Lines are the transfers that count for the days asked (``effective_on``), in order of day and then
of recording, each with the balance after it. Opening plus lines is closing, always: both ends
come from the day totals, the lines from the transfers, and the sum is asserted.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from ledger.account_store import find_accounts
from ledger.as_of import effective_on
from ledger.books import TransferRecord
from ledger.business_day import date_of, day_number
from ledger.errors import AccountUnknownError
from ledger.events import Transfer
from ledger.queries import TRANSFER_JOINS, TRANSFER_READ, Queries, instant_of, transfer_of
from ledger.store import Cursor, transfer_record

Describe = Callable[[Transfer], str]
"""The text of a line. The ledger knows ids; what they mean is the caller's knowledge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One transfer as the account holder sees it. Amounts in smallest units.

    ``amount``: credits positive, debits negative. ``balance``: after this line.
    ``effective_at``: what was asked for, where that day was closed or differs from the booking.
    """

    effective_on: dt.date
    recorded_at: dt.datetime
    effective_at: dt.datetime | None
    transfer_id: int
    counterpart_id: int
    code: int
    amount: int
    balance: int
    text: str
    timestamp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The statement of one account for a span of business days, both ends included."""

    account_id: int
    from_on: dt.date
    to_on: dt.date
    opening: int
    closing: int
    lines: tuple[StatementLine, ...]

    def __post_init__(self) -> None:
        assert self.opening + sum(line.amount for line in self.lines) == self.closing

    @property
    def debits(self) -> int:
        """Sum of what went out, positive."""
        return -sum(line.amount for line in self.lines if line.amount < 0)

    @property
    def credits(self) -> int:
        """Sum of what came in."""
        return sum(line.amount for line in self.lines if line.amount > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPage:
    """Some lines of a statement in their order, with both ends of the whole span.

    ``more``: further lines follow the last one of this page.
    """

    from_on: dt.date
    to_on: dt.date
    opening: int
    closing: int
    lines: tuple[StatementLine, ...]
    more: bool


def plain_text(transfer: Transfer) -> str:
    """The text of a line where nobody knows better: the code, and the order it belongs to."""
    return (
        f"{transfer.code} {transfer.user_data_128:032x}"
        if transfer.user_data_128
        else str(transfer.code)
    )


async def read_statement(
    book: Queries,
    account_id: int,
    from_on: dt.date,
    to_on: dt.date,
    *,
    describe: Describe = plain_text,
) -> Statement:
    """The statement of one account.

    Args:
        book: the ledger; a consistent snapshot is read.
        account_id: whose.
        from_on: first business day, inclusive.
        to_on: last business day, inclusive.
        describe: gives each line its text.

    Raises:
        AccountUnknownError: there is no such account.
    """
    assert from_on <= to_on
    async with book.reading() as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if not await find_accounts(cursor, [account_id]):
            raise AccountUnknownError(f"{account_id:032x}")
        before = await effective_on(cursor, account_id, from_on - dt.timedelta(days=1))
        after = await effective_on(cursor, account_id, to_on)
        records = await _records(cursor, account_id, from_on, to_on)
    lines: list[StatementLine] = []
    balance = before.posted
    for record in records:
        amount = record.amount if record.credit_account_id == account_id else -record.amount
        balance += amount
        lines.append(_line(record, account_id, amount, balance, describe))
    return Statement(
        account_id=account_id,
        from_on=from_on,
        to_on=to_on,
        opening=before.posted,
        closing=after.posted,
        lines=tuple(lines),
    )


async def read_statement_page(
    book: Queries,
    account_id: int,
    from_on: dt.date,
    to_on: dt.date,
    *,
    lines_max: int,
    after: tuple[int, int] = (0, 0),
    describe: Describe = plain_text,
) -> StatementPage:
    """A page of the statement of one account.

    Args:
        book: the ledger; a consistent snapshot is read.
        account_id: whose.
        from_on: first business day, inclusive.
        to_on: last business day, inclusive.
        lines_max: how many lines at most.
        after: number of the day and timestamp of the line before; a line booked meanwhile into an
            earlier place is counted in the balances, and seen when reading from the start again.
        describe: gives each line its text.

    Raises:
        AccountUnknownError: there is no such account.
    """
    assert from_on <= to_on
    async with book.reading() as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if not await find_accounts(cursor, [account_id]):
            raise AccountUnknownError(f"{account_id:032x}")
        before = await effective_on(cursor, account_id, from_on - dt.timedelta(days=1))
        closing = await effective_on(cursor, account_id, to_on)
        passed = await _sum_through(cursor, account_id, from_on, after) if any(after) else 0
        records = await _records(
            cursor, account_id, from_on, to_on, after=after, lines_max=lines_max + 1
        )
    balance = before.posted + passed
    lines: list[StatementLine] = []
    for record in records[:lines_max]:
        amount = record.amount if record.credit_account_id == account_id else -record.amount
        balance += amount
        lines.append(_line(record, account_id, amount, balance, describe))
    return StatementPage(
        from_on=from_on,
        to_on=to_on,
        opening=before.posted,
        closing=closing.posted,
        lines=tuple(lines),
        more=len(records) > lines_max,
    )


_NUMBER = "(SELECT number FROM ledger.account WHERE id = %(id)s::uuid)"
_DAY = "(t.effective_on - DATE '1970-01-01')"


async def _sum_through(
    cursor: Cursor, account_id: int, from_on: dt.date, through: tuple[int, int]
) -> int:
    """What the lines of a span come to, up to and including one of them."""
    sides = " UNION ALL ".join(
        f"SELECT {sign}t.amount AS amount FROM ledger.transfer t "  # noqa: S608  (constants)
        f"WHERE t.{column} = {_NUMBER} AND t.effective_on >= %(from_on)s AND t.flags & 10 = 0 "
        f'AND ({_DAY}, t."timestamp") <= (%(day)s::int, %(timestamp)s::bigint)'
        for column, sign in (("debit_account", "-"), ("credit_account", ""))
    )
    await cursor.execute(
        f"SELECT coalesce(sum(amount), 0)::bigint FROM ({sides}) passed",  # noqa: S608  (constants)
        {
            "id": f"{account_id:032x}",
            "from_on": from_on,
            "day": through[0],
            "timestamp": through[1],
        },
    )
    [total] = await cursor.fetchone() or (0,)
    return int(total)


async def _records(
    cursor: Cursor,
    account_id: int,
    from_on: dt.date,
    to_on: dt.date,
    *,
    after: tuple[int, int] = (0, 0),
    lines_max: int | None = None,
) -> list[TransferRecord]:
    order = f'{_DAY}, t."timestamp"'
    sides = " UNION ALL ".join(
        f"(SELECT t.* FROM ledger.transfer t WHERE t.{column} = {_NUMBER} "  # noqa: S608  (constants)
        "AND t.effective_on BETWEEN %(from_on)s AND %(to_on)s AND t.flags & 10 = 0 "
        f"AND ({order}) > (%(day)s::int, %(timestamp)s::bigint) ORDER BY {order} LIMIT %(most)s)"
        for column in ("debit_account", "credit_account")
    )
    await cursor.execute(
        f"SELECT {TRANSFER_READ} FROM ({sides}) t {TRANSFER_JOINS} "  # noqa: S608  (constants)
        f"ORDER BY {order} LIMIT %(most)s",
        {
            "id": f"{account_id:032x}",
            "from_on": from_on,
            "to_on": to_on,
            "day": after[0],
            "timestamp": after[1],
            "most": lines_max,
        },
    )
    return [transfer_record(row) for row in await cursor.fetchall()]


def _line(
    record: TransferRecord, account_id: int, amount: int, balance: int, describe: Describe
) -> StatementLine:
    effective = date_of(record.effective_on)
    assert day_number(effective) == record.effective_on
    return StatementLine(
        effective_on=effective,
        recorded_at=instant_of(record.timestamp),
        effective_at=instant_of(record.effective_at) if record.effective_at else None,
        transfer_id=record.id,
        counterpart_id=(
            record.debit_account_id
            if record.credit_account_id == account_id
            else record.credit_account_id
        ),
        code=record.code,
        amount=amount,
        balance=balance,
        text=describe(transfer_of(record)),
        timestamp=record.timestamp,
    )
