"""Holds: taking all or part of what was held, or releasing it.

A hold resolves line by line and once: capturing less than was held takes the lines first to last
and releases the rest, which the ledger does by posting each pending transfer for its share and
voiding those that got nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.books import RawConnection
from cardcore.business.orders import OrderLine, OrderRecord, load_order
from cardcore.business.request import Mode
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.errors import CaptureExceedsError, OrderStateError
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags


def split_capture(amount_fen: int, lines: Sequence[OrderLine]) -> list[tuple[OrderLine, int]]:
    """Share a capture over the held lines, first to last; a line may get 0. Pure.

    Raises:
        CaptureExceedsError: more than is held.
    """
    held_fen = sum(line.amount_fen for line in lines)
    if amount_fen > held_fen:
        raise CaptureExceedsError(field="amount_fen", held_fen=held_fen)
    shares = []
    for line in lines:
        taken_fen = min(amount_fen, line.amount_fen)
        amount_fen -= taken_fen
        if line.amount_fen:
            shares.append((line, taken_fen))
    return shares


class Holds:
    """Resolves holds on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def resolve(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller,
        order_id: UUID,
        amount_fen: int | None,
        now: datetime,
    ) -> tuple[UUID, OrderView]:
        """Capture ``amount_fen`` of a held order (None: all of it; 0: none, a void).

        Raises:
            NotFoundError: no such order of this caller.
            OrderStateError: it is not held (any more).
            CaptureExceedsError: more than is held.
        """
        order = await load_order(raw, caller, order_id, lock=True)
        if order.status != "held":
            raise OrderStateError(field="order_id", status=order.status)
        taken_fen = order.nominal_fen if amount_fen is None else amount_fen
        shares = split_capture(taken_fen, order.lines)
        capture_id = new_id(now, self._random_bytes)
        await self._post(raw, capture_id, order_id, shares)
        await connection.execute(
            insert(tables.capture).values(
                capture_id=capture_id, order_id=order_id, amount_fen=taken_fen, recorded_at=now
            )
        )
        await connection.execute(
            insert(tables.capture_line),
            [
                {
                    "capture_id": capture_id,
                    "line_no": line.line_no,
                    "amount_fen": fen,
                    "transfer_id": part_id(capture_id, line.line_no),
                }
                for line, fen in shares
            ],
        )
        status = "captured" if taken_fen else "voided"
        await connection.execute(
            update(tables.business_order)
            .where(tables.business_order.c.order_id == order_id)
            .values(status=status, captured_fen=taken_fen)
        )
        await connection.execute(
            insert(tables.outbox).values(
                topic=f"order.{status}",
                subject_id=order_id,
                recorded_at=now,
                payload={"order_id": str(order_id), "status": status},
            )
        )
        return order_id, (await load_order(raw, caller, order_id)).view()

    async def _post(
        self,
        raw: RawConnection,
        capture_id: UUID,
        order_id: UUID,
        shares: list[tuple[OrderLine, int]],
    ) -> None:
        transfers = []
        for position, (line, fen) in enumerate(shares, start=1):
            assert line.transfer_id is not None
            kind = (
                TransferFlags.post_pending_transfer if fen else TransferFlags.void_pending_transfer
            )
            transfers.append(
                Transfer(
                    id=part_id(capture_id, line.line_no).int,
                    pending_id=line.transfer_id.int,
                    amount=fen,
                    flags=kind | TransferFlags.linked if position < len(shares) else kind,
                    user_data_128=order_id.int,
                )
            )
        results = await self._book.create_transfers(transfers, connection=raw)
        reasons = [name for name in results if name not in ("created", "linked_event_failed")]
        if reasons == ["pending_transfer_expired"]:
            raise OrderStateError("the hold has expired", field="order_id", status="expired")
        assert not reasons, reasons


async def captured_by_line(connection: AsyncConnection, order: OrderRecord) -> dict[int, int]:
    """By line number, what of the order was captured."""
    if order.mode is Mode.PAY:
        return {line.line_no: line.amount_fen for line in order.lines}
    line = tables.capture_line.c
    rows = await connection.execute(
        select(line.line_no, func.sum(line.amount_fen))
        .join(tables.capture, tables.capture.c.capture_id == line.capture_id)
        .where(tables.capture.c.order_id == order.order_id)
        .group_by(line.line_no)
    )
    return {line_no: int(fen) for line_no, fen in rows}
