"""Giving out status indices, and what the status list says of each.

An index is drawn at random among the unused ones: neighbours on the list then say nothing of each
other. When twelve draws in a row meet a taken one the list is about half full, and doubles: nobody
has to count it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.ids import RandomBytes
from cardcore.user.authorisation_tables import code_authorisation, status_index, status_space
from codes.status import Status
from codes.status_list import ENTRIES_MAX

ENTRIES_MIN: Final = 4096
DRAWS_MAX: Final = 12
_STATUS_OF_BLOCK: Final = {"frozen": Status.SUSPENDED, "lost": Status.SUSPENDED}


async def allocate_index(
    connection: AsyncConnection,
    issuer_id: int,
    *,
    expires_at: datetime,
    random_bytes: RandomBytes,
) -> int:
    """An index of the issuer's list that nothing else bears until ``expires_at``.

    The instant must lie behind the last moment at which what bears the index, or a record of it,
    is judged.
    """
    await connection.execute(
        insert(status_space)
        .values(issuer_id=issuer_id, entry_count=ENTRIES_MIN)
        .on_conflict_do_nothing()
    )
    while True:
        entry_count = await entry_count_of(connection, issuer_id)
        for _ in range(DRAWS_MAX):
            index = int.from_bytes(random_bytes(8), "big") % entry_count
            taken = await connection.execute(
                insert(status_index)
                .values(issuer_id=issuer_id, status_index=index, expires_at=expires_at)
                .on_conflict_do_nothing()
                .returning(status_index.c.status_index)
            )
            if taken.scalar_one_or_none() is not None:
                return index
        assert entry_count * 2 <= ENTRIES_MAX, "the status list is full"
        await connection.execute(
            update(status_space)
            .where(status_space.c.issuer_id == issuer_id, status_space.c.entry_count == entry_count)
            .values(entry_count=entry_count * 2)
        )


async def entry_count_of(connection: AsyncConnection, issuer_id: int) -> int:
    """How long the issuer's list is."""
    found = await connection.execute(
        select(status_space.c.entry_count).where(status_space.c.issuer_id == issuer_id)
    )
    return found.scalar_one_or_none() or ENTRIES_MIN


async def statuses(
    connection: AsyncConnection, issuer_id: int, *, now: datetime
) -> Mapping[int, Status]:
    """Every index that is not valid: blocked aliases, people who are not active, revocations.

    What can come back (frozen, lost and found again) is suspended, the rest is revoked.
    """
    token, person, authorisation = tables.code_token.c, tables.person.c, code_authorisation.c
    rows = await connection.execute(
        select(authorisation.status_index, authorisation.revoked_at, token.blocked, person.status)
        .join(tables.code_token, token.token == authorisation.token)
        .join(tables.person, person.user_id == token.user_id)
        .where(
            authorisation.issuer_id == issuer_id,
            authorisation.ends_at > now,
            (authorisation.revoked_at.is_not(None))
            | (token.blocked.is_not(None))
            | (person.status != "active"),
        )
    )
    found: dict[int, Status] = {}
    for index, revoked_at, blocked, status in rows:
        if revoked_at is not None:
            found[index] = Status.REVOKED
        elif blocked is not None:
            found[index] = _STATUS_OF_BLOCK.get(blocked, Status.REVOKED)
        else:
            found[index] = _STATUS_OF_BLOCK.get(status, Status.REVOKED)
    return found
