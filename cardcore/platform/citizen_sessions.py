"""Citizens' sessions, opened by the one-time code of the app that embeds our page.

The app's server has signed its user in and asks for a code (60 s, once, bound to that app); the
page brings the code and gets a session in a cookie that scripts cannot read. No token stands in a
URL or in a script's reach, and a code seen by others opens nothing a second time.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit
from cardcore import tables as core_tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, UserUnknownError
from cardcore.parts import Parts
from cardcore.platform import tables
from cardcore.platform.errors import HostCodeRefusedError, SessionInvalidError
from cardcore.platform.request import CitizenSignIn, NewHostCode
from cardcore.platform.session_tokens import (
    csrf_of,
    digest_of,
    require_csrf,
    secret_text,
)
from cardcore.platform.views import CitizenSessionView, HostCodeView

HOST_CODE_TTL: Final = timedelta(seconds=60)
SESSION_MAX: Final = timedelta(minutes=30)


class CitizenSessions:
    """Makes host codes and sessions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def host_code(self, caller: Caller, request: NewHostCode) -> HostCodeView:
        """A one-time code for a user whom the calling app has signed in.

        Raises:
            UserUnknownError: no such user, or one who may not sign in.
        """
        caller.require(Scope.SESSIONS_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("only an app of the card centre signs citizens in")
        now = self._parts.clock()
        code = secret_text(self._parts.random_bytes)
        async with transaction(self._parts.engine) as (connection, _):
            if not await _is_active(connection, request.user_id):
                raise UserUnknownError(field="user_id")
            await connection.execute(
                insert(tables.host_code).values(
                    code_digest=digest_of(code),
                    client_id=caller.client_id,
                    user_id=request.user_id,
                    made_at=now,
                    expires_at=now + HOST_CODE_TTL,
                    # A clock ahead of ours proves nothing about the future.
                    authenticated_at=_not_after(request.authenticated_at, now),
                )
            )
        return HostCodeView(host_code=code, expires_at=now + HOST_CODE_TTL)

    async def sign_in(self, request: CitizenSignIn) -> tuple[CitizenSessionView, str]:
        """Exchange a code for a session; returns it and the token for the cookie.

        A code that is shown twice was seen by somebody else: the session it opened is ended too.

        Raises:
            HostCodeRefusedError: unknown, used, expired, or another app's.
        """
        now = self._parts.clock()
        code = tables.host_code.c
        digest = digest_of(request.host_code)
        token = secret_text(self._parts.random_bytes)
        csrf_token = csrf_of(token)
        async with transaction(self._parts.engine) as (connection, _):
            used = (
                await connection.execute(
                    update(tables.host_code)
                    .where(
                        code.code_digest == digest,
                        code.client_id == request.client_id,
                        code.used_at.is_(None),
                        code.expires_at > now,
                    )
                    .values(used_at=now)
                    .returning(code.user_id, code.authenticated_at)
                )
            ).one_or_none()
            if used is not None and await _is_active(connection, used.user_id):
                await connection.execute(
                    insert(tables.citizen_session).values(
                        token_digest=digest_of(token),
                        csrf_digest=digest_of(csrf_token),
                        user_id=used.user_id,
                        client_id=request.client_id,
                        opened_at=now,
                        expires_at=now + SESSION_MAX,
                        authenticated_at=used.authenticated_at,
                    )
                )
                view = CitizenSessionView(csrf_token=csrf_token, expires_at=now + SESSION_MAX)
                return view, token
            if used is None:
                await self._distrust(connection, digest)
        raise HostCodeRefusedError

    async def caller(self, token: str, csrf_token: str | None, *, changes: bool) -> Caller:
        """The citizen behind a session's token.

        Raises:
            SessionInvalidError: no such session, it has ended, or the person is not active.
            CSRFRefusedError: a change without the session's own token.
        """
        session = tables.citizen_session.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(session.user_id, session.csrf_digest, session.authenticated_at).where(
                        session.token_digest == digest_of(token),
                        session.expires_at > self._parts.clock(),
                    )
                )
            ).one_or_none()
            if row is None or not await _is_active(connection, row.user_id):
                raise SessionInvalidError
        if changes:
            require_csrf(csrf_token, bytes(row.csrf_digest))
        return Caller(
            client_id=f"user:{row.user_id}",
            merchant_id=None,
            scopes=frozenset(),
            user_id=row.user_id,
            authenticated_at=row.authenticated_at,
        )

    async def read(self, token: str) -> CitizenSessionView:
        """What a page that was loaded anew must know of its session.

        Raises:
            SessionInvalidError: it has ended.
        """
        session = tables.citizen_session.c
        async with transaction(self._parts.engine) as (connection, _):
            expires_at = await connection.scalar(
                select(session.expires_at).where(session.token_digest == digest_of(token))
            )
        if expires_at is None:
            raise SessionInvalidError
        return CitizenSessionView(csrf_token=csrf_of(token), expires_at=expires_at)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        async with transaction(self._parts.engine) as (connection, _):
            await connection.execute(
                delete(tables.citizen_session).where(
                    tables.citizen_session.c.token_digest == digest_of(token)
                )
            )

    async def _distrust(self, connection: AsyncConnection, digest: bytes) -> None:
        """End what a code opened that is shown again, and write it down."""
        code = tables.host_code.c
        row = (
            await connection.execute(
                select(tables.host_code).where(
                    code.code_digest == digest, code.used_at.is_not(None)
                )
            )
        ).one_or_none()
        if row is None:
            return
        session = tables.citizen_session.c
        await connection.execute(
            delete(tables.citizen_session).where(
                session.user_id == row.user_id,
                session.client_id == row.client_id,
                session.opened_at == row.used_at,
            )
        )
        await audit.record(
            connection,
            actor=row.client_id,
            action="citizen.sign_in",
            subject=f"user/{row.user_id}",
            outcome="host_code_replayed",
            now=self._parts.clock(),
        )


async def _is_active(connection: AsyncConnection, user_id: UUID) -> bool:
    person = core_tables.person.c
    status = (
        await connection.execute(select(person.status).where(person.user_id == user_id))
    ).scalar_one_or_none()
    return bool(status == "active")


def _not_after(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None else min(at, now)
