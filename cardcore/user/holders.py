"""Who holds a presented code, read for all who ask at the same time: one statement, any number.

A verification spends nothing, so nothing ties it to a transaction of its own; what it costs is the
round trip, and that is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cardcore.connections import RawConnection
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    ServiceUnavailableError,
    UserUnknownError,
)
from cardcore.user.presented import PresentedCode

READS_AT_ONCE: Final = 2
"""While one read is answered the next one is on its way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose code is this, and what is the holder entitled to on this business date?"""

    code: PresentedCode
    on: date


@dataclass(frozen=True, slots=True)
class Holder:
    """A person as verification sees them; ``status`` is the credential's where that is blocked."""

    user_id: UUID
    level: str
    status: str
    concessions: Sequence[str]


HOLDERS: Final = """
SELECT a.at, p.user_id, p.level, coalesce(t.blocked, p.status),
       ARRAY(SELECT e.class FROM cardcore.entitlement e
              WHERE e.user_id = p.user_id AND a.day BETWEEN e.valid_from AND e.valid_to),
       (SELECT true FROM cardcore.used_code u WHERE u.replay_key = a.replay_key)
  FROM unnest(%b::bytea[], %b::bytea[], %b::date[])
       WITH ORDINALITY AS a (token, replay_key, day, at)
  CROSS JOIN LATERAL (
       SELECT * FROM cardcore.code_token t WHERE t.token = a.token OFFSET 0) t
  CROSS JOIN LATERAL (
       SELECT * FROM cardcore.person p WHERE p.user_id = t.user_id OFFSET 0) p
"""


class Holders:
    """Reads holders; batches come from group commit.

    Args:
        pool: where connections come from.
    """

    def __init__(self, pool: AsyncConnectionPool[RawConnection]) -> None:
        self._pool = pool

    async def read(self, asked: Sequence[Asked]) -> list[Holder | Exception]:
        """One answer each, in order: the holder, or why there is none.

        ``UserUnknownError``: the code's alias leads to nobody; ``CodeRefusedError``: the code was
        used before; ``ServiceUnavailableError``: the database is away.
        """
        try:
            async with self._pool.connection() as connection:
                found = await connection.execute(
                    HOLDERS,
                    (
                        [one.code.token for one in asked],
                        [one.code.replay_key for one in asked],
                        [one.on for one in asked],
                    ),
                )
                rows = await found.fetchall()
        except (psycopg.OperationalError, PoolTimeout):
            return [ServiceUnavailableError() for _ in asked]
        answers: list[Holder | Exception] = [_unknown() for _ in asked]
        for at, user_id, level, status, concessions, is_used in rows:
            answers[at - 1] = (
                CodeRefusedError("code_replayed", "this code was used before")
                if is_used
                else Holder(user_id, level, status, sorted(set(concessions)))
            )
        return answers


def _unknown() -> CardcoreError:
    return UserUnknownError(field="user.credential")
