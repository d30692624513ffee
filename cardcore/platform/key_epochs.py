"""Beginning the next epoch of an issuer key, and ending one that leaked.

In the ordinary way the new key is published now and signs once every terminal must have learned of
it: a key of codes or lists after the oldest list a terminal may work with, a key of packages after
the whole life of a package, since a package is believed by the keys in the one before. What the
former key signed stays good.

At once is for a key that leaked: it ends within seconds, and with it everything it signed. A key
that was published and waits takes its place, since terminals know it already; only where none
waits is one made. Whoever plans for a leak keeps one waiting.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, any_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.errors import ServiceUnavailableError
from cardcore.model import Model
from cardcore.parts import Parts
from cardcore.platform.errors import ProposalImpossibleError
from cardcore.platform.request import RotateIssuerKey
from cardcore.terminals.packages import PACKAGE_LIFE
from cardcore.terminals.tables import terminal_parameters
from cardcore.user.issuer_keys import publish_key
from codes.key_epochs import KeyEpochError
from codes.key_ring import KeyUse
from hsm_sim.interface import Algorithm, AlgorithmUnavailableError, HSMError

# Every server looks for changed keys every few seconds; the former key outlives the change-over.
BEGINS_AFTER: Final = timedelta(seconds=10)
ENDS_AFTER: Final = timedelta(seconds=20)


class IssuerKeyView(Model):
    """One key of the register.

    ``state``: ``waiting`` (published, to sign later), ``signing``, ``believed`` (a younger one
    signs), ``ended``.
    """

    kid: int
    use: str
    suite: str
    state: str
    published_at: datetime
    signs_from: datetime
    ends_at: datetime


class IssuerKeysView(Model):
    """The issuer's keys by use, suite and age."""

    issuer_id: int
    keys: list[IssuerKeyView]


async def rotate_issuer_key(
    parts: Parts, connection: AsyncConnection, content: RotateIssuerKey, now: datetime
) -> None:
    """Carry out an approved rotation.

    Raises:
        ProposalImpossibleError: a key waits already, the module cannot make such a key, or all
            numbers are taken.
        ServiceUnavailableError: the module is away.
    """
    use, algorithm = KeyUse(content.use), Algorithm(content.suite)
    issuer_id = parts.codes.issuing[-1].issuer_id
    # One after the other: two would publish the same number.
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("issuer keys"))))
    rows = await _keys(connection, issuer_id, use, algorithm)
    waiting = [row for row in rows if row.signs_from > now]
    begins_at = now + BEGINS_AFTER if content.at_once else now + await _lead(connection, use)
    if waiting and not content.at_once:
        raise ProposalImpossibleError("a key waits already", kid=waiting[0].kid)
    if content.at_once:
        for row in rows:
            if row not in waiting and row.not_after > now + ENDS_AFTER:
                await _set(connection, row, not_after=now + ENDS_AFTER)
    if waiting:
        await _set(connection, waiting[0], signs_from=begins_at)
        return
    try:
        await publish_key(
            connection,
            parts.hsm,
            issuer_id=issuer_id,
            algorithm=algorithm,
            use=use,
            signs_from=begins_at,
            now=now,
        )
    except (KeyEpochError, AlgorithmUnavailableError) as error:
        raise ProposalImpossibleError(str(error), field="suite") from None
    except HSMError as error:
        raise ServiceUnavailableError from error


async def read_keys(connection: AsyncConnection, issuer_id: int, now: datetime) -> IssuerKeysView:
    """The register, as an operator reads it."""
    key = tables.issuer_key.c
    rows = await connection.execute(
        select(tables.issuer_key)
        .where(key.issuer_id == issuer_id)
        .order_by(key.uses, key.algorithm, key.signs_from, key.kid)
    )
    found = rows.all()
    return IssuerKeysView(
        issuer_id=issuer_id,
        keys=[
            IssuerKeyView(
                kid=row.kid,
                use=row.uses[0],
                suite=row.algorithm,
                state=_state(row, found, now),
                published_at=row.not_before,
                signs_from=row.signs_from,
                ends_at=row.not_after,
            )
            for row in found
        ],
    )


def _state(row: Row[Any], rows: Sequence[Row[Any]], now: datetime) -> str:
    if row.not_after <= now:
        return "ended"
    if row.signs_from > now:
        return "waiting"
    younger = [
        other
        for other in rows
        if (other.uses, other.algorithm) == (row.uses, row.algorithm)
        and (row.signs_from, row.kid) < (other.signs_from, other.kid)
        and other.signs_from <= now < other.not_after
    ]
    return "believed" if younger else "signing"


async def _keys(
    connection: AsyncConnection, issuer_id: int, use: KeyUse, algorithm: Algorithm
) -> list[Row[Any]]:
    key = tables.issuer_key.c
    found = await connection.execute(
        select(tables.issuer_key)
        .where(
            key.issuer_id == issuer_id,
            any_(key.uses) == use.value,
            key.algorithm == algorithm.value,
        )
        .order_by(key.signs_from, key.kid)
    )
    return list(found.all())


async def _lead(connection: AsyncConnection, use: KeyUse) -> timedelta:
    """How long a key must be published before it may sign."""
    if use is KeyUse.PACKAGES:
        return PACKAGE_LIFE
    oldest = await connection.scalar(
        select(func.max(terminal_parameters.c.parameters["list_age_max_s"].as_integer()))
    )
    assert oldest is not None, "the migrations bring a row that holds for every scene"
    return timedelta(seconds=oldest)


async def _set(connection: AsyncConnection, row: Row[Any], **changes: datetime) -> None:
    key = tables.issuer_key.c
    await connection.execute(
        update(tables.issuer_key)
        .where(key.issuer_id == row.issuer_id, key.kid == row.kid)
        .values(**changes)
    )
