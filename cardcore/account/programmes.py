"""Subsidy programmes: what is known of them, and the kind of fund each of them is."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import AccountCode, sponsor_deposit
from cardcore.account.fund_tables import subsidy_programme
from cardcore.account.funding_plan import Programme
from cardcore.account.funding_policy import set_programme
from cardcore.account.request import ProgrammeRequest
from cardcore.account.views import ProgrammeStandsView, ProgrammeView
from cardcore.books import account, open_accounts
from cardcore.connections import RawConnection
from cardcore.errors import FundUnknownError, NotFoundError, OrderConflictError
from ledger import Ledger

_REGIME = "restricted_subsidy"
_p = subsidy_programme.c


def latest_programmes() -> Select[Any]:
    """Each programme as it stands."""
    later = subsidy_programme.alias().c
    newest = select(func.max(later.version)).where(later.programme == _p.programme)
    return select(subsidy_programme).where(_p.version == newest.scalar_subquery())


async def programme_ends(connection: AsyncConnection) -> dict[str, date]:
    """By programme, the last business date its money is good for."""
    rows = await connection.execute(latest_programmes())
    return {row.programme: row.valid_to for row in rows}


async def find_programme(connection: AsyncConnection, programme: str) -> Row[Any]:
    """One programme as it stands.

    Raises:
        NotFoundError: there is none of this name.
    """
    row = (
        await connection.execute(
            select(subsidy_programme)
            .where(_p.programme == programme)
            .order_by(_p.version.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError(field="programme")
    return row


async def write_programme(
    connection: AsyncConnection,
    raw: RawConnection,
    book: Ledger,
    request: ProgrammeRequest,
    *,
    client_id: str,
    now: datetime,
) -> int:
    """Register a programme with its kind of fund and its deposit, or change what it may pay for.

    Returns:
        The version of the policy from which it holds.

    Raises:
        FundUnknownError: the name is that of another kind of fund.
        OrderConflictError: the programme is another payer's.
    """
    kind = tables.fund_kind.c
    await connection.execute(
        insert(tables.fund_kind)
        .values(
            kind=request.programme,
            regime=_REGIME,
            level_min=request.level_min,
            balance_fen_max=request.balance_fen_max,
            name_zh=request.name_zh,
            name_en=request.name_en,
            unit="fen",
        )
        .on_conflict_do_nothing()
    )
    regime = await connection.execute(
        select(kind.regime).where(kind.kind == request.programme).with_for_update()
    )
    if regime.scalar_one() != _REGIME:
        raise FundUnknownError("this name is that of another kind of fund", field="programme")
    before = await connection.execute(
        select(_p.payer).where(_p.programme == request.programme).limit(1)
    )
    payer = before.scalar_one_or_none()
    if payer not in (None, request.payer):
        # What people hold goes back to who gave it; that cannot become somebody else.
        raise OrderConflictError("this programme is another payer's", field="payer")
    await open_accounts(
        book,
        [account(sponsor_deposit(request.programme), AccountCode.SPONSOR_DEPOSIT)],
        raw,
    )
    return await set_programme(
        connection,
        Programme(
            kind=request.programme,
            payer=request.payer,
            scenes=frozenset(request.scenes),
            merchants=frozenset(request.merchants),
            valid_from=request.valid_from,
            valid_to=request.valid_to,
        ),
        client_id=client_id,
        reason=request.reason,
        now=now,
    )


async def programme_of_version(
    connection: AsyncConnection, programme: str, version: int
) -> ProgrammeView:
    """A programme as one version of the policy has it."""
    row = (
        await connection.execute(
            select(subsidy_programme).where(_p.programme == programme, _p.version == version)
        )
    ).one()
    return ProgrammeView(**_shown(row))


async def programme_stands(
    connection: AsyncConnection, raw: RawConnection, book: Ledger, programme: str
) -> ProgrammeStandsView:
    """A programme as it stands, with what its payer has deposited. Raises ``NotFoundError``."""
    row = await find_programme(connection, programme)
    (deposit,) = await book.lookup_accounts([sponsor_deposit(programme).int], connection=raw)
    return ProgrammeStandsView(
        **_shown(row), deposit_fen=deposit.credits_posted - deposit.debits_posted
    )


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "programme": row.programme,
        "version": row.version,
        "payer": row.payer,
        "scenes": row.scenes,
        "merchants": row.merchants,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


async def ended_programmes(connection: AsyncConnection, *, on: date, since: date) -> Sequence[str]:
    """Programmes whose money is not good any more on a business date, ended since ``since``."""
    latest = latest_programmes().subquery()
    rows = await connection.execute(
        select(latest.c.programme).where(latest.c.valid_to < on, latest.c.valid_to >= since)
    )
    return list(rows.scalars())


async def fund_of(
    connection: AsyncConnection, user_id: UUID, kind: str, *, lock: bool = False
) -> Row[Any]:
    """A person's fund of a kind, with unit and status.

    Raises:
        FundUnknownError: they have none.
    """
    asked = (
        select(tables.fund, tables.fund_kind.c.unit, tables.fund_kind.c.credit_fen_max)
        .join(tables.fund_kind, tables.fund_kind.c.kind == tables.fund.c.kind)
        .where(tables.fund.c.user_id == user_id, tables.fund.c.kind == kind)
    )
    if lock:
        asked = asked.with_for_update(of=tables.fund)
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        raise FundUnknownError(f"the user has no fund {kind!r}", field="fund")
    return row
