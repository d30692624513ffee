"""What can go wrong with a call as a whole. What is wrong with one event is a result name.

A broken invariant is a bug: ``assert``, never one of these.
"""

from typing import ClassVar

from psycopg.errors import SerializationFailure


class LedgerError(Exception):
    """Base of all refusals of a whole call.

    ``code`` is public and stable. ``retryable``: may the same call, unchanged, succeed later?
    """

    code: ClassVar[str] = "ledger_error"
    retryable: ClassVar[bool] = False


class BatchTooLargeError(LedgerError):
    """More events in one call than the ledger takes."""

    code = "batch_too_large"

    def __init__(self, *, events: int, events_max: int) -> None:
        super().__init__(f"{events} events in one batch, at most {events_max} are taken")
        self.events = events
        self.events_max = events_max


class FieldOutOfRangeError(LedgerError):
    """A field of an event does not fit its width; nothing of the batch was done."""

    code = "field_out_of_range"

    def __init__(self, *, index: int, field: str, value: int, bits: int) -> None:
        super().__init__(f"event {index}: {field} is {value}, not an unsigned {bits}-bit integer")
        self.index = index
        self.field = field


class QueueFullError(LedgerError):
    """Too much is waiting to be written; nothing was done. Try again after ``retry_after_s``."""

    code = "queue_full"
    retryable = True

    def __init__(self, *, waiting: int, retry_after_s: float) -> None:
        super().__init__(f"{waiting} items are waiting; try again in {retry_after_s:.2f} s")
        self.waiting = waiting
        self.retry_after_s = retry_after_s


class WriterClosedError(LedgerError):
    """The writer is closing and takes nothing more; nothing of this item was done."""

    code = "writer_closed"
    retryable = True

    def __init__(self) -> None:
        super().__init__("the writer is closed")


class AccountsMovedOnError(LedgerError):
    """Other writers changed the same accounts time and again; nothing was done."""

    code = "accounts_moved_on"
    retryable = True

    def __init__(self) -> None:
        super().__init__("accounts of this batch were changed by another writer meanwhile")


class TransferUnknownError(LedgerError):
    """There is no transfer with this id."""

    code = "transfer_unknown"


class AccountUnknownError(LedgerError):
    """There is no account with this id, or not one that can do this."""

    code = "account_unknown"


class ShardsExhaustedError(LedgerError):
    """Every shard has a writer already."""

    code = "shards_exhausted"
    retryable = True

    def __init__(self, shards_max: int) -> None:
        super().__init__(f"all {shards_max} shards are claimed by writers")


def plan_met_another_head(failure: SerializationFailure) -> bool:
    """Did a plan fail at the shard's row, not at an account that another writer had changed?

    Where the plan was made on another one that is still being written by another connection, it
    may have come first, and may be sent again when that one is written.
    """
    return failure.diag.table_name == "shard"
