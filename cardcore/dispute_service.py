"""The verb ``dispute``: opened by the card centre or the citizen, answered, decided, settled."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.business.dispute_errors import DisputeStateError
from cardcore.business.dispute_journal import BY_ITSELF, Saying, dispute_view
from cardcore.business.dispute_lists import DisputeRowsView, DisputesPage, list_disputes
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DecideDisputeRequest,
    OpenDisputeRequest,
)
from cardcore.business.dispute_states import DisputeStep
from cardcore.business.dispute_views import DisputeView, EvidenceView
from cardcore.business.disputes import Disputes, decision_step
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import ForbiddenError
from cardcore.ids import RandomBytes
from cardcore.model import Model
from cardcore.once import Perform, once
from cardcore.parts import Parts, request_digest
from cardcore.platform.cursors import after, id_of, instant_of, read_cursor
from ledger import Ledger

_FIRST = ("0001-01-01T00:00:00+00:00", UUID(int=0).hex)


class Nothing(Model):
    """A request without a body."""


class DisputeService:
    """Serves disputes from the opening to the last fen."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._disputes = Disputes(parts.book, parts.random_bytes)

    async def open_dispute(
        self, caller: Caller, order_id: UUID, request: OpenDisputeRequest, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Dispute what the citizen paid of an order; the evidence is kept as it is now."""
        caller.require(Scope.DISPUTES_WRITE)
        _not_a_merchant(caller)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, DisputeView]:
            return await self._disputes.open(
                connection,
                raw,
                caller=caller,
                order_id=order_id,
                reason=request.reason.value,
                amount_fen=request.amount_fen,
                now=now,
            )

        subject = f"order/{order_id}"
        return await self._once(caller, "dispute", subject, request, idempotency_key, now, perform)

    async def answer_dispute(
        self, caller: Caller, dispute_id: UUID, request: AnswerDisputeRequest, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """The merchant's answer: accepting settles it, contesting brings it to a decision."""
        caller.require(Scope.DISPUTES_ANSWER)
        taken = DisputeStep.ACCEPT if request.answer is Answer.ACCEPT else DisputeStep.CONTEST
        return await self._take(caller, dispute_id, taken, request, idempotency_key)

    async def decide_dispute(
        self, caller: Caller, dispute_id: UUID, request: DecideDisputeRequest, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """The card centre's decision; final. Above the rule's limit two operators decide.

        Raises:
            SecondOperatorNeededError: it is above; propose ``decide_dispute``.
        """
        caller.require(Scope.DISPUTES_DECIDE)
        _not_a_merchant(caller)
        taken = decision_step(request.finding)
        return await self._take(caller, dispute_id, taken, request, idempotency_key, alone=True)

    async def credit_dispute(
        self, caller: Caller, dispute_id: UUID, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """Give the citizen the money provisionally, before anything is decided.

        Raises:
            SecondOperatorNeededError: above the rule's limit; propose ``credit_dispute``.
        """
        caller.require(Scope.DISPUTES_DECIDE)
        _not_a_merchant(caller)
        return await self._take(
            caller, dispute_id, DisputeStep.CREDIT, Nothing(), idempotency_key, alone=True
        )

    async def withdraw_dispute(
        self, caller: Caller, dispute_id: UUID, idempotency_key: str
    ) -> tuple[DisputeView, bool]:
        """The citizen takes it back; what was credited is owed again."""
        caller.require(Scope.DISPUTES_WRITE)
        _not_a_merchant(caller)
        return await self._take(
            caller, dispute_id, DisputeStep.WITHDRAW, Nothing(), idempotency_key
        )

    async def read_dispute(self, caller: Caller, dispute_id: UUID) -> DisputeView:
        """A dispute as it stands, with its journal."""
        caller.require(Scope.DISPUTES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await self._disputes.read(connection, caller, dispute_id)

    async def disputes(self, caller: Caller, page: DisputesPage) -> DisputeRowsView:
        """Disputes in the order in which they must be decided; a merchant sees its own.

        Raises:
            ForbiddenError: a citizen asks; theirs are at ``citizen_service``.
        """
        caller.require(Scope.DISPUTES_READ)
        if caller.user_id is not None:
            raise ForbiddenError("this is the list of merchants and the card centre")
        at, dispute_id = read_cursor(page.cursor, _FIRST)
        async with transaction(self._parts.engine) as (connection, _):
            found = await list_disputes(
                connection,
                page,
                merchant_id=caller.merchant_id or page.merchant_id,
                since=(instant_of(at), id_of(dispute_id)),
            )
        shown = found[: page.limit]
        last = shown[-1] if len(found) > page.limit else None
        return DisputeRowsView(
            disputes=shown,
            next_cursor=None
            if last is None
            else after((last.decide_by.isoformat(), last.dispute_id.hex)),
        )

    async def dispute_evidence(self, caller: Caller, dispute_id: UUID) -> EvidenceView:
        """What the books knew of the order when the dispute was opened."""
        caller.require(Scope.DISPUTES_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await self._disputes.evidence(connection, caller, dispute_id)

    async def _take(
        self,
        caller: Caller,
        dispute_id: UUID,
        taken: DisputeStep,
        request: AnswerDisputeRequest | DecideDisputeRequest | Nothing,
        key: str,
        *,
        alone: bool = False,
    ) -> tuple[DisputeView, bool]:
        now = self._parts.clock()
        stated = None if isinstance(request, Nothing) else request
        saying = Saying(
            client_id=caller.client_id,
            now=now,
            grounds=None if stated is None else stated.grounds.value,
            reference=None if stated is None else stated.reference,
        )

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, DisputeView]:
            return await self._disputes.take(
                connection,
                raw,
                caller=caller,
                dispute_id=dispute_id,
                taken=taken,
                saying=saying,
                alone=alone,
            )

        action, subject = f"dispute.{taken.value}", f"dispute/{dispute_id}"
        return await self._once(caller, action, subject, request, key, now, perform)

    async def _once(
        self,
        caller: Caller,
        action: str,
        subject: str,
        request: BaseModel,
        key: str,
        now: datetime,
        perform: Perform[DisputeView],
    ) -> tuple[DisputeView, bool]:
        async def recall(
            connection: AsyncConnection, _: RawConnection, event_id: UUID
        ) -> DisputeView:
            return await dispute_view(connection, event_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=key,
            digest=request_digest(f"{action}/{subject}", request),
            action=action,
            subject=subject,
            now=now,
            perform=perform,
            recall=recall,
        )


class DisputeDeadlines:
    """What falls due in disputes by itself: a duty of the worker, safe to run twice at once."""

    def __init__(self, engine: AsyncEngine, book: Ledger, random_bytes: RandomBytes) -> None:
        self._engine = engine
        self._disputes = Disputes(book, random_bytes)

    async def act_on_due(self, now: datetime) -> int:
        """Take the steps that are due, each in its own transaction; returns how many there were.

        A merchant that has not answered has lost; a citizen who still waits is credited; what is
        owed is taken as soon as there is something to take it from.
        """
        async with transaction(self._engine) as (connection, _):
            due = await self._disputes.due(connection, now)
        done = 0
        for dispute_id, name in due:
            async with transaction(self._engine) as (connection, raw):
                if name == "recover":
                    done += bool(
                        await self._disputes.recover_more(connection, raw, dispute_id, now)
                    )
                    continue
                saying = Saying(client_id=BY_ITSELF, now=now)
                try:
                    await self._disputes.take(
                        connection,
                        raw,
                        caller=None,
                        dispute_id=dispute_id,
                        taken=DisputeStep(name),
                        saying=saying,
                    )
                except DisputeStateError:
                    # Somebody has taken a step since it was found to be due.
                    continue
            done += 1
        return done


def _not_a_merchant(caller: Caller) -> None:
    if caller.merchant_id is not None:
        raise ForbiddenError("disputes are opened and decided by the card centre")
