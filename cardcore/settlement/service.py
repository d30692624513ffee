"""The front door of settlement: windows, statements, tariffs, payees, receipts and shares.

Files and differences have doors of their own beside it, ``files`` and ``differences``.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit, tables
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import MerchantUnknownError
from cardcore.ids import new_id
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.settlement.access import require_centre, require_own
from cardcore.settlement.difference_desk import DifferenceDesk
from cardcore.settlement.errors import WindowUnknownError
from cardcore.settlement.file_desk import FileDesk
from cardcore.settlement.receipts import book_receipt
from cardcore.settlement.request import (
    CloseWindow,
    ReceiptRequest,
    SharesRequest,
    StatementsQuery,
    WindowsQuery,
)
from cardcore.settlement.shares import tell_shares
from cardcore.settlement.tables import payout, receipt, receipt_line, statement, turnover, window
from cardcore.settlement.tariffs import read_tariff_view
from cardcore.settlement.views import (
    MerchantStatementsView,
    PayeeView,
    PayoutView,
    ReceiptView,
    SharesView,
    StatementsView,
    StatementView,
    TariffView,
    TurnoverView,
    WindowsView,
    WindowView,
)
from cardcore.settlement.windows import Windows


class Settlement:
    """Serves what operators and merchants ask of settlement."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._windows = Windows(parts.book, parts.random_bytes)
        self.files = FileDesk(parts)
        self.differences = DifferenceDesk(parts)

    async def windows(self, caller: Caller, query: WindowsQuery) -> WindowsView:
        """Windows, newest first. A merchant sees them all: whose money is in them it does not."""
        caller.require(Scope.REPORTS_READ)
        asked = select(window).order_by(window.c.number.desc()).limit(query.limit)
        if query.before is not None:
            asked = asked.where(window.c.number < query.before)
        async with transaction(self._parts.engine) as (connection, _):
            rows = (await connection.execute(asked)).all()
        return WindowsView(windows=[_window(row) for row in rows])

    async def close_window(self, caller: Caller, request: CloseWindow) -> WindowView:
        """Close the open window now; the worker settles it."""
        require_centre(caller, Scope.FUNDS_ADMIN)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            number = await self._windows.close(
                raw,
                on=business_date(now, self._parts.cut_off),
                by=caller.client_id,
                now=now,
            )
            await audit.record(
                connection,
                actor=caller.client_id,
                action="settlement.close",
                subject=f"settlement_window/{number}",
                outcome="done",
                now=now,
                purpose=request.purpose,
            )
            return _window(await _known(connection, number))

    async def statements(self, caller: Caller, number: int) -> StatementsView:
        """What merchants get of a window; a merchant sees its own.

        Raises:
            WindowUnknownError: no such window.
        """
        caller.require(Scope.REPORTS_READ)
        s = statement.c
        asked = select(statement).where(s.number == number).order_by(s.merchant_id)
        if caller.merchant_id is not None:
            asked = asked.where(s.merchant_id == caller.merchant_id)
        async with transaction(self._parts.engine) as (connection, _):
            found = _window(await _known(connection, number))
            rows = (await connection.execute(asked)).all()
            views = [await _statement(connection, row) for row in rows]
        return StatementsView(window=found, statements=views)

    async def statement(self, caller: Caller, merchant_id: str, number: int) -> StatementView:
        """One merchant's statement.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
            WindowUnknownError: it has no part in such a window.
        """
        caller.require(Scope.BILLS_READ)
        require_own(caller, merchant_id)
        s = statement.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(statement).where(s.number == number, s.merchant_id == merchant_id)
                )
            ).one_or_none()
            if row is None:
                raise WindowUnknownError(field="number")
            return await _statement(connection, row)

    async def statements_of(
        self, caller: Caller, merchant_id: str, query: StatementsQuery
    ) -> MerchantStatementsView:
        """A merchant's statements, newest first.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
        """
        caller.require(Scope.BILLS_READ)
        require_own(caller, merchant_id)
        s = statement.c
        asked = select(statement).where(s.merchant_id == merchant_id)
        if query.before is not None:
            asked = asked.where(s.number < query.before)
        async with transaction(self._parts.engine) as (connection, _):
            rows = await connection.execute(asked.order_by(s.number.desc()).limit(query.limit))
            views = [await _statement(connection, row) for row in rows.all()]
        return MerchantStatementsView(statements=views)

    async def tariff(self, caller: Caller) -> TariffView:
        """The tariff in force; a merchant sees what may be about it."""
        caller.require(Scope.REPORTS_READ)
        async with transaction(self._parts.engine) as (_, raw):
            return await read_tariff_view(raw, caller.merchant_id)

    async def payee(self, caller: Caller, merchant_id: str) -> PayeeView:
        """Where a merchant is paid, its end alone shown.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
        """
        caller.require(Scope.BILLS_READ)
        require_own(caller, merchant_id)
        async with transaction(self._parts.engine) as (connection, raw):
            known = await connection.scalar(
                select(tables.merchant.c.merchant_id).where(
                    tables.merchant.c.merchant_id == merchant_id
                )
            )
            if known is None:
                raise MerchantUnknownError(field="merchant_id")
            found = await raw.execute(
                "SELECT version, payee, recorded_at FROM cardcore.settlement_payee"
                " WHERE merchant_id = %s ORDER BY version DESC LIMIT 1",
                (merchant_id,),
            )
            row = await found.fetchone()
        if row is None:
            return PayeeView(merchant_id=merchant_id, version=None, payee=None, recorded_at=None)
        version, payee, recorded_at = row
        return PayeeView(
            merchant_id=merchant_id,
            version=version,
            payee=f"**{payee[-4:]}",
            recorded_at=recorded_at,
        )

    async def take_receipt(
        self, caller: Caller, request: ReceiptRequest, idempotency_key: str
    ) -> tuple[ReceiptView, bool]:
        """Book money of a payer that has come to the custodian bank.

        Raises:
            ReceiptExceedsError: it owes less, as far as windows are computed.
        """
        require_centre(caller, Scope.FUNDS_ADMIN)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, ReceiptView]:
            receipt_id = new_id(now, self._parts.random_bytes)
            await book_receipt(
                raw,
                self._parts.book,
                receipt_id,
                request,
                client_id=caller.client_id,
                now=now,
                on=business_date(now, self._parts.cut_off),
            )
            return receipt_id, await _receipt(connection, receipt_id)

        async def recall(
            connection: AsyncConnection, _: RawConnection, receipt_id: UUID
        ) -> ReceiptView:
            return await _receipt(connection, receipt_id)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest("settlement_receipt", request),
            action="settlement.receipt",
            subject=f"payer/{request.payer}",
            now=now,
            perform=perform,
            recall=recall,
        )

    async def tell_shares(self, caller: Caller, request: SharesRequest) -> SharesView:
        """Tell what each merchant of a scene gets of a date beyond what was charged on its rides.

        Told again, only the difference is moved.

        Raises:
            MerchantUnknownError: one of them is not registered.
        """
        require_centre(caller, Scope.FUNDS_ADMIN)
        async with transaction(self._parts.engine) as (_, raw):
            moves = await tell_shares(
                raw,
                scene=request.scene,
                on=request.business_on,
                nets=request.nets,
                told_by=caller.client_id,
                now=self._parts.clock(),
                random_bytes=self._parts.random_bytes,
            )
        return SharesView(scene=request.scene, business_on=request.business_on, moves=moves)


