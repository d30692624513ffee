"""The second phase: posting, voiding and expiring holds. Pure; see ``rules``."""

from typing import Final

from ledger.books import AccountState, Books, TransferRecord
from ledger.events import ID_MAX, NS_PER_S, Transfer
from ledger.flag_bits import (
    CLOSING_CREDIT,
    CLOSING_DEBIT,
    EXPIRED,
    NOT_WITH_POST_OR_VOID,
    PENDING,
    POST,
    POST_OR_VOID,
    POSTED,
    VOID,
    VOIDED,
)
from ledger.record import EffectiveDay, Undo, record_transfer, resolved_amount


def post_or_void(  # noqa: PLR0911  (one branch per rule, in order)
    event: Transfer,
    flags: int,
    at: int,
    books: Books,
    undo: list[Undo] | None,
    effective_day: EffectiveDay,
) -> TransferRecord | str:
    """Resolve a hold: post all or part of it (the rest is released), or void it."""
    status = _check_resolving_fields(event, flags)
    if status is not None:
        return status
    pending = books.transfers.get(event.pending_id)
    if pending is None:
        return "pending_transfer_not_found"
    if not pending.flags & PENDING:
        return "pending_transfer_not_pending"
    status = _check_against_pending(event, flags, at, pending, books)
    if status is not None:
        return status
    debit = books.accounts[pending.debit_account_id]
    credit = books.accounts[pending.credit_account_id]
    if flags & POST:
        if debit.closed:
            return "debit_account_already_closed"
        if credit.closed:
            return "credit_account_already_closed"

    # From here on the transfer succeeds.
    before = (debit.changing(), credit.changing()) if undo is not None else None
    amount = resolved_amount(event, flags, pending)
    release(pending, debit, credit)
    if flags & POST:
        debit.debits_posted += amount
        credit.credits_posted += amount
    else:
        reopen(pending, debit, credit)
    books.resolutions[pending.id] = POSTED if flags & POST else VOIDED
    record = record_transfer(event, flags, at, amount, debit, credit, effective_day)._replace(
        code=pending.code,
        user_data_128=event.user_data_128 or pending.user_data_128,
        user_data_64=event.user_data_64 or pending.user_data_64,
        user_data_32=event.user_data_32 or pending.user_data_32,
    )
    if undo is not None and before is not None:
        undo.append((record, debit, before[0], credit, before[1]))
    return record


def _check_resolving_fields(  # noqa: PLR0911  (one branch per rule, in order)
    event: Transfer, flags: int
) -> str | None:
    if flags & POST_OR_VOID == POST_OR_VOID or flags & NOT_WITH_POST_OR_VOID:
        return "flags_are_mutually_exclusive"
    if event.pending_id == 0:
        return "pending_id_must_not_be_zero"
    if event.pending_id == ID_MAX:
        return "pending_id_must_not_be_int_max"
    if event.pending_id == event.id:
        return "pending_id_must_be_different"
    if event.timeout:
        return "timeout_reserved_for_pending_transfer"
    if event.reverses_id:
        return "reversed_transfer_does_not_match"
    return None


def _check_against_pending(  # noqa: PLR0911  (one branch per rule, in order)
    event: Transfer, flags: int, at: int, pending: TransferRecord, books: Books
) -> str | None:
    if event.debit_account_id and event.debit_account_id != pending.debit_account_id:
        return "pending_transfer_has_different_debit_account_id"
    if event.credit_account_id and event.credit_account_id != pending.credit_account_id:
        return "pending_transfer_has_different_credit_account_id"
    if event.ledger and event.ledger != pending.ledger:
        return "pending_transfer_has_different_ledger"
    if event.code and event.code != pending.code:
        return "pending_transfer_has_different_code"
    amount = resolved_amount(event, flags, pending)
    if amount > pending.amount:
        return "exceeds_pending_transfer_amount"
    if flags & VOID and amount < pending.amount:
        return "pending_transfer_has_different_amount"
    resolution = books.resolutions.get(pending.id)
    if resolution is not None:
        return _RESOLVED_RESULTS[resolution]
    if pending.timeout and pending.timestamp + pending.timeout * NS_PER_S <= at:
        return "pending_transfer_expired"
    return None


_RESOLVED_RESULTS: Final = {
    POSTED: "pending_transfer_already_posted",
    VOIDED: "pending_transfer_already_voided",
    EXPIRED: "pending_transfer_expired",
}


def release(pending: TransferRecord, debit: AccountState, credit: AccountState) -> None:
    """Give back what a pending transfer holds."""
    debit.debits_pending -= pending.amount
    credit.credits_pending -= pending.amount
    assert debit.debits_pending >= 0
    assert credit.credits_pending >= 0


def reopen(pending: TransferRecord, debit: AccountState, credit: AccountState) -> None:
    """Undo the closing that a voided or expired pending transfer had done."""
    if pending.flags & CLOSING_DEBIT:
        debit.closed = False
    if pending.flags & CLOSING_CREDIT:
        credit.closed = False


def expire(pending: TransferRecord, books: Books, at: int) -> None:
    """End one pending transfer whose time is over."""
    assert pending.timeout
    assert pending.timestamp + pending.timeout * NS_PER_S <= at
    assert pending.id not in books.resolutions
    debit = books.accounts[pending.debit_account_id]
    credit = books.accounts[pending.credit_account_id]
    release(pending, debit, credit)
    reopen(pending, debit, credit)
    debit.last_timestamp = at
    credit.last_timestamp = at
    books.resolutions[pending.id] = EXPIRED
