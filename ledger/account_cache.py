"""Accounts kept in memory between batches, so that a batch need not lock and read them first.

Kept states are a guess that the database confirms: the write of a batch names, for each account,
the ``last_timestamp`` it was decided on, and a batch of which one account had moved on since is
undone and decided again from the database. Two facts make the guess safe:

- ``last_timestamp`` grows with every change of an account by any writer, so equal means unchanged;
- the chain hash of the shard, read under lock by every batch, is that of the last batch which
  filled the cache. If it is not, that batch was rolled back (or the shard had another writer) and
  everything kept is dropped. A state is thus only ever kept from committed history.

With the accounts the head of the shard is kept. A batch may be decided on it without asking first
(``Ledger.plan_new_transfers``); then the statement that writes it makes both comparisons.
"""

from collections.abc import Iterable
from typing import Final

from ledger.books import AccountState
from ledger.store import Head

ACCOUNTS_MAX: Final = 200_000


class AccountCache:
    """States of accounts after the batch that left the shard's ``head`` as it is."""

    def __init__(self, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._accounts_max = accounts_max
        self._accounts: dict[int, AccountState] = {}
        self._head: Head | None = None

    def __len__(self) -> int:
        return len(self._accounts)

    @property
    def head(self) -> Head | None:
        """The shard as the last batch left it; None: not known."""
        return self._head

    def confirm(self, head: Head) -> None:
        """Drop everything unless the books stand where this cache was filled."""
        if self._head is None or head.chain != self._head.chain:
            self.forget()

    def forget(self) -> None:
        """Drop everything."""
        self._accounts.clear()
        self._head = None

    def find(self, ids: Iterable[int]) -> dict[int, AccountState]:
        """Those of the accounts that are kept. The caller changes them in place."""
        accounts = self._accounts
        return {id_: accounts[id_] for id_ in ids if id_ in accounts}

    def keep(self, accounts: dict[int, AccountState], head: Head) -> None:
        """Keep states as they are after the batch that left the shard like this."""
        if len(self._accounts) + len(accounts) > self._accounts_max:
            self.forget()  # simple, and rare where the limit is above the working set
        self._accounts.update(accounts)
        self._head = head
