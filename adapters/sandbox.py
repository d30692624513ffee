"""The sandbox: a city of play money whose clock can be moved and whose refusals can be called up.

Built by the wiring only where ``CARDCORE_SANDBOX`` is set; elsewhere neither the routes nor the
magic numbers exist. The clock is a real one that was moved ahead, kept across restarts. One server
process: a second one would not learn of a move.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from cardcore.books import transaction
from cardcore.business.request import OrderRequest
from cardcore.business.views import OrderView
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    OrderConflictError,
    ServiceUnavailableError,
    TerminalUnknownError,
    UserFrozenError,
)
from cardcore.known import Known
from cardcore.platform.errors import ClockBackwardsError
from cardcore.platform.tables import sandbox_clock
from cardcore.ports import Clock
from cardcore.service import CardCore

MAGIC_PREFIX: Final = "decline."
# An order whose number begins with "decline.<code>" is refused with that code, and leaves nothing.
MAGIC: Final[Mapping[str, Callable[[], CardcoreError]]] = {
    "insufficient_balance": lambda: InsufficientBalanceError(available_fen=0),
    "limit_exceeded": lambda: LimitExceededError(limit="sandbox"),
    "user_frozen": UserFrozenError,
    "fund_unknown": FundUnknownError,
    "terminal_unknown": TerminalUnknownError,
    "order_conflict": OrderConflictError,
    "service_unavailable": ServiceUnavailableError,
    "code_invalid": lambda: CodeRefusedError("code_invalid"),
    "code_expired": lambda: CodeRefusedError("code_expired"),
    "code_replayed": lambda: CodeRefusedError("code_replayed"),
    "code_revoked": lambda: CodeRefusedError("code_revoked"),
    "clock_skew": lambda: CodeRefusedError("clock_skew"),
}


class SandboxClock:
    """A clock that runs, and can be moved ahead."""

    def __init__(self, engine: AsyncEngine, base: Clock, ahead: timedelta) -> None:
        self._engine = engine
        self._base = base
        self._ahead = ahead

    def __call__(self) -> datetime:
        """Now, as the sandbox has it."""
        return self._base() + self._ahead

    async def move_to(self, now: datetime) -> datetime:
        """Move ahead to ``now``, and stay so after a restart.

        Raises:
            ClockBackwardsError: it is later already.
        """
        ahead = now - self._base()
        if ahead < self._ahead:
            raise ClockBackwardsError(field="now", stands_at=self().isoformat())
        ahead_us = ahead // timedelta(microseconds=1)
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                insert(sandbox_clock)
                .values(one=True, ahead_us=ahead_us)
                .on_conflict_do_update(
                    index_elements=["one"],
                    set_={"ahead_us": func.greatest(sandbox_clock.c.ahead_us, ahead_us)},
                )
            )
        self._ahead = ahead
        return self()


async def open_clock(engine: AsyncEngine, base: Clock) -> SandboxClock:
    """The clock as it was left."""
    async with transaction(engine) as (connection, _):
        ahead_us = (await connection.execute(select(sandbox_clock.c.ahead_us))).scalar() or 0
    return SandboxClock(engine, base, timedelta(microseconds=ahead_us))


class SandboxCore(CardCore):
    """The core, with magic numbers."""

    @override
    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        """See ``OrderService.order``; an order with a magic number is refused as it says."""
        caller.require(Scope.ORDERS_WRITE)
        number = request.business.out_trade_no
        if number.startswith(MAGIC_PREFIX):
            refusal = MAGIC.get(number.removeprefix(MAGIC_PREFIX).partition(".")[0])
            if refusal is not None:
                raise refusal()
        return await super().order(caller, request, idempotency_key)
