"""Single-phase and pending transfers: every rule in order of precedence. Pure; see ``rules``."""

from ledger.books import AccountState, Books, TransferRecord
from ledger.events import AMOUNT_MAX, ID_MAX, NS_PER_S, TIMESTAMP_MAX, Transfer
from ledger.flag_bits import (
    BALANCING_CREDIT,
    BALANCING_DEBIT,
    CLOSING,
    CLOSING_CREDIT,
    CLOSING_DEBIT,
    CREDITS_LIMITED,
    DEBITS_LIMITED,
    PENDING,
    VOID,
)
from ledger.record import EffectiveDay, Undo, record_transfer


def move(  # noqa: C901, PLR0911, PLR0912  (one branch per rule, in order)
    event: Transfer,
    flags: int,
    at: int,
    books: Books,
    undo: list[Undo] | None,
    effective_day: EffectiveDay,
) -> TransferRecord | str:
    """Move money, or hold it."""
    status = _check_fields(event, flags)
    if status is not None:
        return status
    debit = books.accounts.get(event.debit_account_id)
    if debit is None:
        return "debit_account_not_found"
    credit = books.accounts.get(event.credit_account_id)
    if credit is None:
        return "credit_account_not_found"
    if debit.ledger != credit.ledger:
        return "accounts_must_have_the_same_ledger"
    if event.ledger != debit.ledger:
        return "transfer_must_have_the_same_ledger_as_accounts"
    if event.reverses_id:
        status = _check_reversal(event, flags, books)
        if status is not None:
            return status
    if debit.closed:
        return "debit_account_already_closed"
    if credit.closed:
        return "credit_account_already_closed"
    amount = event.amount
    if flags & BALANCING_DEBIT:
        owed = debit.credits_posted - debit.debits_posted - debit.debits_pending
        amount = min(amount, max(owed, 0))
    if flags & BALANCING_CREDIT:
        owed = credit.debits_posted - credit.credits_posted - credit.credits_pending
        amount = min(amount, max(owed, 0))
    status = _check_amount(event, flags, amount, at, debit, credit)
    if status is not None:
        return status

    # From here on the transfer succeeds.
    before = (debit.changing(), credit.changing()) if undo is not None else None
    if flags & PENDING:
        debit.debits_pending += amount
        credit.credits_pending += amount
        if flags & CLOSING_DEBIT:
            debit.closed = True
        if flags & CLOSING_CREDIT:
            credit.closed = True
    else:
        debit.debits_posted += amount
        credit.credits_posted += amount
    if event.reverses_id:
        books.reversed_ids.add(event.reverses_id)
    record = record_transfer(event, flags, at, amount, debit, credit, effective_day)
    if undo is not None and before is not None:
        undo.append((record, debit, before[0], credit, before[1]))
    return record


def _check_fields(  # noqa: C901, PLR0911  (one branch per rule, in order)
    event: Transfer, flags: int
) -> str | None:
    """Rules that need no look at the books."""
    debit_id = event.debit_account_id
    credit_id = event.credit_account_id
    if debit_id == 0:
        return "debit_account_id_must_not_be_zero"
    if debit_id == ID_MAX:
        return "debit_account_id_must_not_be_int_max"
    if credit_id == 0:
        return "credit_account_id_must_not_be_zero"
    if credit_id == ID_MAX:
        return "credit_account_id_must_not_be_int_max"
    if debit_id == credit_id:
        return "accounts_must_be_different"
    if event.pending_id:
        return "pending_id_must_be_zero"
    if not flags & PENDING:
        if event.timeout:
            return "timeout_reserved_for_pending_transfer"
        if flags & CLOSING:
            return "closing_transfer_must_be_pending"
    if event.ledger == 0:
        return "ledger_must_not_be_zero"
    if event.code == 0:
        return "code_must_not_be_zero"
    return None


def _check_reversal(event: Transfer, flags: int, books: Books) -> str | None:
    """A reversal mirrors one final transfer, whole, once (extension)."""
    original = books.transfers.get(event.reverses_id)
    if original is None:
        return "reversed_transfer_not_found"
    if (
        original.flags & (PENDING | VOID)
        or flags & (PENDING | BALANCING_DEBIT | BALANCING_CREDIT)
        or event.debit_account_id != original.credit_account_id
        or event.credit_account_id != original.debit_account_id
        or event.amount != original.amount
    ):
        return "reversed_transfer_does_not_match"
    if original.id in books.reversed_ids:
        return "reversed_transfer_already_reversed"
    return None


def _check_amount(  # noqa: C901, PLR0911  (one branch per rule, in order)
    event: Transfer, flags: int, amount: int, at: int, debit: AccountState, credit: AccountState
) -> str | None:
    """Overflows first, then the limits of both accounts."""
    if flags & PENDING:
        if amount + debit.debits_pending > AMOUNT_MAX:
            return "overflows_debits_pending"
        if amount + credit.credits_pending > AMOUNT_MAX:
            return "overflows_credits_pending"
    if amount + debit.debits_posted > AMOUNT_MAX:
        return "overflows_debits_posted"
    if amount + credit.credits_posted > AMOUNT_MAX:
        return "overflows_credits_posted"
    debits = amount + debit.debits_pending + debit.debits_posted
    if debits > AMOUNT_MAX:
        return "overflows_debits"
    credits_ = amount + credit.credits_pending + credit.credits_posted
    if credits_ > AMOUNT_MAX:
        return "overflows_credits"
    if event.timeout and at + event.timeout * NS_PER_S > TIMESTAMP_MAX:
        return "overflows_timeout"
    if debit.flags & DEBITS_LIMITED and debits > debit.credits_posted + debit.overdraft_limit:
        return "exceeds_credits"
    if credit.flags & CREDITS_LIMITED and credits_ > credit.debits_posted + credit.overdraft_limit:
        return "exceeds_debits"
    return None
