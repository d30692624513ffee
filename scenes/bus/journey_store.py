"""Reading and writing people's weeks, set by set: taps, corrections, entries, journeys."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from cardcore.bulk import copy_rows
from cardcore.business.quote import Payer
from cardcore.connections import RawConnection
from scenes.bus.journeys import Correction, CorrectionKind, TapState
from scenes.bus.stored_weeks import Entry, PersonOfWeek, StoredTap, StoredWeek
from scenes.bus.taps import Tap, TapKind
from scenes.bus.week_pricing import PricedJourney, money_of, week_bounds

_DUE: Final = """
SELECT user_id, week_on, array_agg(due_no) FROM scene_bus.due_week
 WHERE bucket = %s AND not_before <= %s
 GROUP BY user_id, week_on ORDER BY user_id, week_on LIMIT %s
"""
_TAPS: Final = """
SELECT asked.user_id, asked.week_on, t.tap_id::text, t.kind, t.terminal_id, t.terminal_counter,
       t.line_id, t.vehicle_id, t.stop_id, t.happened_at, t.received_at, t.trip_id, t.sequence,
       t.off_stop_id, t.off_sequence, t.medium, t.merchant_id, t.driver_id, t.order_id, t.state
  FROM unnest(%s::uuid[], %s::date[], %s::timestamptz[], %s::timestamptz[])
       AS asked (user_id, week_on, from_at, to_at)
  JOIN scene_bus.tap t
    ON t.user_id = asked.user_id AND t.happened_at >= asked.from_at AND t.happened_at < asked.to_at
 WHERE t.stands
"""
_CORRECTIONS: Final = """
SELECT user_id, journey_id::text, kind, off_stop_id, made_by, made_at FROM scene_bus.correction
 WHERE user_id = ANY(%s)
"""
_BOOKED: Final = """
SELECT e.user_id, e.week_on, e.journey_id::text, e.payer, e.order_id, e.business_on, e.merchant_id,
       sum(e.amount_fen)::bigint
  FROM unnest(%s::uuid[], %s::date[]) AS asked (user_id, week_on)
  JOIN scene_bus.charge_entry e USING (user_id, week_on)
 GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_FORGET_JOURNEYS: Final = """
DELETE FROM scene_bus.journey j
 USING unnest(%s::uuid[], %s::date[]) AS asked (user_id, week_on)
 WHERE j.user_id = asked.user_id AND j.week_on = asked.week_on
"""
_STATES: Final = """
UPDATE scene_bus.tap t SET state = now.state
  FROM unnest(%s::uuid[], %s::text[]) AS now (tap_id, state) WHERE t.tap_id = now.tap_id
"""
_JOURNEY: Final = (
    "journey_id user_id week_on business_on state reason merchant_id terminal_id line_id trip_id"
    " vehicle_id driver_id medium class on_stop_id off_stop_id began_at ended_at reported_at"
    " chain_id offer full_fen fare_fen citizen_fen subsidy_fen forgone_fen rule_id rule_version"
    " priced_at"
)
_ENTRY: Final = (
    "journey_id user_id week_on business_on merchant_id payer amount_fen order_id refund_id"
    " recorded_at"
)


async def take_due(
    raw: RawConnection, bucket: int, now: datetime, *, weeks_max: int
) -> tuple[list[PersonOfWeek], list[int]]:
    """Some weeks of one bucket that fall due, and the numbers of their rows.

    Nobody else prices the bucket until the transaction ends; where somebody does, nothing is due.
    """
    found = await raw.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, bucket))
    locked = await found.fetchone()
    if locked != (True,):
        return [], []
    found = await raw.execute(_DUE, (bucket, now, weeks_max))
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
    people = [user_id for user_id, _ in weeks]
    mondays = [on for _, on in weeks]
    async with raw.cursor(binary=True) as cursor:
        await cursor.execute(
            _TAPS,
            (
                people,
                mondays,
                [bounds[on][0] - margin for on in mondays],
                [bounds[on][1] + margin for on in mondays],
            ),
        )
        for user_id, week_on, *values in await cursor.fetchall():
            stored[user_id, week_on].taps.append(_stored_tap(values))
        await cursor.execute(_CORRECTIONS, (list(set(people)),))
        corrections = await cursor.fetchall()
        await cursor.execute(_BOOKED, (people, mondays))
        booked = await cursor.fetchall()
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
    for (user_id, _), week in stored.items():
        week.corrections = mine.get(user_id, [])
    for user_id, week_on, journey_id, payer, order_id, business_on, merchant_id, fen in booked:
        week = stored[user_id, week_on]
        by_payer = week.booked.setdefault(journey_id, {})
        by_payer.setdefault(Payer(payer), {})[order_id] = fen
        week.places[journey_id] = (business_on, merchant_id)
    return stored


def _stored_tap(values: Sequence[Any]) -> StoredTap:
    """The clock was corrected when the tap came: it is taken at its word from then on."""
    *of_tap, medium, merchant_id, driver_id, order_id, state = values
    fields = dict(zip(_TAP_FIELDS, of_tap, strict=True))
    tap = Tap(**(fields | {"kind": TapKind(fields["kind"])}))
    return StoredTap(tap, medium, merchant_id, driver_id, order_id, state)


_TAP_FIELDS: Final = (
    "tap_id",
    "kind",
    "terminal_id",
    "terminal_counter",
    "line_id",
    "vehicle_id",
    "stop",
    "tapped_at",
    "received_at",
    "trip_id",
    "sequence",
    "off_stop",
    "off_sequence",
)


async def write_journeys(
    raw: RawConnection, weeks: Sequence[PersonOfWeek], rows: Iterable[Sequence[Any]]
) -> None:
    """The journeys of these weeks as they are read now, in the place of those before."""
    await raw.execute(_FORGET_JOURNEYS, ([one for one, _ in weeks], [on for _, on in weeks]))
    await copy_rows(raw, "scene_bus.journey", _JOURNEY, rows)


def journey_row(
    week: PersonOfWeek, priced: PricedJourney, taps: Mapping[str, StoredTap], now: datetime
) -> list[Any]:
    """A journey as it is written."""
    journey, charge = priced.journey, priced.charge
    first = taps[journey.journey_id]
    began = journey.began
    money = {} if charge is None else money_of(charge)
    citizen_fen = money.pop(Payer.CITIZEN, 0)
    subsidy_fen = sum(money.values())
    fare_fen = 0 if charge is None else charge.nominal_fen
    rule = None if charge is None else charge.shares.rule
    return [
        journey.journey_id,
        week[0],
        week[1],
        priced.business_on,
        "unpriced" if priced.unpriced else journey.state.value,
        priced.unpriced or journey.reason.value,
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
        now,
    ]


async def write_states(raw: RawConnection, states: Mapping[str, TapState]) -> None:
    """The states of taps that have changed."""
    if states:
        values = [state.value for state in states.values()]
        await raw.execute(_STATES, (list(states), values))


async def write_entries(raw: RawConnection, entries: Iterable[Entry]) -> None:
    """Add what was booked."""
    await copy_rows(
        raw,
        "scene_bus.charge_entry",
        _ENTRY,
        (
            (
                one.journey_id,
                one.user_id,
                one.week_on,
                one.business_on,
                one.merchant_id,
                one.payer.value,
                one.amount_fen,
                one.order_id,
                one.refund_id,
                one.recorded_at,
            )
            for one in entries
        ),
    )
