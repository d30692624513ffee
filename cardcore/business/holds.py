"""Holds: taking what was held in one or several captures, releasing it, and letting it expire.

The ledger resolves a pending transfer once. A capture that keeps the rest held therefore posts
its part and holds the rest anew, both in one linked chain, so that the money is never free in
between; the new hold ends when the first would have (ADR 0110).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import tables
from cardcore.account.chart import LEDGER_CNY
from cardcore.books import transaction
from cardcore.business.booking import payment_code
from cardcore.business.order_states import HOLDING, OrderStatus, OrderStep, after
from cardcore.business.orders import OrderLine, OrderRecord, load_order, load_orders
from cardcore.business.request import Mode
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import CaptureExceedsError, OrderStateError
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags

EXPIRED_PER_ROUND_MAX = 200
_REST = 10_000  # part numbers of the holds that keep the rest of a line
_EXPIRED = "pending_transfer_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """What is still held of one line, and the pending transfer that holds it."""

    line: OrderLine
    transfer_id: UUID
    held_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a step does with one held line: takes some, keeps some held, releases the others."""

    held: HeldLine
    taken_fen: int
    kept_fen: int


def split_capture(amount_fen: int, held: Sequence[HeldLine], *, keeps_rest: bool) -> list[Share]:
    """Share a capture over the held lines, first to last. Pure.

    Args:
        amount_fen: what is taken, 0 for nothing.
        held: lines with something held, first to last.
        keeps_rest: the rest stays held; a line that nothing is taken from is then left alone.

    Raises:
        CaptureExceedsError: more than is held.
    """
    held_fen = sum(one.held_fen for one in held)
    if amount_fen > held_fen:
        raise CaptureExceedsError(field="amount_fen", held_fen=held_fen)
    shares = []
    for one in held:
        taken_fen = min(amount_fen, one.held_fen)
        amount_fen -= taken_fen
        kept_fen = one.held_fen - taken_fen if keeps_rest else 0
        if taken_fen or not keeps_rest:
            shares.append(Share(held=one, taken_fen=taken_fen, kept_fen=kept_fen))
    return shares


def transfers_of_capture(
    capture_id: UUID, order_id: UUID, shares: Sequence[Share], *, timeout_s: int
) -> list[Transfer]:
    """One linked chain: each line posted or voided, and its rest held anew. Pure.

    ``timeout_s``: how long the rest stays held, 0 for as long as it takes.
    """
    transfers = []
    for share in shares:
        line = share.held.line
        transfers.append(
            Transfer(
                id=part_id(capture_id, line.line_no).int,
                pending_id=share.held.transfer_id.int,
                amount=share.taken_fen,
                flags=TransferFlags.linked
                | (
                    TransferFlags.post_pending_transfer
                    if share.taken_fen
                    else TransferFlags.void_pending_transfer
                ),
                user_data_128=order_id.int,
            )
        )
        if share.kept_fen:
            assert line.debit_account_id is not None
            assert line.credit_account_id is not None
            transfers.append(
                Transfer(
                    id=rest_id(capture_id, line.line_no).int,
                    debit_account_id=line.debit_account_id.int,
                    credit_account_id=line.credit_account_id.int,
                    amount=share.kept_fen,
                    ledger=LEDGER_CNY,
                    code=payment_code(line),
                    timeout=timeout_s,
                    flags=TransferFlags.pending | TransferFlags.linked,
                    user_data_128=order_id.int,
                )
            )
    last = transfers[-1]
    transfers[-1] = replace(last, flags=last.flags & ~TransferFlags.linked)
    return transfers


def rest_id(capture_id: UUID, line_no: int) -> UUID:
    """Id of the transfer that keeps the rest of a line held."""
    return part_id(capture_id, _REST + line_no)


