"""Which account bears which part of a charge, and which line gives back how much. Pure.

Whoever was charged has travelled already: where their funds do not reach, the rest becomes
arrears up to the limit of their level (ADR 60), and beyond it the charge waits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from cardcore.account.chart import (
    LEDGER_CNY,
    TransferCode,
    arrears_payable,
    subsidy_receivable,
)
from cardcore.account.funding_plan import FundShare
from cardcore.business.limits import Asking, Use
from cardcore.business.quote import Payer, QuoteLine
from cardcore.business.request import Mode
from cardcore.charges.charge import Charge, GiveBack
from cardcore.charges.facts import ChargeFacts, LineLeft
from cardcore.ids import part_id
from cardcore.terminals.record_booking import ARREARS, Payables
from cardcore.terminals.record_facts import Holder
from cardcore.terminals.record_payers import FundedRecord, fund_alone, fund_record
from ledger import Transfer, TransferFlags

USER_UNKNOWN: Final = "user_unknown"
OVER_LIMIT: Final = "over_limit"
LEFT_EXCEEDED: Final = "left_exceeded"
BOOKS_REFUSED: Final = "books_refused"
OWED_UNKNOWN: Final = "owed_unknown"
_LAST: Final = TransferFlags(0)


class DecidedCharge(NamedTuple):
    """An order that is to be booked. ``place`` is that of its charge in the request.

    ``row`` is the order's, ``lines`` are its lines', as ``rows`` writes them. ``owing`` has number
    and fen of each line that became arrears. ``uses``: what it takes of a delegation's limits.
    """

    place: int
    order_id: UUID
    user_id: UUID
    merchant_id: str
    scene: str
    row: tuple[object, ...]
    lines: list[tuple[object, ...]]
    transfers: list[Transfer]
    owing: list[tuple[int, int]]
    uses: Sequence[Use]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedReturn:
    """A refund that is to be booked. ``place`` is that of its giving back in the request."""

    place: int
    refund_id: UUID
    asked: GiveBack
    shares: Sequence[tuple[LineLeft, int]]
    transfers: Sequence[Transfer]

    @property
    def amount_fen(self) -> int:
        """All that goes back."""
        return sum(fen for _, fen in self.shares)

    @property
    def transfer_ids(self) -> list[UUID]:
        """Ids of its transfers, share by share."""
        return [UUID(int=transfer.id) for transfer in self.transfers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """When, by whom and from which funds charges are made.

    ``kinds`` says which kinds of funds a scene may draw on for a merchant on a business date.
    """

    client_id: str
    now: datetime
    funding_version: int
    kinds: Callable[[str, str, date], Sequence[str]]
    first_open_on: date | None
    cut_off: time


def decide_charge(
    place: int, order_id: UUID, charge: Charge, facts: ChargeFacts, made: Made
) -> DecidedCharge | str:
    """An order of a charge, or why it must wait; draws on the balances of the facts.

    ``OWED_UNKNOWN`` where funds do not reach and what the person owes has not been read yet;
    nothing is drawn then.
    """
    holder = facts.people.get(charge.user_id)
    payables = facts.payables.get(charge.merchant_id)
    if holder is None or payables is None:
        return USER_UNKNOWN
    citizen_fen, nominal_fen = charge.citizen_fen, charge.nominal_fen
    owed_fen = facts.owed_fen.get(holder.user_id)
    funded = _fund(charge, holder, facts, made)
    if owed_fen is None and (funded is None or any(one.kind == ARREARS for one in funded.shares)):
        return OWED_UNKNOWN
    if funded is None:
        return OVER_LIMIT
    for share in funded.shares:
        if share.kind == ARREARS:
            facts.owed_fen[holder.user_id] = (owed_fen or 0) + share.amount_fen
        else:
            facts.balances[share.fund_id] -= share.amount_fen
    for use in funded.uses:
        facts.limits_used[use.key] = facts.limits_used.get(use.key, 0) + use.added
    business_on = charge.business_on
    if made.first_open_on is not None:
        business_on = max(business_on, made.first_open_on)
    parts = _parts(charge, funded.shares, payables, made.funding_version)
    row = (
        order_id,
        charge.merchant_id,
        charge.terminal_id,
        charge.scene,
        charge.type,
        Mode.PAY.value,
        "captured",
        charge.out_trade_no,
        holder.user_id,
        made.client_id,
        nominal_fen,
        citizen_fen,
        nominal_fen,
        0,
        business_on,
        charge.occurred_at,
        made.now,
        _digest(charge.out_trade_no, nominal_fen, citizen_fen),
        dict(charge.details),
    )
    lines, transfers = _lines(order_id, parts, charge.occurred_at, funded.delegation_id)
    return DecidedCharge(
        place,
        order_id,
        holder.user_id,
        charge.merchant_id,
        charge.scene,
        row,
        lines,
        transfers,
        [(no, part[1]) for no, part in enumerate(parts, 1) if part[4] == ARREARS],
        funded.uses,
    )


def _fund(charge: Charge, holder: Holder, facts: ChargeFacts, made: Made) -> FundedRecord | None:
    """Where the citizen's part comes from; most people have nobody who pays for them."""
    plan = made.kinds(charge.scene, charge.merchant_id, charge.business_on)
    if holder.user_id in facts.delegations:
        asking = Asking(
            scene=charge.scene,
            user_id=holder.user_id,
            terminal_id=charge.terminal_id,
            merchant_id=charge.merchant_id,
            citizen_fen=charge.citizen_fen,
            at=charge.occurred_at,
            business_on=charge.business_on,
        )
        return fund_record(holder, asking, facts, plan=plan, cut_off=made.cut_off)
    return fund_alone(holder, charge.citizen_fen, facts, plan=plan)


