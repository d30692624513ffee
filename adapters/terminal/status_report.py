"""What is known about a terminal without asking anybody: for the driver, the depot, a monitor."""

import json
from typing import Any, Final

from adapters.terminal.display import instant
from adapters.terminal.enrolment import Enrolment, read_enrolment
from adapters.terminal.home import TerminalHome
from adapters.terminal.journal import Journal, opened
from adapters.terminal.package_store import PackageStore
from adapters.terminal.record_queue import RecordQueue, chain_end

TROUBLED_SHOWN: Final = 20


def status_of(home: TerminalHome, now_ms: int) -> dict[str, Any]:
    """Enrolment, package, queue and last contact as JSON values. Reads only; an agent may run.

    Raises:
        EnrolmentError: not enrolled.
        JournalError: the journal cannot be read.
    """
    enrolment = read_enrolment(home)
    with opened(home.journal_file) as journal:
        queue, contact = _queue(journal, enrolment, now_ms), _contact(journal)
    return {
        "terminal_id": enrolment.terminal_id,
        "merchant_id": enrolment.merchant_id,
        "scene": enrolment.scene,
        "server_url": enrolment.server_url,
        "kid": enrolment.kid,
        "package": _package(home, enrolment, now_ms // 1000),
        "queue": queue,
        "contact": contact,
    }


def _package(home: TerminalHome, enrolment: Enrolment, now_s: int) -> dict[str, Any] | None:
    held = PackageStore(home, enrolment.pinned_ring).current
    if held is None:
        return None
    manifest = held.package.manifest
    return {
        "version": held.version,
        "etag": held.package.etag,
        "made_at": instant(1000 * manifest.made_at_s),
        "age_s": now_s - manifest.made_at_s,
        "expires_at": instant(1000 * manifest.expires_at_s),
        "expired": now_s > manifest.expires_at_s,
        "list_version": held.list_version(enrolment.issuer_id),
        "list_age_s": held.list_age_s(enrolment.issuer_id, now_s),
        "list_age_max_s": held.parameters.list_age_max_s,
        "has_fares": held.fares is not None,
    }


def _queue(journal: Journal, enrolment: Enrolment, now_ms: int) -> dict[str, Any]:
    queue = RecordQueue(journal)
    oldest_at_ms = queue.oldest_queued_at_ms()
    with journal.reading() as connection:
        end = chain_end(connection, enrolment.kid)
    counts = queue.counts()
    states = ("queued", "booked", "duplicate", "review", "rejected", "held")
    return {
        "sequence_no": end.sequence_no,
        "records": {state: counts.get(state, 0) for state in states},
        "oldest_queued_age_s": None if oldest_at_ms is None else (now_ms - oldest_at_ms) // 1000,
        "troubled": [
            {
                "sequence_no": one.sequence_no,
                "state": one.state,
                "reason": one.reason,
                "occurred_at": instant(one.occurred_at_ms),
            }
            for one in queue.troubled(TROUBLED_SHOWN)
        ],
    }


def _contact(journal: Journal) -> dict[str, Any]:
    skew_ms = journal.fact("clock_skew_ms")
    return {
        "last_contact_at": journal.fact("last_contact_at"),
        "clock_skew_ms": None if skew_ms is None else int(skew_ms),
        "package_checked_at": journal.fact("package_checked_at"),
        "package_refused": journal.fact("package_refused") or None,
        "gaps": json.loads(journal.fact("gaps") or "[]"),
    }
