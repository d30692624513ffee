"""Speaking with the insurer in the scene's words, through whatever gateway there is.

What changes money there (2207, 2208) is sent under a ``msgid`` that the caller has written down
before; everything else may be asked again and gets a fresh one.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from cardcore.calendar import LOCAL_ZONE
from cardcore.ids import RandomBytes, new_id
from cardcore.ports import Clock
from scenes.hospital.gateway import (
    GatewaySilentError,
    InsuranceGateway,
    InsuranceRefusedError,
    InsuranceSilentError,
)
from scenes.hospital.messages import (
    CANCELLED_BEFORE,
    DONE,
    NOTHING_TO_REVERSE,
    SETTLEMENT_UNKNOWN,
    ComparedTotals,
    DetailsComparison,
    Envelope,
    FeeDetail,
    Function,
    RegisteredVisit,
    Reply,
    Reversal,
    Settlement,
    SettlementCancelling,
    SettlementDetail,
    SettlementInfo,
    SettlementQuery,
    TotalsComparison,
    TrialSettlement,
    VisitDescription,
    VisitRegistration,
    node,
    number_of,
)
from scenes.hospital.split import Split, check_cancelling

OPERATOR: Final = "cardcore"
AnsweredT = TypeVar("AnsweredT", bound=BaseModel)


class Cancelled(StrEnum):
    """What became of a cancelling or a reversal."""

    NOW = "now"
    BEFORE = "before"
    NEVER_THERE = "never_there"


class Insurer:
    """One hospital's voice to the insurer."""

    def __init__(
        self,
        gateway: InsuranceGateway,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._random_bytes = random_bytes

    def new_msgid(self) -> str:
        """A fresh message id."""
        return number_of(new_id(self._clock(), self._random_bytes))

    # -- before there is money: may be asked again ------------------------------------------------

    async def register_visit(self, hospital: str, visit: VisitRegistration) -> RegisteredVisit:
        """2201. The same ``ipt_otp_no`` again is answered with the same visit.

        Raises:
            InsuranceRefusedError, InsuranceSilentError: nothing depends on it yet.
        """
        output = await self._ask(hospital, Function.REGISTER_VISIT, {"data": visit.data()})
        return _read(RegisteredVisit, output, "data")

    async def describe_visit(self, hospital: str, visit: VisitDescription) -> None:
        """2203. Raises as ``register_visit``."""
        await self._ask(hospital, Function.DESCRIBE_VISIT, {"mdtrtinfo": visit.data()})

    async def send_fees(self, hospital: str, fees: Sequence[FeeDetail]) -> None:
        """2204: the rows of one batch of charges; the same row again changes nothing.

        Raises as ``register_visit``.
        """
        rows = [fee.data() for fee in fees]
        await self._ask(hospital, Function.SEND_FEES, {"feedetail": rows})

    async def try_settlement(self, hospital: str, trial: TrialSettlement) -> SettlementInfo:
        """2206: how it would be split. Raises as ``register_visit``."""
        output = await self._ask(hospital, Function.TRY_SETTLEMENT, {"data": trial.data()})
        info = _read(SettlementInfo, output, "setlinfo")
        if not _of(info, trial):
            raise InsuranceSilentError("the answer is about somebody else")
        return info

    # -- where money is: silence is told to the caller --------------------------------------------

    async def settle(self, hospital: str, msgid: str, settlement: Settlement) -> SettlementInfo:
        """2207, once, under a ``msgid`` that is written down already.

        Raises:
            InsuranceRefusedError: nothing was settled.
            GatewaySilentError: nobody knows.
        """
        reply = await self._send(hospital, Function.SETTLE, msgid, {"data": settlement.data()})
        info = _read_or_silent(SettlementInfo, _done(reply), "setlinfo")
        if not _of(info, settlement) or info.medins_setl_id not in ("", msgid):
            raise GatewaySilentError("the answer is about something else")
        return info

    async def find_settlement(self, hospital: str, query: SettlementQuery) -> SettlementInfo | None:
        """5203: the settlement as it stands now; None where the insurer knows none.

        Raises:
            InsuranceRefusedError: it may not be asked.
            GatewaySilentError: no answer; ask again.
        """
        reply = await self._send(
            hospital, Function.READ_SETTLEMENT, self.new_msgid(), {"data": query.data()}
        )
        if reply.infcode == SETTLEMENT_UNKNOWN:
            return None
        info = _read_or_silent(SettlementInfo, _done(reply), "setlinfo")
        if not _of(info, query) or query.setl_id not in ("", info.setl_id):
            raise GatewaySilentError("the answer is about something else")
        return info

    async def cancel(
        self,
        hospital: str,
        msgid: str,
        cancelling: SettlementCancelling,
        *,
        sent_fen: int,
        settled: Split | None,
    ) -> Cancelled:
        """2208. A settlement is cancelled once: asking again is harmless, and is told.

        ``sent_fen`` and ``settled`` tell what must come back, see ``check_cancelling``.

        Raises as ``settle``, and:
            InsuranceSumsError: it is cancelled, but the sums do not say so.
        """
        reply = await self._send(
            hospital, Function.CANCEL_SETTLEMENT, msgid, {"data": cancelling.data()}
        )
        if reply.infcode == CANCELLED_BEFORE:
            return Cancelled.BEFORE
        info = _read_or_silent(SettlementInfo, _done(reply), "setlinfo")
        if not _of(info, cancelling):
            raise GatewaySilentError("the answer is about somebody else")
        check_cancelling(info, sent_fen=sent_fen, settled=settled)
        return Cancelled.NOW

    async def reverse(self, hospital: str, psn_no: str, omsgid: str) -> Cancelled:
        """2601 for a 2207: whatever ``omsgid`` did is undone, and it will do nothing later.

        Harmless when repeated. Raises as ``settle``.
        """
        reversal = Reversal(psn_no=psn_no, omsgid=omsgid, oinfno=Function.SETTLE)
        reply = await self._send(
            hospital, Function.REVERSE, self.new_msgid(), {"data": reversal.data()}
        )
        if reply.infcode == NOTHING_TO_REVERSE:
            return Cancelled.NEVER_THERE
        _done(reply)
        return Cancelled.NOW

    # -- at the end of the day ------------------------------------------------------------------

    async def compare_totals(self, hospital: str, totals: TotalsComparison) -> ComparedTotals:
        """3201. Raises as ``register_visit``."""
        output = await self._ask(hospital, Function.COMPARE_TOTALS, {"data": totals.data()})
        return _read(ComparedTotals, output, "stmtinfo")

    async def details(self, hospital: str, asked: DetailsComparison) -> list[SettlementDetail]:
        """3202: one page of the insurer's rows; an empty page is past the last.

        Raises as ``register_visit``.
        """
        output = await self._ask(hospital, Function.COMPARE_DETAILS, {"data": asked.data()})
        rows = output.get("data")
        if not isinstance(rows, list):
            raise InsuranceSilentError("the answer has no rows")
        return [_row(row) for row in rows]

    async def _ask(
        self, hospital: str, function: Function, sent: dict[str, Any]
    ) -> Mapping[str, Any]:
        try:
            reply = await self._send(hospital, function, self.new_msgid(), sent)
        except GatewaySilentError as silent:
            raise InsuranceSilentError(infno=function.value) from silent
        return _done(reply)

    async def _send(
        self, hospital: str, function: Function, msgid: str, sent: dict[str, Any]
    ) -> Reply:
        envelope = Envelope(
            infno=function,
            msgid=msgid,
            inf_time=local_text(self._clock()),
            fixmedins_code=hospital,
            opter=OPERATOR,
            input=sent,
        )
        return await self._gateway.send(envelope)


class _AboutVisit(Protocol):
    """A message about one person's visit."""

    @property
    def psn_no(self) -> str: ...

    @property
    def mdtrt_id(self) -> str: ...


def _of(info: SettlementInfo, asked: _AboutVisit) -> bool:
    """Is the answer about whom it was asked of? A gateway may mix two answers up."""
    return (info.psn_no, info.mdtrt_id) == (asked.psn_no, asked.mdtrt_id)


def local_date(at: datetime) -> date:
    """The insurer's day of an instant: its books close at midnight."""
    return at.astimezone(LOCAL_ZONE).date()


def local_text(at: datetime) -> str:
    """An instant as the interface writes it: local, to the second."""
    return at.astimezone(LOCAL_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _done(reply: Reply) -> Mapping[str, Any]:
    if reply.infcode != DONE:
        raise InsuranceRefusedError(infcode=reply.infcode, err_msg=reply.err_msg)
    return reply.output


def _read(kind: type[AnsweredT], output: Mapping[str, Any], name: str) -> AnsweredT:
    try:
        return kind.model_validate(node(output, name))
    except ValueError as unreadable:
        raise InsuranceSilentError("the answer cannot be read") from unreadable


def _read_or_silent(kind: type[AnsweredT], output: Mapping[str, Any], name: str) -> AnsweredT:
    """As ``_read`` where money is: what cannot be read says nothing about what was done."""
    try:
        return kind.model_validate(node(output, name))
    except ValueError as unreadable:
        raise GatewaySilentError("the answer cannot be read") from unreadable


def _row(row: object) -> SettlementDetail:
    try:
        return SettlementDetail.model_validate(row)
    except ValidationError as unreadable:
        raise InsuranceSilentError("a row cannot be read") from unreadable
