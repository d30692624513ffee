"""Reading and writing people's weeks, set by set: taps, corrections, entries, journeys."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from cardcore.bulk import BulkTable, copy_packed, copy_rows, packed_array, teach_arrays
from cardcore.business.quote import Payer
from cardcore.connections import RawConnection
from scenes.bus.journeys import Correction, CorrectionKind, TapState
from scenes.bus.stored_weeks import Entry, PersonOfWeek, StoredTap, StoredWeek
from scenes.bus.taps import Tap, TapKind
from scenes.bus.week_pricing import PricedJourney, week_bounds

# A round looks up some thousand weeks in tables of millions: always by index, even where the plan
# was made when a table was small.
_TAKE_BUCKET: Final = """
SELECT pg_try_advisory_xact_lock(%s, %s), set_config('enable_seqscan', 'off', true),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
"""
_DUE: Final = """
SELECT user_id, week_on, array_agg(due_no) FROM scene_bus.due_week
 WHERE bucket = %s AND user_id >= %s AND not_before <= %s
 GROUP BY user_id, week_on ORDER BY user_id, week_on LIMIT %s
"""
_TAPS: Final = """
SELECT asked.user_id, asked.week_on, t.tap_id::text, t.kind, t.terminal_id, t.terminal_counter,
       t.line_id, t.vehicle_id, t.stop_id, t.happened_at, t.received_at, NULL, t.trip_id,
       t.sequence, t.off_stop_id, t.off_sequence,
       t.medium, t.merchant_id, t.driver_id, t.order_id, t.state
  FROM unnest(%b, %b, %b, %b) AS asked (user_id, week_on, from_at, to_at)
  JOIN scene_bus.tap t
    ON t.user_id = asked.user_id AND t.happened_at >= asked.from_at AND t.happened_at < asked.to_at
 WHERE t.stands
"""
_CORRECTIONS: Final = """
SELECT user_id, journey_id::text, kind, off_stop_id, made_by, made_at FROM scene_bus.correction
 WHERE user_id = ANY(%b)
"""
_BOOKED: Final = """
SELECT e.user_id, e.week_on, e.journey_id::text, e.payer, e.order_id, e.business_on, e.merchant_id,
       sum(e.amount_fen)::bigint
  FROM unnest(%b, %b) AS asked (user_id, week_on)
  JOIN scene_bus.charge_entry e USING (user_id, week_on)
 GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_JOURNEYS: Final = """
SELECT j.user_id, j.week_on, j.journey_id::text, j.fingerprint
  FROM unnest(%b, %b) AS asked (user_id, week_on) JOIN scene_bus.journey j USING (user_id, week_on)
"""
_STATES: Final = """
UPDATE scene_bus.tap t SET state = now.state
  FROM unnest(%b, %b) AS now (tap_id, state) WHERE t.tap_id = now.tap_id
"""
_FORGET_JOURNEYS: Final = "DELETE FROM scene_bus.journey WHERE journey_id = ANY(%b)"
_JOURNEY_FACTS: Final = (
    "journey_id:uuid user_id:uuid week_on:date business_on:date state:text reason:text"
    " merchant_id:text terminal_id:text line_id:text trip_id:text vehicle_id:text driver_id:text"
    " medium:text class:text on_stop_id:text off_stop_id:text began_at:timestamptz"
    " ended_at:timestamptz reported_at:timestamptz chain_id:uuid offer:text full_fen:bigint"
    " fare_fen:bigint citizen_fen:bigint subsidy_fen:bigint forgone_fen:bigint rule_id:text"
    " rule_version:text"
)
_FACTS: Final = BulkTable.of("scene_bus.journey", _JOURNEY_FACTS)
_PRICED: Final = BulkTable.of("scene_bus.journey", "fingerprint:bigint priced_at:timestamptz")
_JOURNEY: Final = BulkTable.of(
    "scene_bus.journey", f"{_JOURNEY_FACTS} fingerprint:bigint priced_at:timestamptz"
)
_ENTRY: Final = BulkTable.of(
    "scene_bus.charge_entry",
    "journey_id:uuid user_id:uuid week_on:date business_on:date merchant_id:text payer:text"
    " amount_fen:bigint order_id:uuid refund_id:uuid recorded_at:timestamptz",
)


async def take_due(
    raw: RawConnection, bucket: int, now: datetime, *, weeks_max: int, since: UUID
) -> tuple[list[PersonOfWeek], list[int]] | None:
    """Some weeks of one bucket that fall due, and the numbers of their rows.

    People come in order of their ids; ``since`` spares a round the rows that the rounds before it
    have answered. Nobody else prices the bucket until the transaction ends.

    Returns:
        None where another worker has the bucket.
    """
    found = await raw.execute(_TAKE_BUCKET, (_LOCK_SPACE, bucket))
    taken = await found.fetchone()
    if taken is None or not taken[0]:
        return None
    found = await raw.execute(_DUE, (bucket, since, now, weeks_max))
    rows = await found.fetchall()
    return [(user_id, on) for user_id, on, _ in rows], [no for *_, nos in rows for no in nos]


_LOCK_SPACE: Final = 0x5CB06


async def forget_due(raw: RawConnection, numbers: Sequence[int]) -> None:
    """These weeks have been priced."""
    await raw.execute("DELETE FROM scene_bus.due_week WHERE due_no = ANY(%s)", (numbers,))


async def buckets_due(raw: RawConnection, now: datetime) -> list[int]:
    """Buckets in which something falls due."""
    found = await raw.execute(
        "SELECT DISTINCT bucket FROM scene_bus.due_week WHERE not_before <= %s ORDER BY bucket",
        (now,),
    )
    return [bucket for (bucket,) in await found.fetchall()]


