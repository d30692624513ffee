"""The saga of a payment: quote, agree, hold, settle with the insurer, capture; or all of it back.

``advance`` takes one step after the other until the payment has ended or somebody outside is
silent. It may be called by anybody at any time: by the counter that waits, by the worker, by both.
What is said outside is either named by an id that was written down before (orders, captures, voids,
cancellings, reversals: saying it twice does it once), or said by the one process alone that has
written down that it is about to say it (2207).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.business.request import CaptureRequest, OrderRequest
from cardcore.errors import CardcoreError, OrderStateError, ServiceUnavailableError
from cardcore.ids import RandomBytes
from cardcore.ports import Clock
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital import settlements
from scenes.hospital.gateway import GatewaySilentError, InsuranceRefusedError
from scenes.hospital.insurer import Insurer, local_date
from scenes.hospital.messages import (
    Settlement,
    SettlementCancelling,
    SettlementInfo,
    SettlementQuery,
    number_of,
)
from scenes.hospital.payment_states import FINAL, PaymentState
from scenes.hospital.payment_store import Payment
from scenes.hospital.saga_moves import Move, OvertakenError
from scenes.hospital.split import InsuranceSumsError, Split, split_of
from scenes.hospital.tables import bill, deposit_account, payment, registration
from scenes.hospital.uniform_api import SCENE, UniformAPI

MED_TYPE: Final = {"outpatient": "11", "inpatient": "21"}
ADVANCED_PER_ROUND_MAX: Final = 200
STEPS_MAX: Final = 24  # more than any way through the table has
S = PaymentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the sagas work with."""

    engine: AsyncEngine
    api: UniformAPI
    insurer: Insurer
    clock: Clock
    random_bytes: RandomBytes
    cut_off: time


Step = Callable[[Payment], Awaitable[Payment | None]]
"""Takes the next step; returns the payment after it, None where nothing more can be done now."""


