"""Chart of accounts: codes in a tree, balances rolled up along it, and the trial balance."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.queries import Queries
from ledger.wire import signed, unsigned_16, unsigned_32


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartEntry:
    """One code of a ledger. ``parent`` is the code it belongs under, None at the top."""

    ledger: int
    code: int
    name: str
    parent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """Counters of all accounts of one ledger and code, in smallest units."""

    ledger: int
    code: int
    accounts: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    """One code with what is posted to it and to everything under it, in smallest units."""

    ledger: int
    code: int
    name: str
    depth: int
    debits_posted: int
    credits_posted: int

    @property
    def posted(self) -> int:
        """Credits less debits."""
        return self.credits_posted - self.debits_posted


async def define_chart(book: Queries, entries: Sequence[ChartEntry]) -> None:
    """Add codes, or rename and move those that are there. Parents come before their children."""
    async with book.reading() as cursor:
        for entry in entries:
            parent = None if entry.parent is None else signed(entry.parent, 16)
            await cursor.execute(
                "INSERT INTO ledger.chart (ledger, code, parent, name) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (ledger, code) DO UPDATE SET parent = excluded.parent, "
                "name = excluded.name",
                (signed(entry.ledger, 32), signed(entry.code, 16), parent, entry.name),
            )


async def trial_balance(book: Queries, *, ledger: int | None = None) -> list[TrialLine]:
    """Counters per ledger and code. Per ledger, posted debits and credits are equal."""
    async with book.reading() as cursor:
        await cursor.execute(
            "SELECT ledger, code, accounts, debits_pending, debits_posted, credits_pending, "
            "credits_posted FROM ledger.trial_balance "
            "WHERE %(ledger)s::integer IS NULL OR ledger = %(ledger)s ORDER BY ledger, code",
            {"ledger": None if ledger is None else signed(ledger, 32)},
        )
        return [
            TrialLine(
                ledger=unsigned_32(number),
                code=unsigned_16(code),
                accounts=accounts,
                debits_pending=debits_pending,
                debits_posted=debits_posted,
                credits_pending=credits_pending,
                credits_posted=credits_posted,
            )
            for (
                number, code, accounts, debits_pending, debits_posted, credits_pending,
                credits_posted,
            ) in await cursor.fetchall()
        ]  # fmt: skip


async def chart_balances(book: Queries, ledger: int) -> list[ChartLine]:
    """The chart of a ledger in tree order, each code with the sum of everything under it."""
    async with book.reading() as cursor:
        await cursor.execute(
            """
            WITH RECURSIVE tree AS (
                SELECT code, name, 0 AS depth, ARRAY[code] AS way FROM ledger.chart
                WHERE ledger = %(ledger)s AND parent IS NULL
                UNION ALL
                SELECT c.code, c.name, tree.depth + 1, tree.way || c.code
                FROM ledger.chart c JOIN tree ON c.parent = tree.code
                WHERE c.ledger = %(ledger)s AND c.code <> ALL (tree.way)
            )
            SELECT tree.code, tree.name, tree.depth,
                   coalesce(sum(b.debits_posted), 0)::bigint,
                   coalesce(sum(b.credits_posted), 0)::bigint
            FROM tree
            LEFT JOIN tree AS below ON below.way[1:cardinality(tree.way)] = tree.way
            LEFT JOIN ledger.trial_balance b ON b.ledger = %(ledger)s AND b.code = below.code
            GROUP BY tree.code, tree.name, tree.depth, tree.way ORDER BY tree.way
            """,
            {"ledger": signed(ledger, 32)},
        )
        return [
            ChartLine(
                ledger=ledger,
                code=unsigned_16(code),
                name=name,
                depth=depth,
                debits_posted=debits,
                credits_posted=credits_,
            )
            for code, name, depth, debits, credits_ in await cursor.fetchall()
        ]
