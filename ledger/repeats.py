"""The same id again: is it the same request? Pure; see ``rules``."""

from ledger.books import Books, TransferRecord
from ledger.business_day import instant_ns
from ledger.events import Transfer
from ledger.flag_bits import BALANCING_CREDIT, BALANCING_DEBIT, POST_OR_VOID
from ledger.record import resolved_amount


def compare(event: Transfer, existing: TransferRecord, books: Books) -> str:
    """Whether a repeated id asks for the same thing; if not, the first field that differs."""
    if int(event.flags) != existing.flags:
        return "exists_with_different_flags"
    if event.pending_id != existing.pending_id:
        return "exists_with_different_pending_id"
    if event.timeout != existing.timeout:
        return "exists_with_different_timeout"
    if existing.flags & POST_OR_VOID:
        return _compare_resolving(event, existing, books.transfers[existing.pending_id])
    amount_differs = (
        event.amount < existing.amount
        if existing.flags & (BALANCING_DEBIT | BALANCING_CREDIT)
        else event.amount != existing.amount
    )
    differences = (
        ("debit_account_id", event.debit_account_id != existing.debit_account_id),
        ("credit_account_id", event.credit_account_id != existing.credit_account_id),
        ("amount", amount_differs),
        ("user_data_128", event.user_data_128 != existing.user_data_128),
        ("user_data_64", event.user_data_64 != existing.user_data_64),
        ("user_data_32", event.user_data_32 != existing.user_data_32),
        ("ledger", event.ledger != existing.ledger),
        ("code", event.code != existing.code),
    )
    return _first_difference(differences, event, existing)


def _compare_resolving(event: Transfer, existing: TransferRecord, pending: TransferRecord) -> str:
    """A post or void may leave out what it takes over from its pending transfer."""
    amount = resolved_amount(event, existing.flags, pending)
    differences = (
        ("debit_account_id", event.debit_account_id not in (0, existing.debit_account_id)),
        ("credit_account_id", event.credit_account_id not in (0, existing.credit_account_id)),
        ("amount", amount != existing.amount),
        (
            "user_data_128",
            (event.user_data_128 or pending.user_data_128) != existing.user_data_128,
        ),
        ("user_data_64", (event.user_data_64 or pending.user_data_64) != existing.user_data_64),
        ("user_data_32", (event.user_data_32 or pending.user_data_32) != existing.user_data_32),
        ("ledger", event.ledger not in (0, existing.ledger)),
        ("code", event.code not in (0, existing.code)),
    )
    return _first_difference(differences, event, existing)


def _first_difference(
    differences: tuple[tuple[str, bool], ...], event: Transfer, existing: TransferRecord
) -> str:
    for name, differs in differences:
        if differs:
            return f"exists_with_different_{name}"
    effective_at = 0 if event.effective_at is None else instant_ns(event.effective_at)
    if effective_at != existing.effective_at:
        return "exists_with_different_effective_at"
    if event.reverses_id != existing.reverses_id:
        return "exists_with_different_reverses_id"
    return "exists"
