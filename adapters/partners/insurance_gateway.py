"""Ways to an insurance gateway: over HTTP, and to a simulated insurer in this process.

The simulator can be told, message by message or by the amount of a settlement, to refuse, to fall
silent before or after it has done its work, to do it late, to do it twice, and to answer with sums
that do not agree.
"""

import json
from collections import deque
from enum import StrEnum
from typing import Any, Final, Protocol

import httpx2
from pydantic import ValidationError

from scenes.hospital.gateway import GatewaySilentError
from scenes.hospital.messages import Envelope, Function, Reply, fen_of, yuan_of

PATH: Final = "/fsi/api"
TIMEOUT_S: Final = 10.0
REFUSED_CODE: Final = "-1"


class Behaviour(StrEnum):
    """What the simulator does with a message."""

    ANSWER = "answer"
    REFUSE = "refuse"
    SILENT_BEFORE = "silent_before"  # the message is lost
    SILENT_AFTER = "silent_after"  # done, the answer is lost
    LATE = "late"  # lost for now; ``deliver`` brings it after all
    TWICE = "twice"  # the network brings it two times
    WRONG_SUMS = "wrong_sums"  # the answer does not add up
    OTHER_SPLIT = "other_split"  # sound sums, but not those of the trial
    OTHER_PERSON = "other_person"  # the answer to somebody else's message


_SPOILING: Final = (Behaviour.WRONG_SUMS, Behaviour.OTHER_SPLIT, Behaviour.OTHER_PERSON)
BY_AMOUNT: Final = {
    81: Behaviour.REFUSE,
    82: Behaviour.SILENT_BEFORE,
    83: Behaviour.SILENT_AFTER,
    84: Behaviour.LATE,
    85: Behaviour.TWICE,
    86: Behaviour.WRONG_SUMS,
}
"""By the last two digits of a settlement's total in fen (2207 alone): how to force each outcome."""


class Books(Protocol):
    """What answers in the end; see ``insurance_fund``."""

    def handle(self, envelope: Envelope, *, less_fund_fen: int = 0) -> Reply:
        """Do what is asked, and answer; the funds pay so much less than the trial said."""
        ...


class SimulatedGateway:
    """Implements ``InsuranceGateway`` over the books of a simulated insurer."""

    def __init__(self, books: Books, *, by_amount: bool = False) -> None:
        """``by_amount``: a settlement behaves as its amount says, see ``BY_AMOUNT``."""
        self._books = books
        self._by_amount = by_amount
        self._planned: dict[Function, deque[Behaviour]] = {}
        self._late: list[Envelope] = []

    def plan(self, function: Function, *behaviours: Behaviour) -> None:
        """What the next messages of this kind will meet, first to last."""
        self._planned.setdefault(function, deque()).extend(behaviours)

    def forget_plans(self) -> None:
        """From now on every message is answered as it should be."""
        self._planned.clear()

    async def send(self, envelope: Envelope) -> Reply:
        """See the protocol."""
        behaviour = self._next(envelope)
        if behaviour is Behaviour.REFUSE:
            return Reply(infcode=REFUSED_CODE, inf_refmsgid=envelope.msgid, err_msg="模拟拒绝")
        if behaviour is Behaviour.LATE:
            self._late.append(envelope)
        if behaviour in (Behaviour.LATE, Behaviour.SILENT_BEFORE):
            raise GatewaySilentError
        if behaviour is Behaviour.TWICE:
            self._books.handle(envelope)
        other = behaviour is Behaviour.OTHER_SPLIT and envelope.infno is Function.SETTLE
        reply = self._books.handle(envelope, less_fund_fen=1 if other else 0)
        if other:
            return reply
        if behaviour is Behaviour.SILENT_AFTER:
            raise GatewaySilentError
        return _spoilt(reply, behaviour)

    def deliver(self) -> int:
        """Bring the late messages; nobody waits for their answers any more. Returns how many."""
        late, self._late = self._late, []
        for envelope in late:
            self._books.handle(envelope)
        return len(late)

    def _next(self, envelope: Envelope) -> Behaviour:
        planned = self._planned.get(envelope.infno)
        if planned:
            return planned.popleft()
        if self._by_amount and envelope.infno is Function.SETTLE:
            total_fen = fen_of(envelope.input["data"]["medfee_sumamt"])
            return BY_AMOUNT.get(total_fen % 100, Behaviour.ANSWER)
        return Behaviour.ANSWER


class HTTPGateway:
    """Implements ``InsuranceGateway`` over HTTP: one POST a message, JSON both ways."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        """``client`` has the gateway's base URL, and the timeout after which it is silent."""
        self._client = client

    async def send(self, envelope: Envelope) -> Reply:
        """See the protocol."""
        content = envelope.model_dump_json().encode()
        try:
            answer = await self._client.post(
                f"{PATH}/{envelope.infno.value}",
                content=content,
                headers={"Content-Type": "application/json"},
            )
        except httpx2.HTTPError as error:
            raise GatewaySilentError from error
        if answer.status_code != httpx2.codes.OK:
            raise GatewaySilentError(f"status {answer.status_code}")
        try:
            # Numbers are read as the text they stand in: a float would have lost its fen.
            return Reply.model_validate(json.loads(answer.content, parse_float=str))
        except (ValueError, ValidationError) as error:
            raise GatewaySilentError("the answer cannot be read") from error


def _spoilt(reply: Reply, behaviour: Behaviour) -> Reply:
    """The answer with sums that do not agree, with another split, or about somebody else."""
    info: dict[str, Any] | None = reply.output.get("setlinfo")
    if info is None or behaviour not in _SPOILING:
        return reply
    changes = {"psn_cash_pay": yuan_of(fen_of(info["psn_cash_pay"]) + 1)}
    if behaviour is Behaviour.OTHER_PERSON:
        changes = {"psn_no": f"{info['psn_no']}X"}
    if behaviour is Behaviour.OTHER_SPLIT:
        personal_fen = fen_of(info["psn_part_amt"]) + 1
        changes |= {
            "psn_part_amt": yuan_of(personal_fen),
            "hifp_pay": yuan_of(fen_of(info["hifp_pay"]) - 1),
            "fund_pay_sumamt": yuan_of(fen_of(info["fund_pay_sumamt"]) - 1),
        }
    return reply.model_copy(update={"output": {**reply.output, "setlinfo": info | changes}})
