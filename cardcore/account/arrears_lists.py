"""Reading arrears: what a person owes, and everything that is owed in the city."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import OPEN_FEN
from cardcore.account.arrears_tables import arrears
from cardcore.model import Model, PrintedNumber

_a, _o = arrears.c, tables.business_order.c
LISTED_MAX = 200


class ArrearsPage(Model):
    """A page of what is owed; ``merchant_id`` narrows it to one merchant."""

    merchant_id: PrintedNumber | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 50


class DebtView(Model):
    """What is or was owed of one line of an order.

    ``open_fen`` is what is left of ``amount_fen``: less what was paid when money came, and what
    was refunded while it was owed.
    """

    order_id: UUID
    line_no: int
    user_id: UUID
    merchant_id: str
    scene: str
    amount_fen: int
    paid_fen: int
    waived_fen: int
    open_fen: int
    occurred_at: datetime
    recorded_at: datetime


class ArrearsView(Model):
    """What a person owes under all their ids: open debts first, then the newest; 200 at most."""

    user_id: UUID
    open_fen: int
    debts: list[DebtView]


class OpenArrearsView(Model):
    """Open debts, oldest first. ``next_cursor`` leads on."""

    debts: list[DebtView]
    next_cursor: str | None


async def arrears_of_person(connection: AsyncConnection, names: list[UUID]) -> ArrearsView:
    """What a person owes and owed; ``names``: their ids, the one that stands first."""
    open_fen = await connection.scalar(
        select(func.coalesce(func.sum(OPEN_FEN), 0)).where(_a.user_id.in_(names))
    )
    rows = await connection.execute(
        _debts()
        .where(_a.user_id.in_(names))
        .order_by((OPEN_FEN == 0), _a.recorded_at.desc(), _a.order_id, _a.line_no)
        .limit(LISTED_MAX)
    )
    return ArrearsView(
        user_id=names[0], open_fen=int(open_fen or 0), debts=[_view(row) for row in rows]
    )


async def open_arrears(
    connection: AsyncConnection, merchant_id: str | None, since: tuple[UUID, int], limit: int
) -> list[DebtView]:
    """Open debts after ``since`` (order, line), one more than asked; ids of orders sort by time."""
    asked = _debts().where(
        OPEN_FEN > 0,
        (_a.order_id > since[0]) | ((_a.order_id == since[0]) & (_a.line_no > since[1])),
    )
    if merchant_id is not None:
        asked = asked.where(_a.merchant_id == merchant_id)
    rows = await connection.execute(asked.order_by(_a.order_id, _a.line_no).limit(limit + 1))
    return [_view(row) for row in rows]


def _debts() -> Select[Any]:
    return select(arrears, OPEN_FEN.label("open_fen"), _o.scene, _o.occurred_at).join(
        tables.business_order, _o.order_id == _a.order_id
    )


def _view(row: Row[Any]) -> DebtView:
    return DebtView(**row._mapping)  # noqa: SLF001  (SQLAlchemy's documented name)
