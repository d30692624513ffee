"""Faults for the hospital: the process, the database or the insurer dies at the n-th thing it does.

A fault is set for the n-th step from now: a statement, a commit, a message to the insurer, a call
of the core. Steps before it happen, it and all after it do not; a commit may happen and its answer
be lost. Statements inside a call of the core are its own: they are one transaction, which happens
or does not, and the call dies before it or after it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
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
from cardcore.known import Known
from cardcore.settlement.channel_bill import BillRow
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


class Kind(StrEnum):
    """What a step is."""

    STATEMENT = "statement"
    COMMIT = "commit"
    MESSAGE = "message"  # to the insurer
    CALL = "call"  # of the core


class Faults:
    """Counts steps, and dies at the one that was set; ``met`` counts which died of what."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.left = 0
        self.among: Kind | None = None
        self.met: Counter[tuple[str, str]] = Counter()

    @property
    def happened(self) -> int:
        """How many there were."""
        return self.met.total()

    def set(self, fault: Fault | None, at: int = 0, among: Kind | None = None) -> None:
        """The ``at``-th step from now, 0 the next, meets ``fault``; None: no step does.

        ``among``: only steps of this kind count.
        """
        self.fault, self.left, self.among = fault, at, among

    def due(self, kind: Kind, step: str) -> Fault | None:
        """One more step, by name: the fault that meets it."""
        if self.fault is None or self.among not in (None, kind):
            return None
        self.left -= 1
        if self.left >= 0:
            return None
        fault, self.fault = self.fault, None
        self.met[step, fault.value] += 1
        return fault

    @contextmanager
    def in_database(self, engine: AsyncEngine) -> Iterator[None]:
        """Count statements and commits of an engine."""

        def statement(*_: Any) -> None:  # noqa: ANN401  (SQLAlchemy's form)
            fault = self.due(Kind.STATEMENT, "statement")
            if fault is Fault.KILL:
                raise KilledError
            if fault is not None:
                raise psycopg.OperationalError("the database is away")

        def commit(connection: Connection) -> None:
            fault = self.due(Kind.COMMIT, "commit")
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
        before = self._faults.due(Kind.MESSAGE, f"before {envelope.infno.value}")
        if before is Fault.KILL:
            raise KilledError
        if before is Fault.AWAY:
            raise GatewaySilentError
        reply = await self._gateway.send(envelope)
        after = self._faults.due(Kind.MESSAGE, f"after {envelope.infno.value}")
        if after is Fault.KILL:
            raise KilledError
        if before is not None or after is not None:
            raise GatewaySilentError
        return reply


class MortalAPI:
    """The uniform API, dying before or after a call.

    ``channel`` is what a channel behind it would bill: each movement of a citizen's money that was
    done, by our number, told by what the core has answered and by nothing the hospital has written.
    """

    def __init__(self, api: UniformAPI, faults: Faults) -> None:
        self._api = api
        self._faults = faults
        self.channel: dict[tuple[str, str], BillRow] = {}

    def _moved(self, our_no: str, direction: str, amount_fen: int, at: datetime) -> None:
        if amount_fen:
            number = len(self.channel) + 1
            self.channel.setdefault(
                (our_no, direction),
                BillRow(
                    channel_no=f"K{number:08d}",
                    our_no=our_no,
                    direction=direction,
                    amount_fen=amount_fen,
                    state="paid",
                    moved_at=at,
                ),
            )

    async def identify(self, caller: Caller, request: VerifyRequest) -> Subject:
        return await self._api.identify(caller, request)

    async def read_order(self, caller: Caller, order_id: UUID) -> OrderView:
        return await self._api.read_order(caller, order_id)

    async def order(
        self, caller: Caller, request: OrderRequest, idempotency_key: str
    ) -> tuple[OrderView, Known]:
        lost = self._before("order")
        answer = await self._api.order(caller, request, idempotency_key)
        made = answer[0]
        if made.mode == "pay":
            self._moved(made.out_trade_no, "in", made.citizen_fen, made.recorded_at)
        self._after("order", lost=lost)
        return answer

    async def capture(
        self, caller: Caller, order_id: UUID, request: CaptureRequest, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        lost = self._before("capture")
        answer = await self._api.capture(caller, order_id, request, idempotency_key)
        made = answer[0]
        self._moved(made.out_trade_no, "in", made.citizen_fen, made.recorded_at)
        self._after("capture", lost=lost)
        return answer

    async def void(
        self, caller: Caller, order_id: UUID, idempotency_key: str
    ) -> tuple[OrderView, bool]:
        lost = self._before("void")
        answer = await self._api.void(caller, order_id, idempotency_key)
        self._after("void", lost=lost)
        return answer

    async def refund(
        self, caller: Caller, order_id: UUID, request: RefundRequest, idempotency_key: str
    ) -> tuple[RefundView, Known]:
        lost = self._before("refund")
        answer = await self._api.refund(caller, order_id, request, idempotency_key)
        made = answer[0]
        own_fen = sum(one.amount_fen for one in made.lines if one.payer == "citizen")
        self._moved(made.out_refund_no, "out", own_fen, made.recorded_at)
        self._after("refund", lost=lost)
        return answer

    def _before(self, verb: str) -> bool:
        fault = self._faults.due(Kind.CALL, f"before {verb}")
        if fault is Fault.KILL:
            raise KilledError
        if fault is Fault.AWAY:
            raise ServiceUnavailableError
        return fault is not None

    def _after(self, verb: str, *, lost: bool) -> None:
        fault = self._faults.due(Kind.CALL, f"after {verb}")
        if fault is Fault.KILL:
            raise KilledError
        if lost or fault is not None:
            raise ServiceUnavailableError
