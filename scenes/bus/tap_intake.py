"""Taking in taps: each once, in any order, however late; what they change falls due for pricing.

Nothing is dropped. A repeat is told as such; a second record of one counter is kept as a conflict;
a tap whose clock cannot be believed is kept and waits for a person.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from cardcore.bulk import BulkTable, copy_rows, packed_array, teach_arrays
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.charges.facts import read_merchants_of
from cardcore.connections import RawConnection
from scenes.bus.taps import ClockRefusal, ClockRule, Tap, happened_at
from scenes.bus.week_pricing import WeekFinder

BUCKETS: Final = 8


class Taken(StrEnum):
    """What became of a reported tap."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REVIEW = "review"
    TERMINAL_UNKNOWN = "terminal_unknown"
    ID_REUSED = "id_reused"


class TapReport(NamedTuple):
    """A tap, and what the rules of journeys do not ask: whose, with what, who drove.

    ``tap.tap_id`` is the text of a UUID made at the tap, as ``str`` writes it: texts are compared.
    """

    tap: Tap
    user_id: UUID
    medium: str = "card"
    driver_id: str = ""
    order_id: UUID | None = None


class _Standing(NamedTuple):
    """The record of a counter that stands so far."""

    tap_id: str
    user_id: UUID
    happened_at: datetime | None


_KNOWN: Final = (
    "SELECT tap_id::text, terminal_id, terminal_counter FROM scene_bus.tap WHERE tap_id = ANY(%b)"
)
# One look into the index for each, whatever the planner believes of the table's size.
_STANDING: Final = """
SELECT t.terminal_id, t.terminal_counter, t.tap_id::text, t.user_id, t.happened_at
  FROM unnest(%b, %b) AS asked (terminal_id, terminal_counter)
 CROSS JOIN LATERAL (
       SELECT * FROM scene_bus.tap one
        WHERE one.terminal_id = asked.terminal_id
          AND one.terminal_counter = asked.terminal_counter AND one.stands
       OFFSET 0) AS t
"""
_FALLS: Final = "UPDATE scene_bus.tap SET stands = false, state = 'conflict' WHERE tap_id = ANY(%b)"
_TAP: Final = BulkTable.of(
    "scene_bus.tap",
    "tap_id:uuid user_id:uuid kind:text medium:text merchant_id:text terminal_id:text"
    " terminal_counter:bigint line_id:text trip_id:text vehicle_id:text driver_id:text stop_id:text"
    " sequence:integer off_stop_id:text off_sequence:integer tapped_at:timestamptz"
    " sent_at:timestamptz received_at:timestamptz happened_at:timestamptz order_id:uuid"
    " stands:boolean state:text",
)
_DUE: Final = BulkTable.of(
    "scene_bus.due_week", "bucket:smallint user_id:uuid week_on:date not_before:timestamptz"
)


def bucket_of(user_id: UUID) -> int:
    """People are priced in parts, so that several workers share them; 16 low bits are zero."""
    return (user_id.int >> 16) % BUCKETS


class TapIntake:
    """Writes taps in the caller's transaction."""

    def __init__(self, clock: ClockRule, cut_off: time = CUT_OFF_DEFAULT) -> None:
        self._clock = clock
        self._cut_off = cut_off

    async def take(
        self,
        raw: RawConnection,
        reports: Sequence[TapReport],
        now: datetime,
        *,
        merchants: Mapping[str, str] | None = None,
    ) -> list[Taken]:
        """Take in taps.

        Args:
            raw: an open transaction.
            reports: in any order, repeats included.
            now: when they came; weeks they touch may be priced from now on.
            merchants: the merchant of each terminal, where the caller knows it.

        Returns:
            What became of each.

        Raises:
            psycopg.errors.UniqueViolation: another upload was first with one of them; roll back
                and take them in again.
        """
        if merchants is None:
            merchants = await read_merchants_of(raw, {one.tap.terminal_id for one in reports})
        teach_arrays(raw)
        known = await self._known(raw, reports)
        standing = await self._standing(raw, reports)
        batch = _Batch(self._clock, known, standing, merchants, WeekFinder(self._cut_off))
        results = [batch.add(report) for report in reports]
        if batch.fallen:
            await raw.execute(_FALLS, (packed_array("uuid", list(batch.fallen)),))
        await copy_rows(raw, _TAP, batch.rows())
        await write_due(raw, batch.due, now)
        return results

    async def _known(
        self, raw: RawConnection, reports: Sequence[TapReport]
    ) -> dict[str, tuple[str, int | None]]:
        found = await raw.execute(
            _KNOWN, (packed_array("uuid", [one.tap.tap_id for one in reports]),)
        )
        return {tap_id: (terminal, counter) for tap_id, terminal, counter in await found.fetchall()}

    async def _standing(
        self, raw: RawConnection, reports: Sequence[TapReport]
    ) -> dict[tuple[str, int], _Standing]:
        counted = [one.tap for one in reports if one.tap.terminal_counter is not None]
        found = await raw.execute(
            _STANDING,
            (
                packed_array("text", [one.terminal_id for one in counted]),
                packed_array("bigint", [one.terminal_counter for one in counted]),
            ),
        )
        return {
            (terminal_id, counter): _Standing(*values)
            for terminal_id, counter, *values in await found.fetchall()
        }


