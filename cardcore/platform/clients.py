"""Clients as operators see them: registered, given a next key, revoked.

A revoked client is out within seconds although its token runs (ADR 52); it never comes back under
its name with the key it had.
"""

from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit, tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import MerchantUnknownError
from cardcore.parts import Parts
from cardcore.platform.client_keys import fit_key, thumbprint
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.errors import ClientExistsError, ClientUnknownError
from cardcore.platform.request import ForPurpose, NewClient, NewClientKey, Page
from cardcore.platform.views import ClientsView, ClientView


class Clients:
    """Registers, re-keys, revokes and lists."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(self, caller: Caller, request: NewClient) -> ClientView:
        """Let a system in. The same again is answered with what is there.

        Raises:
            ClientExistsError: the name is taken by a client of another content.
            MerchantUnknownError: no such merchant, or a closed one.
            KeyUnfitError: the key is not fit.
        """
        caller.require(Scope.CLIENTS_WRITE)
        now = self._parts.clock()
        key = fit_key(request.public_key)
        scopes = sorted({scope.value for scope in request.scopes})
        async with transaction(self._parts.engine) as (connection, _):
            await _require_merchant(connection, request.merchant_id)
            try:
                async with connection.begin_nested():
                    await connection.execute(
                        insert(tables.client).values(
                            client_id=request.client_id,
                            merchant_id=request.merchant_id,
                            terminal_id=None,
                            scopes=scopes,
                            public_key=key,
                            status="active",
                            recorded_at=now,
                        )
                    )
            except IntegrityError:
                found = await self._view(connection, request.client_id, now)
                asked = (request.merchant_id, None, scopes, thumbprint(key), "active")
                there = (found.merchant_id, found.terminal_id, found.scopes)
                if (*there, found.key_thumbprint, found.status) != asked:
                    raise ClientExistsError(field="client_id") from None
                return found
            await _note(connection, caller, "client.register", request, request.client_id, now)
            return await self._view(connection, request.client_id, now)

    async def next_key(self, caller: Caller, client_id: str, request: NewClientKey) -> ClientView:
        """Give a client its next key; the present one stays good for ``former_valid_s``."""
        caller.require(Scope.CLIENTS_WRITE)
        now = self._parts.clock()
        key = fit_key(request.public_key)
        client = tables.client.c
        async with transaction(self._parts.engine) as (connection, _):
            row = await self._row(connection, client_id, lock=True)
            if row["status"] != "active":
                raise ClientUnknownError(field="client_id")
            if row["public_key"] != key:
                await connection.execute(
                    update(tables.client)
                    .where(client.client_id == client_id)
                    .values(
                        public_key=key,
                        former_public_key=row["public_key"],
                        former_until=now + timedelta(seconds=request.former_valid_s),
                    )
                )
                await _note(connection, caller, "client.next_key", request, client_id, now)
            return await self._view(connection, client_id, now)

    async def revoke(self, caller: Caller, client_id: str, request: ForPurpose) -> ClientView:
        """Shut a client out, for good; revoking again changes nothing."""
        caller.require(Scope.CLIENTS_WRITE)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            row = await self._row(connection, client_id, lock=True)
            if row["status"] == "active":
                await connection.execute(
                    update(tables.client)
                    .where(tables.client.c.client_id == client_id)
                    .values(status="revoked")
                )
                await _note(connection, caller, "client.revoke", request, client_id, now)
            return await self._view(connection, client_id, now)

    async def read(self, caller: Caller, client_id: str) -> ClientView:
        """One client."""
        caller.require(Scope.CLIENTS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await self._view(connection, client_id, self._parts.clock())

    async def list(self, caller: Caller, page: Page) -> ClientsView:
        """Clients by name."""
        caller.require(Scope.CLIENTS_READ)
        (since,) = read_cursor(page.cursor, ("",))
        client_id = tables.client.c.client_id
        async with transaction(self._parts.engine) as (connection, _):
            names = (
                (
                    await connection.execute(
                        select(client_id)
                        .where(client_id > since)
                        .order_by(client_id)
                        .limit(page.limit + 1)
                    )
                )
                .scalars()
                .all()
            )
            shown = names[: page.limit]
            now = self._parts.clock()
            return ClientsView(
                clients=[await self._view(connection, name, now) for name in shown],
                next_cursor=after((shown[-1],)) if len(names) > page.limit else None,
            )

    async def _row(
        self, connection: AsyncConnection, client_id: str, *, lock: bool = False
    ) -> dict[str, object]:
        query = select(tables.client).where(tables.client.c.client_id == client_id)
        row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
        if row is None:
            raise ClientUnknownError(field="client_id")
        return dict(row._mapping)  # noqa: SLF001  (SQLAlchemy's documented name)

    async def _view(self, connection: AsyncConnection, client_id: str, now: datetime) -> ClientView:
        row = (
            await connection.execute(
                select(tables.client).where(tables.client.c.client_id == client_id)
            )
        ).one_or_none()
        if row is None:
            raise ClientUnknownError(field="client_id")
        former = row.former_public_key if row.former_until and row.former_until > now else None
        return ClientView(
            client_id=row.client_id,
            merchant_id=row.merchant_id,
            terminal_id=row.terminal_id,
            scopes=sorted(row.scopes),
            status=row.status,
            key_thumbprint=thumbprint(row.public_key),
            former_key_thumbprint=None if former is None else thumbprint(former),
            former_key_until=None if former is None else row.former_until,
        )


async def _require_merchant(connection: AsyncConnection, merchant_id: str | None) -> None:
    if merchant_id is not None:
        merchant = tables.merchant.c.merchant_id
        known = await connection.execute(
            select(merchant).where(merchant == merchant_id, tables.merchant.c.status != "closed")
        )
        if known.one_or_none() is None:
            raise MerchantUnknownError(field="merchant_id")


async def _note(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    request: NewClient | NewClientKey | ForPurpose,
    client_id: str,
    now: datetime,
) -> None:
    await audit.record(
        connection,
        actor=caller.client_id,
        action=action,
        subject=f"client/{client_id}",
        outcome="done",
        now=now,
        purpose=request.purpose,
    )
