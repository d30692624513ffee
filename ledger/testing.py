"""For tests of the ledger and of what is built on it."""

from ledger import wire
from ledger.events import NS_PER_S
from ledger.queries import Queries


class ManualClock:
    """Nanoseconds that stand still until somebody moves them."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        """The instant it stands at."""
        return self.now_ns

    def advance_s(self, seconds: int) -> None:
        """Move the clock on."""
        self.now_ns += seconds * NS_PER_S


async def set_counters(
    book: Queries,
    account_id: int,
    *,
    debits_pending: int = 0,
    debits_posted: int = 0,
    credits_pending: int = 0,
    credits_posted: int = 0,
) -> None:
    """Put counters into an account without any transfer, each 0 to ``AMOUNT_MAX``.

    The books no longer add up after this: ``verify`` will say so. The limits of the account
    still hold (the database refuses otherwise).
    """
    async with book.reading() as cursor:
        await cursor.execute(
            "UPDATE ledger.account SET debits_pending = %s::bigint, debits_posted = %s::bigint, "
            "credits_pending = %s::bigint, credits_posted = %s::bigint, "
            "last_timestamp = last_timestamp + 1 WHERE id = ANY (%b)",
            (
                debits_pending,
                debits_posted,
                credits_pending,
                credits_posted,
                wire.uuid_array([account_id]),
            ),
        )
        assert cursor.rowcount == 1, "no such account"