async def _known(connection: AsyncConnection, number: int) -> Row[Any]:
    row = (await connection.execute(select(window).where(window.c.number == number))).one_or_none()
    if row is None:
        raise WindowUnknownError(field="number")
    return row


def _window(row: Row[Any]) -> WindowView:
    return WindowView(**row._mapping)  # noqa: SLF001  (SQLAlchemy's documented name)


async def _statement(connection: AsyncConnection, row: Row[Any]) -> StatementView:
    of = (turnover.c.number == row.number, turnover.c.merchant_id == row.merchant_id)
    turned = await connection.execute(select(turnover).where(*of).order_by(turnover.c.scene))
    paid = (
        await connection.execute(select(payout).where(payout.c.payout_id == row.statement_id))
    ).one_or_none()
    values = {name: row._mapping[name] for name in _PLAIN}  # noqa: SLF001  (likewise)
    return StatementView(
        **values,
        turnovers=[
            TurnoverView(
                scene=one.scene,
                taken_fen=one.taken_fen,
                returned_fen=one.returned_fen,
                fee_fen=one.fee_fen,
            )
            for one in turned
        ],
        payout=None
        if paid is None
        else PayoutView(
            state=paid.state,
            amount_fen=paid.amount_fen,
            bank_no=paid.bank_no,
            reason=paid.reason,
            resolved_at=paid.resolved_at,
        ),
    )


_PLAIN = tuple(StatementView.model_fields.keys() - {"turnovers", "payout"})


async def _receipt(connection: AsyncConnection, receipt_id: UUID) -> ReceiptView:
    row = (
        await connection.execute(select(receipt).where(receipt.c.receipt_id == receipt_id))
    ).one()
    lines = await connection.execute(
        select(receipt_line)
        .where(receipt_line.c.receipt_id == receipt_id)
        .order_by(receipt_line.c.merchant_id)
    )
    return ReceiptView(
        receipt_id=receipt_id,
        payer=row.payer,
        amount_fen=row.amount_fen,
        bank_no=row.bank_no,
        business_on=row.business_on,
        merchants={line.merchant_id: line.amount_fen for line in lines},
    )
