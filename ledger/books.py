"""The part of the books that one batch of events needs, in memory.

Loaded by the store under lock, changed by the rules, written back by the store. Mutable on
purpose and private to one batch: this is the hot path.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

CLOSED_FLAG: Final = 32  # AccountFlags.closed; kept apart from the flags that never change


class AccountState:
    """One account under lock.

    ``flags`` are the flags it was made with, without ``closed``; ``last_timestamp`` is that of
    the last event that touched it, so that events of one account are ordered whatever the
    clocks of several writers say.
    """

    __slots__ = (
        "closed",
        "code",
        "credits_pending",
        "credits_posted",
        "debits_pending",
        "debits_posted",
        "flags",
        "id",
        "last_timestamp",
        "ledger",
        "number",
        "overdraft_limit",
        "timestamp",
    )

    def __init__(  # noqa: PLR0913, PLR0917  (one argument per column, in the order of the query)
        self,
        number: int,
        account_id: int,
        debits_pending: int,
        debits_posted: int,
        credits_pending: int,
        credits_posted: int,
        last_timestamp: int,
        closed: bool,  # noqa: FBT001  (as above)
        timestamp: int,
        overdraft_limit: int,
        ledger: int,
        code: int,
        flags: int,
    ) -> None:
        self.number = number
        self.id = account_id
        self.debits_pending = debits_pending
        self.debits_posted = debits_posted
        self.credits_pending = credits_pending
        self.credits_posted = credits_posted
        self.last_timestamp = last_timestamp
        self.closed = closed
        self.timestamp = timestamp
        self.overdraft_limit = overdraft_limit
        self.ledger = ledger
        self.code = code
        self.flags = flags

    def changing(self) -> tuple[int, int, int, int, int, bool]:
        """What an event may change, to be put back by ``restore``."""
        return (
            self.debits_pending,
            self.debits_posted,
            self.credits_pending,
            self.credits_posted,
            self.last_timestamp,
            self.closed,
        )

    def restore(self, saved: tuple[int, int, int, int, int, bool]) -> None:
        """Undo everything since ``saved`` was taken."""
        (
            self.debits_pending,
            self.debits_posted,
            self.credits_pending,
            self.credits_posted,
            self.last_timestamp,
            self.closed,
        ) = saved


class TransferRecord(NamedTuple):
    """One transfer as it stands in the books.

    Differs from the event that asked for it: the amount is the one moved, a post or void has
    taken over the accounts, ledger, code and user data of its pending transfer.
    ``effective_at`` is in ns, 0 where none was given; ``effective_on`` is a day number since
    1970-01-01; ``counters`` are debits_pending, debits_posted, credits_pending, credits_posted
    of the debit account after it, then of the credit account.
    """

    id: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    pending_id: int
    user_data_128: int
    user_data_64: int
    user_data_32: int
    timeout: int
    ledger: int
    code: int
    flags: int
    timestamp: int
    effective_at: int
    effective_on: int
    reverses_id: int
    counters: tuple[int, ...]


@dataclass(slots=True)
class Books:
    """Everything the rules may look at, and nothing else.

    ``accounts`` by id, ``transfers`` by id (those named as id, pending_id or reverses_id of an
    event), ``resolutions``: how a pending transfer ended (``TransferPendingStatus``),
    ``failed``: ids spent on a transient failure, ``reversed_ids``: transfers undone already.
    """

    accounts: dict[int, AccountState] = field(default_factory=dict)
    transfers: dict[int, TransferRecord] = field(default_factory=dict)
    resolutions: dict[int, int] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    reversed_ids: set[int] = field(default_factory=set)