class Holds:
    """Resolves holds on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def capture(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller,
        order_id: UUID,
        amount_fen: int | None,
        keeps_rest: bool,
        now: datetime,
    ) -> tuple[UUID, OrderView]:
        """Take ``amount_fen`` of what is held (None: all of it); the rest is kept or released.

        Returns:
            The capture's id, and the order after it.

        Raises:
            NotFoundError: no such order of this caller.
            OrderStateError: nothing is held (any more).
            CaptureExceedsError: more than is held.
        """
        order = await self._holding(raw, caller, order_id, now)
        held = await held_lines(connection, order)
        held_fen = sum(one.held_fen for one in held)
        taken_fen = held_fen if amount_fen is None else amount_fen
        keeps_rest = keeps_rest and taken_fen != held_fen
        shares = split_capture(taken_fen, held, keeps_rest=keeps_rest)
        step = OrderStep.CAPTURE_PART if keeps_rest else OrderStep.CAPTURE
        return await self._resolve(connection, raw, order, step, shares, now)

    async def void(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller,
        order_id: UUID,
        now: datetime,
    ) -> tuple[UUID, OrderView]:
        """Release what is held; what was captured before stays captured. Raises as ``capture``."""
        order = await self._holding(raw, caller, order_id, now)
        shares = split_capture(0, await held_lines(connection, order), keeps_rest=False)
        return await self._resolve(connection, raw, order, OrderStep.VOID, shares, now)

    async def recall(
        self, connection: AsyncConnection, raw: RawConnection, capture_id: UUID
    ) -> OrderView:
        """The order as it stood after one capture or void."""
        row = (
            await connection.execute(
                select(tables.capture).where(tables.capture.c.capture_id == capture_id)
            )
        ).one()
        order = (await load_orders(raw, [row.order_id]))[row.order_id]
        return _after(order, row.status_after, row.captured_after_fen)

    async def _holding(
        self, raw: RawConnection, caller: Caller, order_id: UUID, now: datetime
    ) -> OrderRecord:
        order = await load_order(raw, caller, order_id, lock=True)
        status = order.status_at(now)
        if status not in HOLDING or (
            order.hold_expires_at is not None and order.hold_expires_at <= now
        ):
            raise OrderStateError(field="order_id", status=status)
        return order

    async def _resolve(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        order: OrderRecord,
        step: OrderStep,
        shares: Sequence[Share],
        now: datetime,
    ) -> tuple[UUID, OrderView]:
        capture_id = new_id(now, self._random_bytes)
        left_s = 0
        if order.hold_expires_at is not None:
            left_s = math.ceil((order.hold_expires_at - now).total_seconds())
        results = await self._book.create_transfers(
            transfers_of_capture(capture_id, order.order_id, shares, timeout_s=left_s),
            connection=raw,
        )
        reasons = [name for name in results if name not in ("created", "linked_event_failed")]
        if reasons:
            # By the ledger's clock the hold is over, a little before it is by ours.
            assert reasons == [_EXPIRED], reasons
            raise OrderStateError("the hold has expired", field="order_id", status="expired")
        status, captured_fen = await write_step(connection, order, step, capture_id, shares, now)
        return capture_id, _after(order, status, captured_fen)


class HoldExpiry:
    """Ends holds whose time is over: a duty of the worker, safe to run twice at once."""

    def __init__(self, engine: AsyncEngine, book: Ledger, random_bytes: RandomBytes) -> None:
        self._engine = engine
        self._book = book
        self._random_bytes = random_bytes

    async def expire_due(self, now: datetime) -> int:
        """End the holds that are due, oldest first; returns how many orders that were.

        The ledger releases the money by itself at the same time. What it has not released yet
        (its clock counts from the booking, an instant later) is voided here, so that an order
        that says ``expired`` holds nothing.
        """
        total = 0
        while True:
            async with transaction(self._engine) as (connection, raw):
                ended = await self._expire_some(connection, raw, now)
            total += ended
            if ended < EXPIRED_PER_ROUND_MAX:
                return total

    async def _expire_some(
        self, connection: AsyncConnection, raw: RawConnection, now: datetime
    ) -> int:
        o = tables.business_order.c
        due = (
            await connection.execute(
                select(o.order_id)
                .where(o.status.in_([status.value for status in HOLDING]), o.hold_expires_at <= now)
                .order_by(o.hold_expires_at)
                .limit(EXPIRED_PER_ROUND_MAX)
                .with_for_update(skip_locked=True)
            )
        ).scalars()
        orders = await load_orders(raw, list(due))
        for order in orders.values():
            held = await held_lines(connection, order)
            capture_id = new_id(now, self._random_bytes)
            results = await self._book.create_transfers(
                [
                    Transfer(
                        id=part_id(capture_id, one.line.line_no).int,
                        pending_id=one.transfer_id.int,
                        flags=TransferFlags.void_pending_transfer,
                        user_data_128=order.order_id.int,
                    )
                    for one in held
                ],
                connection=raw,
            )
            assert set(results) <= {"created", _EXPIRED}, results
            shares = [
                Share(held=one, taken_fen=0, kept_fen=0)
                for one, result in zip(held, results, strict=True)
                if result == "created"
            ]
            await write_step(connection, order, OrderStep.EXPIRE, capture_id, shares, now)
        return len(orders)


async def write_step(
    connection: AsyncConnection,
    order: OrderRecord,
    step: OrderStep,
    capture_id: UUID,
    shares: Sequence[Share],
    now: datetime,
) -> tuple[OrderStatus, int]:
    """Write down what became of a hold; returns the order's new status and captured sum in fen."""
    status = after(order.status, step)
    taken_fen = sum(share.taken_fen for share in shares)
    captured_fen = order.captured_fen + taken_fen
    kinds = {OrderStep.VOID: "void", OrderStep.EXPIRE: "expiry"}
    before = await connection.scalar(
        select(func.count()).where(tables.capture.c.order_id == order.order_id)
    )
    await connection.execute(
        insert(tables.capture).values(
            capture_id=capture_id,
            order_id=order.order_id,
            amount_fen=taken_fen,
            recorded_at=now,
            sequence_no=(before or 0) + 1,
            kind=kinds.get(step, "capture"),
            status_after=status,
            captured_after_fen=captured_fen,
        )
    )
    if shares:
        await connection.execute(
            insert(tables.capture_line),
            [
                {
                    "capture_id": capture_id,
                    "line_no": share.held.line.line_no,
                    "amount_fen": share.taken_fen,
                    "transfer_id": part_id(capture_id, share.held.line.line_no),
                    "held_fen": share.kept_fen,
                    "held_transfer_id": (
                        rest_id(capture_id, share.held.line.line_no) if share.kept_fen else None
                    ),
                }
                for share in shares
            ],
        )
    await connection.execute(
        update(tables.business_order)
        .where(tables.business_order.c.order_id == order.order_id)
        .values(status=status, captured_fen=captured_fen)
    )
    await connection.execute(
        insert(tables.outbox).values(
            topic=f"order.{status}",
            subject_id=order.order_id,
            recorded_at=now,
            payload={"order_id": str(order.order_id), "status": status},
        )
    )
    return status, captured_fen


async def held_lines(connection: AsyncConnection, order: OrderRecord) -> list[HeldLine]:
    """What is still held of a holding order, first line to last; lines with nothing left out."""
    line, capture = tables.capture_line.c, tables.capture.c
    latest = {
        row.line_no: row
        for row in await connection.execute(
            select(line.line_no, line.held_fen, line.held_transfer_id)
            .join(tables.capture, capture.capture_id == line.capture_id)
            .where(capture.order_id == order.order_id)
            .order_by(capture.sequence_no)
        )
    }
    held = []
    for one in order.lines:
        if one.transfer_id is None:
            continue
        row = latest.get(one.line_no)
        if row is None:
            held.append(HeldLine(line=one, transfer_id=one.transfer_id, held_fen=one.amount_fen))
        elif row.held_fen:
            held.append(HeldLine(line=one, transfer_id=row.held_transfer_id, held_fen=row.held_fen))
    return held


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


def _after(order: OrderRecord, status: str, captured_fen: int) -> OrderView:
    # A capture's answer is told as it was, not what became of the order since; nothing is
    # refunded while something is held.
    return order.view().model_copy(
        update={"status": str(status), "captured_fen": captured_fen, "refunded_fen": 0}
    )
