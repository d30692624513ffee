"""Merchants as the card centre sees them: registered, renamed, suspended, closed.

A suspended merchant takes no new orders; what it has open can still be captured, voided and
refunded, and what its terminals decided off-line before is still taken in. A closed one is closed
for good: nothing is held, disputed or unsettled any more, its terminals are retired, its clients
and webhooks shut. What a merchant pays for all this is the business of clearing, not of this
register.
"""

from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.books import transaction
from cardcore.business.dispute_states import UNDECIDED
from cardcore.business.dispute_tables import dispute
from cardcore.business.merchants import register_merchant
from cardcore.caller import Caller, Scope
from cardcore.errors import ForbiddenError, MerchantUnknownError, ObligationsOpenError
from cardcore.parts import Parts
from cardcore.platform import tables as platform_tables
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.errors import MerchantClosedError, MerchantExistsError
from cardcore.platform.merchant_request import (
    MerchantDetails,
    MerchantsView,
    MerchantView,
    NewMerchant,
)
from cardcore.platform.register_act import RegisterAct, register_act
from cardcore.platform.request import ForPurpose, Page
from cardcore.platform.webhooks import disable_endpoint
from ledger import Ledger

_HOLDING: Final = ("held", "part_captured")


class Merchants:
    """The register of merchants."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(self, caller: Caller, request: NewMerchant) -> MerchantView:
        """Register a merchant and open its accounts. The same again is answered as it stands.

        Raises:
            MerchantExistsError: the id is another merchant's.
        """
        subject = _require_centre(caller, request.merchant_id)
        purpose = request.purpose
        async with register_act(self._parts, caller, "merchant.register", subject, purpose) as act:
            names = request.model_dump(include={"name_zh", "name_en", "uscc"})
            known = await _row(act.connection, request.merchant_id, lock=True)
            if known is not None:
                if any(getattr(known, name) != value for name, value in names.items()):
                    raise MerchantExistsError(field="merchant_id")
                return _view(known)
            await register_merchant(
                act.connection,
                act.raw,
                self._parts.book,
                merchant_id=request.merchant_id,
                name_zh=request.name_zh,
                name_en=request.name_en,
                uscc=request.uscc,
                now=act.now,
            )
            await act.note()
            return _view(await _known(act.connection, request.merchant_id))

    async def change(
        self, caller: Caller, merchant_id: str, request: MerchantDetails
    ) -> MerchantView:
        """Correct a merchant's names or its credit identifier.

        Raises:
            MerchantUnknownError: no such merchant.
            MerchantClosedError: it is closed.
        """
        subject = _require_centre(caller, merchant_id)
        purpose = request.purpose
        async with register_act(self._parts, caller, "merchant.change", subject, purpose) as act:
            known = await _known(act.connection, merchant_id, lock=True)
            if known.status == "closed":
                raise MerchantClosedError(field="merchant_id")
            changes = request.model_dump(exclude={"purpose"}, exclude_none=True)
            await _set(act, merchant_id, changes)
            return _view(await _known(act.connection, merchant_id))

    async def suspend(self, caller: Caller, merchant_id: str, why: ForPurpose) -> MerchantView:
        """Take no new orders for a merchant until it is resumed. Raises as ``change``."""
        return await self._turn(caller, merchant_id, "suspend", "suspended", why)

    async def resume(self, caller: Caller, merchant_id: str, why: ForPurpose) -> MerchantView:
        """Take orders again. Raises as ``change``."""
        return await self._turn(caller, merchant_id, "resume", "active", why)

    async def close(self, caller: Caller, merchant_id: str, why: ForPurpose) -> MerchantView:
        """Close a merchant for good; closing again changes nothing.

        Raises:
            MerchantUnknownError: no such merchant.
            ObligationsOpenError: money is held, disputed or not settled yet; ``facts`` name it.
        """
        subject = _require_centre(caller, merchant_id)
        async with register_act(self._parts, caller, "merchant.close", subject, why.purpose) as act:
            known = await _known(act.connection, merchant_id, lock=True)
            if known.status != "closed":
                still_open = await _still_open(self._parts.book, act, known)
                if still_open:
                    raise ObligationsOpenError(field="merchant_id", open=still_open)
                await _shut(act, merchant_id)
                await _set(act, merchant_id, {"status": "closed"})
            return _view(await _known(act.connection, merchant_id))

    async def read(self, caller: Caller, merchant_id: str) -> MerchantView:
        """One merchant. Another one than the caller's own is not found."""
        caller.require(Scope.MERCHANTS_READ)
        if caller.merchant_id not in (None, merchant_id):
            raise MerchantUnknownError(field="merchant_id")
        async with transaction(self._parts.engine) as (connection, _):
            return _view(await _known(connection, merchant_id))

    async def list(self, caller: Caller, page: Page) -> MerchantsView:
        """Merchants by id; a merchant's own client sees itself."""
        caller.require(Scope.MERCHANTS_READ)
        (since,) = read_cursor(page.cursor, ("",))
        merchant_id = tables.merchant.c.merchant_id
        query = select(tables.merchant).where(merchant_id > since)
        if caller.merchant_id is not None:
            query = query.where(merchant_id == caller.merchant_id)
        async with transaction(self._parts.engine) as (connection, _):
            rows = (
                await connection.execute(query.order_by(merchant_id).limit(page.limit + 1))
            ).all()
        shown = rows[: page.limit]
        return MerchantsView(
            merchants=[_view(row) for row in shown],
            next_cursor=after((shown[-1].merchant_id,)) if len(rows) > page.limit else None,
        )

    async def _turn(
        self, caller: Caller, merchant_id: str, verb: str, status: str, why: ForPurpose
    ) -> MerchantView:
        subject = _require_centre(caller, merchant_id)
        async with register_act(
            self._parts, caller, f"merchant.{verb}", subject, why.purpose
        ) as act:
            known = await _known(act.connection, merchant_id, lock=True)
            if known.status == "closed":
                raise MerchantClosedError(field="merchant_id")
            if known.status != status:
                await _set(act, merchant_id, {"status": status})
            return _view(await _known(act.connection, merchant_id))


