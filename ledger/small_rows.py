"""The rows of a small batch, packed for ``ledger.book_small_batch``: see its SQL for the layout.

Whole rows lie one after the other in flat arrays: one ``struct`` call a row, three parameters for
any number of columns.
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final

from ledger import wire
from ledger.books import AccountState, TransferRecord
from ledger.wire import BigintArray, UUIDArray, signed, uuid_element

_ACCOUNT_COLUMNS: Final = 8
_ACCOUNT: Final = Struct(">" + "iq" * _ACCOUNT_COLUMNS).pack
_NUMBER_COLUMNS: Final = 20
_NUMBERS: Final = Struct(">" + "iq" * 18 + "iQ" + "iq").pack
_ID_COLUMNS: Final = 4
_NO_ID: Final = uuid_element(0)


def accounts(touched: Sequence[tuple[AccountState, int]]) -> BigintArray:
    """Accounts as they are now, each with the ``last_timestamp`` it was decided on."""
    return wire.packed_bigints(
        [
            _ACCOUNT(
                8, account.number, 8, expected, 8, account.debits_pending,
                8, account.debits_posted, 8, account.credits_pending, 8, account.credits_posted,
                8, account.last_timestamp, 8, account.closed,
            )
            for account, expected in touched
        ],
        _ACCOUNT_COLUMNS,
    )  # fmt: skip


def numbers(
    created: Sequence[TransferRecord], accounts_by_id: Mapping[int, AccountState]
) -> BigintArray:
    """The numbers of transfers."""
    return wire.packed_bigints(
        [_numbers(record, accounts_by_id) for record in created], _NUMBER_COLUMNS
    )


def ids(created: Sequence[TransferRecord]) -> UUIDArray:
    """The ids of transfers."""
    return wire.packed_uuids([_ids(record) for record in created], _ID_COLUMNS)


def _numbers(record: TransferRecord, accounts_by_id: Mapping[int, AccountState]) -> bytes:
    d1, d2, d3, d4, c1, c2, c3, c4 = record.counters
    return _NUMBERS(
        8, record.timestamp, 8, record.amount,
        8, accounts_by_id[record.debit_account_id].number,
        8, accounts_by_id[record.credit_account_id].number,
        8, d1, 8, d2, 8, d3, 8, d4, 8, c1, 8, c2, 8, c3, 8, c4,
        8, signed(record.ledger, 32), 8, record.effective_on, 8, signed(record.code, 16),
        8, record.flags, 8, signed(record.timeout, 32), 8, signed(record.user_data_32, 32),
        8, record.user_data_64, 8, record.effective_at,
    )  # fmt: skip


def _ids(record: TransferRecord) -> bytes:
    if record.pending_id == record.user_data_128 == record.reverses_id == 0:
        return uuid_element(record.id) + _NO_ID * 3
    return b"".join(
        map(
            uuid_element,
            (record.id, record.pending_id, record.user_data_128, record.reverses_id),
        )
    )
