"""The audit log: who did what to which object for what purpose, as a chain that shows any edit.

Rows are written by whoever acts, in the transaction of the act. A sealing job gives each committed
row a link whose digest covers the row and the link before it, and has the last link signed in the
security module: who may edit the database may not sign. Between act and seal (one round of the
worker) an edit leaves no trace, and a log cut off together with its heads is told only by comparing
with a head that was noted elsewhere; ``verify`` prints the head for that.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.connections import RawConnection
from hsm_sim.interface import SignatureInvalidError

SEAL_KEY: Final = "audit-seal"
GENESIS: Final = hashlib.sha256(b"cardcore audit log, link 0").digest()
ROWS_PER_ROUND_MAX: Final = 5_000
_LOCK: Final = 7370407


class Signer(Protocol):
    """The part of a security module that sealing needs."""

    async def sign(self, label: str, message: bytes) -> bytes:
        """Signature of the key ``label`` over ``message``."""
        ...


class Verifier(Protocol):
    """The part of a security module that verification needs."""

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """Return when the signature is of this key, else raise ``SignatureInvalidError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first place where the log is not what was written.

    ``position`` is the link, ``seq`` the audit row, each None where there is none. ``kind`` is one
    of ``row_missing``, ``row_changed``, ``link_missing``, ``head_changed``, ``head_forged``,
    ``row_unqueued``, ``head_unknown``.
    """

    kind: str
    position: int | None
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found: how far it came, the last head, what waits for its seal."""

    links: int
    head: str
    unsealed: int
    finding: Finding | None


async def record(
    connection: AsyncConnection,
    *,
    actor: str,
    action: str,
    subject: str,
    outcome: str,
    now: datetime,
    purpose: str = "",
) -> None:
    """Write one row in the caller's transaction.

    Args:
        connection: the transaction of the act itself.
        actor: client id, ``operator:<id>`` or ``user:<id>``.
        action: verb of the act (``client.revoke``).
        subject: object it was done to (``client/bus-office``); nothing personal.
        outcome: ``done``, or the code of a refusal.
        now: instant of the act.
        purpose: why, in the actor's own words, where the act asks for it.
    """
    await connection.execute(
        insert(tables.audit_event).values(
            recorded_at=now,
            client_id=actor,
            action=action,
            object=subject,
            outcome=outcome,
            purpose=purpose,
        )
    )


async def seal(
    raw: RawConnection, signer: Signer, *, now: datetime, key_label: str = SEAL_KEY
) -> int:
    """Link the committed rows that have no link, and sign the last; returns how many.

    Runs in the caller's transaction; a second sealer waits for the first.
    """
    await raw.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    waiting = await (
        await raw.execute(
            f"DELETE FROM cardcore.audit_unsealed WHERE seq IN"  # noqa: S608  (constants)
            f" (SELECT seq FROM cardcore.audit_unsealed ORDER BY seq LIMIT {ROWS_PER_ROUND_MAX})"
            f" RETURNING seq"
        )
    ).fetchall()
    if not waiting:
        return 0
    last = await (
        await raw.execute(
            "SELECT position, digest FROM cardcore.audit_link ORDER BY position DESC LIMIT 1"
        )
    ).fetchone()
    position, digest = last or (0, GENESIS)
    rows = await (
        await raw.execute(
            f"SELECT {_ROW} FROM cardcore.audit_event e WHERE seq = ANY(%s)"  # noqa: S608  (constant)
            f" ORDER BY seq",
            ([seq for (seq,) in waiting],),
        )
    ).fetchall()
    links = []
    for row in rows:
        position, digest = position + 1, link_digest(digest, row)
        links.append((position, row[0], digest))
    # A row that was taken away while it waited has no link: its number stays queued, as proof.
    gone = {seq for (seq,) in waiting} - {row[0] for row in rows}
    cursor = raw.cursor()
    if gone:
        await cursor.executemany(
            "INSERT INTO cardcore.audit_unsealed (seq) VALUES (%s)", [(seq,) for seq in gone]
        )
    if not links:
        return 0
    await cursor.executemany(
        "INSERT INTO cardcore.audit_link (position, seq, digest) VALUES (%s, %s, %s)", links
    )
    signature = await signer.sign(key_label, head_message(position, digest, now))
    await raw.execute(
        "INSERT INTO cardcore.audit_head (position, digest, sealed_at, key_label, signature)"
        " VALUES (%s, %s, %s, %s, %s)",
        (position, digest, now, key_label, signature),
    )
    return len(links)


