"""What becomes of funds when something becomes of their owner: freezing, merging, closing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import (
    LEDGER_OF_UNIT,
    SUSPENSE,
    TransferCode,
    arrears_of,
    sponsor_deposit,
    tally_issued,
)
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import fund_regime
from cardcore.account.funds import Funds
from cardcore.account.subsidies import Subsidies
from cardcore.connections import RawConnection
from cardcore.errors import (
    FundUnknownError,
    LimitExceededError,
    ObligationsOpenError,
    PersonStateError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags

_f = tables.fund.c


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFund:
    """A fund that is about to be emptied: locked, nothing of it held by an order."""

    fund_id: UUID
    user_id: UUID
    kind: str
    nature: str
    unit: str
    balance_fen: int


class FundLife:
    """Changes whole funds on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._subsidies = Subsidies(book, random_bytes)
        self._random_bytes = random_bytes

    async def set_frozen(
        self, connection: AsyncConnection, user_id: UUID, kind: str, *, frozen: bool
    ) -> None:
        """Freeze one fund alone, or free it.

        Raises:
            FundUnknownError: the person has no such fund.
            PersonStateError: it is not in the state this starts from.
        """
        before, after = ("active", "frozen") if frozen else ("frozen", "active")
        row = (
            await connection.execute(
                select(_f.fund_id, _f.status)
                .where(_f.user_id == user_id, _f.kind == kind)
                .with_for_update()
            )
        ).one_or_none()
        if row is None:
            raise FundUnknownError(f"the user has no fund {kind!r}", field="fund")
        if row.status != before:
            raise PersonStateError(field="fund", status=row.status)
        await connection.execute(
            update(tables.fund).where(_f.fund_id == row.fund_id).values(status=after)
        )

    async def ready_to_empty(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        user_id: UUID,
        *,
        also_open: Sequence[str] = (),
    ) -> list[HeldFund]:
        """A person's open funds, locked, with what they hold.

        ``also_open``: what the caller knows to be open besides.

        Raises:
            ObligationsOpenError: an order holds money of one, one is frozen, or something is owed,
                on credit or for what terminals accepted off-line, or the caller says so;
                ``facts`` name all of it.
        """
        rows = await self._lock(connection, [user_id])
        accounts = {
            one.id: one
            for one in await self._book.lookup_accounts(
                [row.fund_id.int for row in rows] + [arrears_of(user_id).int], connection=raw
            )
        }
        owed = accounts.get(arrears_of(user_id).int)
        still_open = [f"order_held:{one}" for one in await held_orders(connection, [user_id])]
        still_open += also_open
        if owed is not None and owed.debits_posted > owed.credits_posted:
            still_open.append("arrears")
        found = []
        for row in rows:
            account = accounts[row.fund_id.int]
            if row.status == "frozen":
                still_open.append(f"fund_frozen:{row.kind}")
            if account.debits_pending or account.credits_pending:
                still_open.append(f"fund_held:{row.kind}")
            balance_fen = account.credits_posted - account.debits_posted
            if balance_fen < 0:
                still_open.append(f"fund_owed:{row.kind}")
            found.append(
                HeldFund(
                    fund_id=row.fund_id,
                    user_id=row.user_id,
                    kind=row.kind,
                    nature=row.nature,
                    unit=row.unit,
                    balance_fen=balance_fen,
                )
            )
        if still_open:
            raise ObligationsOpenError(field="user_id", open=still_open)
        return found

    async def give_back(self, effect: Effect, funds: Sequence[HeldFund]) -> list[tuple[UUID, int]]:
        """Return what is not the owner's: subsidies to their payers, counts to their issuers.

        Returns:
            The funds that hold the owner's own money, with what they hold, each above zero.

        Raises:
            PersonStateError: an order has just taken something; try again.
        """
        own = []
        for fund in funds:
            if not fund.balance_fen:
                continue
            if fund.nature == "restricted":
                if not await self._subsidies.give_back(
                    effect,
                    programme=fund.kind,
                    user_id=fund.user_id,
                    fund_id=fund.fund_id,
                    amount_fen=fund.balance_fen,
                    cause="closed",
                ):
                    raise PersonStateError(
                        "the balance has just changed; try again", field="user_id"
                    )
            elif fund.unit != "fen":
                await self._annul(effect.raw, fund, effect.now)
            else:
                own.append((fund.fund_id, fund.balance_fen))
        return own

    async def _annul(self, raw: RawConnection, fund: HeldFund, now: datetime) -> None:
        annulled_id = new_id(now, self._random_bytes)
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(annulled_id, 1).int,
                    debit_account_id=fund.fund_id.int,
                    credit_account_id=tally_issued(fund.kind).int,
                    amount=fund.balance_fen,
                    ledger=LEDGER_OF_UNIT[fund.unit],
                    code=TransferCode.TALLY_USED,
                    user_data_128=annulled_id.int,
                )
            ],
            connection=raw,
        )
        if result == "exceeds_credits":
            raise PersonStateError("the count has just changed; try again", field="user_id")
        assert result == "created", result

    async def close(self, connection: AsyncConnection, funds: Sequence[HeldFund]) -> None:
        """Mark emptied funds as closed."""
        await connection.execute(
            update(tables.fund)
            .where(_f.fund_id.in_([fund.fund_id for fund in funds]))
            .values(status="closed")
        )

    async def merge(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        from_id: UUID,
        to_id: UUID,
        level: str,
        now: datetime,
    ) -> None:
        """Move a duplicate's money into the survivor's funds of the same kind.

        Raises:
            ObligationsOpenError: see ``ready_to_empty``.
            FundUnknownError: the survivor's level does not allow such a fund.
            LimitExceededError: a fund would hold more than its regime allows.
        """
        leaving = await self.ready_to_empty(connection, raw, from_id)
        if not leaving:
            return
        kinds = [fund.kind for fund in leaving]
        await self._funds.open(connection, raw, user_id=to_id, level=level, kinds=kinds, now=now)
        targets = {row.kind: row for row in await self._lock(connection, [to_id])}
        frozen = [kind for kind in kinds if targets[kind].status != "active"]
        if frozen:
            raise ObligationsOpenError(
                field="user_id", open=[f"fund_frozen:{kind}" for kind in frozen]
            )
        moving = [fund for fund in leaving if fund.balance_fen]
        await self._check_room(raw, moving, targets)
        await self._move(raw, moving, targets, now)
        for fund in leaving:
            target_id = targets[fund.kind].fund_id
            await connection.execute(
                update(tables.fund)
                .where((_f.fund_id == fund.fund_id) | (_f.moved_to == fund.fund_id))
                .values(status="closed", moved_to=target_id)
            )

    async def _check_room(
        self, raw: RawConnection, moving: Sequence[HeldFund], targets: dict[str, Any]
    ) -> None:
        accounts = {
            one.id: one
            for one in await self._book.lookup_accounts(
                [targets[fund.kind].fund_id.int for fund in moving], connection=raw
            )
        }
        for fund in moving:
            target = targets[fund.kind]
            account = accounts[target.fund_id.int]
            balance_fen = account.credits_posted - account.debits_posted
            if balance_fen + fund.balance_fen > target.balance_fen_max:
                raise LimitExceededError(
                    field="duplicate_id",
                    limit=f"fund_balance:{fund.kind}",
                    limit_fen=target.balance_fen_max,
                    balance_fen=balance_fen + fund.balance_fen,
                )

    async def _move(
        self,
        raw: RawConnection,
        moving: Sequence[HeldFund],
        targets: dict[str, Any],
        now: datetime,
    ) -> None:
        move_id = new_id(now, self._random_bytes)
        results = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(move_id, position).int,
                    debit_account_id=fund.fund_id.int,
                    credit_account_id=targets[fund.kind].fund_id.int,
                    amount=fund.balance_fen,
                    ledger=LEDGER_OF_UNIT[fund.unit],
                    code=TransferCode.MOVE,
                    flags=TransferFlags.linked if position < len(moving) else TransferFlags(0),
                    user_data_128=move_id.int,
                )
                for position, fund in enumerate(moving, start=1)
            ],
            connection=raw,
        )
        if "exceeds_credits" in results:
            raise ServiceUnavailableError("the balance has just changed")
        assert set(results) <= {"created"}, results

    async def _lock(self, connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[Any]:
        rows = await connection.execute(
            select(
                _f.fund_id,
                _f.user_id,
                _f.kind,
                _f.status,
                tables.fund_kind.c.balance_fen_max,
                tables.fund_kind.c.unit,
                fund_regime.c.nature,
            )
            .join(tables.fund_kind, tables.fund_kind.c.kind == _f.kind)
            .join(fund_regime, fund_regime.c.regime == tables.fund_kind.c.regime)
            .where(_f.user_id.in_(user_ids), _f.status != "closed")
            .order_by(_f.fund_id)
            .with_for_update(of=tables.fund)
        )
        return list(rows.all())


async def held_orders(connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[UUID]:
    """Orders of these people that still hold something."""
    o = tables.business_order.c
    found = await connection.execute(
        select(o.order_id)
        .where(o.user_id.in_(user_ids), o.status.in_(("held", "part_captured")))
        .order_by(o.order_id)
    )
    return list(found.scalars())


async def landing_accounts(
    connection: AsyncConnection, fund_ids: Iterable[UUID]
) -> dict[UUID, UUID]:
    """Where money that goes back to funds lands today, for those where it is elsewhere.

    A fund that was merged away leads to the survivor's; one that was closed leads to suspense,
    where a claim must say whose it is, and an earmarked one to the deposit of its payer.
    """
    closed = await _closed(connection, fund_ids)
    landing = {row.fund_id: row.moved_to or _after_closing(row) for row in closed}
    # The survivor may have closed since.
    further = {
        row.fund_id: _after_closing(row) for row in await _closed(connection, landing.values())
    }
    return {fund_id: further.get(at, at) for fund_id, at in landing.items()}


def _after_closing(row: Any) -> UUID:  # noqa: ANN401  (a row of ``_closed``)
    return sponsor_deposit(row.kind) if row.nature == "restricted" else SUSPENSE


async def _closed(connection: AsyncConnection, fund_ids: Iterable[UUID]) -> list[Any]:
    found = await connection.execute(
        select(_f.fund_id, _f.moved_to, _f.kind, fund_regime.c.nature)
        .join(tables.fund_kind, tables.fund_kind.c.kind == _f.kind)
        .join(fund_regime, fund_regime.c.regime == tables.fund_kind.c.regime)
        .where(_f.fund_id.in_(list(fund_ids)), _f.status == "closed")
    )
    return list(found.all())
