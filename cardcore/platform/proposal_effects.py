"""What an approved proposal does, in the transaction of its approval."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables as core_tables
from cardcore.account.chart import LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.fund_tables import fund_regime
from cardcore.books import RawConnection
from cardcore.ids import part_id
from cardcore.parts import Parts
from cardcore.platform.access_epochs import begin_epoch
from cardcore.platform.errors import ProposalImpossibleError
from cardcore.platform.request import (
    AdjustMoney,
    ProposalContent,
    RotateAccessKey,
    SetFundLimit,
    SetOrderLimit,
)
from ledger import Transfer

_SUSPENSE: Final = "suspense"


async def carry_out(
    parts: Parts,
    connection: AsyncConnection,
    raw: RawConnection,
    proposal_id: UUID,
    content: ProposalContent,
    now: datetime,
) -> None:
    """Do it.

    Raises:
        ProposalImpossibleError: an account or fund is unknown, or does not hold the money.
    """
    match content:
        case AdjustMoney():
            await _adjust(parts, connection, raw, proposal_id, content)
        case SetFundLimit():
            regime = await connection.execute(
                select(fund_regime.c.balance_fen_max)
                .join(core_tables.fund_kind, core_tables.fund_kind.c.regime == fund_regime.c.regime)
                .where(core_tables.fund_kind.c.kind == content.fund)
            )
            allowed_fen = regime.scalar_one_or_none()
            if allowed_fen is not None and content.balance_fen_max > allowed_fen:
                raise ProposalImpossibleError(
                    "the law allows less", field="balance_fen_max", limit_fen=allowed_fen
                )
            changed = await connection.execute(
                update(core_tables.fund_kind)
                .where(core_tables.fund_kind.c.kind == content.fund)
                .values(balance_fen_max=content.balance_fen_max)
            )
            if changed.rowcount != 1:
                raise ProposalImpossibleError("there is no such kind of fund", field="fund")
        case SetOrderLimit():
            await _set_order_limit(connection, content, now)
        case RotateAccessKey():
            await begin_epoch(connection, now=now, at_once=content.at_once)


async def _set_order_limit(
    connection: AsyncConnection, content: SetOrderLimit, now: datetime
) -> None:
    rule = core_tables.limit_rule
    version = await connection.scalar(
        select(func.max(rule.c.version)).where(rule.c.limit_id == content.limit_id)
    )
    await connection.execute(
        insert(rule).values(
            version=(version or 0) + 1,
            recorded_at=now,
            **content.model_dump(mode="json", exclude={"kind"}),
        )
    )


async def _adjust(
    parts: Parts,
    connection: AsyncConnection,
    raw: RawConnection,
    proposal_id: UUID,
    content: AdjustMoney,
) -> None:
    names = (content.from_account, content.to_account)
    if names.count(_SUSPENSE) != 1:
        raise ProposalImpossibleError("one of the two accounts must be suspense, and only one")
    debit, credit = [await _account(connection, name) for name in names]
    (result,) = await parts.book.create_transfers(
        [
            Transfer(
                # Derived, so that it cannot be booked twice whatever becomes of the proposal's row.
                id=part_id(proposal_id, 1).int,
                debit_account_id=debit.int,
                credit_account_id=credit.int,
                amount=content.amount_fen,
                ledger=LEDGER_CNY,
                code=TransferCode.ADJUSTMENT,
                user_data_128=proposal_id.int,
            )
        ],
        connection=raw,
    )
    if result != "created":
        raise ProposalImpossibleError(f"the ledger refuses: {result}", reason=str(result))


async def _account(connection: AsyncConnection, name: str) -> UUID:
    """The ledger account behind ``suspense``, ``fund:<id>`` or ``payable:<merchant id>``."""
    kind, _, rest = name.partition(":")
    found: UUID | None = None
    if name == _SUSPENSE:
        return SUSPENSE
    if kind == "payable":
        merchant = core_tables.merchant.c
        found = (
            await connection.execute(
                select(merchant.payable_id).where(merchant.merchant_id == rest)
            )
        ).scalar_one_or_none()
    elif kind == "fund":
        fund = core_tables.fund.c
        found = (
            await connection.execute(select(fund.fund_id).where(fund.fund_id == _uuid(rest)))
        ).scalar_one_or_none()
    if found is None:
        raise ProposalImpossibleError(f"there is no account {kind!r} of this name")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ProposalImpossibleError("a fund is named by its id") from None
