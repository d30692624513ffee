"""Doing a thing once per idempotency key, in the transaction of the thing itself.

For every effect that is not an order (orders come in batches, see ``business.order_batch``).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol, TypeVar
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import tables
from cardcore.books import transaction
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    IdempotencyKeyReusedError,
    ServiceUnavailableError,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

ATTEMPTS_MAX: Final = 6
_LOST_RACE: Final = (
    pg_errors.UniqueViolation,
    pg_errors.DeadlockDetected,
    pg_errors.SerializationFailure,
)


class Perform(Protocol[T_co]):
    """Do it, in the given transaction; return the id and the answer of what was made."""

    def __call__(
        self, connection: AsyncConnection, raw: RawConnection
    ) -> Awaitable[tuple[UUID, T_co]]:
        """Both connections are the same transaction."""
        ...


Recall = Callable[[AsyncConnection, RawConnection, UUID], Awaitable[T]]


async def once(
    engine: AsyncEngine,
    *,
    caller: Caller,
    key: str,
    digest: bytes,
    action: str,
    subject: str,
    now: datetime,
    perform: Perform[T],
    recall: Recall[T],
) -> tuple[T, bool]:
    """Perform an effect, or recall what the same request made before.

    Args:
        engine: where the transaction comes from.
        caller: whose key it is.
        key: the idempotency key, 1 to 255 characters.
        digest: SHA-256 over the whole request, its path included.
        action: kind of effect (``refund``, ``topup`` …), for the journal of refusals.
        subject: what it is done to, for the journal of refusals; nothing personal.
        now: instant of the request.
        perform: does it.
        recall: reads the answer of an effect by its id.

    Returns:
        The answer, and whether it is a recalled one.

    Raises:
        IdempotencyKeyReusedError: the key was used with another request.
        CardcoreError: what ``perform`` refuses; one audit row is left, nothing else.
        ServiceUnavailableError: the database is away; retry the same request.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            async with transaction(engine) as (connection, raw):
                known = await _known_effect(connection, caller, key, digest)
                if known is not None:
                    return await recall(connection, raw, known), True
                effect_id, answer = await perform(connection, raw)
                await connection.execute(
                    insert(tables.idempotency).values(
                        client_id=caller.client_id,
                        key=key,
                        request_digest=digest,
                        effect_kind=action,
                        effect_id=effect_id,
                        recorded_at=now,
                    )
                )
                return answer, False
        except ServiceUnavailableError:
            raise
        except IdempotencyKeyReusedError as refusal:
            await record_refusal(engine, caller, action, subject, refusal, now)
            raise
        except CardcoreError as refusal:
            # The same request at the same instant may have been first: its own effect refuses this
            # one ("captured already"), and is what it is to be told.
            async with transaction(engine) as (connection, raw):
                known = await _known_effect(connection, caller, key, digest)
                if known is not None:
                    return await recall(connection, raw, known), True
            await record_refusal(engine, caller, action, subject, refusal, now)
            raise
        except _LOST_RACE:
            pass
        except DBAPIError as error:
            if not isinstance(error.orig, _LOST_RACE):
                raise
        # Another request was first with a unique key: look again, and find what it made.
        await asyncio.sleep(0.002 * 2**attempt)
    raise ServiceUnavailableError("too many requests for the same thing at the same instant")


async def record_refusal(
    engine: AsyncEngine,
    caller: Caller,
    action: str,
    subject: str,
    refusal: CardcoreError,
    now: datetime,
) -> None:
    """Leave the one trace a refused request has."""
    async with transaction(engine) as (connection, _):
        await connection.execute(
            insert(tables.audit_event).values(
                recorded_at=now,
                client_id=caller.client_id,
                action=action,
                object=subject,
                outcome=refusal.reason if isinstance(refusal, CodeRefusedError) else refusal.code,
            )
        )


async def _known_effect(
    connection: AsyncConnection, caller: Caller, key: str, digest: bytes
) -> UUID | None:
    effect = tables.idempotency.c
    row = (
        await connection.execute(
            select(effect.request_digest, effect.effect_id).where(
                effect.client_id == caller.client_id, effect.key == key
            )
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise IdempotencyKeyReusedError(field="Idempotency-Key")
    effect_id: UUID = row.effect_id
    return effect_id