async def verify(raw: RawConnection, verifier: Verifier | None) -> Verdict:
    """Recompute the whole chain and name the first bad row. Changes nothing.

    Args:
        raw: a connection; the caller's transaction should be REPEATABLE READ.
        verifier: checks the signatures of heads; None leaves them unchecked.
    """
    unsealed = await _number(raw, "SELECT count(*) FROM cardcore.audit_unsealed")
    heads = {
        position: (bytes(digest), sealed_at, label, bytes(signature))
        for position, digest, sealed_at, label, signature in await (
            await raw.execute(
                "SELECT position, digest, sealed_at, key_label, signature FROM cardcore.audit_head"
            )
        ).fetchall()
    }
    expected, previous = 0, GENESIS
    async for position, seq, digest, row in _links(raw):
        expected += 1
        finding = _judge_link(expected, position, seq, digest, previous, row)
        head = heads.pop(position, None)
        if finding is None and head is not None:
            kind = await _judge_head(position, digest, head, verifier)
            finding = None if kind is None else Finding(kind=kind, position=position, seq=seq)
        if finding is not None:
            return Verdict(
                links=expected - 1, head=previous.hex(), unsealed=unsealed, finding=finding
            )
        previous = digest
    finding = None
    if heads:
        finding = Finding(kind="link_missing", position=expected + 1, seq=None)
    else:
        finding = await _unlinked(raw)
    return Verdict(links=expected, head=previous.hex(), unsealed=unsealed, finding=finding)


async def expect_head(raw: RawConnection, verdict: Verdict, noted: str) -> Verdict:
    """``verdict``, or that a head noted elsewhere (``position:digest``) is not in the chain."""
    number, _, digest = noted.partition(":")
    row = None
    if number.isdecimal() and len(number) <= _DIGITS_MAX:
        row = await (
            await raw.execute(
                "SELECT digest FROM cardcore.audit_link WHERE position = %s", (int(number),)
            )
        ).fetchone()
    if row is not None and bytes(row[0]).hex() == digest:
        return verdict
    return replace(verdict, finding=Finding(kind="head_unknown", position=None, seq=None))


_DIGITS_MAX: Final = 18
_ROW: Final = "e.seq, e.recorded_at, e.client_id, e.action, e.object, e.outcome, e.purpose"


def link_digest(previous: bytes, row: tuple[Any, ...]) -> bytes:
    """Digest of the link of ``row`` after the link ``previous``.

    SHA-256 over the previous digest and the row as a JSON array of its number, instant (UTC,
    microseconds), actor, action, object, outcome and purpose.
    """
    seq, recorded_at, *words = row
    at = recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(previous + json.dumps([seq, at, *words]).encode()).digest()


def head_message(position: int, digest: bytes, sealed_at: datetime) -> bytes:
    """What is signed of a head: a version mark, its position, its instant, its digest."""
    micros = int(sealed_at.timestamp() * 1_000_000)
    return b"audit head 1" + position.to_bytes(8, "big") + micros.to_bytes(8, "big") + digest


def _judge_link(
    expected: int,
    position: int,
    seq: int,
    digest: bytes,
    previous: bytes,
    row: tuple[Any, ...] | None,
) -> Finding | None:
    if position != expected:
        return Finding(kind="link_missing", position=expected, seq=None)
    if row is None:
        return Finding(kind="row_missing", position=position, seq=seq)
    if link_digest(previous, row) != digest:
        return Finding(kind="row_changed", position=position, seq=seq)
    return None


async def _judge_head(
    position: int,
    digest: bytes,
    head: tuple[bytes, datetime, str, bytes],
    verifier: Verifier | None,
) -> str | None:
    head_digest, sealed_at, label, signature = head
    if head_digest != digest:
        # The chain fits its rows and yet is not what was signed: all links were made anew.
        return "head_changed"
    if verifier is not None:
        try:
            await verifier.verify(label, head_message(position, digest, sealed_at), signature)
        except SignatureInvalidError:
            return "head_forged"
    return None


async def _links(
    raw: RawConnection,
) -> AsyncIterator[tuple[int, int, bytes, tuple[Any, ...] | None]]:
    """All links in order, each with its row."""
    since = 0
    while True:
        page = await (
            await raw.execute(
                f"SELECT l.position, l.seq, l.digest, {_ROW}"  # noqa: S608  (constants)
                f" FROM (SELECT * FROM cardcore.audit_link WHERE position > %s"
                f"       ORDER BY position LIMIT {ROWS_PER_ROUND_MAX}) l"
                f" LEFT JOIN cardcore.audit_event e ON e.seq = l.seq ORDER BY l.position",
                (since,),
            )
        ).fetchall()
        for position, seq, digest, *row in page:
            yield position, seq, bytes(digest), None if row[0] is None else tuple(row)
        if len(page) < ROWS_PER_ROUND_MAX:
            return
        since = page[-1][0]


async def _unlinked(raw: RawConnection) -> Finding | None:
    """A row that nothing will ever seal, or one that is gone before it was sealed."""
    row = await (
        await raw.execute(
            "SELECT seq, kind FROM ("
            " SELECT e.seq, 'row_unqueued' AS kind FROM cardcore.audit_event e"
            "  WHERE NOT EXISTS (SELECT FROM cardcore.audit_link l WHERE l.seq = e.seq)"
            "    AND NOT EXISTS (SELECT FROM cardcore.audit_unsealed u WHERE u.seq = e.seq)"
            " UNION ALL"
            " SELECT u.seq, 'row_missing' FROM cardcore.audit_unsealed u"
            "  WHERE NOT EXISTS (SELECT FROM cardcore.audit_event e WHERE e.seq = u.seq)"
            ") AS found ORDER BY seq LIMIT 1"
        )
    ).fetchone()
    return None if row is None else Finding(kind=row[1], position=None, seq=row[0])


async def _number(raw: RawConnection, query: str) -> int:
    row = await (await raw.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])
