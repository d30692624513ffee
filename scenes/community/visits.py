"""Visitor passes: given by a host, shown on paper or a phone, ended early, listed.

A visitor is an anonymous person of the register with a printed code, made through the core like any
other; what they may pass stands in grants. The code is in the answer of ``give`` alone and kept
nowhere: it is as good as the key to the door.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any, Final, Protocol, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.business.orders import count_orders
from cardcore.business.views import UserView
from cardcore.calendar import LOCAL_ZONE
from cardcore.caller import Caller, Scope
from cardcore.errors import LimitExceededError, NotFoundError, RequestInvalidError
from cardcore.ids import RandomBytes, new_id
from cardcore.model import Model
from cardcore.ports import Clock
from cardcore.user.authorisation_request import PrintCodeRequest
from cardcore.user.authorisation_views import PrintedCodeView
from cardcore.user.request import OpenUserRequest
from scenes.community.access import Grant
from scenes.community.service import end_grants_of, give_grant, standing_grants
from scenes.community.tables import visitor_pass, visitor_pass_end
from scenes.community.visitors import (
    OPEN_PASSES_MAX,
    USES_MAX,
    Purpose,
    Visit,
    grants_of,
    hosted_groups,
    judge,
)

SCENE: Final = "community"
LIST_MAX: Final = 100
_DESK: Final = Caller(
    client_id="community-visitors",
    merchant_id=None,
    scopes=frozenset({Scope.USERS_WRITE.value, Scope.CODES_ISSUE.value}),
)


class VisitRefusedError(RequestInvalidError):
    """The host may not let this visitor in; ``facts["reason"]`` says why (``visitors.Refusal``)."""

    code = "visit_refused"
    title_zh = "不能发放此访客通行证"
    title_en = "This visitor pass cannot be given"


DoorGroup = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class NewVisitorPass(Model):
    """A visit a host announces; local dates, both included, and hours, the end not included."""

    purpose: Purpose = Purpose.GUEST
    door_groups: Annotated[list[DoorGroup], Field(min_length=1, max_length=8)]
    valid_from: date
    valid_to: date
    starts: time | None = None
    ends: time | None = None
    uses_max: Annotated[int, Field(strict=True, ge=1, le=USES_MAX)] = 2

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        if (self.starts is None) != (self.ends is None):
            raise ValueError("starts and ends stand together")
        return self


class VisitorPassView(Model):
    """A pass as its host sees it. ``used`` counts the passages that have been recorded."""

    pass_id: UUID
    purpose: Purpose
    door_groups: list[str]
    valid_from: date
    valid_to: date
    starts: time | None
    ends: time | None
    uses_max: int
    used: int
    ended: bool
    recorded_at: datetime


class GivenPassView(VisitorPassView):
    """A pass just given, with its code: shown this once."""

    text: str


class VisitorPassesView(Model):
    """The passes of one host, newest first, and the doors they may let visitors through."""

    passes: list[VisitorPassView]
    door_groups: list[str]


class CoreVerbs(Protocol):
    """The verbs of the core that a visit needs."""

    async def open_user(
        self, caller: Caller, request: OpenUserRequest, idempotency_key: str
    ) -> tuple[UserView, bool]:
        """Register somebody."""
        ...

    async def print_code(
        self, caller: Caller, user_id: UUID, request: PrintCodeRequest
    ) -> PrintedCodeView:
        """Print a code for them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorDesk:
    """Gives, lists and ends passes."""

    core: CoreVerbs
    engine: AsyncEngine
    clock: Clock
    random_bytes: RandomBytes

    async def give(self, host_id: UUID, request: NewVisitorPass) -> GivenPassView:
        """Let a visitor in.

        Raises:
            VisitRefusedError: not within what the host may pass on.
            LimitExceededError: too many passes of this host are open.
        """
        now = self.clock()
        today = now.astimezone(LOCAL_ZONE).date()
        visit = Visit(
            door_groups=tuple(dict.fromkeys(request.door_groups)),
            valid_from=request.valid_from,
            valid_to=request.valid_to,
            starts=request.starts,
            ends=request.ends,
        )
        async with transaction(self.engine) as (connection, _):
            await self._check(connection, host_id, visit, today)
        pass_id = new_id(now, self.random_bytes)
        visitor, _ = await self.core.open_user(
            _DESK, OpenUserRequest(level="anonymous"), f"visitor-{pass_id}"
        )
        printed = await self.core.print_code(
            _DESK,
            visitor.user_id,
            PrintCodeRequest(
                scenes=[SCENE], validity_days=(visit.valid_to - today).days + 1, cap_fen=0
            ),
        )
        async with transaction(self.engine) as (connection, _):
            # Asked again with the host locked: two requests at once are not two times the limit.
            rights = await self._check(connection, host_id, visit, today)
            await connection.execute(
                insert(visitor_pass).values(
                    pass_id=pass_id,
                    host_id=host_id,
                    visitor_id=visitor.user_id,
                    recorded_at=now,
                    **request.model_dump(exclude={"door_groups", "purpose"}),
                    door_groups=list(visit.door_groups),
                    purpose=request.purpose.value,
                )
            )
            for grant in grants_of(visit, rights):
                await give_grant(
                    connection,
                    new_id(now, self.random_bytes),
                    visitor.user_id,
                    grant,
                    recorded_by=f"user:{host_id}",
                    at=now,
                )
            view = await self._one(connection, host_id, pass_id)
        return GivenPassView(**view.model_dump(), text=printed.text)

    async def passes(self, host_id: UUID) -> VisitorPassesView:
        """The newest passes of a host."""
        today = self.clock().astimezone(LOCAL_ZONE).date()
        async with transaction(self.engine) as (connection, _):
            found = await connection.execute(
                _with_end()
                .where(visitor_pass.c.host_id == host_id)
                .order_by(visitor_pass.c.recorded_at.desc())
                .limit(LIST_MAX)
            )
            views = await _views(connection, found.all())
            rights = await standing_grants(connection, host_id)
        return VisitorPassesView(passes=views, door_groups=hosted_groups(rights, today=today))

    async def end(self, host_id: UUID, pass_id: UUID) -> VisitorPassView:
        """End a pass now; gates know within minutes. Ending it again changes nothing.

        Raises:
            NotFoundError: no such pass of this host.
        """
        now = self.clock()
        by = f"user:{host_id}"
        async with transaction(self.engine) as (connection, _):
            row = await self._row(connection, host_id, pass_id)
            await connection.execute(
                insert(visitor_pass_end)
                .values(pass_id=pass_id, recorded_by=by, recorded_at=now)
                .on_conflict_do_nothing()
            )
            await end_grants_of(connection, row.visitor_id, recorded_by=by, at=now)
            return await self._one(connection, host_id, pass_id)

    async def _check(
        self, connection: AsyncConnection, host_id: UUID, visit: Visit, today: date
    ) -> Sequence[Grant]:
        """The host's rights, when they suffice."""
        await connection.execute(
            select(func.pg_advisory_xact_lock(func.hashtextextended(f"visitors/{host_id}", 0)))
        )
        rights = await standing_grants(connection, host_id)
        refusal = judge(visit, rights, today=today)
        if refusal is not None:
            raise VisitRefusedError(refusal, field="door_groups", reason=refusal.value)
        still_open = await connection.scalar(
            select(func.count())
            .select_from(visitor_pass)
            .outerjoin(visitor_pass_end, visitor_pass.c.pass_id == visitor_pass_end.c.pass_id)
            .where(
                visitor_pass.c.host_id == host_id,
                visitor_pass.c.valid_to >= today,
                visitor_pass_end.c.pass_id.is_(None),
            )
        )
        if (still_open or 0) >= OPEN_PASSES_MAX:
            raise LimitExceededError(limit="visitor_passes", limit_count=OPEN_PASSES_MAX)
        return rights

    async def _row(self, connection: AsyncConnection, host_id: UUID, pass_id: UUID) -> Row[Any]:
        found = await connection.execute(
            _with_end().where(visitor_pass.c.pass_id == pass_id, visitor_pass.c.host_id == host_id)
        )
        row: Row[Any] | None = found.one_or_none()
        if row is None:
            raise NotFoundError(field="pass_id")
        return row

    async def _one(
        self, connection: AsyncConnection, host_id: UUID, pass_id: UUID
    ) -> VisitorPassView:
        row = await self._row(connection, host_id, pass_id)
        return (await _views(connection, [row]))[0]


def _with_end() -> Select[Any]:
    ended = visitor_pass_end.c.recorded_at.label("ended_at")
    return select(visitor_pass, ended).outerjoin(
        visitor_pass_end, visitor_pass.c.pass_id == visitor_pass_end.c.pass_id
    )


async def _views(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[VisitorPassView]:
    used = await count_orders(connection, [row.visitor_id for row in rows], scene=SCENE)
    return [
        VisitorPassView(
            pass_id=row.pass_id,
            purpose=row.purpose,
            door_groups=row.door_groups,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            starts=row.starts,
            ends=row.ends,
            uses_max=row.uses_max,
            used=used.get(row.visitor_id, 0),
            ended=row.ended_at is not None,
            recorded_at=row.recorded_at,
        )
        for row in rows
    ]
