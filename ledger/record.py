"""What all rules share: how an event becomes a record, and what is needed to undo it. Pure."""

from collections.abc import Callable

from ledger.books import AccountState, TransferRecord
from ledger.business_day import instant_ns
from ledger.events import AMOUNT_ALL, Transfer
from ledger.flag_bits import VOID

EffectiveDay = Callable[[int], int]
"""From an instant in ns to the day number (since 1970-01-01) the books give it."""

Undo = tuple[
    TransferRecord,
    AccountState,
    tuple[int, int, int, int, int, bool],
    AccountState,
    tuple[int, int, int, int, int, bool],
]
"""A record, and the accounts it touched as they were before."""


def record_transfer(
    event: Transfer,
    flags: int,
    at: int,
    amount: int,
    debit: AccountState,
    credit: AccountState,
    effective_day: EffectiveDay,
) -> TransferRecord:
    """The record of an event that succeeded; the accounts are as the event left them."""
    debit.last_timestamp = at
    credit.last_timestamp = at
    effective_at = 0 if event.effective_at is None else instant_ns(event.effective_at)
    return TransferRecord(
        event.id,
        debit.id,
        credit.id,
        amount,
        event.pending_id,
        event.user_data_128,
        event.user_data_64,
        event.user_data_32,
        event.timeout,
        debit.ledger,
        event.code,
        flags,
        at,
        effective_at,
        effective_day(effective_at or at),
        event.reverses_id,
        (
            debit.debits_pending,
            debit.debits_posted,
            debit.credits_pending,
            debit.credits_posted,
            credit.debits_pending,
            credit.debits_posted,
            credit.credits_pending,
            credit.credits_posted,
        ),
    )


def resolved_amount(event: Transfer, flags: int, pending: TransferRecord) -> int:
    """What a post or void asks for, the whole hold where it says so."""
    if flags & VOID:
        return event.amount or pending.amount
    return pending.amount if event.amount in AMOUNT_ALL else event.amount
