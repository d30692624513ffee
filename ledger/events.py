"""What a caller says and reads: accounts, transfers, filters, balances.

The event model, its field names and its flags are those of TigerBeetle's public reference; the
fields named under "Extension" are ours. Amounts are integers in the smallest unit of the asset
(fen for CNY), instants are integers in nanoseconds since 1970 UTC unless they are ``datetime``.
Values only: no database, no clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import KEEP, IntEnum, IntFlag
from typing import Final, NamedTuple

from ledger.values import value

ID_MAX: Final = 2**128 - 1
"""The largest 128-bit id. Reserved: no account and no transfer may have it."""

AMOUNT_MAX: Final = 2**63 - 1
"""The largest amount, counter and sum of counters of one side. As the amount of a
post_pending_transfer it means "everything that is held"."""

AMOUNT_ALL: Final = frozenset({AMOUNT_MAX, 2**64 - 1, 2**128 - 1})
"""Amounts that mean "everything held" when posting: the maximum of this ledger and those that
clients with 64-bit and 128-bit unsigned amounts use for the same purpose."""

TIMESTAMP_MAX: Final = 2**63 - 1
NS_PER_S: Final = 1_000_000_000

Clock = Callable[[], int]
"""Nanoseconds since 1970 UTC."""


class AccountFlags(IntFlag, boundary=KEEP):
    """Behaviour of an account. Bits outside the named ones give ``reserved_flag``."""

    linked = 1 << 0
    debits_must_not_exceed_credits = 1 << 1
    credits_must_not_exceed_debits = 1 << 2
    history = 1 << 3
    imported = 1 << 4
    closed = 1 << 5


class TransferFlags(IntFlag, boundary=KEEP):
    """Behaviour of a transfer. Bits outside the named ones give ``reserved_flag``."""

    linked = 1 << 0
    pending = 1 << 1
    post_pending_transfer = 1 << 2
    void_pending_transfer = 1 << 3
    balancing_debit = 1 << 4
    balancing_credit = 1 << 5
    closing_debit = 1 << 6
    closing_credit = 1 << 7
    imported = 1 << 8


class AccountFilterFlags(IntFlag, boundary=KEEP):
    """Which side of the account, and which order."""

    debits = 1 << 0
    credits = 1 << 1
    reversed = 1 << 2


class QueryFilterFlags(IntFlag, boundary=KEEP):
    """Which order."""

    reversed = 1 << 0


NO_ACCOUNT_FLAGS: Final = AccountFlags(0)
NO_TRANSFER_FLAGS: Final = TransferFlags(0)
NO_QUERY_FLAGS: Final = QueryFilterFlags(0)


class TransferPendingStatus(IntEnum):
    """What became of a pending transfer."""

    none = 0
    pending = 1
    posted = 2
    voided = 3
    expired = 4


class AccountSums(NamedTuple):
    """The four counters of an account, in smallest units."""

    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A ledger account 分户账: the sum of what was transferred to and from it.

    Integer ranges: ids and ``user_data_128`` 128 bits, ``user_data_64`` 64, ``user_data_32`` and
    ``ledger`` 32, ``code`` and ``flags`` 16, all unsigned. The four counters must be zero when
    an account is created.
    """

    id: int
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    reserved: int = 0
    ledger: int
    code: int
    flags: AccountFlags = NO_ACCOUNT_FLAGS
    timestamp: int = 0
    # Extension: how far the side limited by a *_must_not_exceed_* flag may go beyond the other
    # side, in smallest units. Pending amounts count, as they do without it.
    overdraft_limit: int = 0

    @property
    def balances(self) -> "Balances":
        """The four counters."""
        return Balances(
            self.debits_pending, self.debits_posted, self.credits_pending, self.credits_posted
        )


@value
class Transfer:
    """Money moved from one account's debit side to another's credit side.

    ``id`` is made and stored by the caller before the first attempt: it is the idempotency key.
    ``timeout`` is in seconds and counts from the ``timestamp`` the ledger assigns.
    """

    id: int
    debit_account_id: int = 0
    credit_account_id: int = 0
    amount: int = 0
    pending_id: int = 0
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    timeout: int = 0
    ledger: int = 0
    code: int = 0
    flags: TransferFlags = NO_TRANSFER_FLAGS
    timestamp: int = 0
    # Extension: when it happened, where that is not when it is recorded (aware), and the id of
    # the transfer that this one undoes.
    effective_at: datetime | None = None
    reverses_id: int = 0


@dataclass(frozen=True, slots=True)
class Balances:
    """The four counters of an account, in smallest units."""

    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int

    @property
    def posted(self) -> int:
        """Credits less debits that are final: positive for a liability such as a purse."""
        return self.credits_posted - self.debits_posted


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """The counters of an account right after the transfer with the same ``timestamp``."""

    timestamp: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which transfers or balances of one account. Zero means "not filtered"."""

    account_id: int
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    code: int = 0
    timestamp_min: int = 0
    timestamp_max: int = 0
    limit: int = 8189
    flags: AccountFilterFlags = AccountFilterFlags.debits | AccountFilterFlags.credits


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFilter:
    """Which accounts or transfers. Zero means "not filtered"."""

    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    ledger: int = 0
    code: int = 0
    timestamp_min: int = 0
    timestamp_max: int = 0
    limit: int = 8189
    flags: QueryFilterFlags = NO_QUERY_FLAGS
