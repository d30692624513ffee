"""Faults for the hospital: the process, the database or the insurer dies at the n-th thing it does.

A fault is set for the n-th step from now: a statement, a commit, a message to the insurer, a call
of the core. Steps before it happen, it and all after it do not; a commit may happen and its answer
be lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.business.quote import Subject
from cardcore.business.request import (
    CaptureRequest,
    OrderRequest,
    RefundRequest,
    VerifyRequest,
)
from cardcore.business.views import OrderView, RefundView
from cardcore.caller import Caller
from cardcore.errors import ServiceUnavailableError
from scenes.hospital.gateway import GatewaySilentError, InsuranceGateway
from scenes.hospital.messages import Envelope, Reply
from scenes.hospital.uniform_api import UniformAPI


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


class Fault(StrEnum):
    """How it dies."""

    KILL = "kill"
    AWAY = "away"  # the database, the insurer or the core does not answer
    LOST = "lost"  # as AWAY, after it has done its work


class Faults:
    """Counts steps, and dies at the one that was set."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.left = 0
        self.happened = 0

    def set(self, fault: Fault | None, at: int) -> None:
        """The ``at``-th step from now, 0 the next, meets ``fault``; None: no step does."""
        self.fault, self.left = fault, at

    def due(self) -> Fault | None:
        """One more step: the fault that meets it."""
        if self.fault is None:
            return None
        self.left -= 1
        if self.left >= 0:
            return None
        fault, self.fault = self.fault, None
        self.happened += 1
        return fault

    @contextmanager
    def in_database(self, engine: AsyncEngine) -> Iterator[None]:
        """Count statements and commits of an engine."""

        def statement(*_: Any) -> None:  # noqa: ANN401  (SQLAlchemy's form)
            fault = self.due()
            if fault is Fault.KILL:
                raise KilledError
            if fault is not None:
                raise psycopg.OperationalError("the database is away")

        def commit(connection: Connection) -> None:
            fault = self.due()
            if fault is Fault.KILL:
                raise KilledError
            if fault is Fault.LOST:
                connection.connection.commit()
            if fault is not None:
                raise psycopg.OperationalError("the database is away")

        event.listen(engine.sync_engine, "before_cursor_execute", statement)
        event.listen(engine.sync_engine, "commit", commit)
        try:
            yield
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", statement)
            event.remove(engine.sync_engine, "commit", commit)


class MortalGateway:
    """An insurance gateway that dies before or after a message."""

    def __init__(self, gateway: InsuranceGateway, faults: Faults) -> None:
        self._gateway = gateway
        self._faults = faults

    async def send(self, envelope: Envelope) -> Reply:
        before = self._faults.due()
        if before is Fault.KILL:
            raise KilledError
        if before is Fault.AWAY:
            raise GatewaySilentError
        reply = await self._gateway.send(envelope)
        after = self._faults.due()
        if after is Fault.KILL:
            raise KilledError
        if before is not None or after is not None:
            raise GatewaySilentError
        return reply


class MortalAPI:
    """The uniform API, dying before or after a call."""

    def __init__(self, api: UniformAPI, faults: Faults) -> None:
        self._api = api
        self._faults = faults

    async def identify(self, caller: Caller, request: VerifyRequest) -> Subject:
        return await self._api.identify(caller, request)

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        return await self._api.read_order(caller, order_id)

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        lost = self._before()
        return self._after(lost, await self._api.order(caller, request, idempotency_key))

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        lost = self._before()
        answer = await self._api.capture(caller, order_id, request, idempotency_key)
        return self._after(lost, answer)

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        lost = self._before()
        return self._after(lost, await self._api.void(caller, order_id, idempotency_key))

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, bool]:
        lost = self._before()
        answer = await self._api.refund(caller, order_id, request, idempotency_key)
        return self._after_refund(lost, answer)

    def _before(self) -> bool:
        fault = self._faults.due()
        if fault is Fault.KILL:
            raise KilledError
        if fault is Fault.AWAY:
            raise ServiceUnavailableError
        return fault is not None

    def _after(self, lost: bool, answer: tuple[OrderView, bool]) -> tuple[OrderView, bool]:
        self._die_after(lost=lost)
        return answer

    def _after_refund(
        self,
        lost: bool,
        answer: tuple[RefundView, bool],
    ) -> tuple[RefundView, bool]:
        self._die_after(lost=lost)
        return answer

    def _die_after(self, *, lost: bool) -> None:
        fault = self._faults.due()
        if fault is Fault.KILL:
            raise KilledError
        if lost or fault is not None:
            raise ServiceUnavailableError