async def read_weeks(
    raw: RawConnection, weeks: Sequence[PersonOfWeek], margin: timedelta, cut_off: time
) -> dict[PersonOfWeek, StoredWeek]:
    """Everything stored of these weeks."""
    stored = {week: StoredWeek() for week in weeks}
    bounds = {on: week_bounds(on, cut_off) for _, on in weeks}
    mondays = [on for _, on in weeks]
    teach_arrays(raw)
    people = packed_array("uuid", [user_id for user_id, _ in weeks])
    weeks_on = packed_array("date", mondays)
    async with raw.cursor(binary=True) as cursor:
        await cursor.execute(
            _TAPS,
            (
                people,
                weeks_on,
                packed_array("timestamptz", [bounds[on][0] - margin for on in mondays]),
                packed_array("timestamptz", [bounds[on][1] + margin for on in mondays]),
            ),
        )
        for row in await cursor.fetchall():
            tap = Tap(row[2], _KINDS[row[3]], *row[4:16])
            stored[row[0], row[1]].taps.append(StoredTap(tap, *row[16:]))
        await cursor.execute(_CORRECTIONS, (people,))
        corrections = await cursor.fetchall()
        await cursor.execute(_BOOKED, (people, weeks_on))
        booked = await cursor.fetchall()
        await cursor.execute(_JOURNEYS, (people, weeks_on))
        for user_id, week_on, journey_id, fingerprint in await cursor.fetchall():
            stored[user_id, week_on].journeys[journey_id] = fingerprint
    mine: dict[UUID, list[Correction]] = {}
    for user_id, journey_id, kind, off_stop, made_by, made_at in corrections:
        mine.setdefault(user_id, []).append(
            Correction(
                journey_id=journey_id,
                kind=CorrectionKind(kind),
                made_by=made_by,
                made_at=made_at,
                off_stop=off_stop,
            )
        )
    if mine:
        for (user_id, _), week in stored.items():
            week.corrections = mine.get(user_id, [])
    for user_id, week_on, journey_id, payer, order_id, business_on, merchant_id, fen in booked:
        week = stored[user_id, week_on]
        by_payer = week.booked.setdefault(journey_id, {})
        by_payer.setdefault(Payer(payer), {})[order_id] = fen
        week.places[journey_id] = (business_on, merchant_id)
    return stored


# By its column. The clock was corrected when a tap came: it is taken at its word from then on.
_KINDS: Final = {kind.value: kind for kind in TapKind}


async def write_journeys(
    raw: RawConnection,
    written: Mapping[str, int],
    rows: Sequence[Sequence[Any]],
    now: datetime,
) -> None:
    """Journeys as they are read now, in the place of those before; what is the same stays.

    Args:
        raw: an open transaction.
        written: fingerprints of the journeys of the same weeks that are written.
        rows: all journeys of these weeks, as ``journey_row`` makes them.
        now: when they were priced.
    """
    facts = _FACTS.pack(rows)
    prints = list(map(_fingerprint, facts))
    new = [place for place, row in enumerate(rows) if written.get(row[0]) != prints[place]]
    stays = {row[0] for row in rows} - {rows[place][0] for place in new}
    gone = written.keys() - stays
    if gone:
        teach_arrays(raw)
        await raw.execute(_FORGET_JOURNEYS, (packed_array("uuid", list(gone)),))
    priced = _PRICED.pack([(prints[place], now) for place in new])
    packed = [facts[place] + end for place, end in zip(new, priced, strict=True)]
    await copy_packed(raw, _JOURNEY, packed)


def _fingerprint(facts: bytes) -> int:
    """What tells a journey from another reading of it, without reading all its columns."""
    return int.from_bytes(sha256(facts).digest()[:8], "big", signed=True)


def journey_row(
    week: PersonOfWeek, priced: PricedJourney, taps: Mapping[str, StoredTap]
) -> tuple[Any, ...]:
    """A journey as it is written."""
    journey, charge = priced.journey, priced.charge
    first = taps[journey.journey_id]
    began = journey.began
    citizen_fen = priced.money.get(Payer.CITIZEN, 0)
    subsidy_fen = sum(priced.money.values()) - citizen_fen
    fare_fen = 0 if charge is None else charge.nominal_fen
    rule = None if charge is None else charge.shares.rule
    return (
        journey.journey_id,
        week[0],
        week[1],
        priced.business_on,
        "unpriced" if priced.unpriced else journey.state,
        priced.unpriced or journey.reason,
        first.merchant_id,
        began.terminal_id,
        began.line_id,
        began.trip_id,
        began.vehicle_id,
        first.driver_id,
        first.medium,
        rule.concession if rule is not None else "",
        began.stop,
        journey.off_stop,
        journey.began_at,
        journey.ended_at,
        began.received_at,
        priced.chain_id,
        "" if charge is None else charge.offer,
        0 if charge is None else max(charge.leg.amount_fen, fare_fen),
        fare_fen,
        citizen_fen,
        subsidy_fen,
        fare_fen - citizen_fen - subsidy_fen,
        "" if charge is None else charge.leg.rule_id,
        "" if charge is None else charge.version,
    )


async def write_states(raw: RawConnection, states: Mapping[str, TapState]) -> None:
    """The states of taps that have changed."""
    if states:
        teach_arrays(raw)
        values = (packed_array("uuid", list(states)), packed_array("text", list(states.values())))
        await raw.execute(_STATES, values)


async def write_entries(raw: RawConnection, entries: Iterable[Entry]) -> None:
    """Add what was booked."""
    await copy_rows(raw, _ENTRY, entries)
