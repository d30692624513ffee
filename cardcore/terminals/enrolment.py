"""Enrolling a terminal: a code given to a technician becomes a key that only the terminal has.

From then on the key is the terminal's client key (``private_key_jwt``) and signs its records. An
enrolment with a new code replaces the key; the former one keeps verifying what it signed.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.business.merchants import find_client, names_of_merchants, register_client
from cardcore.caller import Caller, Scope
from cardcore.errors import TerminalUnknownError
from cardcore.ids import RandomBytes
from cardcore.terminals.activation_code import (
    activation_digest,
    enrolment_message,
    make_activation_code,
)
from cardcore.terminals.errors import TerminalKeysExhaustedError
from cardcore.terminals.request import EnrolmentRequest
from cardcore.terminals.tables import terminal_activation, terminal_key
from cardcore.terminals.views import ActivationCodeView
from codes.suites import Algorithm, PublicKey, SignatureError

CODE_LIFE: Final = timedelta(hours=24)
WRONG_COUNT_MAX: Final = 5
KID_MAX: Final = 255
TERMINAL_SCOPES: Final = (
    Scope.VERIFY,
    Scope.ORDERS_WRITE,
    Scope.ORDERS_READ,
    Scope.TERMINALS_READ,
    Scope.RECORDS_WRITE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A terminal that has just proved its new key."""

    client_id: str
    terminal_id: str
    merchant_id: str
    merchant_name_zh: str
    merchant_name_en: str
    scene: str
    place: dict[str, str]
    kid: int


async def terminal_of(
    connection: AsyncConnection,
    caller: Caller,
    terminal_id: str,
    *,
    lock: bool = False,
    in_service: bool = True,
) -> Row[Any]:
    """A terminal that the caller may look after; by default only one in service.

    Raises:
        TerminalUnknownError: there is none, or it is another merchant's.
    """
    asked = select(tables.terminal).where(tables.terminal.c.terminal_id == terminal_id)
    if lock:
        asked = asked.with_for_update()
    row = (await connection.execute(asked)).one_or_none()
    if (
        row is None
        or (in_service and row.status != "active")
        or caller.merchant_id not in (None, row.merchant_id)
        or caller.terminal_id not in (None, terminal_id)
    ):
        raise TerminalUnknownError(field="terminal_id")
    return row


async def give_activation_code(
    connection: AsyncConnection,
    *,
    caller: Caller,
    terminal_id: str,
    now: datetime,
    random_bytes: RandomBytes,
) -> ActivationCodeView:
    """A new code for a terminal; the unused one before it is good no more.

    Raises:
        TerminalUnknownError: no such terminal of the caller's.
        TerminalKeysExhaustedError: the terminal could get no further key number.
    """
    await terminal_of(connection, caller, terminal_id, lock=True)
    if await _latest_kid(connection, terminal_id) == KID_MAX:
        raise TerminalKeysExhaustedError(field="terminal_id")
    code = make_activation_code(random_bytes)
    values = {
        "code_digest": activation_digest(code),
        "issued_by": caller.client_id,
        "recorded_at": now,
        "expires_at": now + CODE_LIFE,
        "used_at": None,
        "wrong_count": 0,
    }
    await connection.execute(
        insert(terminal_activation)
        .values(terminal_id=terminal_id, **values)
        .on_conflict_do_update(index_elements=["terminal_id"], set_=values)
    )
    return ActivationCodeView(
        terminal_id=terminal_id, activation_code=code, expires_at=values["expires_at"]
    )


