"""A double-entry ledger on PostgreSQL: money that always balances.

It knows accounts, transfers and their evidence; it does not know citizens, cards, merchants or
any other business. Usable alone: ``install`` a database, ``Ledger.open`` it, create accounts and
transfers. Pure rules live in ``rules`` and ``account_rules``, SQL in ``store`` and ``schema/``.
"""

from ledger.business_day import BusinessDay
from ledger.engine import Begun, Ledger, Planned
from ledger.errors import (
    BatchTooLargeError,
    FieldOutOfRangeError,
    LedgerError,
    QueueFullError,
    WriterClosedError,
    plan_met_another_head,
)
from ledger.event_ranges import BATCH_EVENTS_MAX
from ledger.events import (
    AMOUNT_MAX,
    ID_MAX,
    Account,
    AccountBalance,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    Balances,
    QueryFilter,
    QueryFilterFlags,
    Transfer,
    TransferFlags,
    TransferPendingStatus,
)
from ledger.results import (
    CREATE_ACCOUNT_RESULTS,
    CREATE_TRANSFER_RESULTS,
    TRANSIENT_RESULTS,
    CreateAccountResult,
    CreateTransferResult,
)
from ledger.schema import install, schema_files

__all__ = [
    "AMOUNT_MAX",
    "BATCH_EVENTS_MAX",
    "CREATE_ACCOUNT_RESULTS",
    "CREATE_TRANSFER_RESULTS",
    "ID_MAX",
    "TRANSIENT_RESULTS",
    "Account",
    "AccountBalance",
    "AccountFilter",
    "AccountFilterFlags",
    "AccountFlags",
    "Balances",
    "BatchTooLargeError",
    "Begun",
    "BusinessDay",
    "CreateAccountResult",
    "CreateTransferResult",
    "FieldOutOfRangeError",
    "Ledger",
    "LedgerError",
    "Planned",
    "QueryFilter",
    "QueryFilterFlags",
    "QueueFullError",
    "Transfer",
    "TransferFlags",
    "TransferPendingStatus",
    "WriterClosedError",
    "install",
    "plan_met_another_head",
    "schema_files",
]
