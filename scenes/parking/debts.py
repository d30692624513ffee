"""Contracts, what people owe, and what they were told, kept and read.

What is owed is the core's to know (the credit line's balance); here stands since when, how often it
was asked for, and when the next time is.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from scenes.parking.debits import Debt, DebtState
from scenes.parking.tables import contract, debt, notice, plate_alert
from scenes.parking.views import AlertView, ContractView, DebtView, DriverView, NoticeView

NOTICES_SHOWN = 50


async def contract_of_plate(connection: AsyncConnection, plate_index: bytes) -> ContractView | None:
    """The contract that stands for a plate."""
    row = (
        await connection.execute(
            select(contract).where(
                contract.c.plate_index == plate_index, contract.c.ended_at.is_(None)
            )
        )
    ).one_or_none()
    return None if row is None else ContractView.model_validate(row, from_attributes=True)


async def write_contract(
    connection: AsyncConnection, view: ContractView, plate_index: bytes, *, by: str
) -> None:
    """Write a contract down; one that stands for the same plate ends with it."""
    await connection.execute(
        update(contract)
        .where(contract.c.plate_index == plate_index, contract.c.ended_at.is_(None))
        .values(ended_at=view.signed_at)
    )
    await connection.execute(
        insert(contract).values(plate_index=plate_index, recorded_by=by, **view.model_dump())
    )


async def read_contract(connection: AsyncConnection, contract_id: UUID) -> ContractView | None:
    """One contract."""
    row = (
        await connection.execute(select(contract).where(contract.c.contract_id == contract_id))
    ).one_or_none()
    return None if row is None else ContractView.model_validate(row, from_attributes=True)


async def end_contract(connection: AsyncConnection, contract_id: UUID, at: datetime) -> None:
    """End a contract; ending it again changes nothing."""
    await connection.execute(
        update(contract)
        .where(contract.c.contract_id == contract_id, contract.c.ended_at.is_(None))
        .values(ended_at=at)
    )


async def read_debt(connection: AsyncConnection, user_id: UUID, *, lock: bool = False) -> Debt:
    """How a person stands; ``lock`` until the transaction ends."""
    if lock:
        await connection.execute(
            upsert(debt)
            .values(user_id=user_id, state="clear", owed_fen=0, attempts=0)
            .on_conflict_do_nothing()
        )
    asked = select(debt).where(debt.c.user_id == user_id)
    row = (await connection.execute(asked.with_for_update() if lock else asked)).one_or_none()
    if row is None:
        return Debt()
    return Debt(
        state=DebtState(row.state),
        owed_fen=row.owed_fen,
        since=row.since,
        attempts=row.attempts,
        next_at=row.next_at,
    )


async def write_debt(connection: AsyncConnection, user_id: UUID, stands: Debt) -> None:
    """How a person stands now; their row is locked."""
    await connection.execute(
        update(debt)
        .where(debt.c.user_id == user_id)
        .values(
            state=stands.state.value,
            owed_fen=stands.owed_fen,
            since=stands.since,
            attempts=stands.attempts,
            next_at=stands.next_at,
        )
    )


async def debts_due(connection: AsyncConnection, now: datetime, *, limit: int) -> list[UUID]:
    """Whose debt is to be asked for, longest waiting first."""
    found = await connection.execute(
        select(debt.c.user_id).where(debt.c.next_at <= now).order_by(debt.c.next_at).limit(limit)
    )
    return list(found.scalars())


async def tell(
    connection: AsyncConnection,
    notice_id: UUID,
    user_id: UUID,
    kind: str,
    facts: dict[str, object],
    now: datetime,
) -> None:
    """Write a notice down; the embedding app's server fetches and shows it.

    Args:
        connection: of the caller's transaction.
        notice_id: sorts by time; of two notices of one instant the consequence has the later id.
        user_id: who is told.
        kind: what of.
        facts: what the notice says, without personal data.
        now: when it became true.
    """
    await connection.execute(
        insert(notice).values(
            notice_id=notice_id,
            user_id=user_id,
            kind=kind,
            facts=facts,
            recorded_at=now,
        )
    )


async def read_driver(connection: AsyncConnection, user_id: UUID) -> DriverView:
    """All that is known of a person here."""
    contracts = await connection.execute(
        select(contract).where(contract.c.user_id == user_id).order_by(contract.c.signed_at)
    )
    stands = await read_debt(connection, user_id)
    notices = await connection.execute(
        select(notice)
        .where(notice.c.user_id == user_id)
        .order_by(notice.c.notice_id.desc())
        .limit(NOTICES_SHOWN)
    )
    alerts = await connection.execute(
        select(plate_alert.c.alert_id)
        .where(plate_alert.c.user_id == user_id)
        .order_by(plate_alert.c.recorded_at.desc())
    )
    return DriverView(
        user_id=user_id,
        contracts=[ContractView.model_validate(row, from_attributes=True) for row in contracts],
        debt=DebtView(
            user_id=user_id,
            state=stands.state.value,
            owed_fen=stands.owed_fen,
            since=stands.since,
            attempts=stands.attempts,
            next_at=stands.next_at,
        ),
        notices=[NoticeView.model_validate(row, from_attributes=True) for row in notices],
        alerts=[
            view
            for alert_id in alerts.scalars().all()
            if (view := await read_alert(connection, alert_id)) is not None
        ],
    )


# -- one plate in two places -----------------------------------------------------------------------


async def is_flagged(connection: AsyncConnection, plate_index: bytes) -> bool:
    """Is it not decided yet which of two cars with this plate is the real one?"""
    found = await connection.execute(
        select(plate_alert.c.alert_id)
        .where(plate_alert.c.plate_index == plate_index, plate_alert.c.state != "closed")
        .limit(1)
    )
    return found.one_or_none() is not None


async def read_alert(
    connection: AsyncConnection, alert_id: UUID, *, lock: bool = False
) -> AlertView | None:
    """One alert."""
    asked = select(plate_alert).where(plate_alert.c.alert_id == alert_id)
    row = (await connection.execute(asked.with_for_update() if lock else asked)).one_or_none()
    if row is None:
        return None
    return AlertView(
        alert_id=row.alert_id,
        plate_masked=row.plate_masked,
        state=row.state,
        stay_ids=[row.stay_a, row.stay_b],
        evidence=row.evidence,
        not_mine=row.not_mine,
        dispute_id=row.dispute_id,
        finding=row.finding,
        recorded_at=row.recorded_at,
        closed_at=row.closed_at,
    )


async def change_alert(connection: AsyncConnection, alert_id: UUID, **values: object) -> None:
    """Write down what became of an alert."""
    await connection.execute(
        update(plate_alert).where(plate_alert.c.alert_id == alert_id).values(**values)
    )
