"""Reading what is owed for rides that terminals accepted off-line."""

from uuid import UUID

from cardcore.account.arrears_lists import (
    ArrearsPage,
    ArrearsView,
    OpenArrearsView,
    arrears_of_person,
    open_arrears,
)
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.parts import Parts
from cardcore.platform.cursors import after, id_of, read_cursor
from cardcore.user.people import People
from cardcore.user.personal_data import PersonalData

_FIRST = (UUID(int=0).hex, 0)


class ArrearsService:
    """Serves lists of arrears. They are paid by themselves, see ``cardcore.account.arrears``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._people = People(PersonalData(parts.hsm))

    async def arrears_of(self, caller: Caller, user_id: UUID) -> ArrearsView:
        """What a person owes and owed. Raises ``UserUnknownError``."""
        caller.require(Scope.USERS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            names = await self._people.names_of(connection, user_id)
            return await arrears_of_person(connection, names)

    async def open_arrears(self, caller: Caller, page: ArrearsPage) -> OpenArrearsView:
        """All open debts, oldest first; a merchant's caller sees those to this merchant."""
        caller.require(Scope.REPORTS_READ)
        order_id, line_no = read_cursor(page.cursor, _FIRST)
        assert isinstance(line_no, int)
        merchant_id = caller.merchant_id or page.merchant_id
        async with transaction(self._parts.engine) as (connection, _):
            found = await open_arrears(
                connection, merchant_id, (id_of(order_id), line_no), page.limit
            )
        shown = found[: page.limit]
        last = shown[-1] if len(found) > page.limit else None
        return OpenArrearsView(
            debts=shown,
            next_cursor=None if last is None else after((last.order_id.hex, last.line_no)),
        )
