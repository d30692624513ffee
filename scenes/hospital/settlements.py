"""Settlements the insurer told us of, and what of a payment stands after its refunds."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from scenes.hospital.payment_states import RefundState
from scenes.hospital.payment_store import Payment
from scenes.hospital.split import Split
from scenes.hospital.tables import refund, settlement


async def note_settlement(
    connection: AsyncConnection,
    found: Payment,
    split: Split,
    *,
    setl_id: str,
    msgid: str,
    on: date,
    now: datetime,
) -> None:
    """The insurer has told of a settlement; ``on`` is the day in its own books."""
    await connection.execute(
        insert(settlement)
        .values(
            merchant_id=found.merchant_id,
            setl_id=setl_id,
            payment_id=found.payment_id,
            psn_no=found.psn_no,
            mdtrt_id=found.mdtrt_id,
            msgid=msgid,
            total_fen=split.total_fen,
            fund_fen=split.fund_fen,
            account_fen=split.account_fen,
            cash_fen=split.cash_fen,
            settled_on=on,
            settled_at=now,
        )
        .on_conflict_do_nothing()
    )


async def note_cancelled(
    connection: AsyncConnection, merchant_id: str, setl_id: str, now: datetime
) -> None:
    """A settlement was taken back."""
    await connection.execute(
        update(settlement)
        .where(
            settlement.c.merchant_id == merchant_id,
            settlement.c.setl_id == setl_id,
            settlement.c.cancelled_at.is_(None),
        )
        .values(cancelled_at=now)
    )


async def settled_split(
    connection: AsyncConnection, merchant_id: str, setl_id: str
) -> Split | None:
    """The split of a settlement as it was booked; None where it never was."""
    s = settlement.c
    row = (
        await connection.execute(
            select(s.total_fen, s.fund_fen, s.account_fen, s.cash_fen).where(
                s.merchant_id == merchant_id, s.setl_id == setl_id
            )
        )
    ).one_or_none()
    if row is None:
        return None
    paid_fen = row.fund_fen + row.account_fen + row.cash_fen
    return Split(
        fund_fen=row.fund_fen,
        account_fen=row.account_fen,
        cash_fen=row.cash_fen,
        hospital_fen=row.total_fen - paid_fen,
    )


async def settled_setl_id(connection: AsyncConnection, payment_id: UUID) -> str | None:
    """The settlement of a payment that stands now."""
    found = await connection.execute(
        select(settlement.c.setl_id).where(
            settlement.c.payment_id == payment_id, settlement.c.cancelled_at.is_(None)
        )
    )
    return found.scalar_one_or_none()


async def standing_split(connection: AsyncConnection, found: Payment) -> Split:
    """What each payer pays of a payment now, after the refunds so far."""
    r = refund.c
    row = (
        await connection.execute(
            select(
                func.coalesce(func.sum(r.fund_fen), 0),
                func.coalesce(func.sum(r.account_fen), 0),
                func.coalesce(func.sum(r.cash_fen), 0),
                func.coalesce(func.sum(r.amount_fen), 0),
            ).where(r.payment_id == found.payment_id, r.state == RefundState.REFUNDED.value)
        )
    ).one()
    fund_fen, account_fen, cash_fen, amount_fen = (int(fen) for fen in row)
    given_fen = fund_fen + account_fen + cash_fen
    return Split(
        fund_fen=found.split.fund_fen - fund_fen,
        account_fen=found.split.account_fen - account_fen,
        cash_fen=found.split.cash_fen - cash_fen,
        hospital_fen=found.split.hospital_fen - (amount_fen - given_fen),
    )
