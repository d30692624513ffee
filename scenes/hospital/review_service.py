"""What people must look at: payments and returns whose sums do not agree."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital.counter import Counter
from scenes.hospital.errors import PaymentStateError
from scenes.hospital.payments import PaymentSaga, Surroundings
from scenes.hospital.refunds import RefundSaga
from scenes.hospital.request import ReviewRequest
from scenes.hospital.saga_moves import Move
from scenes.hospital.tables import payment, refund
from scenes.hospital.views import ReviewsView, ReviewView

_REVIEWS_MAX: Final = 200


class ReviewService(Counter):
    """Serves the list, and goes on as people decide."""

    def __init__(self, around: Surroundings, payments: PaymentSaga, refunds: RefundSaga) -> None:
        Counter.__init__(self, around)
        self._payments = payments
        self._refunds = refunds

    async def list_reviews(self, caller: Caller) -> ReviewsView:
        """Payments and returns that people must look at, the oldest first."""
        caller.require(Scope.HOSPITAL_REVIEW)
        views = []
        async with transaction(self._around.engine) as (connection, _):
            for kind, table, identity, reason in (
                ("payment", payment, payment.c.payment_id, payment.c.reason),
                ("return", refund, refund.c.refund_id, refund.c.fault),
            ):
                rows = await connection.execute(
                    select(
                        identity.label("subject_id"),
                        table.c.merchant_id,
                        reason.label("why"),
                        table.c.changed_at,
                    )
                    .where(table.c.state == "review")
                    .order_by(table.c.changed_at)
                    .limit(_REVIEWS_MAX)
                )
                views += [
                    ReviewView(
                        subject_id=row.subject_id,
                        kind=kind,
                        merchant_id=row.merchant_id,
                        reason=row.why,
                        since=row.changed_at,
                    )
                    for row in rows
                    if caller.merchant_id in (None, row.merchant_id)
                ]
        return ReviewsView(reviews=sorted(views, key=lambda one: one.since))

    async def decide_review(
        self, caller: Caller, subject_id: UUID, request: ReviewRequest, key: str
    ) -> tuple[ReviewView, bool]:
        """Go on as people decided. Raises ``NotFoundError``, ``PaymentStateError``."""
        caller.require(Scope.HOSPITAL_REVIEW)

        async def perform(connection: AsyncConnection, now: datetime) -> tuple[UUID, ReviewView]:
            note = {"by": caller.client_id, "note": request.note, "decision": request.decision}
            found = await store.find_payment(connection, subject_id)
            if found is None:
                taken = await store.read_refund(connection, caller, subject_id)
                _require_review(taken.state.value)
                to = "asking" if request.decision == "ask" else "reversing"
                await moves.move_refund(connection, taken, Move(to=to, note=note), now=now)
            else:
                await store.read_payment(connection, caller, subject_id)
                _require_review(found.state.value)
                to = "asking"
                if request.decision == "cancel":
                    to = "reversing" if found.setl_id is None else "cancelling"
                await moves.move_payment(connection, found, Move(to=to, note=note), now=now)
            return subject_id, await _view_review(connection, subject_id)

        view, replayed = await self._once(
            caller, key, request, f"review/{subject_id}", perform, _view_review
        )
        if not replayed:
            saga = self._payments if view.kind == "payment" else self._refunds
            await saga.advance(subject_id)
        return view, replayed


def _require_review(state: str) -> None:
    if state != "review":
        raise PaymentStateError(field="subject_id", status=state)


async def _view_review(connection: AsyncConnection, subject_id: UUID) -> ReviewView:
    p, r = payment.c, refund.c
    row = (
        await connection.execute(
            select(p.merchant_id, p.reason, p.changed_at).where(p.payment_id == subject_id)
        )
    ).one_or_none()
    kind = "payment"
    if row is None:
        kind = "return"
        row = (
            await connection.execute(
                select(r.merchant_id, r.fault.label("reason"), r.changed_at).where(
                    r.refund_id == subject_id
                )
            )
        ).one()
    return ReviewView(
        subject_id=subject_id,
        kind=kind,
        merchant_id=row.merchant_id,
        reason=row.reason,
        since=row.changed_at,
    )
