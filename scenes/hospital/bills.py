"""Visits and their bills, on the tables of the scene. Runs in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from scenes.hospital.errors import BillConflictError
from scenes.hospital.request import BillRequest
from scenes.hospital.tables import bill, bill_line, visit
from scenes.hospital.views import BillLineView, BillView


async def read_visit(connection: AsyncConnection, caller: Caller, visit_id: UUID) -> Row[Any]:
    """A visit the caller may see. Raises ``NotFoundError``."""
    row = (
        await connection.execute(select(visit).where(visit.c.visit_id == visit_id))
    ).one_or_none()
    if (
        row is None
        or caller.merchant_id not in (None, row.merchant_id)
        or caller.user_id not in (None, row.user_id)
    ):
        raise NotFoundError(field="visit_id")
    return row


async def write_bill(
    connection: AsyncConnection,
    found: Row[Any],
    bill_id: UUID,
    request: BillRequest,
    now: datetime,
) -> None:
    """A bill with its lines. Raises ``BillConflictError`` where the number is taken."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(bill).values(
                    bill_id=bill_id,
                    merchant_id=found.merchant_id,
                    visit_id=found.visit_id,
                    out_bill_no=request.out_bill_no,
                    total_fen=request.total_fen,
                    state="open",
                    recorded_at=now,
                )
            )
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            raise BillConflictError(field="out_bill_no") from broken
        raise
    await connection.execute(
        insert(bill_line),
        [
            {"bill_id": bill_id, "line_no": line_no, **line.model_dump()}
            for line_no, line in enumerate(request.lines, start=1)
        ],
    )


async def open_lines(
    connection: AsyncConnection, found: Row[Any], bill_ids: Sequence[UUID], *, lock: bool
) -> Sequence[Row[Any]]:
    """Lines of the visit's bills that may be paid now.

    Raises:
        NotFoundError: a named bill is not of this visit.
        BillConflictError: a named bill is paid, withdrawn, or in another payment.
    """
    b = bill.c
    query = select(b.bill_id, b.state, b.payment_id).where(b.visit_id == found.visit_id)
    if bill_ids:
        query = query.where(b.bill_id.in_(bill_ids))
    if lock:
        query = query.order_by(b.bill_id).with_for_update()
    rows = (await connection.execute(query)).all()
    if len(rows) < len(set(bill_ids)):
        raise NotFoundError(field="bill_ids")
    free = [row.bill_id for row in rows if row.state == "open" and row.payment_id is None]
    if bill_ids and len(free) < len(rows):
        raise BillConflictError("a bill is paid or in another payment", field="bill_ids")
    lines = await connection.execute(
        select(bill_line, b.out_bill_no)
        .join(bill, b.bill_id == bill_line.c.bill_id)
        .where(b.bill_id.in_(free))
        .order_by(b.bill_id, bill_line.c.line_no)
    )
    return lines.all()


def total_of(lines: Sequence[Row[Any]]) -> int:
    """What the lines come to, in fen."""
    return sum(int(line.amount_fen) for line in lines)


def keys_of(lines: Sequence[Row[Any]]) -> list[tuple[UUID, int]]:
    """Which lines they are."""
    return [(line.bill_id, line.line_no) for line in lines]


async def view_bill(connection: AsyncConnection, bill_id: UUID) -> BillView:
    """A bill as it is shown."""
    row = (await connection.execute(select(bill).where(bill.c.bill_id == bill_id))).one()
    lines = await connection.execute(
        select(bill_line).where(bill_line.c.bill_id == bill_id).order_by(bill_line.c.line_no)
    )
    return BillView(
        bill_id=row.bill_id,
        visit_id=row.visit_id,
        out_bill_no=row.out_bill_no,
        total_fen=row.total_fen,
        state=row.state,
        payment_id=row.payment_id,
        follows_bill_id=row.follows_bill_id,
        lines=[
            BillLineView(
                line_no=line.line_no,
                item_code=line.item_code,
                name=line.name,
                quantity=line.quantity,
                amount_fen=line.amount_fen,
                returned_fen=line.returned_fen,
            )
            for line in lines
        ],
    )
