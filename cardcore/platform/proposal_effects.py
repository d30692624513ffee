"""What an approved proposal does, in the transaction of its approval."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables as core_tables
from cardcore.account.chart import LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.business.dispute_errors import DisputeStateError
from cardcore.business.dispute_journal import Saying
from cardcore.business.dispute_states import DisputeStep
from cardcore.business.disputes import Disputes, decision_step
from cardcore.connections import RawConnection
from cardcore.errors import MerchantUnknownError, NotFoundError
from cardcore.ids import part_id
from cardcore.parts import Parts
from cardcore.platform.access_epochs import begin_epoch
from cardcore.platform.errors import ProposalImpossibleError
from cardcore.platform.key_epochs import rotate_issuer_key
from cardcore.platform.limit_changes import (
    Change,
    set_fund_limit,
    set_hold_time,
    set_order_limit,
)
from cardcore.platform.request import (
    AdjustMoney,
    ChargeRecord,
    CreditDispute,
    DecideDispute,
    ProposalContent,
    RotateAccessKey,
    RotateIssuerKey,
    SetFundLimit,
    SetHoldTime,
    SetOrderLimit,
)
from cardcore.platform.reviews import charge_record
from cardcore.settlement.errors import (
    AdjustmentRefusedError,
    DifferenceClosedError,
    DifferenceUnknownError,
    WindowStateError,
    WindowUnknownError,
)
from cardcore.settlement.reconciliation import resolve_difference
from cardcore.settlement.request import (
    AbortSettlementWindow,
    ResolveDifference,
    SetSettlementPayee,
    SetSettlementTariff,
)
from cardcore.settlement.tariffs import set_payee, set_tariff
from cardcore.settlement.windows import abort_window
from ledger import Transfer

_SUSPENSE: Final = "suspense"


async def carry_out(
    parts: Parts,
    connection: AsyncConnection,
    raw: RawConnection,
    content: ProposalContent,
    change: Change,
) -> None:
    """Do it.

    Args:
        parts: of the core.
        connection: the transaction of the approval; ``raw`` is the same one.
        raw: the driver's connection.
        content: what was proposed.
        change: by whose decision, why and when.

    Raises:
        ProposalImpossibleError: an account or fund is unknown, or does not hold the money.
    """
    match content:
        case AdjustMoney():
            await _adjust(parts, connection, raw, change.proposal_id, content)
        case ChargeRecord():
            await charge_record(parts, connection, raw, content, change)
        case CreditDispute() | DecideDispute():
            await _dispute(parts, connection, raw, content, change)
        case SetFundLimit() | SetOrderLimit() | SetHoldTime():
            await _limit(parts, connection, content, change)
        case RotateAccessKey():
            await begin_epoch(connection, now=change.now, at_once=content.at_once)
        case RotateIssuerKey():
            await rotate_issuer_key(parts, connection, content, change.now)
        case ResolveDifference():
            await _resolve(parts, raw, content, change)
        case SetSettlementTariff() | SetSettlementPayee() | AbortSettlementWindow():
            await _settlement(raw, content, change)


async def _resolve(
    parts: Parts, raw: RawConnection, content: ResolveDifference, change: Change
) -> None:
    try:
        await resolve_difference(
            raw,
            parts.book,
            content,
            proposal_id=change.proposal_id,
            by=change.decided_by,
            now=change.now,
        )
    except (DifferenceUnknownError, DifferenceClosedError, AdjustmentRefusedError) as error:
        raise ProposalImpossibleError(error.detail, field=error.field, reason=error.code) from error


async def _limit(
    parts: Parts,
    connection: AsyncConnection,
    content: SetFundLimit | SetOrderLimit | SetHoldTime,
    change: Change,
) -> None:
    match content:
        case SetFundLimit():
            await set_fund_limit(connection, content, change)
        case SetOrderLimit():
            await set_order_limit(connection, content, change)
        case SetHoldTime():
            await set_hold_time(connection, content, parts.pricers.keys())


async def _dispute(
    parts: Parts,
    connection: AsyncConnection,
    raw: RawConnection,
    content: CreditDispute | DecideDispute,
    change: Change,
) -> None:
    saying = Saying(client_id=change.decided_by, now=change.now)
    taken = DisputeStep.CREDIT
    if isinstance(content, DecideDispute):
        saying = replace(saying, grounds=content.grounds.value, reference=content.reference)
        taken = decision_step(content.finding)
    try:
        await Disputes(parts.book, parts.random_bytes).take(
            connection,
            raw,
            caller=None,
            dispute_id=content.dispute_id,
            taken=taken,
            saying=saying,
        )
    except (NotFoundError, DisputeStateError) as error:
        raise ProposalImpossibleError(error.detail, field=error.field, reason=error.code) from error


async def _settlement(
    raw: RawConnection,
    content: SetSettlementTariff | SetSettlementPayee | AbortSettlementWindow,
    change: Change,
) -> None:
    proposal_id, by, now = change.proposal_id, change.decided_by, change.now
    try:
        match content:
            case SetSettlementTariff():
                await set_tariff(raw, content, proposal_id=proposal_id, by=by, now=now)
            case SetSettlementPayee():
                await set_payee(raw, content, proposal_id=proposal_id, by=by, now=now)
            case AbortSettlementWindow():
                await abort_window(raw, content.number, now)
    except (MerchantUnknownError, WindowUnknownError, WindowStateError) as error:
        raise ProposalImpossibleError(error.detail, field=error.field, reason=error.code) from error


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
