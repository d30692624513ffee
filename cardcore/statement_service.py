"""The verb ``statement``: what a citizen's fund or a merchant's payable did, day by day."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears_tables import arrears
from cardcore.account.chart import arrears_payable
from cardcore.account.programmes import fund_of
from cardcore.account.request import StatementFileQuery, StatementQuery
from cardcore.account.statements import NO_LINE, place_of, read_page, read_whole, view_of
from cardcore.account.views import StatementView
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import FundUnknownError, MerchantUnknownError
from cardcore.parts import Parts
from cardcore.platform.cursors import after, read_cursor
from cardcore.user.access_log import Access, Purpose
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData
from ledger.statement_files import Paper, to_csv, to_pdf, to_xlsx
from ledger.statements import Statement

Form = Callable[[Statement, Paper], bytes]
FORMS: Final[dict[str, Form]] = {"csv": to_csv, "xlsx": to_xlsx, "pdf": to_pdf}
_OPEN_DAY: Final = {
    "zh": "本期含未日终的营业日",
    "en": "This span holds a business date that is not over",
}


class StatementService:
    """Serves statements as pages and as files."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._people = People(PersonalData(parts.hsm))

    async def user_statement(
        self, caller: Caller, user_id: UUID, query: StatementQuery
    ) -> StatementView:
        """A page of the statement of a person's fund.

        Raises:
            UserUnknownError: no such person.
            FundUnknownError: they have no such fund of money.
        """
        _require_user(caller, user_id)
        async with transaction(self._parts.engine) as (connection, _):
            person = await self._people.resolve(connection, user_id)
            account_id = await _money_fund(connection, person.user_id, query.fund)
            return await self._page(connection, account_id, query)

    async def user_statement_file(
        self, caller: Caller, user_id: UUID, query: StatementFileQuery, form: str
    ) -> bytes:
        """The statement of a person's fund as ``csv``, ``xlsx`` or ``pdf``; the name is masked.

        The look at the name is written into the person's access log. Raises as
        ``user_statement``, and ``RequestInvalidError`` where it is too long for a file.
        """
        _require_user(caller, user_id)
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            person = await self._people.resolve(connection, user_id)
            account_id = await _money_fund(connection, person.user_id, query.fund)
            access = Access(client_id=caller.client_id, purpose=Purpose.SERVICE, at=now)
            shown = await self._people.masked(connection, person, access)
            kind = tables.fund_kind.c
            name = kind.name_zh if query.language == "zh" else kind.name_en
            called = await connection.execute(select(name).where(kind.kind == query.fund))
            return await self._file(
                connection,
                account_id,
                query,
                form,
                holder=shown.name or "",
                account=called.scalar_one(),
            )

    async def merchant_statement(
        self, caller: Caller, merchant_id: str, query: StatementQuery
    ) -> StatementView:
        """A page of the statement of what a merchant is owed.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
            FundUnknownError: none of ``payable``, ``subsidy_payable`` and ``arrears_payable``.
        """
        caller.require(Scope.BILLS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            account_id, _name = await _payable(
                connection, caller, merchant_id, query.fund, language="zh"
            )
            return await self._page(connection, account_id, query)

    async def merchant_statement_file(
        self, caller: Caller, merchant_id: str, query: StatementFileQuery, form: str
    ) -> bytes:
        """The statement of what a merchant is owed as a file. Raises as ``merchant_statement``."""
        caller.require(Scope.BILLS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            account_id, name = await _payable(
                connection, caller, merchant_id, query.fund, language=query.language
            )
            return await self._file(
                connection, account_id, query, form, holder=name, account=query.fund
            )

    async def _page(
        self, connection: AsyncConnection, account_id: UUID, query: StatementQuery
    ) -> StatementView:
        day, timestamp = read_cursor(query.cursor, NO_LINE)
        assert isinstance(day, int)
        assert isinstance(timestamp, int)
        page, lines = await read_page(
            connection,
            self._parts.book,
            account_id,
            query,
            after=(day, timestamp),
            limit=query.limit,
        )
        return view_of(
            page,
            lines,
            account=query.fund,
            today=business_date(self._parts.clock(), self._parts.cut_off),
            next_cursor=after(place_of(page.lines[-1])) if page.more else None,
        )

    async def _file(
        self,
        connection: AsyncConnection,
        account_id: UUID,
        query: StatementFileQuery,
        form: str,
        *,
        holder: str,
        account: str,
    ) -> bytes:
        today = business_date(self._parts.clock(), self._parts.cut_off)
        statement = await read_whole(
            connection, self._parts.book, account_id, query, query.language
        )
        paper = Paper(
            language=query.language,
            holder=holder,
            account=account,
            remark="" if query.to_on < today else _OPEN_DAY[query.language],
        )
        # Setting a page of Chinese takes longer than an order may wait.
        return await asyncio.to_thread(FORMS[form], statement, paper)


def _require_user(caller: Caller, user_id: UUID) -> None:
    """The card centre may see everybody's; a citizen sees their own without a scope."""
    if caller.user_id is None or caller.user_id != user_id:
        caller.require(Scope.USERS_READ)


async def _money_fund(connection: AsyncConnection, user_id: UUID, kind: str) -> UUID:
    fund = await fund_of(connection, user_id, kind)
    if fund.unit != "fen":
        raise FundUnknownError("counts have no statement of money", field="fund")
    fund_id: UUID = fund.fund_id
    return fund_id


async def _payable(
    connection: AsyncConnection, caller: Caller, merchant_id: str, account: str, *, language: str
) -> tuple[UUID, str]:
    """The ledger account, and what the merchant is called."""
    row = None
    if caller.merchant_id in (None, merchant_id):
        found = await connection.execute(
            select(tables.merchant).where(tables.merchant.c.merchant_id == merchant_id)
        )
        row = found.one_or_none()
    if row is None:
        raise MerchantUnknownError(field="merchant_id")
    accounts = {
        "payable": row.payable_id,
        "subsidy_payable": row.subsidy_payable_id,
        "arrears_payable": arrears_payable(merchant_id),
    }
    if account not in accounts:
        raise FundUnknownError(" or ".join(accounts), field="fund")
    owed = select(arrears.c.order_id).where(arrears.c.merchant_id == merchant_id).limit(1)
    if account == "arrears_payable" and await connection.scalar(owed) is None:
        # The account is opened with the first debt.
        raise FundUnknownError("nothing was ever owed to this merchant", field="fund")
    return accounts[account], row.name_zh if language == "zh" else row.name_en
