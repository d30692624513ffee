"""Keeping doors and grants, and loading them for the gates.

Every call runs on a SQLAlchemy connection it is given, inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from scenes.community.access import AccessBook, Grant, Relation
from scenes.community.tables import access_grant, door_group, grant_end


class GrantUnknownError(Exception):
    """There is no such grant."""

    code: ClassVar[str] = "grant_unknown"
    retryable: ClassVar[bool] = False


async def put_door_into_groups(
    connection: AsyncConnection,
    door: str,
    groups: Collection[str],
    *,
    recorded_by: str,
    at: datetime,
) -> None:
    """A door belongs to these groups too. Doing it again changes nothing."""
    for group in sorted(groups):
        await connection.execute(
            insert(door_group)
            .values(door=door, door_group=group, recorded_by=recorded_by, recorded_at=at)
            .on_conflict_do_nothing()
        )


async def give_grant(
    connection: AsyncConnection,
    grant_id: UUID,
    user_id: UUID,
    grant: Grant,
    *,
    recorded_by: str,
    at: datetime,
) -> None:
    """Give a person a right. The caller makes ``grant_id``; giving it again changes nothing."""
    await connection.execute(
        insert(access_grant)
        .values(
            grant_id=grant_id,
            user_id=user_id,
            door_group=grant.door_group,
            relation=grant.relation.value,
            valid_from=grant.valid_from,
            valid_to=grant.valid_to,
            weekdays=sorted(grant.weekdays),
            starts=grant.starts,
            ends=grant.ends,
            recorded_by=recorded_by,
            recorded_at=at,
        )
        .on_conflict_do_nothing()
    )


async def end_grant(
    connection: AsyncConnection, grant_id: UUID, *, recorded_by: str, at: datetime
) -> None:
    """End a right now, before its last day. Ending it again changes nothing.

    Raises:
        GrantUnknownError: no such grant.
    """
    known = await connection.scalar(
        select(access_grant.c.grant_id).where(access_grant.c.grant_id == grant_id)
    )
    if known is None:
        raise GrantUnknownError(f"no grant {grant_id}")
    await connection.execute(
        insert(grant_end)
        .values(grant_id=grant_id, recorded_by=recorded_by, recorded_at=at)
        .on_conflict_do_nothing()
    )


async def load_access_book(connection: AsyncConnection) -> AccessBook | None:
    """All doors and the grants that were not ended; None where no door is kept here."""
    groups: dict[str, set[str]] = defaultdict(set)
    for row in await connection.execute(select(door_group.c.door, door_group.c.door_group)):
        groups[row.door].add(row.door_group)
    if not groups:
        return None
    grants: dict[UUID, list[Grant]] = defaultdict(list)
    ended = select(grant_end.c.grant_id)
    standing = (
        select(access_grant)
        .where(access_grant.c.grant_id.not_in(ended))
        .order_by(access_grant.c.grant_id)
    )
    for row in await connection.execute(standing):
        grants[row.user_id].append(
            Grant(
                door_group=row.door_group,
                relation=Relation(row.relation),
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                weekdays=frozenset(row.weekdays),
                starts=row.starts,
                ends=row.ends,
            )
        )
    return AccessBook(
        groups_of_door={door: frozenset(names) for door, names in groups.items()},
        grants_of_user={user_id: tuple(rights) for user_id, rights in grants.items()},
    )
