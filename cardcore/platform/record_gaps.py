"""Alarms about records that have not arrived: found by the worker, listed, accepted by a person.

A terminal numbers its records, so a number that is missing is a record that is somewhere: on a
terminal that has no network, or on one that was lost. What comes out of order is no alarm yet.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import audit, tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, NotFoundError
from cardcore.ids import RandomBytes, new_id
from cardcore.model import Model
from cardcore.parts import Parts
from cardcore.platform.cursors import after, id_of, instant_of, read_cursor
from cardcore.platform.errors import RecordDecidedError
from cardcore.platform.request import ForPurpose
from cardcore.terminals.gaps import missing_in, untold
from cardcore.terminals.tables import record_chain, record_gap

ALARM_AFTER: Final = timedelta(minutes=15)
LISTED_MAX: Final = 200
_c, _g, _t = record_chain.c, record_gap.c, tables.terminal.c
_FIRST: Final = ("0001-01-01T00:00:00+00:00", UUID(int=0).hex)


class GapsPage(Model):
    """A page of gaps in one state."""

    state: Literal["noticed", "open", "filled", "accepted"] = "open"
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 50


class GapView(Model):
    """Records that have not arrived; ``age_s`` is since the gap was noticed, until it ended."""

    gap_id: UUID
    terminal_id: str
    merchant_id: str
    scene: str
    kid: int
    first_no: int
    last_no: int
    missing: int
    state: str
    noticed_at: datetime
    opened_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    age_s: int


class GapsView(Model):
    """Gaps, the oldest first. ``next_cursor`` leads on."""

    gaps: list[GapView]
    next_cursor: str | None


class RecordGaps:
    """Serves the list; merchants see their own terminals."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def gaps(self, caller: Caller, page: GapsPage) -> GapsView:
        """Gaps in one state, the oldest first.

        Raises:
            ForbiddenError: a terminal asks.
        """
        caller.require(Scope.TERMINALS_READ)
        if caller.terminal_id is not None:
            raise ForbiddenError("this is the list of merchants and the card centre")
        at, gap_id = read_cursor(page.cursor, _FIRST)
        since, last_id = instant_of(at), id_of(gap_id)
        now = self._parts.clock()
        asked = (
            _gaps()
            .where(_g.state == page.state)
            .where((_g.noticed_at > since) | ((_g.noticed_at == since) & (_g.gap_id > last_id)))
        )
        if caller.merchant_id is not None:
            asked = asked.where(_t.merchant_id == caller.merchant_id)
        async with transaction(self._parts.engine) as (connection, _):
            rows = (
                await connection.execute(
                    asked.order_by(_g.noticed_at, _g.gap_id).limit(page.limit + 1)
                )
            ).all()
        shown = [_view(row, now) for row in rows[: page.limit]]
        more = len(rows) > page.limit
        return GapsView(
            gaps=shown,
            next_cursor=after((shown[-1].noticed_at.isoformat(), shown[-1].gap_id.hex))
            if more
            else None,
        )

    async def accept(self, caller: Caller, gap_id: UUID, request: ForPurpose) -> GapView:
        """These records will never come (the terminal burnt down); accepting again is refused.

        Raises:
            NotFoundError: no such gap.
            RecordDecidedError: it has ended already.
        """
        caller.require(Scope.TERMINALS_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("what is given up is given up by the card centre")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            row = await _one(connection, gap_id, lock=True)
            if row.state not in ("noticed", "open"):
                raise RecordDecidedError(field="gap_id", decision=row.state)
            await connection.execute(
                update(record_gap)
                .where(_g.gap_id == gap_id)
                .values(
                    state="accepted",
                    ended_at=now,
                    ended_by=caller.client_id,
                    purpose=request.purpose,
                )
            )
            await audit.record(
                connection,
                actor=caller.client_id,
                action="record_gap.accept",
                subject=f"record_gap/{gap_id}",
                outcome="done",
                now=now,
                purpose=request.purpose,
            )
            return _view(await _one(connection, gap_id), now)


class GapWatch:
    """Finds gaps, raises and ends alarms: a duty of the worker, safe to run twice at once."""

    def __init__(self, engine: AsyncEngine, random_bytes: RandomBytes) -> None:
        self._engine = engine
        self._random_bytes = random_bytes

    async def watch(self, now: datetime) -> int:
        """One round; returns how many gaps were noticed, opened or filled."""
        changes = 0
        async with transaction(self._engine) as (connection, _):
            alone = select(func.pg_try_advisory_xact_lock(func.hashtext("record gaps")))
            if not await connection.scalar(alone):
                return 0  # another worker is at it
            standing = select(_g.terminal_id, _g.kid).where(_g.state.in_(("noticed", "open")))
            chains = (
                await connection.execute(
                    select(record_chain).where(
                        (func.jsonb_array_length(_c.gaps) > 0)
                        | tuple_(_c.terminal_id, _c.kid).in_(standing)
                    )
                )
            ).all()
            told = (
                await connection.execute(
                    _gaps().where(_g.state != "filled").order_by(_g.noticed_at, _g.gap_id)
                )
            ).all()
            by_chain: dict[tuple[str, int], list[Row[Any]]] = {}
            for row in told:
                by_chain.setdefault((row.terminal_id, row.kid), []).append(row)
            for chain in chains:
                known = by_chain.get((chain.terminal_id, chain.kid), [])
                changes += await self._compare(connection, chain, known, now)
        return changes

    async def _compare(
        self,
        connection: AsyncConnection,
        chain: Row[Any],
        known: list[Row[Any]],
        now: datetime,
    ) -> int:
        gaps = [(first, last) for first, last in chain.gaps]
        changes = 0
        for row in known:
            if row.state == "accepted":
                continue
            missing = missing_in((row.first_no, row.last_no), gaps)
            values: dict[str, object] = {"missing": missing}
            if missing == 0:
                values |= {"state": "filled", "ended_at": now}
            elif row.state == "noticed" and now - row.noticed_at >= ALARM_AFTER:
                values |= {"state": "open", "opened_at": now}
            elif missing == row.missing:
                continue
            await connection.execute(
                update(record_gap).where(_g.gap_id == row.gap_id).values(**values)
            )
            if values.get("state") == "open":
                await _tell(connection, "terminal.record_gap", row, missing, now)
            elif values.get("state") == "filled" and row.state == "open":
                await _tell(connection, "terminal.record_gap_filled", row, 0, now)
            changes += "state" in values
        for first, last in untold(gaps, [(row.first_no, row.last_no) for row in known]):
            await connection.execute(
                insert(record_gap).values(
                    gap_id=new_id(now, self._random_bytes),
                    terminal_id=chain.terminal_id,
                    kid=chain.kid,
                    first_no=first,
                    last_no=last,
                    missing=last - first + 1,
                    state="noticed",
                    noticed_at=now,
                )
            )
            changes += 1
        return changes


async def _tell(
    connection: AsyncConnection,
    topic: str,
    row: Row[Any],
    missing: int,
    now: datetime,
) -> None:
    await connection.execute(
        insert(tables.outbox).values(
            topic=topic,
            subject_id=row.gap_id,
            recorded_at=now,
            payload={
                "terminal_id": row.terminal_id,
                "merchant_id": row.merchant_id,
                "first_no": row.first_no,
                "last_no": row.last_no,
                "missing": missing,
            },
        )
    )


def _gaps() -> Any:  # noqa: ANN401  (a select of many columns)
    return select(record_gap, _t.merchant_id, _t.scene).join(
        tables.terminal, _t.terminal_id == _g.terminal_id
    )


async def _one(connection: AsyncConnection, gap_id: UUID, *, lock: bool = False) -> Row[Any]:
    asked = _gaps().where(_g.gap_id == gap_id)
    if lock:
        asked = asked.with_for_update(of=record_gap)
    row: Row[Any] | None = (await connection.execute(asked)).one_or_none()
    if row is None:
        raise NotFoundError(field="gap_id")
    return row


def _view(row: Row[Any], now: datetime) -> GapView:
    return GapView(
        **{name: getattr(row, name) for name in GapView.model_fields if name != "age_s"},
        age_s=int(((row.ended_at or now) - row.noticed_at).total_seconds()),
    )
