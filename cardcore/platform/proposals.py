"""Four eyes: what one operator proposes and another decides, done in the decision's transaction.

A proposal is never edited. Whoever decides names the digest of what was read, so that nothing else
can be approved than was seen; the table itself refuses a decision by the one who proposed.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError, NotFoundError
from cardcore.ids import new_id
from cardcore.once import once, record_refusal
from cardcore.parts import Parts, request_digest
from cardcore.platform import tables
from cardcore.platform.errors import (
    OwnProposalError,
    ProposalChangedError,
    ProposalStateError,
)
from cardcore.platform.key_epochs import IssuerKeysView, read_keys
from cardcore.platform.limit_changes import Change
from cardcore.platform.proposal_effects import carry_out
from cardcore.platform.request import Decision, NewProposal, ProposalContent
from cardcore.platform.views import ProposalsView, ProposalView

OPEN_FOR: Final = timedelta(days=7)
LISTED_MAX: Final = 200
_CONTENT: Final[TypeAdapter[ProposalContent]] = TypeAdapter(ProposalContent)


def content_digest(proposal_id: UUID, content: ProposalContent, purpose: str) -> bytes:
    """What a decision names: SHA-256 over the proposal's id, content and purpose."""
    return hashlib.sha256(proposal_id.bytes + to_json([content.model_dump(), purpose])).digest()


class Proposals:
    """Takes proposals and decisions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def propose(
        self, caller: Caller, request: NewProposal, idempotency_key: str
    ) -> tuple[ProposalView, bool]:
        """Lay something before a second operator. Does nothing else."""
        caller.require(Scope.PROPOSALS_WRITE)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection,
            raw: RawConnection,  # noqa: ARG001  (the form of every effect)
        ) -> tuple[UUID, ProposalView]:
            proposal_id = new_id(now, self._parts.random_bytes)
            await connection.execute(
                insert(tables.proposal).values(
                    proposal_id=proposal_id,
                    kind=request.content.kind,
                    content=request.content.model_dump(mode="json"),
                    digest=content_digest(proposal_id, request.content, request.purpose),
                    purpose=request.purpose,
                    proposed_by=caller.client_id,
                    proposed_at=now,
                    expires_at=now + OPEN_FOR,
                    status="open",
                )
            )
            await _note(connection, caller, "proposal.propose", proposal_id, request.purpose, now)
            return proposal_id, await _view(connection, proposal_id)

        async def recall(
            connection: AsyncConnection, _: RawConnection, proposal_id: UUID
        ) -> ProposalView:
            return await _view(connection, proposal_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest("propose", request),
            action="proposal.propose",
            subject=f"proposal/{request.content.kind}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def approve(self, caller: Caller, proposal_id: UUID, decision: Decision) -> ProposalView:
        """Approve and carry out, in one transaction; approving again changes nothing.

        Raises:
            NotFoundError: no such proposal.
            OwnProposalError: the caller made it.
            ProposalChangedError: the digest is another's.
            ProposalStateError: decided before, or its time is over.
            ProposalImpossibleError: it cannot be carried out; it stays open.
        """
        return await self._decide(caller, proposal_id, decision, "approved")

    async def reject(self, caller: Caller, proposal_id: UUID, decision: Decision) -> ProposalView:
        """Reject it. Raises as ``approve``."""
        return await self._decide(caller, proposal_id, decision, "rejected")

    async def withdraw(self, caller: Caller, proposal_id: UUID) -> ProposalView:
        """Take back one's own. Another's is not found."""
        caller.require(Scope.PROPOSALS_WRITE)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            found = await _view(connection, proposal_id, lock=True)
            if found.proposed_by != caller.client_id:
                raise NotFoundError(field="proposal_id")
            if found.status != "open":
                raise ProposalStateError(status=found.status)
            await _close(connection, proposal_id, "withdrawn", caller, now)
            await _note(connection, caller, "proposal.withdrawn", proposal_id, "", now)
            return await _view(connection, proposal_id)

    async def read(self, caller: Caller, proposal_id: UUID) -> ProposalView:
        """One proposal."""
        caller.require(Scope.PROPOSALS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            return await _view(connection, proposal_id)

    async def waiting(self, caller: Caller) -> ProposalsView:
        """What waits for a decision, oldest first."""
        caller.require(Scope.PROPOSALS_WRITE)
        proposal = tables.proposal.c
        async with transaction(self._parts.engine) as (connection, _):
            ids = await connection.execute(
                select(proposal.proposal_id)
                .where(proposal.status == "open", proposal.expires_at > self._parts.clock())
                .order_by(proposal.proposed_at, proposal.proposal_id)
                .limit(LISTED_MAX)
            )
            return ProposalsView(
                proposals=[await _view(connection, one) for one in ids.scalars().all()]
            )

    async def issuer_keys(self, caller: Caller) -> IssuerKeysView:
        """The keys a rotation would be about."""
        caller.require(Scope.PROPOSALS_WRITE)
        issuer_id = self._parts.codes.issuing[-1].issuer_id
        async with transaction(self._parts.engine) as (connection, _):
            return await read_keys(connection, issuer_id, self._parts.clock())

    async def _decide(
        self, caller: Caller, proposal_id: UUID, decision: Decision, status: str
    ) -> ProposalView:
        caller.require(Scope.PROPOSALS_DECIDE)
        now = self._parts.clock()
        try:
            async with transaction(self._parts.engine) as (connection, raw):
                found = await _view(connection, proposal_id, lock=True)
                if (found.status, found.decided_by) == (status, caller.client_id):
                    return found
                _require_decidable(found, caller, decision, now)
                if status == "approved":
                    content = _CONTENT.validate_python(found.content)
                    change = Change(
                        proposal_id=proposal_id,
                        decided_by=caller.client_id,
                        purpose=found.purpose,
                        now=now,
                    )
                    await carry_out(self._parts, connection, raw, content, change)
                await _close(connection, proposal_id, status, caller, now)
                await _note(
                    connection, caller, f"proposal.{status}", proposal_id, decision.purpose, now
                )
                return await _view(connection, proposal_id)
        except CardcoreError as refusal:
            subject = f"proposal/{proposal_id}"
            await record_refusal(
                self._parts.engine, caller, f"proposal.{status}", subject, refusal, now
            )
            raise


def _require_decidable(
    found: ProposalView, caller: Caller, decision: Decision, now: datetime
) -> None:
    if found.proposed_by == caller.client_id:
        raise OwnProposalError
    if found.status != "open" or found.expires_at <= now:
        raise ProposalStateError(status=found.status)
    if found.digest != decision.digest:
        raise ProposalChangedError(field="digest")


async def _close(
    connection: AsyncConnection, proposal_id: UUID, status: str, caller: Caller, now: datetime
) -> None:
    await connection.execute(
        update(tables.proposal)
        .where(tables.proposal.c.proposal_id == proposal_id)
        .values(status=status, decided_by=caller.client_id, decided_at=now)
    )


async def _note(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    proposal_id: UUID,
    purpose: str,
    now: datetime,
) -> None:
    await audit.record(
        connection,
        actor=caller.client_id,
        action=action,
        subject=f"proposal/{proposal_id}",
        outcome="done",
        now=now,
        purpose=purpose,
    )


async def _view(
    connection: AsyncConnection, proposal_id: UUID, *, lock: bool = False
) -> ProposalView:
    query = select(tables.proposal).where(tables.proposal.c.proposal_id == proposal_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFoundError(field="proposal_id")
    return ProposalView(**{**row._mapping, "digest": bytes(row.digest).hex()})  # noqa: SLF001  (SQLAlchemy's documented name)
