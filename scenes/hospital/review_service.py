"""What people must look at: payments and returns that do not go on by themselves."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import RequestInvalidError
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital import settlements
from scenes.hospital.counter import Counter
from scenes.hospital.errors import PaymentStateError
from scenes.hospital.payment_states import PaymentState, RefundState
from scenes.hospital.payment_store import Payment, Refund
from scenes.hospital.payments import PaymentSaga, Surroundings
from scenes.hospital.refunds import RefundSaga
from scenes.hospital.request import ReviewRequest
from scenes.hospital.saga_moves import Move
from scenes.hospital.tables import payment, refund
from scenes.hospital.views import ReviewsView, ReviewView
from scenes.hospital.whole_returns import all_that_stands

_REVIEWS_MAX: Final = 200
# So often in vain: three minutes of asking, and nothing has come of it.
_IN_VAIN: Final = 6
REVIEW: Final = "review"
# Whose move it is: the insurer's where its sums or its silence are the matter, else the hospital's.
_OF_THE_INSURER: Final = frozenset({"insurance_sums_broken", "insurance_silent"})
_SILENT: Final = "insurance_silent"


class ReviewService(Counter):
    """Serves the list, and goes on as people decide."""

    def __init__(self, around: Surroundings, payments: PaymentSaga, refunds: RefundSaga) -> None:
        Counter.__init__(self, around)
        self._payments = payments
        self._refunds = refunds

    async def list_reviews(self, caller: Caller) -> ReviewsView:
        """Payments and returns that do not go on by themselves, the oldest first.

        Those in ``review`` wait for a decision; the others were tried often, and are tried on.
        """
        caller.require(Scope.HOSPITAL_REVIEW)
        both = union_all(*(_subjects(kind) for kind in ("payment", "return"))).subquery()
        found = select(both).where(
            or_(both.c.state == REVIEW, both.c.due_at.is_not(None) & (both.c.attempts >= _IN_VAIN))
        )
        if caller.merchant_id is not None:
            found = found.where(both.c.merchant_id == caller.merchant_id)
        async with transaction(self._around.engine) as (connection, _):
            rows = await connection.execute(found.order_by(both.c.changed_at).limit(_REVIEWS_MAX))
            now = self._around.clock()
            return ReviewsView(reviews=[_view(row, now) for row in rows])

    async def decide_review(
        self, caller: Caller, subject_id: UUID, request: ReviewRequest, key: str
    ) -> tuple[ReviewView, bool]:
        """Go on as people decided.

        Raises:
            NotFoundError: nothing of the caller's.
            PaymentStateError: nobody needs to decide.
            RequestInvalidError: a payment has no rest that could be billed anew.
        """
        caller.require(Scope.HOSPITAL_REVIEW)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ReviewView]:
            note = {"by": caller.client_id, "note": request.note, "decision": request.decision}
            if await store.find_payment(connection, subject_id) is not None:
                paying = await store.read_payment(connection, caller, subject_id)
                _require_review(paying.state.value)
                moved = _way_of_payment(paying, request.decision)
                await moves.move_payment(connection, paying, Move(to=moved, note=note), now=now)
                if moved is PaymentState.RELEASING:
                    await _note_gone(connection, paying.merchant_id, paying.setl_id, now)
            else:
                taken = await store.read_refund(connection, caller, subject_id)
                _require_review(taken.state.value)
                changes: dict[str, Any] = {}
                to = _way_of_return(taken, request.decision)
                if to is RefundState.REFUNDING:
                    paid = taken.payment
                    standing = await settlements.settled_setl_id(connection, paid.payment_id)
                    for setl_id in {taken.setl_id, standing} - {None}:
                        await _note_gone(connection, paid.merchant_id, setl_id, now)
                    changes = await all_that_stands(connection, paid)
                elif request.decision == "whole":
                    changes = {"whole": True}
                move = Move(to=to, changes=changes, note=note)
                await moves.move_refund(connection, taken, move, now=now)
            return subject_id, await self._view_review(connection, subject_id)

        view, replayed = await self._once(
            caller, key, request, f"review/{subject_id}", perform, self._view_review
        )
        if not replayed:
            saga = self._payments if view.kind == "payment" else self._refunds
            await saga.advance(subject_id)
        return view, replayed

    async def _view_review(self, connection: AsyncConnection, subject_id: UUID) -> ReviewView:
        both = union_all(*(_subjects(kind) for kind in ("payment", "return"))).subquery()
        found = await connection.execute(select(both).where(both.c.subject_id == subject_id))
        return _view(found.one(), self._around.clock())


def _way_of_payment(found: Payment, decision: str) -> PaymentState:
    match decision:
        case "ask":
            return PaymentState.ASKING
        case "cancel":
            known = found.setl_id is not None
            return PaymentState.CANCELLING if known else PaymentState.REVERSING
        case "release":
            return PaymentState.RELEASING
        case _:
            raise RequestInvalidError("a payment has no rest", field="decision")


def _way_of_return(found: Refund, decision: str) -> RefundState:
    if found.msgid is None and decision != "release":
        # The rest was never said: what people looked at is the old settlement's cancelling (2208),
        # which is harmless when said again, and answered with what became of it.
        return RefundState.CANCELLING
    match decision:
        case "ask":
            return RefundState.ASKING
        case "release":
            return RefundState.REFUNDING
        case _:
            known = found.setl_id is not None
            return RefundState.UNSETTLING if known else RefundState.REVERSING


async def _note_gone(
    connection: AsyncConnection, merchant_id: str, setl_id: str | None, now: datetime
) -> None:
    """People have heard that it does not stand; if it does, the books of the day will tell."""
    if setl_id is not None:
        await settlements.note_cancelled(connection, merchant_id, setl_id, now)


def _require_review(state: str) -> None:
    if state != REVIEW:
        raise PaymentStateError(field="subject_id", status=state)


def _subjects(kind: str) -> Select[Any]:
    table = payment if kind == "payment" else refund
    identity, reason = (
        (payment.c.payment_id, payment.c.reason)
        if kind == "payment"
        else (refund.c.refund_id, refund.c.fault)
    )
    return select(
        identity.label("subject_id"),
        literal(kind).label("kind"),
        table.c.merchant_id,
        table.c.state,
        reason.label("why"),
        table.c.due_at,
        table.c.attempts,
        table.c.changed_at,
    )


def _view(row: Row[Any], now: datetime) -> ReviewView:
    reason = row.why
    if reason is None and row.state != REVIEW:
        reason = _SILENT
    return ReviewView(
        subject_id=row.subject_id,
        kind=row.kind,
        merchant_id=row.merchant_id,
        state=row.state,
        reason=reason,
        owner="insurer" if reason in _OF_THE_INSURER else "hospital",
        since=row.changed_at,
        age_s=int((now - row.changed_at).total_seconds()),
    )
