"""What an account must be to be opened: every rule of ``create_accounts``, in order. Pure.

Source: TigerBeetle's public reference, ``create_accounts`` (``imported`` events aside).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.books import CLOSED_FLAG
from ledger.events import AMOUNT_MAX, ID_MAX, Account
from ledger.results import CreateAccountResult

LINKED: Final = 1
LIMIT_FLAGS: Final = 6
RESERVED_FLAGS: Final = ~(1 | 2 | 4 | 8 | CLOSED_FLAG)


@dataclass(slots=True)
class Opening:
    """What a batch of accounts came to: one result per event, and the accounts to write.

    ``created``: the accounts with the timestamps they got.
    """

    results: list[CreateAccountResult] = field(default_factory=list)
    created: list[tuple[Account, int]] = field(default_factory=list)


def create_accounts(
    events: Sequence[Account], existing: dict[int, tuple[Account, int]], timestamp: int
) -> Opening:
    """Decide a batch of accounts.

    Args:
        events: the accounts asked for, in order.
        existing: by id, the accounts that exist, flags as they are now, and their timestamp;
            grows by those created.
        timestamp: ns of the last event of the batch; the others count back from it by one.
    """
    opening = Opening()
    results, created = opening.results, opening.created
    first = timestamp - len(events) + 1
    chain: int | None = None
    chain_created = 0
    broken = False
    for index, event in enumerate(events):
        at = first + index
        linked = int(event.flags) & LINKED
        open_end = bool(linked) and index == len(events) - 1
        if linked and chain is None:
            chain, chain_created = index, len(created)
        if open_end:
            result = CreateAccountResult("linked_event_chain_open", at)
        elif broken:
            result = CreateAccountResult("linked_event_failed", at)
        else:
            result = _create(event, existing, at)
        results.append(result)
        if result == "created":
            created.append((event, at))
            existing[event.id] = (event, at)
        elif chain is not None and not broken:
            broken = True
            for account, _ in created[chain_created:]:
                del existing[account.id]
            del created[chain_created:]
            for failed in range(chain, index):
                results[failed] = CreateAccountResult(
                    "linked_event_failed", results[failed].timestamp
                )
        if not linked or open_end:
            chain = None
            broken = False
    return opening


def _create(
    event: Account, existing: dict[int, tuple[Account, int]], at: int
) -> CreateAccountResult:
    status = _check_identity(event)
    if status is None and event.id in existing:
        account, timestamp = existing[event.id]
        status = compare(event, account)
        if status == "exists":
            return CreateAccountResult(status, timestamp)
    if status is None:
        status = _check_fields(event)
    return CreateAccountResult(status or "created", at)


def _check_identity(event: Account) -> str | None:
    if event.timestamp:
        return "timestamp_must_be_zero"
    if event.reserved:
        return "reserved_field"
    if int(event.flags) & RESERVED_FLAGS:
        return "reserved_flag"
    if event.id == 0:
        return "id_must_not_be_zero"
    if event.id == ID_MAX:
        return "id_must_not_be_int_max"
    return None


def compare(event: Account, account: Account) -> str:
    """Whether a repeated id asks for the same account; if not, the first field that differs."""
    for name in (
        "flags",
        "user_data_128",
        "user_data_64",
        "user_data_32",
        "ledger",
        "code",
        "overdraft_limit",
    ):
        if getattr(event, name) != getattr(account, name):
            return f"exists_with_different_{name}"
    return "exists"


def _check_fields(event: Account) -> str | None:
    if int(event.flags) & LIMIT_FLAGS == LIMIT_FLAGS:
        return "flags_are_mutually_exclusive"
    for name in ("debits_pending", "debits_posted", "credits_pending", "credits_posted"):
        if getattr(event, name):
            return f"{name}_must_be_zero"
    if event.ledger == 0:
        return "ledger_must_not_be_zero"
    if event.code == 0:
        return "code_must_not_be_zero"
    if event.overdraft_limit and not int(event.flags) & LIMIT_FLAGS:
        return "overdraft_limit_needs_limit_flag"
    assert 0 <= event.overdraft_limit <= AMOUNT_MAX
    return None
