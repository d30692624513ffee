"""What people and systems ask of journeys: taking taps in, reading a week, correcting a journey."""

from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import errors as pg_errors
from psycopg.rows import dict_row
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import audit
from cardcore.books import transaction
from cardcore.calendar import CUT_OFF_DEFAULT, business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import (
    ForbiddenError,
    LimitExceededError,
    NotFoundError,
    OrderStateError,
    RequestInvalidError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes, new_id
from cardcore.once import once
from cardcore.parts import request_digest
from cardcore.ports import Clock
from scenes.bus.caps import Period
from scenes.bus.journey_models import (
    CorrectionRequest,
    CorrectionView,
    EntryView,
    ExitClaim,
    JourneysView,
    JourneyView,
    ReportedTap,
    TakenTap,
    TapsRequest,
    TapsView,
    WeekQuery,
)
from scenes.bus.journeys import JourneyState
from scenes.bus.price_history import PriceHistory
from scenes.bus.tap_intake import TapIntake, TapReport, write_due
from scenes.bus.taps import Tap, TapKind

CLAIMS_PER_MONTH_MAX: Final = 3
CLAIM_WITHIN: Final = timedelta(days=7)
ATTEMPTS_MAX: Final = 5
_TAKES_EXIT: Final = frozenset(
    {JourneyState.INCOMPLETE, JourneyState.AUTO_COMPLETED, JourneyState.CORRECTED}
)


class JourneyCorrectionError(OrderStateError):
    """The journey's state does not allow this correction; ``facts`` say which it is in."""

    code = "journey_state"
    title_zh = "行程当前状态不允许此更正"
    title_en = "The journey's state does not allow this correction"


class ClaimsExhaustedError(LimitExceededError):
    """A citizen may say where they got off so often a month, within days of the ride."""

    code = "claims_exhausted"
    title_zh = "补登下车站次数已用完或已逾期"
    title_en = "No further exit claims this month, or the ride is too long ago"


_JOURNEYS: Final = """
SELECT j.journey_id, j.state, j.reason, j.business_on, j.line_id AS line, j.vehicle_id AS vehicle,
       j.on_stop_id AS on_stop, j.off_stop_id AS off_stop, j.began_at, j.ended_at, j.reported_at,
       j.full_fen, j.offer, j.fare_fen, j.citizen_fen, j.subsidy_fen, j.forgone_fen,
       j.class AS concession, j.rule_id, j.rule_version,
       coalesce((SELECT sum(e.amount_fen) FROM scene_bus.charge_entry e
                  WHERE e.user_id = j.user_id AND e.week_on = j.week_on
                    AND e.journey_id = j.journey_id AND e.payer = 'citizen'), 0)::bigint
       AS booked_fen
  FROM scene_bus.journey j WHERE j.user_id = %s AND j.week_on = %s
 ORDER BY j.began_at, j.journey_id
"""
_ENTRIES: Final = """
SELECT journey_id, payer, amount_fen, order_id, refund_id, recorded_at
  FROM scene_bus.charge_entry WHERE user_id = %s AND week_on = %s ORDER BY entry_no
"""
_JOURNEY: Final = """
SELECT user_id, week_on, state, line_id, on_stop_id, began_at, merchant_id
  FROM scene_bus.journey WHERE journey_id = %s FOR UPDATE
"""
_CORRECTIONS: Final = """
SELECT c.correction_id, c.journey_id, c.kind, c.off_stop_id AS off_stop, c.made_at,
       CASE WHEN c.made_by LIKE 'user:%%' THEN 'citizen' ELSE 'office' END AS made_by
  FROM scene_bus.correction c
"""
_CORRECTION: Final = f"{_CORRECTIONS} WHERE c.correction_id = %s"
_CORRECTED: Final = f"""{_CORRECTIONS}
  JOIN scene_bus.journey j USING (journey_id)
 WHERE c.user_id = %s AND j.week_on = %s ORDER BY c.made_at, c.correction_id
"""


class JourneyService:
    """The bus scene's part of the front door."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        intake: TapIntake,
        clock: Clock,
        random_bytes: RandomBytes,
        cut_off: time = CUT_OFF_DEFAULT,
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._clock = clock
        self._random_bytes = random_bytes
        self._cut_off = cut_off
        self._prices = PriceHistory()

    async def take_taps(self, caller: Caller, request: TapsRequest) -> TapsView:
        """Take in taps of a collecting system of the card centre; the same again changes nothing.

        Raises:
            ForbiddenError: without the scope, or a merchant: who rode is theirs only to show.
            ServiceUnavailableError: too many upload the same at once.
        """
        caller.require(Scope.RECORDS_WRITE)
        _require_centre(caller)
        now = self._clock()
        reports = [_report(tap, request.clock, now) for tap in request.taps]
        for _ in range(ATTEMPTS_MAX):
            try:
                async with transaction(self._engine) as (_connection, raw):
                    taken = await self._intake.take(raw, reports, now)
            except (pg_errors.UniqueViolation, pg_errors.DeadlockDetected):
                continue
            return TapsView(
                results=[
                    TakenTap(tap_id=tap.tap_id, state=state.value)
                    for tap, state in zip(request.taps, taken, strict=True)
                ]
            )
        raise ServiceUnavailableError

    async def journeys(self, caller: Caller, user_id: UUID, query: WeekQuery) -> JourneysView:
        """A person's week. Citizens read their own without a scope."""
        if caller.user_id is None or caller.user_id != user_id:
            caller.require(Scope.USERS_READ)
            _require_centre(caller)
        on = query.on or business_date(self._clock(), self._cut_off)
        week_on = Period.WEEK.starts_on(on)
        async with transaction(self._engine) as (_, raw), raw.cursor(row_factory=dict_row) as rows:
            await rows.execute(_JOURNEYS, (user_id, week_on))
            journeys = [JourneyView.model_validate(row) for row in await rows.fetchall()]
            await rows.execute(_ENTRIES, (user_id, week_on))
            entries = [EntryView.model_validate(row) for row in await rows.fetchall()]
            await rows.execute(_CORRECTED, (user_id, week_on))
            corrections = [CorrectionView.model_validate(row) for row in await rows.fetchall()]
        return JourneysView(
            week_on=week_on, journeys=journeys, entries=entries, corrections=corrections
        )

    async def correct(
        self, caller: Caller, journey_id: UUID, request: CorrectionRequest, key: str
    ) -> tuple[CorrectionView, bool]:
        """An operator's correction.

        Raises:
            NotFoundError: no such journey.
            JourneyCorrectionError: its state does not allow it.
            RequestInvalidError: an exit without a stop further along the line, or a refund with.
        """
        caller.require(Scope.DISPUTES_DECIDE)
        _require_centre(caller)
        if (request.kind == "exit") != (request.off_stop is not None):
            raise RequestInvalidError("a stop stands with an exit", field="off_stop")
        return await self._once(caller, journey_id, request, request, key)

    async def claim_exit(
        self, caller: Caller, journey_id: UUID, claim: ExitClaim, key: str
    ) -> tuple[CorrectionView, bool]:
        """A citizen says where they got off a journey of their own that nobody tapped off.

        Raises:
            NotFoundError: no such journey of theirs.
            ClaimsExhaustedError: too often this month, or too long ago.
            JourneyCorrectionError, RequestInvalidError: as ``correct``.
        """
        assert caller.user_id is not None
        request = CorrectionRequest(kind="exit", off_stop=claim.off_stop, reason=claim.reason)
        return await self._once(caller, journey_id, request, claim, key)

    async def _once(
        self,
        caller: Caller,
        journey_id: UUID,
        request: CorrectionRequest,
        asked: BaseModel,
        key: str,
    ) -> tuple[CorrectionView, bool]:
        now = self._clock()
        subject = f"journey/{journey_id}"

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, CorrectionView]:
            correction_id = await self._correct(raw, caller, journey_id, request, now)
            await audit.record(
                connection,
                actor=caller.client_id,
                action="journey.correct",
                subject=subject,
                outcome="done",
                now=now,
                # A citizen's own words stay with the ride; the log is read by many.
                purpose=request.kind if caller.user_id is not None else request.reason,
            )
            return correction_id, await _view(raw, correction_id)

        async def recall(
            connection: AsyncConnection,  # noqa: ARG001
            raw: RawConnection,
            correction_id: UUID,
        ) -> CorrectionView:
            return await _view(raw, correction_id)

        return await once(
            self._engine,
            caller=caller,
            key=key,
            digest=request_digest(subject, asked),
            action="journey_correction",
            subject=subject,
            now=now,
            perform=perform,
            recall=recall,
        )

    async def _correct(
        self,
        raw: RawConnection,
        caller: Caller,
        journey_id: UUID,
        request: CorrectionRequest,
        now: datetime,
    ) -> UUID:
        found = await raw.execute(_JOURNEY, (journey_id,))
        row = await found.fetchone()
        if row is None or caller.user_id not in (None, row[0]):
            raise NotFoundError(field="journey_id")
        user_id, week_on, state, line, on_stop, began_at, _ = row
        if request.kind == "exit":
            if state not in _TAKES_EXIT:
                raise JourneyCorrectionError(field="journey_id", state=state)
            await self._check_stop(raw, line, on_stop, request.off_stop, began_at, now)
        elif state in ("open", "refunded", "unpriced"):
            raise JourneyCorrectionError(field="journey_id", state=state)
        if caller.user_id is not None:
            await self._check_claims(raw, user_id, began_at, now)
        correction_id = new_id(now, self._random_bytes)
        await raw.execute(
            "INSERT INTO scene_bus.correction (correction_id, journey_id, user_id, kind,"
            " off_stop_id, reason, made_by, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                correction_id,
                journey_id,
                user_id,
                request.kind,
                request.off_stop,
                request.reason,
                caller.client_id,
                now,
            ),
        )
        await write_due(raw, {(user_id, week_on)}, now)
        return correction_id

    async def _check_stop(
        self,
        raw: RawConnection,
        line: str,
        on_stop: str,
        off_stop: str | None,
        began_at: datetime,
        now: datetime,
    ) -> None:
        table = (await self._prices.load(raw, now)).at(began_at).table
        if off_stop not in table.stops_after(line, on_stop, None):
            raise RequestInvalidError("not a stop further along the line", field="off_stop")

    async def _check_claims(
        self, raw: RawConnection, user_id: UUID, began_at: datetime, now: datetime
    ) -> None:
        first = business_date(now, self._cut_off).replace(day=1)
        # One claim at a time of one person: two at once would both see room for one more.
        await raw.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"claims {user_id}",))
        found = await raw.execute(
            "SELECT count(*) FROM scene_bus.correction WHERE user_id = %s AND made_at >= %s"
            " AND made_by = %s",
            (user_id, first, f"user:{user_id}"),
        )
        row = await found.fetchone()
        assert row is not None
        if row[0] >= CLAIMS_PER_MONTH_MAX or now - began_at > CLAIM_WITHIN:
            raise ClaimsExhaustedError(
                claims_max=CLAIMS_PER_MONTH_MAX, within_days=CLAIM_WITHIN.days
            )


def _require_centre(caller: Caller) -> None:
    """Who rode where is the card centre's to know; a merchant's terminals upload records."""
    if caller.merchant_id is not None:
        raise ForbiddenError("the card centre's alone")


def _report(tap: ReportedTap, clock: datetime | None, now: datetime) -> TapReport:
    return TapReport(
        tap=Tap(
            tap_id=str(tap.tap_id),
            kind=TapKind(tap.kind),
            terminal_id=tap.terminal_id,
            terminal_counter=tap.terminal_counter,
            line_id=tap.line,
            vehicle_id=tap.vehicle,
            stop=tap.stop,
            tapped_at=tap.tapped_at,
            sent_at=clock,
            received_at=now,
            trip_id=tap.trip or "",
            sequence=tap.sequence,
            off_stop=tap.off_stop,
        ),
        user_id=tap.user_id,
        medium=tap.medium,
        driver_id=tap.driver or "",
    )


async def _view(raw: RawConnection, correction_id: UUID) -> CorrectionView:
    async with raw.cursor(row_factory=dict_row) as rows:
        await rows.execute(_CORRECTION, (correction_id,))
        row: dict[str, Any] | None = await rows.fetchone()
    assert row is not None
    return CorrectionView.model_validate(row)
