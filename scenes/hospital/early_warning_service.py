"""The front door of early warning: counts in from other points, events out, old counts forgotten.

Only days that are over are told: nobody can watch a count rise by one. Legal basis: 传染病防治法
(2025), monitoring and early warning by many points; what is counted is anonymous (个人信息保护法,
article 4) and kept for two years, twice the season that is compared.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from psycopg.rows import TupleRow
from pydantic import AfterValidator, Field
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError
from cardcore.model import Model
from cardcore.ports import Clock
from scenes.hospital.errors import CountedDayError
from scenes.hospital.guidance.knowledge import current
from scenes.hospital.guidance_tables import point_count, symptom_count
from scenes.hospital.registrations import local_day
from scenes.hospital.warning_events import health_events, read_back

KEPT: Final = timedelta(days=731)
TOLD_BACK_MAX: Final = timedelta(days=31)
SENT_BACK_MAX: Final = timedelta(days=14)
OWN_POINTS: Final = ("guidance", "fever_clinic", "enteric_clinic")
# Clinics for one kind of patient tell a group by their door; no diagnosis is asked.
_CLINICS: Final = {"fever_clinic": "fever_respiratory", "enteric_clinic": "vomiting_diarrhoea"}
_COUNTS: Final = """
SELECT symptom_group, 'guidance' AS point, counted_on, sum(asked)::int AS counted
  FROM scene_hospital.symptom_count
 WHERE counted_on BETWEEN %(first)s AND %(last)s GROUP BY 1, 3
UNION ALL
SELECT symptom_group, point, counted_on, sum(counted)::int FROM scene_hospital.point_count
 WHERE counted_on BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3
UNION ALL
SELECT clinic.symptom_group, clinic.point, r.visit_on, count(*)::int
  FROM unnest(%(clinics)s::text[], %(groups)s::text[]) AS clinic(point, symptom_group)
  JOIN scene_hospital.department d ON d.specialties = ARRAY[clinic.point]
  JOIN scene_hospital.registration r USING (merchant_id, dept_code)
 WHERE r.visit_on BETWEEN %(first)s AND %(last)s
   AND r.state IN ('checked_in', 'called', 'passed', 'seen')
 GROUP BY 1, 2, 3
"""


def _known_group(group: str) -> str:
    if group not in {one.group for one in current().groups}:
        raise ValueError("no such group")
    return group


class PointCount(Model):
    """How many of one group; zero is a count too."""

    symptom_group: Annotated[str, AfterValidator(_known_group)]
    count: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class PointCountsRequest(Model):
    """What a point has counted on a day: figures alone. The same day again replaces them."""

    counted_on: date
    point: Literal["gate", "school", "pharmacy", "laboratory"]
    counts: Annotated[list[PointCount], Field(min_length=1, max_length=50)]


class PointCountsView(Model):
    """How many groups were taken."""

    counted_on: date
    point: str
    taken: int


class SignalsQuery(Model):
    """Events of the days from ``since`` to yesterday, at most 31 days back."""

    since: date


class SignalsView(Model):
    """CloudEvents 1.0, structured JSON; ``next_since`` is the first day that is not over."""

    events: list[dict[str, Any]]
    next_since: date


class EarlyWarningService:
    """Serves early warning. All calls may be made concurrently."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def put_counts(self, caller: Caller, request: PointCountsRequest) -> PointCountsView:
        """Take a point's counts of a day. Raises ``CountedDayError``: to come, or too long ago."""
        caller.require(Scope.SIGNALS_WRITE)
        now = self._clock()
        today = local_day(now)
        if not today - SENT_BACK_MAX <= request.counted_on <= today:
            raise CountedDayError(field="counted_on")
        told_by = caller.merchant_id or caller.client_id
        rows = {one.symptom_group: one.count for one in request.counts}
        written = insert(point_count).values(
            [
                {
                    "counted_on": request.counted_on,
                    "point": request.point,
                    "symptom_group": group,
                    "told_by": told_by,
                    "counted": count,
                    "recorded_at": now,
                }
                for group, count in rows.items()
            ]
        )
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                written.on_conflict_do_update(
                    index_elements=["counted_on", "point", "symptom_group", "told_by"],
                    set_={
                        "counted": written.excluded.counted,
                        "recorded_at": written.excluded.recorded_at,
                    },
                )
            )
        return PointCountsView(counted_on=request.counted_on, point=request.point, taken=len(rows))

    async def signals(self, caller: Caller, query: SignalsQuery) -> SignalsView:
        """Counts and levels of days that are over.

        Raises:
            ForbiddenError: without the scope, or a merchant.
        """
        caller.require(Scope.REPORTS_READ)
        if caller.merchant_id is not None:
            raise ForbiddenError("the feed is of all points together")
        today = local_day(self._clock())
        last = today - timedelta(days=1)
        since = max(query.since, today - TOLD_BACK_MAX)
        days = [since + timedelta(days=number) for number in range((last - since).days + 1)]
        if not days:
            return SignalsView(events=[], next_since=today)
        asked = {
            "first": read_back(since),
            "last": last,
            "clinics": list(_CLINICS),
            "groups": list(_CLINICS.values()),
        }
        async with transaction(self._engine) as (_, raw):
            rows = await (await raw.execute(_COUNTS.encode(), asked)).fetchall()
        counts = _by_group(rows, last)
        return SignalsView(
            events=list(health_events(current().groups, counts, days)), next_since=today
        )

    async def forget_due(self, now: datetime) -> int:
        """Delete counts older than two years; how many rows. A duty of the worker."""
        before = local_day(now) - KEPT
        async with transaction(self._engine) as (connection, _):
            own = await connection.execute(
                delete(symptom_count).where(symptom_count.c.counted_on < before)
            )
            sent = await connection.execute(
                delete(point_count).where(point_count.c.counted_on < before)
            )
        return own.rowcount + sent.rowcount


def _by_group(rows: list[TupleRow], last: date) -> Mapping[str, Mapping[str, Mapping[date, int]]]:
    """Counts by group and point.

    Our own points count every day from their first on, so a day without a row is a zero there; a
    point that sends its figures has a zero only where it sent one.
    """
    found: dict[str, dict[str, dict[date, int]]] = {}
    first: dict[str, date] = {}
    for group, point, day, count in rows:
        found.setdefault(group, {}).setdefault(point, {})[day] = count
        first[point] = min(day, first.get(point, day))
    for points in found.values():
        for point in points.keys() & set(OWN_POINTS):
            for number in range((last - first[point]).days + 1):
                points[point].setdefault(first[point] + timedelta(days=number), 0)
    return found