async def write_due(raw: RawConnection, weeks: set[tuple[UUID, Any]], not_before: datetime) -> None:
    """These people's weeks are to be priced, not before an instant."""
    await copy_rows(
        raw,
        _DUE,
        ((bucket_of(user_id), user_id, week_on, not_before) for user_id, week_on in weeks),
    )


class _Batch:
    """Taps of one call, as they are told apart from those known before."""

    def __init__(
        self,
        clock: ClockRule,
        known: dict[str, tuple[str, int | None]],
        standing: dict[tuple[str, int], _Standing],
        merchants: Mapping[str, str],
        weeks: WeekFinder,
    ) -> None:
        self._clock = clock
        self._known = known
        self._standing = standing
        self._merchants = merchants
        self._weeks = weeks
        self._rows: dict[str, list[Any]] = {}
        self.fallen: set[str] = set()
        self.due: set[tuple[UUID, date]] = set()

    def rows(self) -> list[list[Any]]:
        """What is to be written."""
        return list(self._rows.values())

    def add(self, report: TapReport) -> Taken:
        """Take in one tap."""
        tap = report.tap
        tap_id = tap.tap_id
        merchant_id = self._merchants.get(tap.terminal_id)
        if merchant_id is None:
            return Taken.TERMINAL_UNKNOWN
        before = self._known.get(tap_id)
        if before is not None:
            same = before == (tap.terminal_id, tap.terminal_counter)
            return Taken.DUPLICATE if same else Taken.ID_REUSED
        self._known[tap_id] = (tap.terminal_id, tap.terminal_counter)
        at = happened_at(tap, self._clock)
        stands = self._stands(tap, tap_id, report.user_id, at)
        if not stands:
            state, taken = "conflict", Taken.CONFLICT
        elif isinstance(at, datetime):
            state, taken = "new", Taken.TAKEN
            self._move(report.user_id, at)
        else:
            state = _STATE_OF[at]
            taken = Taken.REVIEW
        self._rows[tap_id] = [
            tap_id,
            report.user_id,
            tap.kind,
            report.medium,
            merchant_id,
            tap.terminal_id,
            tap.terminal_counter,
            tap.line_id,
            tap.trip_id,
            tap.vehicle_id,
            report.driver_id,
            tap.stop,
            tap.sequence,
            tap.off_stop,
            tap.off_sequence,
            tap.tapped_at,
            tap.sent_at,
            tap.received_at,
            at if isinstance(at, datetime) else None,
            report.order_id,
            stands,
            state,
        ]
        return taken

    def _stands(self, tap: Tap, tap_id: str, user_id: UUID, at: datetime | ClockRefusal) -> bool:
        """Whether it is the record of its counter that was made first, by its id."""
        if tap.terminal_counter is None:
            return True
        name = (tap.terminal_id, tap.terminal_counter)
        other = self._standing.get(name)
        if other is not None and other.tap_id < tap_id:
            return False
        if other is not None:
            self._fall(other)
        self._standing[name] = _Standing(tap_id, user_id, at if isinstance(at, datetime) else None)
        return True

    def _fall(self, other: _Standing) -> None:
        """A record that stood gives way: its person's week changes too."""
        own = self._rows.get(other.tap_id)
        if own is None:
            self.fallen.add(other.tap_id)
        else:
            own[-2:] = [False, "conflict"]
        if other.happened_at is not None:
            self._move(other.user_id, other.happened_at)

    def _move(self, user_id: UUID, at: datetime) -> None:
        """What this person's taps of that time come to must be asked again."""
        for week_on in self._weeks.touched(at):
            self.due.add((user_id, week_on))


_STATE_OF: Final = {ClockRefusal.AHEAD: "clock_ahead", ClockRefusal.TOO_LATE: "too_late"}
