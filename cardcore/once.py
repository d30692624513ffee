"""Doing a thing once per idempotency key, in the transaction of the thing itself.

For every effect that is not an order (orders come in batches, see ``business.order_batch``).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar
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
from cardcore.known import Known, kept_kind, known_by_key
from cardcore.values import value

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

ATTEMPTS_MAX: Final = 6
_LOST_RACE: Final = (
    pg_errors.UniqueViolation,
    pg_errors.DeadlockDetected,
    pg_errors.SerializationFailure,
)


@value
class Found(Generic[T]):
    """What ``perform`` did not make: the number in the request names it already."""

    effect_id: UUID
    answer: T


class Perform(Protocol[T_co]):
    """Do it, in the given transaction; return the id and the answer of what was made."""

    def __call__(
        self, connection: AsyncConnection, raw: RawConnection
    ) -> Awaitable[tuple[UUID, T_co]]:
        """Both connections are the same transaction."""
        ...


PerformOrFind = Callable[[AsyncConnection, RawConnection], Awaitable[tuple[UUID, T] | Found[T]]]


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
    answer, known = await once_or_found(
        engine,
        caller=caller,
        key=key,
        digest=digest,
        action=action,
        subject=subject,
        now=now,
        perform=perform,
        recall=recall,
    )
    return answer, bool(known)


async def once_or_found(
    engine: AsyncEngine,
    *,
    caller: Caller,
    key: str,
    digest: bytes,
    action: str,
    subject: str,
    now: datetime,
    perform: PerformOrFind[T],
    recall: Recall[T],
) -> tuple[T, Known]:
    """``once`` for what has a number of its maker's besides: ``perform`` may have found it."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            async with transaction(engine) as (connection, raw):
                effect = await _known_effect(connection, caller, key, digest)
                if effect is not None:
                    return await recall(connection, raw, effect[0]), effect[1]
                effect_id, answer, known = _made(await perform(connection, raw))
                await connection.execute(
                    insert(tables.idempotency).values(
                        client_id=caller.client_id,
                        key=key,
                        request_digest=digest,
                        effect_kind=kept_kind(action, known),
                        effect_id=effect_id,
                        recorded_at=now,
                    )
                )
                return answer, known
        except ServiceUnavailableError:
            raise
        except IdempotencyKeyReusedError as refusal:
            await record_refusal(engine, caller, action, subject, refusal, now)
            raise
        except CardcoreError as refusal:
            # The same request at the same instant may have been first: its own effect refuses this
            # one ("captured already"), and is what it is to be told.
            async with transaction(engine) as (connection, raw):
                effect = await _known_effect(connection, caller, key, digest)
                if effect is not None:
                    return await recall(connection, raw, effect[0]), effect[1]
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


def _made(done: tuple[UUID, T] | Found[T]) -> tuple[UUID, T, Known]:
    if isinstance(done, Found):
        return done.effect_id, done.answer, Known.BY_NUMBER
    return *done, Known.NEW


async def _known_effect(
    connection: AsyncConnection, caller: Caller, key: str, digest: bytes
) -> tuple[UUID, Known] | None:
    effect = tables.idempotency.c
    row = (
        await connection.execute(
            select(effect.request_digest, effect.effect_id, effect.effect_kind).where(
                effect.client_id == caller.client_id, effect.key == key
            )
        )
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise IdempotencyKeyReusedError(field="Idempotency-Key")
    return row.effect_id, known_by_key(row.effect_kind)
