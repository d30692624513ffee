"""Counts of passengers for those who show them: read from taps, without anybody's id."""

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import ForbiddenError
from cardcore.model import Instant, Model
from cardcore.ports import Clock
from scenes.bus.passenger_flow import StopCount, flows_of, passenger_event

BACK_MAX: Final = timedelta(days=1)
TAPS_MAX: Final = 20_000
# Trips that a tap has touched since; of those, every count, so that the load is that of the trip.
# A single tap with its alighting stop has told both at once. No column of a person is read.
_COUNTS: Final = """
WITH touched AS (
    SELECT DISTINCT vehicle_id, trip_id FROM (
        SELECT vehicle_id, trip_id FROM scene_bus.tap
         WHERE received_at > %(since)s AND received_at <= %(until)s AND stands
           AND happened_at > %(since)s - interval '1 day'
         LIMIT %(limit)s) AS recent
), told AS (
    SELECT t.line_id, t.trip_id, t.vehicle_id, t.stop_id AS stop, t.happened_at,
           (t.kind IN ('on', 'single'))::int AS boarded,
           CASE WHEN t.kind = 'off' THEN 1 END AS alighted, t.merchant_id
      FROM scene_bus.tap t JOIN touched USING (vehicle_id, trip_id)
     WHERE t.stands AND t.kind IN ('on', 'off', 'single') AND t.state <> 'passed_back'
       AND t.happened_at > %(since)s - interval '1 day' AND t.received_at <= %(until)s
)
SELECT line_id AS line, trip_id AS trip, vehicle_id AS vehicle, stop,
       date_trunc('minute', happened_at) AS minute,
       sum(boarded)::int AS boarded, sum(alighted)::int AS alighted, max(merchant_id) AS merchant
  FROM told GROUP BY 1, 2, 3, 4, 5
"""


class FlowQuery(Model):
    """Counts that taps received after ``since`` have changed; ``next_since`` leads on."""

    since: Instant


class FlowView(Model):
    """CloudEvents 1.0, structured JSON, one per vehicle, trip, stop and minute."""

    events: list[dict[str, Any]]
    next_since: datetime


async def read_counts(raw: RawConnection, since: datetime, until: datetime) -> list[StopCount]:
    """All counts of the trips that taps received in between have touched."""
    asked = {"since": since, "until": until, "limit": TAPS_MAX}
    async with raw.cursor(row_factory=class_row(StopCount)) as rows:
        await rows.execute(_COUNTS, asked)
        return await rows.fetchall()


class FlowService:
    """Serves the kiosk feed."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def passenger_flow(self, caller: Caller, query: FlowQuery) -> FlowView:
        """All counts of the trips that were touched since; at most a day back.

        Raises:
            ForbiddenError: without the scope, or a merchant.
        """
        caller.require(Scope.REPORTS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("the feed is of all operators together")
        now = self._clock()
        since = max(query.since, now - BACK_MAX)
        async with transaction(self._engine) as (_, raw):
            counts = await read_counts(raw, since, now)
        return FlowView(events=[passenger_event(flow) for flow in flows_of(counts)], next_since=now)
