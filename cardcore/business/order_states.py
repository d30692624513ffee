"""What may become of an order: the states and every step between them. Pure.

The one place that says it; the picture in ``docs/orders.md`` is drawn from this table.
"""

from enum import StrEnum
from typing import Final

from cardcore.business.request import Mode
from cardcore.errors import OrderStateError


class OrderStatus(StrEnum):
    """Where an order stands."""

    CAPTURED = "captured"
    HELD = "held"
    PART_CAPTURED = "part_captured"
    VOIDED = "voided"
    EXPIRED = "expired"
    RECORDED = "recorded"
    REFUNDED = "refunded"


class OrderStep(StrEnum):
    """What happens to an order after it was made."""

    CAPTURE_PART = "capture_part"  # takes some and keeps the rest held
    CAPTURE = "capture"  # takes some or all and releases the rest
    VOID = "void"
    EXPIRE = "expire"
    REFUND_PART = "refund_part"
    REFUND_ALL = "refund_all"


AS_MADE: Final = {
    Mode.PAY: OrderStatus.CAPTURED,
    Mode.HOLD: OrderStatus.HELD,
    Mode.RECORD: OrderStatus.RECORDED,
}
HOLDING: Final = frozenset({OrderStatus.HELD, OrderStatus.PART_CAPTURED})
STEPS: Final[dict[tuple[OrderStatus, OrderStep], OrderStatus]] = {
    (OrderStatus.HELD, OrderStep.CAPTURE_PART): OrderStatus.PART_CAPTURED,
    (OrderStatus.HELD, OrderStep.CAPTURE): OrderStatus.CAPTURED,
    (OrderStatus.HELD, OrderStep.VOID): OrderStatus.VOIDED,
    (OrderStatus.HELD, OrderStep.EXPIRE): OrderStatus.EXPIRED,
    (OrderStatus.PART_CAPTURED, OrderStep.CAPTURE_PART): OrderStatus.PART_CAPTURED,
    (OrderStatus.PART_CAPTURED, OrderStep.CAPTURE): OrderStatus.CAPTURED,
    (OrderStatus.PART_CAPTURED, OrderStep.VOID): OrderStatus.CAPTURED,
    (OrderStatus.PART_CAPTURED, OrderStep.EXPIRE): OrderStatus.CAPTURED,
    (OrderStatus.CAPTURED, OrderStep.REFUND_PART): OrderStatus.CAPTURED,
    (OrderStatus.CAPTURED, OrderStep.REFUND_ALL): OrderStatus.REFUNDED,
}


def after(status: str, step: OrderStep) -> OrderStatus:
    """Where a step leads.

    Raises:
        OrderStateError: the order's state does not allow it.
    """
    known = STEPS.get((OrderStatus(status), step))
    if known is None:
        raise OrderStateError(field="order_id", status=status)
    return known