async def _still_open(book: Ledger, act: RegisterAct, known: Row[Any]) -> list[str]:
    """What of a merchant's must be settled before it can be closed."""
    order, of = tables.business_order.c, known.merchant_id
    asked = {
        "orders_held": select(func.count()).where(
            order.merchant_id == of, order.status.in_(_HOLDING)
        ),
        "disputes_undecided": select(func.count()).where(
            dispute.c.merchant_id == of, dispute.c.status.in_([one.value for one in UNDECIDED])
        ),
    }
    found = [name for name, query in asked.items() if await act.connection.scalar(query)]
    accounts = await book.lookup_accounts(
        [known.payable_id.int, known.subsidy_payable_id.int], connection=act.raw
    )
    for name, one in zip(("payable", "subsidy_payable"), accounts, strict=True):
        if one.credits_posted != one.debits_posted:
            found.append(f"{name}_fen:{one.credits_posted - one.debits_posted}")
    return found


def _require_centre(caller: Caller, merchant_id: str) -> str:
    """The act's subject, where the caller may act on merchants at all."""
    caller.require(Scope.MERCHANTS_WRITE)
    if caller.merchant_id is not None:
        raise ForbiddenError("merchants are registered by the card centre")
    return f"merchant/{merchant_id}"


async def _set(act: RegisterAct, merchant_id: str, changes: dict[str, object]) -> None:
    await act.connection.execute(
        update(tables.merchant)
        .where(tables.merchant.c.merchant_id == merchant_id)
        .values(**changes)
    )
    await act.note()


async def _shut(act: RegisterAct, merchant_id: str) -> None:
    """Retire a merchant's terminals, revoke its clients, disable its webhooks."""
    of = tables.terminal.c.merchant_id == merchant_id
    await act.connection.execute(update(tables.terminal).where(of).values(status="retired"))
    await act.connection.execute(
        update(tables.client)
        .where(tables.client.c.merchant_id == merchant_id)
        .values(status="revoked")
    )
    endpoint = platform_tables.webhook_endpoint.c
    found = await act.connection.execute(
        select(endpoint.endpoint_id).where(
            endpoint.merchant_id == merchant_id, endpoint.status == "active"
        )
    )
    for endpoint_id in found.scalars().all():
        await disable_endpoint(act.connection, endpoint_id, "merchant_closed")


async def _known(connection: AsyncConnection, merchant_id: str, *, lock: bool = False) -> Row[Any]:
    row = await _row(connection, merchant_id, lock=lock)
    if row is None:
        raise MerchantUnknownError(field="merchant_id")
    return row


async def _row(
    connection: AsyncConnection, merchant_id: str, *, lock: bool = False
) -> Row[Any] | None:
    query = select(tables.merchant).where(tables.merchant.c.merchant_id == merchant_id)
    return (await connection.execute(query.with_for_update() if lock else query)).one_or_none()


def _view(row: Row[Any]) -> MerchantView:
    return MerchantView(
        merchant_id=row.merchant_id,
        name_zh=row.name_zh,
        name_en=row.name_en,
        uscc=row.uscc,
        status=row.status,
        recorded_at=row.recorded_at,
    )
