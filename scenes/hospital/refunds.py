"""The saga of giving items back: cancel the settlement, settle the rest anew, return the money.

The insurer cancels a settlement whole (2208), so a partial return is a cancelling and a new
settlement of what stays; what each payer gets back is the difference. Only then does money move:
by one refund of the core, bound to the payment's order. Where the rest would cost a payer more than
all of it did, its settlement is taken back too, and ``whole_returns`` tells how that ends. Written
as ``payments`` is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import RefundRequest, RefundShare
from cardcore.caller import Caller
from cardcore.errors import CardcoreError, ServiceUnavailableError
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital import settlements
from scenes.hospital.fees import fees_of
from scenes.hospital.gateway import (
    GatewaySilentError,
    InsuranceRefusedError,
    InsuranceSilentError,
)
from scenes.hospital.insurer import Cancelled, local_date
from scenes.hospital.messages import SettlementInfo
from scenes.hospital.payment_states import REFUND_FINAL, RefundState
from scenes.hospital.payment_store import Refund
from scenes.hospital.payments import (
    ADVANCED_PER_ROUND_MAX,
    STEPS_MAX,
    Surroundings,
    cancelling_of,
    query_of,
    settlement_of,
)
from scenes.hospital.pricing import ACCOUNT_RULE, CASH_RULE, FUND_RULE
from scenes.hospital.saga_moves import Move, OvertakenError
from scenes.hospital.split import (
    InsuranceSumsError,
    ResettledAboveError,
    Split,
    broken_laws,
    given_back,
    split_of,
)
from scenes.hospital.tables import bill_line, refund
from scenes.hospital.uniform_api import SCENE
from scenes.hospital.whole_returns import all_that_stands, bill_rest_anew

R = RefundState
Step = Callable[[Refund], Awaitable[bool]]
_WORKER = Caller(client_id=SCENE.client_id, merchant_id=None, scopes=frozenset())


class RefundSaga:
    """Brings refunds to their end."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._steps: dict[RefundState, Step] = {
            R.CANCELLING: self._cancel,
            R.RESETTLE: self._resettle,
            R.RESETTLING: self._doubt,
            R.ASKING: self._ask,
            R.REVERSING: self._reverse,
            R.UNSETTLING: self._unsettle,
            R.REFUNDING: self._refund,
        }

    async def advance(self, refund_id: UUID) -> None:
        """Go on with a refund as far as it goes now."""
        for _ in range(STEPS_MAX):
            found = await self._read(refund_id)
            step = self._steps.get(found.state)
            if step is None:
                return
            try:
                if not await step(found):
                    return
            except OvertakenError:
                continue
            except (GatewaySilentError, InsuranceSilentError, ServiceUnavailableError):
                async with transaction(self._around.engine) as (connection, _raw):
                    await moves.put_off_refund(connection, found, now=self._around.clock())
                return
        # The insurer loses every settlement: nothing is wrong with ours, and the worker comes back.

    async def advance_due(self, now: datetime) -> int:
        """Go on with refunds nobody attends to: a duty of the worker. Returns how many."""
        async with transaction(self._around.engine) as (connection, _):
            due = await store.due(connection, refund, now, ADVANCED_PER_ROUND_MAX)
        for refund_id in due:
            await self.advance(refund_id)
        return len(due)

    # -- steps: each returns whether the next may follow at once -----------------------------------

    async def _cancel(self, found: Refund) -> bool:
        """2208: the settlement that stands is taken back.

        Only the refusal of a first 2208 says that nothing has changed: one that was said before
        may have been heard, or may be heard yet. From then on there is no way back.
        """
        paid = found.payment
        async with transaction(self._around.engine) as (connection, _):
            await moves.require_unmoved(connection, found)
            setl_id = await settlements.settled_setl_id(connection, paid.payment_id)
            assert setl_id is not None, "an insured payment that is paid has a settlement"
            settled = await settlements.settled_split(connection, paid.merchant_id, setl_id)
            first = await moves.note_said(connection, found, now=self._around.clock())
        assert settled is not None
        try:
            done = await self._around.insurer.cancel(
                self._hospital(found),
                found.cancel_msgid,
                cancelling_of(paid, setl_id),
                sent_fen=settled.total_fen,
                settled=settled,
            )
        except InsuranceSumsError as broken:
            return await self._review(found, broken)
        except InsuranceRefusedError as refusal:
            if first:
                return await self._refuse(found, refusal)
            if not await self._is_cancelled(found, setl_id, settled.total_fen):
                return await self._wait(found, refusal)
            done = Cancelled.BEFORE
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await settlements.note_cancelled(connection, paid.merchant_id, setl_id, now)
            rest = await self._rest(connection, found)
            changes: dict[str, Any] = {}
            if found.whole:
                changes = await all_that_stands(connection, paid)
            elif not rest:
                left = await settlements.standing_split(connection, paid)
                changes = {
                    "fund_fen": left.fund_fen,
                    "account_fen": left.account_fen,
                    "cash_fen": left.cash_fen,
                }
            move = Move(
                to=R.REFUNDING if changes else R.RESETTLE,
                changes=changes,
                note={"cancelled": done.value, "setl_id": setl_id},
            )
            await moves.move_refund(connection, found, move, now=now)
        return True

    async def _is_cancelled(self, found: Refund, setl_id: str, total_fen: int) -> bool:
        """Does the insurer know a settlement as cancelled? With the sums it was settled with."""
        info = await self._around.insurer.find_settlement(
            self._hospital(found), query_of(found.payment, found.payment.batch_no, setl_id)
        )
        if info is None or info.refd_setl_flag == "0":
            return False
        return not broken_laws(info, sent_fen=total_fen)

    async def _resettle(self, found: Refund) -> bool:
        """Send what stays, and say 2207 for it: once, by whoever wins the step."""
        async with transaction(self._around.engine) as (connection, _):
            rest = await self._rest(connection, found)
        hospital, paid = self._hospital(found), found.payment
        msgid = self._around.insurer.new_msgid()
        fees = fees_of(paid, rest, batch_no=msgid, at=found.recorded_at)
        await self._around.insurer.send_fees(hospital, fees)
        changes = {"msgid": msgid, "setl_id": None, "undoing": False}
        await self._move(found, Move(to=R.RESETTLING, changes=changes))
        settling = replace(
            found,
            state=R.RESETTLING,
            version=found.version + 1,
            msgid=msgid,
            setl_id=None,
            undoing=False,
        )
        rest_fen = _sum_of(rest)
        try:
            info = await self._around.insurer.settle(
                hospital, msgid, settlement_of(paid, rest_fen, msgid)
            )
        except InsuranceRefusedError as refusal:
            return await self._review(settling, refusal)
        except GatewaySilentError:
            return await self._move(settling, Move(to=R.ASKING))
        return await self._judge(settling, info, rest_fen)

    async def _doubt(self, found: Refund) -> bool:
        """2207 was about to be said by somebody who is gone."""
        return await self._move(found, Move(to=R.ASKING))

    async def _ask(self, found: Refund) -> bool:
        """What became of it?"""
        async with transaction(self._around.engine) as (connection, _):
            rest = await self._rest(connection, found)
        info = await self._around.insurer.find_settlement(
            self._hospital(found), query_of(found.payment, found.batch_no, None)
        )
        rest_fen = _sum_of(rest)
        if info is None:
            return await self._move(found, Move(to=R.REVERSING))
        if info.refd_setl_flag == "1":
            try:
                split_of(info, sent_fen=rest_fen)
            except InsuranceSumsError as broken:
                return await self._review(found, broken)
            return await self._go_on(found, {"found": "cancelled"}, setl_id=info.setl_id)
        return await self._judge(found, info, rest_fen)

    async def _judge(self, found: Refund, info: SettlementInfo, rest_fen: int) -> bool:
        """Does the rest cost everybody less, or at least not more? Otherwise all goes back."""
        now = self._around.clock()
        assert found.msgid is not None
        known = {"setl_id": info.setl_id}
        try:
            rest = split_of(info, sent_fen=rest_fen)
        except InsuranceSumsError as refusal:
            if found.undoing:
                return await self._move(found, Move(to=R.UNSETTLING, changes=known))
            return await self._review(found, refusal, known)
        async with transaction(self._around.engine) as (connection, _):
            await settlements.note_settlement(
                connection,
                found.payment,
                rest,
                setl_id=info.setl_id,
                msgid=found.msgid,
                on=info.settled_on(local_date(now)),
                now=now,
            )
            before = await settlements.standing_split(connection, found.payment)
            move = Move(to=R.UNSETTLING, changes=known, note=info.evidence())
            if not found.undoing:
                move = _verdict(before, rest, info)
            await moves.move_refund(connection, found, move, now=now)
        return True

    async def _reverse(self, found: Refund) -> bool:
        """2601: what was said for the rest is undone, and will not be done later."""
        assert found.msgid is not None
        assert found.payment.psn_no is not None
        try:
            done = await self._around.insurer.reverse(
                self._hospital(found), found.payment.psn_no, found.msgid
            )
        except InsuranceRefusedError as refusal:
            return await self._review(found, refusal)
        return await self._go_on(found, {"reversed": done.value}, setl_id=found.setl_id)

    async def _unsettle(self, found: Refund) -> bool:
        """2208 for the rest. A refusal is believed only where the settlement still stands."""
        setl_id, paid = found.setl_id, found.payment
        assert setl_id is not None
        assert found.msgid is not None
        async with transaction(self._around.engine) as (connection, _):
            settled = await settlements.settled_split(connection, paid.merchant_id, setl_id)
            rest_fen = _sum_of(await self._rest(connection, found))
        try:
            done = await self._around.insurer.cancel(
                self._hospital(found),
                f"{found.msgid}u",
                cancelling_of(paid, setl_id),
                sent_fen=rest_fen,
                settled=settled,
            )
        except InsuranceSumsError as broken:
            return await self._review(found, broken)
        except InsuranceRefusedError as refusal:
            if not await self._is_cancelled(found, setl_id, rest_fen):
                return await self._review(found, refusal)
            done = Cancelled.BEFORE
        note = {"cancelled": done.value, "setl_id": setl_id}
        return await self._go_on(found, note, setl_id=setl_id)

    async def _go_on(self, found: Refund, note: Mapping[str, Any], *, setl_id: str | None) -> bool:
        """Nothing stands with the insurer: settle the rest anew, or give everything back."""
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            move = Move(to=R.RESETTLE, note=note)
            if found.whole:
                changes = await all_that_stands(connection, found.payment)
                move = Move(to=R.REFUNDING, changes=changes, note=note)
            await moves.move_refund(connection, found, move, now=now)
            if setl_id is not None:
                merchant_id = found.payment.merchant_id
                await settlements.note_cancelled(connection, merchant_id, setl_id, now)
        return True

    async def _refund(self, found: Refund) -> bool:
        """One refund of the core: each payer's part, bound to the order that paid."""
        parts = (
            (CASH_RULE, found.cash_fen),
            (FUND_RULE, found.fund_fen),
            (ACCOUNT_RULE, found.account_fen),
        )
        shares = [RefundShare(rule_id=rule, amount_fen=fen) for rule, fen in parts if fen]
        if shares:
            assert found.payment.order_id is not None
            request = RefundRequest(
                out_refund_no=f"HR{found.refund_id.hex}", shares=shares, reason=found.reason
            )
            try:
                await self._around.api.refund(
                    SCENE, found.payment.order_id, request, f"{found.refund_id}:refund"
                )
            except ServiceUnavailableError:
                raise
            except CardcoreError as refusal:
                # The hospital's takings were paid out already, or a fund is closed: it waits, seen.
                return await self._wait(found, refusal)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_refund(connection, found, Move(to=R.REFUNDED), now=now)
            if found.whole:
                await bill_rest_anew(connection, found.payment, now, self._around.random_bytes)
        return False

    async def _wait(self, found: Refund, refusal: CardcoreError) -> bool:
        async with transaction(self._around.engine) as (connection, _):
            await connection.execute(
                update(refund)
                .where(refund.c.refund_id == found.refund_id)
                .values(fault=refusal.code)
            )
            await moves.put_off_refund(connection, found, now=self._around.clock())
        return False

    async def _refuse(self, found: Refund, refusal: CardcoreError) -> bool:
        async with transaction(self._around.engine) as (connection, _):
            move = Move(to=R.REFUSED, changes={"fault": refusal.code})
            await moves.move_refund(connection, found, move, now=self._around.clock())
            await give_lines_back(connection, found.lines, sign=-1)
        return False

    async def _review(
        self, found: Refund, refusal: CardcoreError, known: Mapping[str, Any] | None = None
    ) -> bool:
        note = {name: str(fact) for name, fact in refusal.facts.items()}
        move = Move(to=R.REVIEW, changes={"fault": refusal.code, **(known or {})}, note=note)
        await self._move(found, move)
        return False

    async def _move(self, found: Refund, move: Move) -> bool:
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_refund(connection, found, move, now=self._around.clock())
        return RefundState(move.to) not in REFUND_FINAL

    async def _rest(self, connection: AsyncConnection, found: Refund) -> Sequence[Row[Any]]:
        """Lines of which something stays; what this refund gives back is off them already."""
        rows = await store.bill_lines(connection, found.payment.payment_id)
        return [row for row in rows if row.amount_fen > row.returned_fen]

    async def _read(self, refund_id: UUID) -> Refund:
        async with transaction(self._around.engine) as (connection, _):
            return await store.read_refund(connection, _WORKER, refund_id)

    @staticmethod
    def _hospital(found: Refund) -> str:
        assert found.payment.fixmedins_code is not None
        return found.payment.fixmedins_code


