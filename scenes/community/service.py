"""Keeping doors and grants, and loading them for the gates.

Every call runs on a SQLAlchemy connection it is given, inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.orders import count_orders
from scenes.community.access import AccessBook, Grant, PassUses, Relation
from scenes.community.tables import access_grant, door_group, grant_end, visitor_pass


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


async def end_grants_of(
    connection: AsyncConnection, user_id: UUID, *, recorded_by: str, at: datetime
) -> None:
    """End all rights of a person now. Those that were ended before stay as they are."""
    own = select(access_grant.c.grant_id).where(access_grant.c.user_id == user_id)
    for grant_id in (await connection.scalars(own)).all():
        await end_grant(connection, grant_id, recorded_by=recorded_by, at=at)


async def standing_grants(connection: AsyncConnection, user_id: UUID) -> list[Grant]:
    """The rights of a person that were not ended, whether or not their days have come."""
    rows = await connection.execute(_standing().where(access_grant.c.user_id == user_id))
    return [_grant(row) for row in rows]


async def doors_version(connection: AsyncConnection) -> tuple[int, ...]:
    """Changes exactly when the access book does: rows are only ever added."""
    counts = [
        select(func.count()).select_from(table).scalar_subquery()
        for table in (door_group, access_grant, grant_end)
    ]
    return tuple((await connection.execute(select(*counts))).one())


def _standing() -> Select[Any]:
    ended = select(grant_end.c.grant_id)
    return (
        select(access_grant)
        .where(access_grant.c.grant_id.not_in(ended))
        .order_by(access_grant.c.grant_id)
    )


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        door_group=row.door_group,
        relation=Relation(row.relation),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        weekdays=frozenset(row.weekdays),
        starts=row.starts,
        ends=row.ends,
    )


async def load_access_book(connection: AsyncConnection) -> AccessBook | None:
    """All doors and the grants that were not ended; None where no door is kept here."""
    groups: dict[str, set[str]] = defaultdict(set)
    for row in await connection.execute(select(door_group.c.door, door_group.c.door_group)):
        groups[row.door].add(row.door_group)
    if not groups:
        return None
    grants: dict[UUID, list[Grant]] = defaultdict(list)
    for row in await connection.execute(_standing()):
        grants[row.user_id].append(_grant(row))
    limits = (
        await connection.execute(select(visitor_pass.c.visitor_id, visitor_pass.c.uses_max))
    ).all()
    used = await count_orders(connection, [row.visitor_id for row in limits], scene="community")
    return AccessBook(
        groups_of_door={door: frozenset(names) for door, names in groups.items()},
        grants_of_user={user_id: tuple(rights) for user_id, rights in grants.items()},
        uses_of_user={
            row.visitor_id: PassUses(uses_max=row.uses_max, used=used.get(row.visitor_id, 0))
            for row in limits
        },
    )
