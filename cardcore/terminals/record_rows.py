"""Writing what became of a batch of records: every table once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from cardcore.books import RawConnection
from cardcore.terminals.gaps import Chain
from cardcore.terminals.record_booking import ARREARS, BookedRecord
from cardcore.terminals.record_judging import JudgedRecord
from cardcore.terminals.record_rules import Doubt, State

SKEW_ALARM_MS: Final = 30_000
_CALENDAR_END_MS: Final = 253_402_300_799_000


class Case(NamedTuple):
    """Something for a person to look at."""

    kind: str
    record_id: UUID
    other_id: UUID | None


@dataclass(slots=True)
class RowsToWrite:
    """Rows of one batch, collected while it is decided."""

    records: list[tuple[Any, ...]] = field(default_factory=list)
    quarantined: list[tuple[Any, ...]] = field(default_factory=list)
    arrears: list[tuple[Any, ...]] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    suspended: set[bytes] = field(default_factory=set)
    _orders: dict[UUID, UUID] = field(default_factory=dict)

    def reserve(self, record_id: UUID, order_id: UUID) -> None:
        """An order is being made of this record."""
        self._orders[record_id] = order_id

    def order_of(self, record_id: UUID) -> UUID | None:
        """The order of a record of this batch."""
        return self._orders.get(record_id)

    def record_of(self, order_id: UUID) -> UUID | None:
        """The record of this batch that became an order."""
        return next((one for one, made in self._orders.items() if made == order_id), None)

    def quarantine(self, terminal_id: str, data: bytes, reason: str) -> None:
        """Keep bytes that are not believed."""
        digest = hashlib.sha256(data).digest()
        self.quarantined.append((digest, terminal_id, reason, data))

    def add_booked(
        self, judged: JudgedRecord, booked: BookedRecord, *, received_at: datetime
    ) -> None:
        """A record that became an order."""
        order = booked.record
        self.add_record(judged, State.BOOKED, received_at=received_at, order_id=order.order_id)
        self.arrears += [
            (order.order_id, line.line_no, order.user_id, order.merchant_id, line.amount_fen)
            for line in order.lines
            if line.fund == ARREARS
        ]

    def add_record(
        self,
        judged: JudgedRecord,
        state: State,
        *,
        received_at: datetime,
        order_id: UUID | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        """A record that is its terminal's."""
        record, code = judged.record, judged.code
        assert record is not None
        self.records.append(
            (
                record.record_id,
                record.place.terminal_id,
                record.kid,
                record.sequence_no,
                hashlib.sha256(judged.data).digest(),
                state.value,
                None if doubt is None else doubt.reason,
                None if doubt is None else doubt.liability.value,
                order_id,
                None if code is None else code.token,
                None if code is None else code.replay_key,
                None if code is None else code.made_at_s,
                None if code is None else code.counter,
                record.amount_fen,
                datetime.fromtimestamp(min(record.occurred_at_ms, _CALENDAR_END_MS) / 1000, UTC),
                received_at,
                record.list_version,
                judged.data,
            )
        )


_INSERT_RECORDS: Final = (
    "COPY cardcore.terminal_record (record_id, terminal_id, kid, sequence_no, digest, state,"
    " reason, liability, order_id, token, replay_key, made_at_s, counter, amount_fen,"
    " occurred_at, recorded_at, list_version, record) FROM STDIN"
)
_INSERT_QUARANTINED: Final = (
    "INSERT INTO cardcore.record_quarantine (digest, terminal_id, reason, content, recorded_at)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_INSERT_ARREARS: Final = (
    "INSERT INTO cardcore.arrears (order_id, line_no, user_id, merchant_id, amount_fen,"
    " recorded_at) VALUES (%s, %s, %s, %s, %s, %s)"
)
_INSERT_CASE: Final = (
    "INSERT INTO cardcore.record_case (case_id, kind, terminal_id, record_id, other_id, status,"
    " recorded_at) VALUES (%s, %s, %s, %s, %s, 'open', %s)"
)
_UPSERT_CHAIN: Final = (
    "INSERT INTO cardcore.record_chain (terminal_id, kid, highest_no, gaps, clock_skew_ms,"
    " list_version, list_age_s, heard_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (terminal_id, kid) DO UPDATE SET highest_no = excluded.highest_no,"
    " gaps = excluded.gaps, clock_skew_ms = excluded.clock_skew_ms,"
    " list_version = excluded.list_version, list_age_s = excluded.list_age_s,"
    " heard_at = excluded.heard_at"
)
_SUSPEND: Final = (
    "UPDATE cardcore.code_token SET blocked = 'frozen' WHERE token = ANY(%s) AND blocked IS NULL"
)
_ALARM: Final = (
    "INSERT INTO cardcore.outbox (topic, subject_id, recorded_at, payload)"
    " VALUES ('terminal.clock_skew', %s, %s, %s)"
)


async def write_rows(
    raw: RawConnection,
    rows: RowsToWrite,
    *,
    terminal_id: str,
    chains: Mapping[int, Chain],
    clock_skew_ms: int,
    list_version: int,
    list_age_s: int,
    now: datetime,
) -> None:
    """Write everything beside the orders.

    Raises:
        psycopg.errors.UniqueViolation: another upload was first with a record's id.
    """
    cursor = raw.cursor()
    if rows.records:
        async with cursor.copy(_INSERT_RECORDS) as copy:
            for row in rows.records:
                await copy.write_row(row)
    if rows.quarantined:
        await cursor.executemany(_INSERT_QUARANTINED, [(*one, now) for one in rows.quarantined])
    if rows.arrears:
        await cursor.executemany(_INSERT_ARREARS, [(*one, now) for one in rows.arrears])
    if rows.cases:
        await cursor.executemany(
            _INSERT_CASE,
            [
                (uuid4(), one.kind, terminal_id, one.record_id, one.other_id, now)
                for one in rows.cases
            ],
        )
    if rows.suspended:
        await cursor.execute(_SUSPEND, (sorted(rows.suspended),))
    for kid, chain in chains.items():
        await cursor.execute(
            _UPSERT_CHAIN,
            (
                terminal_id,
                kid,
                chain.highest_no,
                Jsonb([list(gap) for gap in chain.gaps]),
                clock_skew_ms,
                list_version,
                list_age_s,
                now,
            ),
        )
    if abs(clock_skew_ms) > SKEW_ALARM_MS:
        payload = Jsonb({"terminal_id": terminal_id, "clock_skew_ms": clock_skew_ms})
        await cursor.execute(_ALARM, (uuid4(), now, payload))