async def give_lines_back(
    connection: AsyncConnection, lines: Sequence[Mapping[str, Any]], *, sign: int = 1
) -> None:
    """Note what of each line is given back; ``sign`` -1 takes the note back.

    A line cannot give back more than it cost: the table's own check refuses.
    """
    for line in lines:
        await connection.execute(
            update(bill_line)
            .where(
                bill_line.c.bill_id == UUID(str(line["bill_id"])),
                bill_line.c.line_no == line["line_no"],
            )
            .values(returned_fen=bill_line.c.returned_fen + sign * line["amount_fen"])
        )


def _verdict(before: Split, rest: Split, info: SettlementInfo) -> Move:
    """What each payer gets back; or, where one would pay more for the rest, everything."""
    changes: dict[str, Any] = {"setl_id": info.setl_id}
    try:
        back = given_back(before, rest)
    except ResettledAboveError as above:
        changes |= {"whole": True, "fault": above.code}
        return Move(to=R.UNSETTLING, changes=changes, note=info.evidence())
    changes |= {
        "fund_fen": back.fund_fen,
        "account_fen": back.account_fen,
        "cash_fen": back.cash_fen,
    }
    return Move(to=R.REFUNDING, changes=changes, note=info.evidence())


def _sum_of(rows: Sequence[Row[Any]]) -> int:
    return sum(int(row.amount_fen - row.returned_fen) for row in rows)