_Part = tuple[QuoteLine, int, UUID, UUID, str | None, int | None]


def _parts(
    charge: Charge, shares: Sequence[FundShare], payables: Payables, funding_version: int
) -> list[_Part]:
    """By line and account: quoted line, fen, debit, credit, kind of fund, funding version."""
    parts: list[_Part] = []
    left = [(share, share.amount_fen) for share in reversed(shares)]
    for quoted in charge.lines:
        if quoted.payer is not Payer.CITIZEN:
            debit = subsidy_receivable(quoted.payer)
            fen = quoted.amount_fen
            parts.append((quoted, fen, debit, payables.subsidy_payable_id, None, None))
            continue
        missing_fen = quoted.amount_fen
        while missing_fen:
            share, share_fen = left.pop()
            fen = min(share_fen, missing_fen)
            if fen < share_fen:
                left.append((share, share_fen - fen))
            owing = share.kind == ARREARS
            credit = arrears_payable(charge.merchant_id) if owing else payables.payable_id
            parts.append((quoted, fen, share.fund_id, credit, share.kind, funding_version))
            missing_fen -= fen
    return parts


def _lines(
    order_id: UUID, parts: Sequence[_Part], effective_at: datetime, delegation_id: UUID | None
) -> tuple[list[tuple[object, ...]], list[Transfer]]:
    """Rows of the lines, and their transfers: one chain, so that all happen or none."""
    whole = order_id.int
    lines: list[tuple[object, ...]] = []
    transfers: list[Transfer] = []
    last = len(parts)
    for line_no, (quoted, fen, debit, credit, kind, version) in enumerate(parts, 1):
        lines.append(
            (
                order_id,
                line_no,
                quoted.payer.value,
                kind,
                fen,
                debit,
                credit,
                whole + line_no,
                quoted.rule_id,
                quoted.rule_version,
                quoted.reason_zh,
                quoted.reason_en,
                version,
                None if kind is None else delegation_id,
            )
        )
        transfers.append(
            Transfer(
                id=whole + line_no,
                debit_account_id=debit.int,
                credit_account_id=credit.int,
                amount=fen,
                ledger=LEDGER_CNY,
                code=TransferCode.SUBSIDY if kind is None else TransferCode.PAYMENT,
                flags=_LAST if line_no == last else TransferFlags.linked,
                user_data_128=whole,
                effective_at=effective_at,
            )
        )
    return lines, transfers


def decide_return(
    place: int,
    refund_id: UUID,
    asked: GiveBack,
    facts: ChargeFacts,
    landing: Mapping[UUID, UUID],
) -> DecidedReturn | str:
    """A refund, or why it must wait; takes from the lines left of the facts.

    ``landing``: where the money of funds that are no more goes instead.
    """
    lines = facts.lines_left.get(asked.order_id, [])
    shares: list[tuple[LineLeft, int]] = []
    for payer, fen in asked.amounts.items():
        missing_fen = fen
        for one in reversed(lines):
            if one.line.payer != payer.value or not missing_fen:
                continue
            given_fen = min(one.left_fen, missing_fen)
            if given_fen > 0:
                shares.append((one, given_fen))
                missing_fen -= given_fen
        if missing_fen:
            return LEFT_EXCEEDED
    taken = {id(one): fen for one, fen in shares}
    facts.lines_left[asked.order_id] = [
        replace(one, left_fen=one.left_fen - taken[id(one)]) if id(one) in taken else one
        for one in lines
    ]
    transfers = [
        _mirrored(refund_id, asked.order_id, one, fen, landing, last=position == len(shares))
        for position, (one, fen) in enumerate(shares, start=1)
    ]
    return DecidedReturn(
        place=place, refund_id=refund_id, asked=asked, shares=shares, transfers=transfers
    )


def return_digest(asked: GiveBack) -> bytes:
    """What the refund's row is told apart by."""
    return _digest(asked.out_refund_no, *(fen for _, fen in sorted(asked.amounts.items())))


def _mirrored(
    refund_id: UUID,
    order_id: UUID,
    left: LineLeft,
    fen: int,
    landing: Mapping[UUID, UUID],
    *,
    last: bool,
) -> Transfer:
    """A share going back the way it came."""
    line = left.line
    assert line.debit_account_id is not None
    assert line.credit_account_id is not None
    citizen = line.payer == Payer.CITIZEN.value
    return Transfer(
        id=part_id(refund_id, left.part_no).int,
        debit_account_id=line.credit_account_id.int,
        credit_account_id=landing.get(line.debit_account_id, line.debit_account_id).int,
        amount=fen,
        ledger=LEDGER_CNY,
        code=TransferCode.REFUND if citizen else TransferCode.SUBSIDY_REFUND,
        flags=_LAST if last else TransferFlags.linked,
        user_data_128=order_id.int,
    )


def _digest(name: str, *amounts_fen: int) -> bytes:
    return sha256(f"{name}/{'/'.join(map(str, amounts_fen))}".encode()).digest()
