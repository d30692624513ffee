"""What a transfer may do: every rule of the event model, in order of precedence.

Pure: no database, no clock, no randomness. The caller gives the books of the accounts and
transfers that the events name and the timestamp of the batch; the rules answer one result per
event and change the books.

Source: TigerBeetle's public reference, ``create_transfers`` (``imported`` events aside).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.books import AccountState, Books, TransferRecord
from ledger.events import (
    AMOUNT_ALL,
    AMOUNT_MAX,
    ID_MAX,
    NS_PER_S,
    TIMESTAMP_MAX,
    Transfer,
    TransferPendingStatus,
)
from ledger.results import TRANSIENT_RESULTS, CreateTransferResult, transfer_result

LINKED: Final = 1
PENDING: Final = 2
POST: Final = 4
VOID: Final = 8
POST_OR_VOID: Final = POST | VOID
BALANCING_DEBIT: Final = 16
BALANCING_CREDIT: Final = 32
CLOSING_DEBIT: Final = 64
CLOSING_CREDIT: Final = 128
CLOSING: Final = CLOSING_DEBIT | CLOSING_CREDIT
NOT_WITH_POST_OR_VOID: Final = PENDING | BALANCING_DEBIT | BALANCING_CREDIT | CLOSING
RESERVED_FLAGS: Final = ~255

DEBITS_LIMITED: Final = 2
CREDITS_LIMITED: Final = 4

POSTED: Final = int(TransferPendingStatus.posted)
VOIDED: Final = int(TransferPendingStatus.voided)
EXPIRED: Final = int(TransferPendingStatus.expired)

EffectiveDay = Callable[[int], int]
"""From an instant in ns to the day number (since 1970-01-01) the books give it."""

Undo = tuple[
    TransferRecord,
    AccountState,
    tuple[int, int, int, int, int, bool],
    AccountState,
    tuple[int, int, int, int, int, bool],
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Outcome:
    """What a batch of transfers came to, to be written by the store.

    ``created`` in order of timestamp; ``resolved``: pending id, timestamp and status of the
    pending transfers that ended; ``failed``: id, timestamp and result of the ids that are spent.
    """

    results: list[CreateTransferResult] = field(default_factory=list)
    created: list[TransferRecord] = field(default_factory=list)
    resolved: dict[int, tuple[int, int]] = field(default_factory=dict)
    failed: dict[int, tuple[int, str]] = field(default_factory=dict)


def create_transfers(
    events: Sequence[Transfer],
    books: Books,
    timestamp: int,
    effective_day: EffectiveDay,
    outcome: Outcome,
) -> None:
    """Apply a batch to the books.

    Args:
        events: the transfers asked for, in order.
        books: accounts and transfers the events name; changed in place.
        timestamp: ns of the last event of the batch; the others count back from it by one.
        effective_day: the calendar of the books.
        outcome: receives one result per event, and what is to be written.
    """
    results = outcome.results
    first = timestamp - len(events) + 1
    last_index = len(events) - 1
    chain: int | None = None
    broken = False
    undo: list[Undo] = []
    for index, event in enumerate(events):
        at = first + index
        flags = int(event.flags)
        linked = flags & LINKED
        if linked and chain is None:
            chain = index
            undo.clear()
        status: str
        if linked and index == last_index:
            result = transfer_result("linked_event_chain_open", at)
        elif broken:
            result = transfer_result("linked_event_failed", at)
        else:
            result = _create(
                event, flags, at, books, outcome, undo if chain is not None else None, effective_day
            )
        results.append(result)
        if result != "created":
            if chain is not None and not broken:
                broken = True
                _roll_back(undo, books, outcome)
                for failed in range(chain, index):
                    results[failed] = transfer_result(
                        "linked_event_failed", results[failed].timestamp
                    )
            if result in TRANSIENT_RESULTS:
                # The id is spent even where its chain is rolled back.
                status = str(result)
                books.failed.add(event.id)
                outcome.failed[event.id] = (at, status)
        if chain is not None and (not linked or index == last_index):
            chain = None
            broken = False


def _roll_back(undo: list[Undo], books: Books, outcome: Outcome) -> None:
    """Undo the events of a broken chain, last first."""
    for record, debit, debit_before, credit, credit_before in reversed(undo):
        last = outcome.created.pop()
        assert last is record
        del books.transfers[record.id]
        if record.pending_id:
            del books.resolutions[record.pending_id]
            del outcome.resolved[record.pending_id]
        if record.reverses_id:
            books.reversed_ids.remove(record.reverses_id)
        debit.restore(debit_before)
        credit.restore(credit_before)


def _create(  # noqa: PLR0911  (one branch per rule, in order)
    event: Transfer,
    flags: int,
    at: int,
    books: Books,
    outcome: Outcome,
    undo: list[Undo] | None,
    effective_day: EffectiveDay,
) -> CreateTransferResult:
    if event.timestamp:
        return transfer_result("timestamp_must_be_zero", at)
    if flags & RESERVED_FLAGS:
        return transfer_result("reserved_flag", at)
    transfer_id = event.id
    if transfer_id == 0:
        return transfer_result("id_must_not_be_zero", at)
    if transfer_id == ID_MAX:
        return transfer_result("id_must_not_be_int_max", at)
    existing = books.transfers.get(transfer_id)
    if existing is not None:
        status = compare(event, existing, books)
        if status == "exists":
            return transfer_result(status, existing.timestamp, existing.counters)
        return transfer_result(status, at)
    if transfer_id in books.failed:
        return transfer_result("id_already_failed", at)
    make = _post_or_void if flags & POST_OR_VOID else _move
    made = make(event, flags, at, books, undo, effective_day)
    if isinstance(made, str):
        return transfer_result(made, at)
    books.transfers[transfer_id] = made
    outcome.created.append(made)
    if made.pending_id:
        status_code = books.resolutions[made.pending_id]
        outcome.resolved[made.pending_id] = (at, status_code)
    return transfer_result("created", at, made.counters)


# -- single-phase and pending transfers ------------------------------------------------------


def _move(  # noqa: C901, PLR0911, PLR0912  (one branch per rule, in order)
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
    record = _record(event, flags, at, amount, debit, credit, effective_day)
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


def _record(
    event: Transfer,
    flags: int,
    at: int,
    amount: int,
    debit: AccountState,
    credit: AccountState,
    effective_day: EffectiveDay,
) -> TransferRecord:
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


# -- the second phase -------------------------------------------------------------------------


def _post_or_void(  # noqa: PLR0911  (one branch per rule, in order)
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
    amount = _resolved_amount(event, flags, pending)
    release(pending, debit, credit)
    if flags & POST:
        debit.debits_posted += amount
        credit.credits_posted += amount
    else:
        reopen(pending, debit, credit)
    books.resolutions[pending.id] = POSTED if flags & POST else VOIDED
    record = _record(event, flags, at, amount, debit, credit, effective_day)._replace(
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
    amount = _resolved_amount(event, flags, pending)
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


def _resolved_amount(event: Transfer, flags: int, pending: TransferRecord) -> int:
    if flags & VOID:
        return event.amount or pending.amount
    return pending.amount if event.amount in AMOUNT_ALL else event.amount


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


# -- the same id again ------------------------------------------------------------------------


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
    amount = _resolved_amount(event, existing.flags, pending)
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


def instant_ns(instant: datetime) -> int:
    """Nanoseconds since 1970 of an aware instant, exact to its microsecond."""
    assert instant.tzinfo is not None
    return (instant - _EPOCH) // _MICROSECOND * 1000
