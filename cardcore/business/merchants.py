"""Merchants, their terminals, and the clients that call for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import (
    CUSTODY,
    DISPUTES,
    FEES,
    IN_TRANSIT,
    SUSPENSE,
    AccountCode,
    account_id,
    subsidy_receivable,
)
from cardcore.books import account, open_accounts
from cardcore.business.quote import Payer
from cardcore.caller import ClientRecord, Scope
from cardcore.connections import RawConnection
from ledger import Ledger


async def open_fixed_accounts(book: Ledger, raw: RawConnection) -> None:
    """Open the accounts every installation has: custody, transit, suspense, fees, receivables."""
    await open_accounts(
        book,
        [
            account(CUSTODY, AccountCode.CUSTODY),
            account(IN_TRANSIT, AccountCode.IN_TRANSIT),
            account(SUSPENSE, AccountCode.SUSPENSE),
            account(DISPUTES, AccountCode.SUSPENSE),
            account(FEES, AccountCode.FEES),
            *(
                account(subsidy_receivable(payer), AccountCode.SUBSIDY_RECEIVABLE)
                for payer in Payer
                if payer is not Payer.CITIZEN
            ),
        ],
        raw,
    )


async def register_merchant(
    connection: AsyncConnection,
    raw: RawConnection,
    book: Ledger,
    *,
    merchant_id: str,
    name_zh: str,
    name_en: str,
    uscc: str | None = None,
    now: datetime,
) -> None:
    """Register a merchant and open its two payables; registering again changes nothing."""
    payable_id = account_id(f"payable:{merchant_id}")
    subsidy_payable_id = account_id(f"subsidy_payable:{merchant_id}")
    await open_accounts(
        book,
        [
            account(payable_id, AccountCode.MERCHANT_PAYABLE),
            account(subsidy_payable_id, AccountCode.MERCHANT_SUBSIDY_PAYABLE),
        ],
        raw,
    )
    await connection.execute(
        insert(tables.merchant)
        .values(
            merchant_id=merchant_id,
            name_zh=name_zh,
            name_en=name_en,
            uscc=uscc,
            status="active",
            payable_id=payable_id,
            subsidy_payable_id=subsidy_payable_id,
            recorded_at=now,
        )
        .on_conflict_do_nothing()
    )


async def register_terminal(
    connection: AsyncConnection,
    *,
    terminal_id: str,
    merchant_id: str,
    scene: str,
    place: dict[str, str],
    now: datetime,
) -> None:
    """Register a terminal of a merchant; registering again changes nothing."""
    await connection.execute(
        insert(tables.terminal)
        .values(
            terminal_id=terminal_id,
            merchant_id=merchant_id,
            scene=scene,
            place=place,
            status="active",
            recorded_at=now,
        )
        .on_conflict_do_nothing()
    )


async def register_client(
    connection: AsyncConnection,
    *,
    client_id: str,
    merchant_id: str | None,
    terminal_id: str | None,
    scopes: list[Scope],
    public_key: dict[str, Any],
    now: datetime,
) -> None:
    """Register a client by its public key; the key of a client that exists is replaced."""
    values = {
        "merchant_id": merchant_id,
        "terminal_id": terminal_id,
        "scopes": [scope.value for scope in scopes],
        "public_key": public_key,
        "status": "active",
        "recorded_at": now,
    }
    await connection.execute(
        insert(tables.client)
        .values(client_id=client_id, **values)
        .on_conflict_do_update(index_elements=["client_id"], set_=values)
    )


async def names_of_merchants(
    connection: AsyncConnection, merchant_ids: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Names of merchants, in Chinese and English, for scenes that show whose something is."""
    m = tables.merchant.c
    rows = await connection.execute(
        select(m.merchant_id, m.name_zh, m.name_en).where(m.merchant_id.in_(merchant_ids))
    )
    return {row.merchant_id: (row.name_zh, row.name_en) for row in rows}


async def find_client(connection: AsyncConnection, client_id: str) -> ClientRecord | None:
    """A registered client, revoked ones included."""
    row = (
        await connection.execute(
            select(tables.client).where(tables.client.c.client_id == client_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return ClientRecord(
        client_id=row.client_id,
        merchant_id=row.merchant_id,
        terminal_id=row.terminal_id,
        scopes=frozenset(row.scopes),
        public_key_jwk=row.public_key,
        status=row.status,
        former_key_jwk=row.former_public_key,
        former_until=row.former_until,
    )
