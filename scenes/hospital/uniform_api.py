"""What the scene uses of the uniform API. ``cardcore.service.CardCore`` serves it."""

from typing import Final, Protocol
from uuid import UUID

from cardcore.business.quote import Subject
from cardcore.business.request import (
    CaptureRequest,
    OrderRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.views import OrderView, RefundView
from cardcore.caller import Caller, Scope
from cardcore.known import Known

# The scene calls in its own name: an order that was asked for before a crash is asked for again by
# the same caller with the same key, and is the same order. Whether the hospital may ask at all is
# judged before, of the hospital's own caller.
SCENE: Final = Caller(
    client_id="scene:hospital",
    merchant_id=None,
    scopes=frozenset(
        {
            Scope.ORDERS_WRITE.value,
            Scope.ORDERS_READ.value,
            Scope.REFUNDS_WRITE.value,
            Scope.VERIFY.value,
        }
    ),
)


class UniformAPI(Protocol):
    """The verbs; each documents its refusals in ``cardcore``."""

    async def identify(self, caller: Caller, request: VerifyRequest) -> Subject:
        """Who that is."""
        ...

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        """Pay, hold or record."""
        ...

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        """An order as it stands."""
        ...

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Take what is held."""
        ...

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        """Release what is held."""
        ...

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, Known]:
        """Give back."""
        ...
