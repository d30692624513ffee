"""The outcome of one event: a closed set of names, in order of precedence.

Names, order and meaning are those of TigerBeetle's public reference (``imported`` events aside);
where several apply, the first is returned. A result is a plain ``str`` equal to its name that
also carries the timestamp and the balances after it.
"""

from typing import Final, Self

from ledger.events import Balances

CREATE_ACCOUNT_RESULTS: Final = (
    "created",
    "linked_event_failed",
    "linked_event_chain_open",
    "timestamp_must_be_zero",
    "reserved_field",
    "reserved_flag",
    "id_must_not_be_zero",
    "id_must_not_be_int_max",
    "exists_with_different_flags",
    "exists_with_different_user_data_128",
    "exists_with_different_user_data_64",
    "exists_with_different_user_data_32",
    "exists_with_different_ledger",
    "exists_with_different_code",
    "exists_with_different_overdraft_limit",  # extension
    "exists",
    "flags_are_mutually_exclusive",
    "debits_pending_must_be_zero",
    "debits_posted_must_be_zero",
    "credits_pending_must_be_zero",
    "credits_posted_must_be_zero",
    "ledger_must_not_be_zero",
    "code_must_not_be_zero",
    "overdraft_limit_needs_limit_flag",  # extension
)

CREATE_TRANSFER_RESULTS: Final = (
    "created",
    "linked_event_failed",
    "linked_event_chain_open",
    "timestamp_must_be_zero",
    "reserved_flag",
    "id_must_not_be_zero",
    "id_must_not_be_int_max",
    "exists_with_different_flags",
    "exists_with_different_pending_id",
    "exists_with_different_timeout",
    "exists_with_different_debit_account_id",
    "exists_with_different_credit_account_id",
    "exists_with_different_amount",
    "exists_with_different_user_data_128",
    "exists_with_different_user_data_64",
    "exists_with_different_user_data_32",
    "exists_with_different_ledger",
    "exists_with_different_code",
    "exists_with_different_effective_at",  # extension
    "exists_with_different_reverses_id",  # extension
    "exists",
    "id_already_failed",
    "flags_are_mutually_exclusive",
    "debit_account_id_must_not_be_zero",
    "debit_account_id_must_not_be_int_max",
    "credit_account_id_must_not_be_zero",
    "credit_account_id_must_not_be_int_max",
    "accounts_must_be_different",
    "pending_id_must_be_zero",
    "pending_id_must_not_be_zero",
    "pending_id_must_not_be_int_max",
    "pending_id_must_be_different",
    "timeout_reserved_for_pending_transfer",
    "closing_transfer_must_be_pending",
    "ledger_must_not_be_zero",
    "code_must_not_be_zero",
    "debit_account_not_found",
    "credit_account_not_found",
    "accounts_must_have_the_same_ledger",
    "transfer_must_have_the_same_ledger_as_accounts",
    "reversed_transfer_not_found",  # extension
    "reversed_transfer_does_not_match",  # extension
    "reversed_transfer_already_reversed",  # extension
    "pending_transfer_not_found",
    "pending_transfer_not_pending",
    "pending_transfer_has_different_debit_account_id",
    "pending_transfer_has_different_credit_account_id",
    "pending_transfer_has_different_ledger",
    "pending_transfer_has_different_code",
    "exceeds_pending_transfer_amount",
    "pending_transfer_has_different_amount",
    "pending_transfer_already_posted",
    "pending_transfer_already_voided",
    "pending_transfer_expired",
    "debit_account_already_closed",
    "credit_account_already_closed",
    "overflows_debits_pending",
    "overflows_credits_pending",
    "overflows_debits_posted",
    "overflows_credits_posted",
    "overflows_debits",
    "overflows_credits",
    "overflows_timeout",
    "exceeds_credits",
    "exceeds_debits",
)

TRANSIENT_RESULTS: Final = frozenset(
    {
        "debit_account_not_found",
        "credit_account_not_found",
        "pending_transfer_not_found",
        "exceeds_credits",
        "exceeds_debits",
        "debit_account_already_closed",
        "credit_account_already_closed",
    }
)
"""Results that depend on the state of the books. The id of such an attempt is spent: a retry
answers ``id_already_failed`` even when the reason has passed."""


class CreateAccountResult(str):
    """Outcome of creating one account.

    ``timestamp``: of the account where created or existing, else of the check, ns.
    """

    __slots__ = ("timestamp",)

    timestamp: int

    def __new__(cls, status: str, timestamp: int) -> Self:
        """``status`` is one of ``CREATE_ACCOUNT_RESULTS``."""
        self = str.__new__(cls, status)
        self.timestamp = timestamp
        return self

    @property
    def status(self) -> str:
        """The bare name."""
        return str(self)

    @property
    def ok(self) -> bool:
        """Whether the account is there as asked for: created now or before."""
        return self in ("created", "exists")


class CreateTransferResult(str):
    """Outcome of creating one transfer. Made by ``transfer_result``.

    ``timestamp``: of the transfer where created or existing, else of the check, ns.
    ``debit_account_balances``, ``credit_account_balances``: the counters right after it where it
    was created now or before, else None.
    """

    __slots__ = ("counters", "timestamp")

    timestamp: int
    counters: tuple[int, ...] | None

    @property
    def status(self) -> str:
        """The bare name."""
        return str(self)

    @property
    def ok(self) -> bool:
        """Whether the transfer is in the books as asked for: created now or before."""
        return self in ("created", "exists")

    @property
    def debit_account_balances(self) -> Balances | None:
        """Counters of the debit account right after the transfer."""
        return None if self.counters is None else Balances(*self.counters[:4])

    @property
    def credit_account_balances(self) -> Balances | None:
        """Counters of the credit account right after the transfer."""
        return None if self.counters is None else Balances(*self.counters[4:])


def transfer_result(
    status: str, timestamp: int, counters: tuple[int, ...] | None = None
) -> CreateTransferResult:
    """A result; ``status`` is one of ``CREATE_TRANSFER_RESULTS``, ``counters`` four and four.

    A function, because a ``__new__`` in Python would double the cost of a result.
    """
    result = CreateTransferResult(status)
    result.timestamp = timestamp
    result.counters = counters
    return result
