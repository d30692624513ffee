"""Orders as they lie in the books: the record, its lines, and the views made of them."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.order_states import AS_MADE, HOLDING, OrderStatus, OrderStep, after
from cardcore.business.request import Mode
from cardcore.business.views import LineView, OrderView
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import NotFoundError
from cardcore.tables import business_order
from cardcore.values import value

STATUS_AS_MADE: Final = {mode: status.value for mode, status in AS_MADE.items()}


@value
class OrderLine:
    """One payer's part of an order, and the ledger transfer that carries it.

    The accounts and the transfer are None on a line of zero fen.
    """

    line_no: int
    payer: str
    fund: str | None
    amount_fen: int
    debit_account_id: UUID | None
    credit_account_id: UUID | None
    transfer_id: UUID | None
    rule_id: str
    rule_version: str
    reason_zh: str
    reason_en: str
    funding_version: int | None = None
    delegation_id: UUID | None = None

    def view(self) -> LineView:
        """The line without its book-keeping."""
        return LineView.of_own(
            {
                "line_no": self.line_no,
                "payer": self.payer,
                "fund": self.fund,
                "amount_fen": self.amount_fen,
                "rule_id": self.rule_id,
                "rule_version": self.rule_version,
                "reason_zh": self.reason_zh,
                "reason_en": self.reason_en,
            }
        )


@value
class OrderRecord:
    """One order with its lines."""

    order_id: UUID
    merchant_id: str
    terminal_id: str
    scene: str
    type: str
    mode: Mode
    status: str
    out_trade_no: str
    user_id: UUID
    client_id: str
    nominal_fen: int
    citizen_fen: int
    captured_fen: int
    refunded_fen: int
    business_on: date
    occurred_at: datetime
    recorded_at: datetime
    request_digest: bytes
    code_digest: bytes | None
    details: dict[str, Any]
    lines: tuple[OrderLine, ...]
    hold_expires_at: datetime | None = None
    rules_version: int | None = None

    def status_at(self, now: datetime) -> str:
        """The status, where a hold whose time is over shows at once, not when it is swept up."""
        over = self.hold_expires_at is not None and self.hold_expires_at <= now
        if over and self.status in HOLDING:
            return after(self.status, OrderStep.EXPIRE).value
        return self.status

    def view(self, *, as_made: bool = False, now: datetime | None = None) -> OrderView:
        """The order as it stands (``now``), or as it was answered when it was made.

        A replayed request must get the answer it got, not what became of the order since.
        """
        captured_fen = self.captured_fen
        if as_made:
            captured_fen = self.nominal_fen if self.mode is Mode.PAY else 0
        status = self.status if now is None else self.status_at(now)
        return OrderView.of_own(
            {
                "order_id": self.order_id,
                "status": STATUS_AS_MADE[self.mode] if as_made else status,
                "mode": self.mode.value,
                "scene": self.scene,
                "type": self.type,
                "merchant_id": self.merchant_id,
                "terminal_id": self.terminal_id,
                "out_trade_no": self.out_trade_no,
                "nominal_fen": self.nominal_fen,
                "citizen_fen": self.citizen_fen,
                "captured_fen": captured_fen,
                "refunded_fen": 0 if as_made else self.refunded_fen,
                "currency": "CNY",
                "business_on": self.business_on,
                "occurred_at": self.occurred_at,
                "recorded_at": self.recorded_at,
                "hold_expires_at": self.hold_expires_at,
                "lines": [line.view() for line in self.lines],
            }
        )


_ORDER_COLUMNS: Final = (
    "order_id, merchant_id, terminal_id, scene, type, mode, status, out_trade_no, user_id,"
    " client_id, nominal_fen, citizen_fen, captured_fen, refunded_fen, business_on, occurred_at,"
    " recorded_at, request_digest, code_digest, details, hold_expires_at,"
    " rules_version"
)
_ORDER_NAMES: Final = tuple(_ORDER_COLUMNS.replace(" ", "").split(","))
_LINE_COLUMNS: Final = (
    "line_no, payer, fund, amount_fen, debit_account_id, credit_account_id, transfer_id, rule_id,"
    " rule_version, reason_zh, reason_en, funding_version, delegation_id"
)
_LINE_NAMES: Final = tuple(_LINE_COLUMNS.replace(" ", "").split(","))


async def load_orders(
    connection: RawConnection, order_ids: Sequence[UUID], *, lock: bool = False
) -> dict[UUID, OrderRecord]:
    """Orders by id, with their lines; ``lock`` keeps others from changing them meanwhile."""
    if not order_ids:
        return {}
    locking = " ORDER BY order_id FOR NO KEY UPDATE" if lock else ""
    found = await connection.execute(
        f"SELECT {_ORDER_COLUMNS} FROM cardcore.business_order"  # noqa: S608  (our constants)
        f" WHERE order_id = ANY(%s){locking}",
        (list(order_ids),),
    )
    rows = [dict(zip(_ORDER_NAMES, row, strict=True)) for row in await found.fetchall()]
    found = await connection.execute(
        f"SELECT order_id, {_LINE_COLUMNS} FROM cardcore.order_line"  # noqa: S608  (our constants)
        " WHERE order_id = ANY(%s) ORDER BY order_id, line_no",
        (list(order_ids),),
    )
    lines: dict[UUID, list[OrderLine]] = {row["order_id"]: [] for row in rows}
    for order_id, *values in await found.fetchall():
        lines[order_id].append(OrderLine(**dict(zip(_LINE_NAMES, values, strict=True))))
    return {
        row["order_id"]: OrderRecord(
            **(row | {"mode": Mode(row["mode"]), "lines": tuple(lines[row["order_id"]])})
        )
        for row in rows
    }


async def load_order(
    connection: RawConnection, caller: Caller, order_id: UUID, *, lock: bool = False
) -> OrderRecord:
    """One order the caller may see.

    Raises:
        NotFoundError: there is none, or it belongs to another merchant.
    """
    record = (await load_orders(connection, [order_id], lock=lock)).get(order_id)
    if record is None or caller.merchant_id not in (None, record.merchant_id):
        raise NotFoundError(field="order_id")
    return record


async def find_order_id(
    connection: RawConnection, merchant_id: str, out_trade_no: str
) -> UUID | None:
    """Id of the order a merchant's own number names, or None."""
    found = await connection.execute(
        "SELECT order_id FROM cardcore.business_order WHERE merchant_id = %s AND out_trade_no = %s",
        (merchant_id, out_trade_no),
    )
    row = await found.fetchone()
    return None if row is None else row[0]


async def count_orders(
    connection: AsyncConnection, user_ids: Collection[UUID], *, scene: str
) -> dict[UUID, int]:
    """How many orders each of these people has in a scene, undone ones left out; none is absent."""
    if not user_ids:
        return {}
    row = business_order.c
    found = await connection.execute(
        select(row.user_id, func.count())
        .where(
            row.user_id.in_(user_ids), row.scene == scene, row.status != OrderStatus.VOIDED.value
        )
        .group_by(row.user_id)
    )
    return {user_id: int(count) for user_id, count in found}