class PaymentSaga:
    """Brings payments to their end."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._steps: dict[PaymentState, Step] = {
            S.HOLDING: self._hold,
            S.HELD: self._settle,
            S.SETTLING: self._doubt,
            S.ASKING: self._ask,
            S.REVERSING: self._reverse,
            S.SETTLED: self._capture,
            S.CANCELLING: self._cancel,
            S.RELEASING: self._release,
        }

    async def advance(self, payment_id: UUID) -> None:
        """Go on with a payment as far as it goes now."""
        found = await self._read(payment_id)
        for _ in range(STEPS_MAX):
            step = self._steps.get(found.state)
            if step is None:
                return
            try:
                following = await step(found)
            except OvertakenError:
                following = await self._read(payment_id)
            except (GatewaySilentError, ServiceUnavailableError):
                async with transaction(self._around.engine) as (connection, _raw):
                    await moves.put_off_payment(connection, found, now=self._around.clock())
                return
            if following is None:
                return
            found = following
        raise AssertionError(f"payment {payment_id} goes round in circles")

    async def advance_due(self, now: datetime) -> int:
        """Go on with payments nobody attends to: a duty of the worker. Returns how many."""
        async with transaction(self._around.engine) as (connection, _):
            due = await store.due(connection, payment, now, ADVANCED_PER_ROUND_MAX)
        for payment_id in due:
            await self.advance(payment_id)
        return len(due)

    async def lapse_due(self, now: datetime) -> int:
        """End quotes nobody agreed to: a duty of the worker. Returns how many."""
        p = payment.c
        async with transaction(self._around.engine) as (connection, _):
            over = await connection.execute(
                select(p.payment_id)
                .where(p.state == S.QUOTED.value, p.quote_ends_at <= now)
                .limit(ADVANCED_PER_ROUND_MAX)
                .with_for_update(skip_locked=True)
            )
            ids = list(over.scalars())
            for payment_id in ids:
                found = await store.find_payment(connection, payment_id)
                assert found is not None
                await moves.move_payment(connection, found, Move(to=S.LAPSED), now=now)
                await store.release_bills(connection, payment_id)
        return len(ids)

    # -- steps -------------------------------------------------------------------------------------

    async def _hold(self, found: Payment) -> Payment | None:
        """Ask the core to hold the citizen's part. Asked again it is the same order."""
        if found.order_request is None:  # the deposit covers it, and nobody insures it
            return await self._move(found, Move(to=S.HELD))
        request = OrderRequest.model_validate(found.order_request)
        try:
            order, _ = await self._around.api.order(SCENE, request, f"{found.payment_id}:hold")
        except ServiceUnavailableError:
            raise
        except CardcoreError as refusal:
            await self._come_to_nothing(found, S.REFUSED, refusal)
            return None
        # The code that was shown has done its work; it is not kept.
        changes = {"order_id": order.order_id, "order_request": None}
        return await self._move(found, Move(to=S.HELD, changes=changes))

    async def _settle(self, found: Payment) -> Payment | None:
        """Say 2207. Whoever wins the step says it, once; everybody else may only ask."""
        if found.psn_no is None:
            return await self._move(found, Move(to=S.SETTLED))
        msgid = self._around.insurer.new_msgid()
        settling = await self._move(found, Move(to=S.SETTLING, changes={"msgid": msgid}))
        assert settling is not None
        try:
            info = await self._around.insurer.settle(
                _hospital(found), msgid, settlement_of(found, found.total_fen, found.batch_no)
            )
        except InsuranceRefusedError as refusal:
            return await self._move(
                settling,
                Move(to=S.RELEASING, changes={"reason": refusal.code}, note=_note(refusal)),
            )
        except GatewaySilentError:
            return await self._move(settling, Move(to=S.ASKING))
        return await self._judge(settling, info)

    async def _doubt(self, found: Payment) -> Payment | None:
        """2207 was about to be said by somebody who is gone."""
        return await self._move(found, Move(to=S.ASKING))

    async def _ask(self, found: Payment) -> Payment | None:
        """What became of it? A settlement that is there is as good as an answer."""
        info = await self._around.insurer.find_settlement(
            _hospital(found), query_of(found, found.batch_no, found.setl_id)
        )
        if info is None:
            return await self._move(found, Move(to=S.REVERSING))
        if info.refd_setl_flag == "1":
            return await self._gone(found, info)
        return await self._judge(found, info)

    async def _gone(self, found: Payment, info: SettlementInfo) -> Payment | None:
        """It was settled, and is cancelled: nothing stands, if the sums say the same."""
        try:
            split_of(info, sent_fen=found.total_fen)
        except InsuranceSumsError as broken:
            await self._review(found, broken)
            return None
        now = self._around.clock()
        move = Move(
            to=S.RELEASING,
            changes={"reason": found.reason or "settlement_cancelled"},
            note=info.evidence(),
        )
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_payment(connection, found, move, now=now)
            await settlements.note_cancelled(connection, found.merchant_id, info.setl_id, now)
            return await _read(connection, found.payment_id)

    async def _judge(self, found: Payment, info: SettlementInfo) -> Payment | None:
        """Sound, and as the citizen saw it: settled. Sound, but otherwise: taken back.

        What was to be undone once is not believed any more, however sound: the cancelling that was
        not heard may be heard yet.
        """
        now = self._around.clock()
        changes: dict[str, Any] = {"setl_id": info.setl_id}
        try:
            split: Split | None = split_of(info, sent_fen=found.total_fen)
        except InsuranceSumsError as broken:
            split = None
            changes["reason"] = broken.code
        assert found.msgid is not None
        async with transaction(self._around.engine) as (connection, _):
            to = S.CANCELLING if found.undoing else S.REVIEW
            if split is not None:
                agreed = _same(split, found.split) and not found.undoing
                to = S.SETTLED if agreed else S.CANCELLING
                await settlements.note_settlement(
                    connection,
                    found,
                    split,
                    setl_id=info.setl_id,
                    msgid=found.msgid,
                    on=info.settled_on(local_date(now)),
                    now=now,
                )
            if to is S.CANCELLING:
                known = found.reason if found.undoing else None
                changes["reason"] = known or "split_changed"
            move = Move(to=to, changes=changes, note=info.evidence())
            await moves.move_payment(connection, found, move, now=now)
            return None if to is S.REVIEW else await _read(connection, found.payment_id)

    async def _reverse(self, found: Payment) -> Payment | None:
        """2601: it shall not be settled, not later either."""
        assert found.psn_no is not None
        assert found.msgid is not None
        try:
            done = await self._around.insurer.reverse(_hospital(found), found.psn_no, found.msgid)
        except InsuranceRefusedError as refusal:
            await self._review(found, refusal)
            return None
        changes = {"reason": found.reason or "insurance_silent"}
        return await self._move(
            found, Move(to=S.RELEASING, changes=changes, note={"reversed": done.value})
        )

    async def _capture(self, found: Payment) -> Payment | None:
        """Take what was held, and close the books of the payment."""
        if found.order_id is not None:
            try:
                await self._around.api.capture(
                    SCENE, found.order_id, CaptureRequest(), f"{found.payment_id}:capture"
                )
            except OrderStateError:
                order = await self._around.api.read_order(SCENE, found.order_id)
                if order.captured_fen == 0:
                    # The hold is over: what the insurer has settled must not stand alone.
                    to = S.CANCELLING if found.psn_no is not None else S.RELEASING
                    return await self._move(found, Move(to=to, changes={"reason": "hold_expired"}))
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_payment(connection, found, Move(to=S.PAID), now=now)
            await close_paid(connection, found, now)
        return None

    async def _cancel(self, found: Payment) -> Payment | None:
        """2208: the settlement is taken back."""
        assert found.setl_id is not None
        try:
            done = await self._around.insurer.cancel(
                _hospital(found),
                number_of(found.payment_id, "c"),
                cancelling_of(found, found.setl_id),
                sent_fen=found.total_fen,
                settled=None,  # nothing of it was ever booked as paid
            )
        except (InsuranceRefusedError, InsuranceSumsError) as refusal:
            await self._review(found, refusal)
            return None
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            move = Move(to=S.RELEASING, note={"cancelled": done.value})
            await moves.move_payment(connection, found, move, now=now)
            await settlements.note_cancelled(connection, found.merchant_id, found.setl_id, now)
            return await _read(connection, found.payment_id)

    async def _release(self, found: Payment) -> Payment | None:
        """Give the hold back."""
        if found.order_id is not None:
            try:
                await self._around.api.void(SCENE, found.order_id, f"{found.payment_id}:void")
            except OrderStateError:
                order = await self._around.api.read_order(SCENE, found.order_id)
                assert order.captured_fen == 0, "what was captured is not released"
        await self._come_to_nothing(found, S.RETURNED)
        return None

    async def _come_to_nothing(
        self, found: Payment, to: PaymentState, refusal: CardcoreError | None = None
    ) -> None:
        changes: dict[str, Any] = {"order_request": None}
        if refusal is not None:
            changes["reason"] = refusal.code
        note = {} if refusal is None else _note(refusal)
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_payment(
                connection, found, Move(to=to, changes=changes, note=note), now=now
            )
            await store.release_bills(connection, found.payment_id)
            if found.split.deposit_fen:
                await connection.execute(
                    update(deposit_account)
                    .where(deposit_account.c.visit_id == found.visit_id)
                    .values(used_fen=deposit_account.c.used_fen - found.split.deposit_fen)
                )

    async def _review(self, found: Payment, refusal: CardcoreError) -> None:
        move = Move(to=S.REVIEW, changes={"reason": refusal.code}, note=_note(refusal))
        await self._move(found, move)

    async def _move(self, found: Payment, move: Move) -> Payment | None:
        async with transaction(self._around.engine) as (connection, _):
            await moves.move_payment(connection, found, move, now=self._around.clock())
            if PaymentState(move.to) in FINAL:
                return None
            return await _read(connection, found.payment_id)

    async def _read(self, payment_id: UUID) -> Payment:
        async with transaction(self._around.engine) as (connection, _):
            return await _read(connection, payment_id)


