"""Operators: people of the card centre who sign in with a password and a one-time password.

Failures lock with growing patience: from the fifth in a row for one minute, two, four … up to an
hour. A refusal says neither what was wrong nor that it is locked. Sessions end after fifteen
minutes of silence and after eight hours in any case.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.parts import Parts
from cardcore.platform import tables, totp
from cardcore.platform.errors import (
    OperatorExistsError,
    OperatorUnknownError,
    SessionInvalidError,
    SignInRefusedError,
)
from cardcore.platform.passwords import Passwords
from cardcore.platform.request import NewOperator, SignIn
from cardcore.platform.roles import scopes_of
from cardcore.platform.session_tokens import SessionSecrets, digest_of, require_csrf
from cardcore.platform.views import OperatorSessionView, OperatorView

TOTP_KEY: Final = "operator-totp"
ISSUER: Final = "cardcore"
FAILURES_FREE: Final = 4
LOCK_MAX: Final = timedelta(hours=1)
SESSION_MAX: Final = timedelta(hours=8)
SILENCE_MAX: Final = timedelta(minutes=15)
# Being seen is written down once in a while, not at every request.
SEEN_STEP: Final = timedelta(minutes=1)


def lock_after(failures: int) -> timedelta:
    """How long the next attempt must wait after so many failures in a row."""
    if failures <= FAILURES_FREE:
        return timedelta(0)
    # Bounded before the power, or a patient attacker makes it overflow.
    return min(timedelta(minutes=2 ** min(failures - FAILURES_FREE - 1, 10)), LOCK_MAX)


class Operators:
    """Adds operators, lets them in and out."""

    def __init__(self, parts: Parts, passwords: Passwords) -> None:
        self._parts = parts
        self._passwords = passwords

    async def add(self, caller: Caller, request: NewOperator) -> tuple[OperatorView, str]:
        """Add an operator; returns it and the URI its authenticator reads, shown this once.

        Raises:
            OperatorExistsError: the name is taken.
            PasswordWeakError: the password is not fit.
        """
        caller.require(Scope.OPERATORS_WRITE)
        now = self._parts.clock()
        password = await self._passwords.store(request.password, operator_id=request.operator_id)
        secret, sealed = await self._fresh_secret(request.operator_id)
        async with transaction(self._parts.engine) as (connection, _):
            try:
                await connection.execute(
                    insert(tables.operator).values(
                        operator_id=request.operator_id,
                        name=request.name,
                        roles=[role.value for role in request.roles],
                        password=password,
                        totp_sealed=sealed,
                        status="active",
                        recorded_at=now,
                    )
                )
            except IntegrityError:
                raise OperatorExistsError(field="operator_id") from None
            await self._note(connection, caller, "operator.add", request.operator_id, now)
            view = await self._view(connection, request.operator_id)
        return view, _uri(secret, request.operator_id)

    async def reset(self, caller: Caller, operator_id: str, password: str) -> str:
        """Give an operator a new password and a new authenticator secret; ends its sessions.

        Raises:
            OperatorUnknownError: there is none of this name.
            PasswordWeakError: the password is not fit.
        """
        caller.require(Scope.OPERATORS_WRITE)
        now = self._parts.clock()
        stored = await self._passwords.store(password, operator_id=operator_id)
        secret, sealed = await self._fresh_secret(operator_id)
        changes = {"password": stored, "totp_sealed": sealed, "totp_step": 0, "failures": 0}
        async with transaction(self._parts.engine) as (connection, _):
            await self._change(connection, operator_id, changes | {"locked_until": None})
            await self._note(connection, caller, "operator.reset", operator_id, now)
        return _uri(secret, operator_id)

    async def set_status(self, caller: Caller, operator_id: str, status: str) -> OperatorView:
        """Let an operator in again (``active``) or shut it out (``disabled``) at once."""
        caller.require(Scope.OPERATORS_WRITE)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            await self._change(connection, operator_id, {"status": status})
            await self._note(connection, caller, f"operator.{status}", operator_id, now)
            return await self._view(connection, operator_id)

    async def list(self, caller: Caller) -> list[OperatorView]:
        """All operators, by name."""
        caller.require(Scope.OPERATORS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            names = await connection.execute(
                select(tables.operator.c.operator_id).order_by(tables.operator.c.operator_id)
            )
            return [await self._view(connection, name) for name in names.scalars().all()]

    async def sign_in(self, request: SignIn) -> tuple[OperatorSessionView, str]:
        """Open a session; returns it and the token for the cookie.

        Raises:
            SignInRefusedError: whatever was wrong.
        """
        now = self._parts.clock()
        operator = tables.operator.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(tables.operator).where(operator.operator_id == request.operator_id)
                )
            ).one_or_none()
        right = await self._passwords.matches(
            request.password, None if row is None else row.password
        )
        if row is None:
            raise SignInRefusedError
        secret = await self._parts.hsm.unwrap(
            TOTP_KEY, bytes(row.totp_sealed), context=_context(request.operator_id)
        )
        step = totp.matching_step(secret, request.totp, at=now, last_step=row.totp_step)
        secrets = SessionSecrets.fresh(self._parts.random_bytes)
        async with transaction(self._parts.engine) as (connection, _):
            # Judged on the row as it is now: guesses that run beside each other count too.
            locked = (operator.locked_until.is_not(None)) & (operator.locked_until > now)
            admitted = None
            if right and step is not None:
                admitted = (
                    await connection.execute(
                        update(tables.operator)
                        .where(
                            operator.operator_id == request.operator_id,
                            operator.status == "active",
                            operator.password == row.password,
                            operator.totp_step < step,
                            ~locked,
                        )
                        .values(totp_step=step, failures=0, locked_until=None)
                        .returning(operator.roles)
                    )
                ).one_or_none()
            if admitted is not None:
                await self._open(connection, request.operator_id, secrets, now)
                view = OperatorSessionView(
                    operator_id=request.operator_id,
                    roles=sorted(admitted.roles),
                    scopes=sorted(scopes_of(admitted.roles)),
                    csrf_token=secrets.csrf_token,
                    expires_at=now + SESSION_MAX,
                )
                return view, secrets.token
            await self._fail(connection, request.operator_id, now)
        raise SignInRefusedError

    async def caller(self, token: str, csrf_token: str | None, *, changes: bool) -> Caller:
        """The operator behind a session's token.

        Args:
            token: from the cookie.
            csrf_token: from the header; demanded where the request ``changes`` something.
            changes: whether it does.

        Raises:
            SessionInvalidError: no such session, or it has ended, or the operator is shut out.
            CSRFRefusedError: the change does not carry the session's own token.
        """
        now = self._parts.clock()
        session = tables.operator_session.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(tables.operator_session, tables.operator.c.roles)
                    .join(tables.operator, tables.operator.c.operator_id == session.operator_id)
                    .where(
                        session.token_digest == digest_of(token),
                        session.expires_at > now,
                        session.seen_at > now - SILENCE_MAX,
                        tables.operator.c.status == "active",
                    )
                )
            ).one_or_none()
            if row is None:
                raise SessionInvalidError
            if changes:
                require_csrf(csrf_token, bytes(row.csrf_digest))
            if row.seen_at < now - SEEN_STEP:
                await connection.execute(
                    update(tables.operator_session)
                    .where(session.token_digest == digest_of(token))
                    .values(seen_at=now)
                )
        return Caller(
            client_id=f"operator:{row.operator_id}", merchant_id=None, scopes=scopes_of(row.roles)
        )

    async def sign_out(self, token: str) -> None:
        """End a session."""
        async with transaction(self._parts.engine) as (connection, _):
            await connection.execute(
                delete(tables.operator_session).where(
                    tables.operator_session.c.token_digest == digest_of(token)
                )
            )

    async def _open(
        self, connection: AsyncConnection, operator_id: str, secrets: SessionSecrets, now: datetime
    ) -> None:
        await connection.execute(
            insert(tables.operator_session).values(
                token_digest=digest_of(secrets.token),
                csrf_digest=digest_of(secrets.csrf_token),
                operator_id=operator_id,
                opened_at=now,
                seen_at=now,
                expires_at=now + SESSION_MAX,
            )
        )
        await self._note_sign_in(connection, operator_id, "done", now)

    async def _fail(self, connection: AsyncConnection, operator_id: str, now: datetime) -> None:
        operator = tables.operator.c
        failures = (
            await connection.execute(
                update(tables.operator)
                .where(operator.operator_id == operator_id)
                .values(failures=func.least(operator.failures + 1, 1000))
                .returning(operator.failures)
            )
        ).scalar_one()
        await connection.execute(
            update(tables.operator)
            .where(operator.operator_id == operator_id)
            .values(locked_until=now + lock_after(failures))
        )
        await self._note_sign_in(connection, operator_id, SignInRefusedError.code, now)

    async def _note_sign_in(
        self, connection: AsyncConnection, operator_id: str, outcome: str, now: datetime
    ) -> None:
        await audit.record(
            connection,
            actor=f"operator:{operator_id}",
            action="operator.sign_in",
            subject=f"operator/{operator_id}",
            outcome=outcome,
            now=now,
        )

    async def _change(
        self, connection: AsyncConnection, operator_id: str, changes: dict[str, object]
    ) -> None:
        """Change an operator and end its sessions: what it may do now it must sign in for."""
        changed = await connection.execute(
            update(tables.operator)
            .where(tables.operator.c.operator_id == operator_id)
            .values(**changes)
        )
        if changed.rowcount != 1:
            raise OperatorUnknownError(field="operator_id")
        await connection.execute(
            delete(tables.operator_session).where(
                tables.operator_session.c.operator_id == operator_id
            )
        )

    async def _note(
        self,
        connection: AsyncConnection,
        caller: Caller,
        action: str,
        operator_id: str,
        now: datetime,
    ) -> None:
        await audit.record(
            connection,
            actor=caller.client_id,
            action=action,
            subject=f"operator/{operator_id}",
            outcome="done",
            now=now,
        )

    async def _fresh_secret(self, operator_id: str) -> tuple[bytes, bytes]:
        secret = self._parts.random_bytes(totp.SECRET_SIZE)
        sealed = await self._parts.hsm.wrap(TOTP_KEY, secret, context=_context(operator_id))
        return secret, sealed

    async def _view(self, connection: AsyncConnection, operator_id: str) -> OperatorView:
        row = (
            await connection.execute(
                select(tables.operator).where(tables.operator.c.operator_id == operator_id)
            )
        ).one()
        return OperatorView(
            operator_id=row.operator_id,
            name=row.name,
            roles=sorted(row.roles),
            status=row.status,
            locked_until=row.locked_until,
        )


def _context(operator_id: str) -> bytes:
    return b"operator totp\0" + operator_id.encode()


def _uri(secret: bytes, operator_id: str) -> str:
    return totp.provisioning_uri(secret, operator_id=operator_id, issuer=ISSUER)
