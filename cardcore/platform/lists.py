"""Lists page by page: a merchant's orders and refunds of a day, a person's top-ups."""

from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select

from cardcore import tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.errors import MerchantUnknownError
from cardcore.parts import Parts
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.request import DayPage, Page
from cardcore.platform.views import (
    OrderRow,
    OrderRowsView,
    RefundRow,
    RefundRowsView,
    TopUpRow,
    TopUpRowsView,
)


class Lists:
    """Reads lists. Ids sort by time, so a page never repeats or skips a row that was there."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def orders(self, caller: Caller, merchant_id: str, page: DayPage) -> OrderRowsView:
        """Orders of a merchant and business day, oldest first."""
        _require_own(caller, merchant_id)
        order = tables.business_order
        rows, cursor = await self._page(
            order, order.c.order_id, _of_day(order, merchant_id, page.business_on), page
        )
        return OrderRowsView(orders=[OrderRow(**row) for row in rows], next_cursor=cursor)

    async def refunds(self, caller: Caller, merchant_id: str, page: DayPage) -> RefundRowsView:
        """Refunds of a merchant and business day, oldest first."""
        _require_own(caller, merchant_id)
        refund = tables.refund
        rows, cursor = await self._page(
            refund, refund.c.refund_id, _of_day(refund, merchant_id, page.business_on), page
        )
        return RefundRowsView(refunds=[RefundRow(**row) for row in rows], next_cursor=cursor)

    async def topups(self, caller: Caller, user_id: UUID, page: Page) -> TopUpRowsView:
        """Top-ups of a person, oldest first."""
        caller.require(Scope.FUNDS_WRITE)
        topup = tables.topup
        rows, cursor = await self._page(topup, topup.c.topup_id, topup.c.user_id == user_id, page)
        return TopUpRowsView(topups=[TopUpRow(**row) for row in rows], next_cursor=cursor)

    async def _page(
        self, table: Table, key: ColumnElement[UUID], where: ColumnElement[bool], page: Page
    ) -> tuple[list[dict[str, object]], str | None]:
        (since,) = read_cursor(page.cursor, (UUID(int=0).hex,))
        async with transaction(self._parts.engine) as (connection, _):
            found = (
                (
                    await connection.execute(
                        select(table)
                        .where(where, key > _uuid(str(since)))
                        .order_by(key)
                        .limit(page.limit + 1)
                    )
                )
                .mappings()
                .all()
            )
        shown = found[: page.limit]
        more = len(found) > page.limit
        cursor = after((shown[-1][key].hex,)) if more else None
        return [dict(row) for row in shown], cursor


def _of_day(table: Table, merchant_id: str, business_on: date) -> ColumnElement[bool]:
    return (table.c.merchant_id == merchant_id) & (table.c.business_on == business_on)


def _require_own(caller: Caller, merchant_id: str) -> None:
    caller.require(Scope.BILLS_READ)
    if caller.merchant_id not in (None, merchant_id):
        raise MerchantUnknownError(field="merchant_id")


def _uuid(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except ValueError:
        return UUID(int=2**128 - 1)
