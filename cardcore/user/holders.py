"""Who holds a presented code, read for all who ask at the same time: one statement, any number.

A verification spends nothing, so nothing ties it to a transaction of its own; what it costs is the
round trip, and that is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
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
from cardcore.user.code_desk import Judging
from cardcore.user.presented import PresentedCode

READS_AT_ONCE: Final = 2
"""While one read is answered the next one is on its way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose code is this, and what is the holder entitled to on this business date?

    ``code``: being judged, or accepted already.
    """

    code: Judging | PresentedCode
    on: date


@dataclass(frozen=True, slots=True)
class Holder:
    """A person as verification sees them; ``status`` is the credential's where that is blocked."""

    user_id: UUID
    level: str
    status: str
    concessions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """An accepted code that nobody has used, and whose it is."""

    code: PresentedCode
    holder: Holder


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

    async def read(self, asked: Sequence[Asked]) -> list[Found | Exception]:
        """One answer each, in order: the code and its holder, or why there is none.

        ``CodeRefusedError``: the code is not accepted, or was used before; ``UserUnknownError``:
        its alias leads to nobody; ``ServiceUnavailableError``: the database is away.
        """
        codes = [
            one.code if isinstance(one.code, PresentedCode) else await one.code for one in asked
        ]
        accepted = [
            (at, code, one.on)
            for at, (code, one) in enumerate(zip(codes, asked, strict=True))
            if isinstance(code, PresentedCode)
        ]
        answers: list[Found | Exception] = [
            code if isinstance(code, Exception) else _unknown() for code in codes
        ]
        try:
            rows = await self._rows(accepted)
        except (psycopg.OperationalError, PoolTimeout):
            for at, *_ in accepted:
                answers[at] = ServiceUnavailableError()
            return answers
        for number, user_id, level, status, concessions, is_used in rows:
            at, code, _ = accepted[number - 1]
            answers[at] = (
                CodeRefusedError("code_replayed", "this code was used before")
                if is_used
                else Found(code, Holder(user_id, level, status, sorted(set(concessions))))
            )
        return answers

    async def _rows(self, accepted: Sequence[tuple[int, PresentedCode, date]]) -> list[Any]:
        if not accepted:
            return []
        async with self._pool.connection() as connection:
            found = await connection.execute(
                HOLDERS,
                (
                    [code.token for _, code, _ in accepted],
                    [code.replay_key for _, code, _ in accepted],
                    [on for *_, on in accepted],
                ),
            )
            return await found.fetchall()


def _unknown() -> CardcoreError:
    return UserUnknownError(field="user.credential")
