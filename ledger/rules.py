"""What a batch of transfers comes to: chains, repeated ids, spent ids; each event by its phase.

Pure: no database, no clock, no randomness. The caller gives the books of the accounts and
transfers that the events name and the timestamp of the batch; the rules answer one result per
event and change the books. ``moves`` has the rules of single-phase and pending transfers,
``resolving`` those of the second phase, ``repeats`` those of an id that exists.

Source: TigerBeetle's public reference, ``create_transfers`` (``imported`` events aside).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.books import Books, TransferRecord
from ledger.events import ID_MAX, Transfer
from ledger.flag_bits import LINKED, POST_OR_VOID, RESERVED_FLAGS
from ledger.moves import move
from ledger.record import EffectiveDay, Undo
from ledger.repeats import compare
from ledger.resolving import post_or_void
from ledger.results import TRANSIENT_RESULTS, CreateTransferResult, transfer_result


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
    make = post_or_void if flags & POST_OR_VOID else move
    made = make(event, flags, at, books, undo, effective_day)
    if isinstance(made, str):
        return transfer_result(made, at)
    books.transfers[transfer_id] = made
    outcome.created.append(made)
    if made.pending_id:
        status_code = books.resolutions[made.pending_id]
        outcome.resolved[made.pending_id] = (at, status_code)
    return transfer_result("created", at, made.counters)