async def _read(connection: AsyncConnection, payment_id: UUID) -> Payment:
    found = await store.find_payment(connection, payment_id)
    assert found is not None
    return found


async def close_paid(connection: AsyncConnection, found: Payment, now: datetime) -> None:
    """What follows from a payment in the hospital's own books: bills paid, places kept."""
    await connection.execute(
        update(bill).where(bill.c.payment_id == found.payment_id).values(state="paid")
    )
    await connection.execute(
        update(registration)
        .where(
            registration.c.bill_id.in_(
                select(bill.c.bill_id).where(bill.c.payment_id == found.payment_id)
            ),
            registration.c.state == "held",
        )
        .values(state="booked", hold_ends_at=None, changed_at=now)
    )


def settlement_of(found: Payment, total_fen: int, batch_no: str) -> Settlement:
    """2207 for a batch of charges of a payment's visit."""
    assert found.psn_no is not None
    assert found.insutype is not None
    assert found.mdtrt_id is not None
    return Settlement(
        psn_no=found.psn_no,
        mdtrt_cert_no=found.psn_no,
        med_type=MED_TYPE[found.visit_kind],
        medfee_sumamt=total_fen,
        mdtrt_id=found.mdtrt_id,
        chrg_bchno=batch_no,
        insutype=found.insutype,
    )


def query_of(found: Payment, batch_no: str, setl_id: str | None) -> SettlementQuery:
    """5203 for a batch of charges, or for a settlement that is known."""
    assert found.psn_no is not None
    assert found.mdtrt_id is not None
    return SettlementQuery(
        psn_no=found.psn_no,
        mdtrt_id=found.mdtrt_id,
        setl_id=setl_id or "",
        chrg_bchno=batch_no,
    )


def cancelling_of(found: Payment, setl_id: str) -> SettlementCancelling:
    """2208 for a settlement of a payment's visit."""
    assert found.psn_no is not None
    assert found.mdtrt_id is not None
    return SettlementCancelling(setl_id=setl_id, mdtrt_id=found.mdtrt_id, psn_no=found.psn_no)


def _hospital(found: Payment) -> str:
    assert found.fixmedins_code is not None
    return found.fixmedins_code


def _same(split: Split, agreed: Split) -> bool:
    """Is it the split the citizen agreed to? The deposit is none of the insurer's business."""
    return (split.fund_fen, split.account_fen, split.cash_fen, split.hospital_fen) == (
        agreed.fund_fen,
        agreed.account_fen,
        agreed.cash_fen,
        agreed.hospital_fen,
    )


def _note(refusal: CardcoreError) -> Mapping[str, Any]:
    return {
        "code": refusal.code,
        "facts": {name: str(fact) for name, fact in refusal.facts.items()},
    }