async def enrol(
    connection: AsyncConnection, request: EnrolmentRequest, *, now: datetime
) -> Enrolled | None:
    """Take up a terminal's key; None where code or proof do not fit, which is counted.

    The count must be kept, so a refusal is not an exception here: the caller commits, then refuses.
    """
    terminal_id = request.terminal_id
    activation = (
        await connection.execute(
            select(terminal_activation)
            .where(terminal_activation.c.terminal_id == terminal_id)
            .with_for_update()
        )
    ).one_or_none()
    if activation is None or activation.used_at is not None:
        return None
    if activation.wrong_count >= WRONG_COUNT_MAX or now >= activation.expires_at:
        return None
    if not _fits(request, activation.code_digest):
        await connection.execute(
            update(terminal_activation)
            .where(terminal_activation.c.terminal_id == terminal_id)
            .values(wrong_count=terminal_activation.c.wrong_count + 1)
        )
        return None
    terminal = (
        await connection.execute(
            select(tables.terminal).where(tables.terminal.c.terminal_id == terminal_id)
        )
    ).one()
    client = await find_client(connection, terminal_id)
    if terminal.status != "active" or (client is not None and client.terminal_id != terminal_id):
        return None
    await connection.execute(
        update(terminal_activation)
        .where(terminal_activation.c.terminal_id == terminal_id)
        .values(used_at=now)
    )
    kid = await add_terminal_key(connection, terminal_id, request.public_key.key(), now=now)
    await register_client(
        connection,
        client_id=terminal_id,
        merchant_id=terminal.merchant_id,
        terminal_id=terminal_id,
        scopes=list(TERMINAL_SCOPES),
        public_key=request.public_key.as_dict(),
        now=now,
    )
    names = await names_of_merchants(connection, [terminal.merchant_id])
    name_zh, name_en = names[terminal.merchant_id]
    return Enrolled(
        client_id=terminal_id,
        terminal_id=terminal_id,
        merchant_id=terminal.merchant_id,
        merchant_name_zh=name_zh,
        merchant_name_en=name_en,
        scene=terminal.scene,
        place=terminal.place,
        kid=kid,
    )


async def add_terminal_key(
    connection: AsyncConnection, terminal_id: str, key: PublicKey, *, now: datetime
) -> int:
    """Let ``key`` sign the terminal's records from now on; returns its number.

    The key before it is retired. The key that is current already stays what it is.
    """
    current = (
        await connection.execute(
            select(terminal_key).where(
                terminal_key.c.terminal_id == terminal_id, terminal_key.c.retired_at.is_(None)
            )
        )
    ).one_or_none()
    if current is not None:
        if current.public_key == key.raw and current.revoked_at is None:
            known: int = current.kid
            return known
        await connection.execute(
            update(terminal_key)
            .where(terminal_key.c.terminal_id == terminal_id, terminal_key.c.kid == current.kid)
            .values(retired_at=func.greatest(now, terminal_key.c.enrolled_at))
        )
    latest = await _latest_kid(connection, terminal_id)
    kid = 0 if latest is None else latest + 1
    assert kid <= KID_MAX
    await connection.execute(
        insert(terminal_key).values(
            terminal_id=terminal_id,
            kid=kid,
            suite=key.algorithm << 4,
            public_key=key.raw,
            enrolled_at=now,
        )
    )
    return kid


async def revoke_terminal(
    connection: AsyncConnection, *, caller: Caller, terminal_id: str, since: datetime, now: datetime
) -> Row[Any]:
    """A terminal that was stolen or opened: its client is out, its records since then are doubted.

    Records it signed before ``since`` stay good. Enrolling it again begins with a new key.

    Raises:
        TerminalUnknownError: no such terminal of the caller's.
    """
    terminal = await terminal_of(connection, caller, terminal_id, lock=True, in_service=False)
    await connection.execute(
        update(terminal_key)
        .where(terminal_key.c.terminal_id == terminal_id, terminal_key.c.retired_at.is_(None))
        .values(revoked_at=func.least(since, func.coalesce(terminal_key.c.revoked_at, since)))
    )
    await connection.execute(
        update(tables.client)
        .where(tables.client.c.terminal_id == terminal_id)
        .values(status="revoked")
    )
    await connection.execute(
        update(terminal_activation)
        .where(terminal_activation.c.terminal_id == terminal_id)
        .values(expires_at=func.least(terminal_activation.c.expires_at, now))
    )
    return terminal


async def keys_of(connection: AsyncConnection, terminal_id: str) -> list[Row[Any]]:
    """The terminal's keys, newest first."""
    return list(
        (
            await connection.execute(
                select(terminal_key)
                .where(terminal_key.c.terminal_id == terminal_id)
                .order_by(terminal_key.c.kid.desc())
            )
        ).all()
    )


def algorithm_of(suite: int) -> Algorithm:
    """The algorithm in the high nibble of a suite byte."""
    return Algorithm(suite >> 4)


def _fits(request: EnrolmentRequest, code_digest: bytes) -> bool:
    if not hmac.compare_digest(activation_digest(request.activation_code), code_digest):
        return False
    message = enrolment_message(request.terminal_id, request.activation_code)
    try:
        request.public_key.key().verify(request.signature, message)
    except SignatureError:
        return False
    return True


async def _latest_kid(connection: AsyncConnection, terminal_id: str) -> int | None:
    latest: int | None = (
        await connection.execute(
            select(func.max(terminal_key.c.kid)).where(terminal_key.c.terminal_id == terminal_id)
        )
    ).scalar_one()
    return latest
