"""What a batch of events may be at all: its size, the width of each field, and what it names."""

from collections.abc import Sequence
from typing import Final

from ledger.errors import BatchTooLargeError, FieldOutOfRangeError
from ledger.events import Account, Transfer
from ledger.flag_bits import POST_OR_VOID
from ledger.store import Names

BATCH_EVENTS_MAX: Final = 10_000


def names_of(transfers: Sequence[Transfer]) -> Names:
    """What the events of a batch name.

    Raises:
        FieldOutOfRangeError: a field does not fit.
    """
    names = Names([], set(), set(), set())
    for index, event in enumerate(transfers):
        _check_transfer_range(index, event)
        names.ids.append(event.id)
        if int(event.flags) & POST_OR_VOID:
            names.pending_ids.add(event.pending_id)
        else:
            names.account_ids.add(event.debit_account_id)
            names.account_ids.add(event.credit_account_id)
        if event.pending_id:
            # Also where it is not allowed: a repeated id is compared with what it resolved.
            names.pending_ids.add(event.pending_id)
        if event.reverses_id:
            names.reverses_ids.add(event.reverses_id)
    return names


def check_size(events: int) -> None:
    """Refuse a batch of too many events.

    Raises:
        BatchTooLargeError: it is.
    """
    if events > BATCH_EVENTS_MAX:
        raise BatchTooLargeError(events=events, events_max=BATCH_EVENTS_MAX)


_ACCOUNT_BITS: Final = (
    ("id", 128), ("user_data_128", 128), ("user_data_64", 64), ("user_data_32", 32),
    ("ledger", 32), ("code", 16), ("flags", 16), ("overdraft_limit", 63),
)  # fmt: skip
_TRANSFER_BITS: Final = (
    ("id", 128), ("debit_account_id", 128), ("credit_account_id", 128), ("amount", 128),
    ("pending_id", 128), ("user_data_128", 128), ("user_data_64", 64), ("user_data_32", 32),
    ("timeout", 32), ("ledger", 32), ("code", 16), ("flags", 16), ("reverses_id", 128),
)  # fmt: skip


def check_account_range(index: int, account: Account) -> None:
    """Refuse an account with a field that does not fit.

    Raises:
        FieldOutOfRangeError: there is one.
    """
    for field, bits in _ACCOUNT_BITS:
        value = getattr(account, field)
        if value >> bits:
            raise FieldOutOfRangeError(index=index, field=field, value=value, bits=bits)


def _check_transfer_range(index: int, event: Transfer) -> None:
    # One test for the common case; which field it is matters only when there is one.
    if not (
        (event.id | event.debit_account_id | event.credit_account_id | event.amount
         | event.pending_id | event.user_data_128 | event.reverses_id) >> 128
        or event.user_data_64 >> 64
        or (event.user_data_32 | event.timeout | event.ledger) >> 32
        or (event.code | int(event.flags)) >> 16
    ):  # fmt: skip
        return
    for field, bits in _TRANSFER_BITS:
        value = getattr(event, field)
        if value >> bits:
            raise FieldOutOfRangeError(index=index, field=field, value=value, bits=bits)
