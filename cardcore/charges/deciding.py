"""Which account bears which part of a charge, and which line gives back how much. Pure.

Whoever was charged has travelled already: where their funds do not reach, the rest becomes
arrears up to the limit of their level (ADR 60), and beyond it the charge waits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from cardcore.account.chart import LEDGER_CNY, TransferCode, arrears_payable
from cardcore.business.booking import lines_of_order, transfers_of_order
from cardcore.business.orders import OrderRecord
from cardcore.business.quote import Payer, Quote
from cardcore.business.request import Mode
from cardcore.charges.charge import Charge, GiveBack
from cardcore.charges.facts import ChargeFacts, LineLeft
from cardcore.ids import part_id
from cardcore.terminals.record_booking import ARREARS, shares_with_arrears
from ledger import Transfer, TransferFlags

USER_UNKNOWN: Final = "user_unknown"
OVER_LIMIT: Final = "over_limit"
LEFT_EXCEEDED: Final = "left_exceeded"
BOOKS_REFUSED: Final = "books_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedCharge:
    """An order that is to be booked. ``place`` is that of its charge in the request."""

    place: int
    record: OrderRecord
    transfers: Sequence[Transfer]


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


def decide_charge(
    place: int, order_id: UUID, charge: Charge, facts: ChargeFacts, made: Made
) -> DecidedCharge | str:
    """An order of a charge, or why it must wait; draws on the balances of the facts."""
    holder = facts.people.get(charge.user_id)
    payables = facts.payables.get(charge.merchant_id)
    if holder is None or payables is None:
        return USER_UNKNOWN
    citizen_fen, nominal_fen = charge.citizen_fen, charge.nominal_fen
    shares = shares_with_arrears(
        holder,
        citizen_fen,
        plan=made.kinds(charge.scene, charge.merchant_id, charge.business_on),
        balances=facts.balances,
        owed_fen=facts.owed_fen.get(holder.user_id, 0),
    )
    if shares is None:
        return OVER_LIMIT
    for share in shares:
        if share.kind == ARREARS:
            owed_fen = facts.owed_fen.get(holder.user_id, 0)
            facts.owed_fen[holder.user_id] = owed_fen + share.amount_fen
        else:
            facts.balances[share.fund_id] -= share.amount_fen
    lines = lines_of_order(
        order_id,
        Quote(lines=charge.lines),
        shares,
        payable_id=payables.payable_id,
        subsidy_payable_id=payables.subsidy_payable_id,
        funding_version=made.funding_version,
    )
    if any(share.kind == ARREARS for share in shares):
        payable_id = arrears_payable(charge.merchant_id)
        lines = tuple(
            replace(line, credit_account_id=payable_id) if line.fund == ARREARS else line
            for line in lines
        )
    business_on = charge.business_on
    if made.first_open_on is not None:
        business_on = max(business_on, made.first_open_on)
    record = OrderRecord(
        order_id=order_id,
        merchant_id=charge.merchant_id,
        terminal_id=charge.terminal_id,
        scene=charge.scene,
        type=charge.type,
        mode=Mode.PAY,
        status="captured",
        out_trade_no=charge.out_trade_no,
        user_id=holder.user_id,
        client_id=made.client_id,
        nominal_fen=nominal_fen,
        citizen_fen=citizen_fen,
        captured_fen=nominal_fen,
        refunded_fen=0,
        business_on=business_on,
        occurred_at=charge.occurred_at,
        recorded_at=made.now,
        request_digest=_digest(charge.out_trade_no, nominal_fen, citizen_fen),
        code_digest=None,
        details=dict(charge.details),
        lines=lines,
    )
    transfers = transfers_of_order(order_id, lines, pending=False, effective_at=charge.occurred_at)
    return DecidedCharge(place=place, record=record, transfers=transfers)


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
        flags=TransferFlags(0) if last else TransferFlags.linked,
        user_data_128=order_id.int,
    )


def _digest(name: str, *amounts_fen: int) -> bytes:
    return sha256(f"{name}/{'/'.join(map(str, amounts_fen))}".encode()).digest()
