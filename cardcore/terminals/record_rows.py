"""Writing what became of a batch of records: every table once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from pydantic_core import to_json

from cardcore.account.chart import ARREARS
from cardcore.connections import RawConnection
from cardcore.terminals.gaps import Chain
from cardcore.terminals.record_booking import BookedRecord
from cardcore.terminals.record_judging import JudgedRecord
from cardcore.terminals.record_rules import Doubt, State

SKEW_ALARM_MS: Final = 30_000
_CALENDAR_END_MS: Final = 253_402_300_799_000


class Case(NamedTuple):
    """Something for a person to look at."""

    kind: str
    record_id: UUID
    other_id: UUID | None


class RowsToWrite:
    """Rows of one batch, collected while it is decided."""

    def __init__(self, terminal_id: str, received_at: datetime) -> None:
        self.terminal_id = terminal_id
        self.received_at = received_at
        self.records: list[dict[str, Any]] = []
        self.quarantined: list[tuple[bytes, str, bytes]] = []
        self.arrears: list[tuple[Any, ...]] = []
        self.cases: list[Case] = []
        self.suspended: set[bytes] = set()
        self._orders: dict[UUID, UUID] = {}
        self._recorded_at = received_at.isoformat()

    def reserve(self, record_id: UUID, order_id: UUID) -> None:
        """An order is being made of this record."""
        self._orders[record_id] = order_id

    def order_of(self, record_id: UUID) -> UUID | None:
        """The order of a record of this batch."""
        return self._orders.get(record_id)

    def record_of(self, order_id: UUID) -> UUID | None:
        """The record of this batch that became an order."""
        return next((one for one, made in self._orders.items() if made == order_id), None)

    def quarantine(self, judged: JudgedRecord, reason: str) -> None:
        """Keep bytes that are not believed."""
        self.quarantined.append((judged.digest, reason, judged.data))

    def add_booked(self, judged: JudgedRecord, booked: BookedRecord) -> None:
        """A record that became an order."""
        order = booked.record
        self.add_record(judged, State.BOOKED, order_id=order.order_id)
        if booked.arrears_fen:
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
        order_id: UUID | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        """A record that is its terminal's."""
        record = judged.record
        assert record is not None
        occurred_at_ms = min(record.occurred_at_ms, _CALENDAR_END_MS)
        row: dict[str, Any] = {
            "record_id": record.record_id,
            "terminal_id": self.terminal_id,
            "kid": record.kid,
            "sequence_no": record.sequence_no,
            "digest": f"\\x{judged.digest.hex()}",
            "state": state.value,
            "order_id": order_id,
            "amount_fen": record.amount_fen,
            "occurred_at": datetime.fromtimestamp(occurred_at_ms / 1000, UTC),
            "recorded_at": self._recorded_at,
            "list_version": record.list_version,
            "record": f"\\x{judged.data.hex()}",
        }
        if doubt is not None:
            row |= {"reason": doubt.reason, "liability": doubt.liability.value}
        code = judged.code
        if code is not None:
            row |= {
                "token": f"\\x{code.token.hex()}",
                "replay_key": f"\\x{code.replay_key.hex()}",
                "made_at_s": code.made_at_s,
                "counter": code.counter,
            }
        self.records.append(row)


_RECORD_COLUMNS: Final = (
    "record_id, terminal_id, kid, sequence_no, digest, state, reason, liability, order_id, token,"
    " replay_key, made_at_s, counter, amount_fen, occurred_at, recorded_at, list_version, record"
)
_INSERT_RECORDS: Final = (
    f"INSERT INTO cardcore.terminal_record ({_RECORD_COLUMNS})"  # noqa: S608  (our constants)
    f" SELECT {_RECORD_COLUMNS} FROM json_populate_recordset(NULL::cardcore.terminal_record, %s)"
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


class Heard(NamedTuple):
    """What a terminal says of itself with an upload."""

    clock_skew_ms: int
    list_version: int
    list_age_s: int


async def write_rows(
    raw: RawConnection, rows: RowsToWrite, chains: Mapping[int, Chain], heard: Heard
) -> None:
    """Write everything beside the orders.

    Raises:
        psycopg.errors.UniqueViolation: another upload was first with a record's id.
    """
    now, terminal_id = rows.received_at, rows.terminal_id
    cursor = raw.cursor()
    if rows.records:
        await cursor.execute(_INSERT_RECORDS, (to_json(rows.records).decode(),))
    if rows.quarantined:
        await cursor.executemany(
            _INSERT_QUARANTINED,
            [(digest, terminal_id, reason, data, now) for digest, reason, data in rows.quarantined],
        )
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
        gaps = Jsonb([list(gap) for gap in chain.gaps])
        await cursor.execute(_UPSERT_CHAIN, (terminal_id, kid, chain.highest_no, gaps, *heard, now))


async def alarm_of_clock(raw: RawConnection, terminal_id: str, heard: Heard, now: datetime) -> None:
    """Tell of a terminal whose clock is off, where it is."""
    if abs(heard.clock_skew_ms) > SKEW_ALARM_MS:
        payload = Jsonb({"terminal_id": terminal_id, "clock_skew_ms": heard.clock_skew_ms})
        await raw.execute(_ALARM, (uuid4(), now, payload))
