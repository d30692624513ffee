"""What of a debt goes to which fund, and comes back from it: splitting amounts of arrears. Pure."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What is still owed of one line of an order, and the kinds of funds that may pay it."""

    order_id: UUID
    line_no: int
    merchant_id: str
    open_fen: int
    plan: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """One payment of a debt: what one fund gave and did not get back."""

    payment_id: UUID
    fund_id: UUID
    left_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtShare:
    """What one fund gives for one debt."""

    debt: Debt
    fund_id: UUID
    amount_fen: int


def share_out(
    debts: Sequence[Debt],
    fund_ids: Mapping[str, UUID],
    available_fen: MutableMapping[UUID, int],
) -> list[DebtShare]:
    """Pay debts in the order given, each from the funds of its plan, first to last.

    Args:
        debts: oldest first.
        fund_ids: the person's funds by kind.
        available_fen: what each fund has to give; taken from.

    Returns:
        Shares, none of them zero. No debt is overpaid, no fund gives more than it has, and a fund
        pays nothing of a debt while it could have paid more of an older one.
    """
    shares = []
    for debt in debts:
        missing_fen = debt.open_fen
        for kind in debt.plan:
            fund_id = fund_ids.get(kind)
            if fund_id is None:
                continue
            given_fen = min(missing_fen, max(available_fen.get(fund_id, 0), 0))
            if given_fen:
                shares.append(DebtShare(debt=debt, fund_id=fund_id, amount_fen=given_fen))
                available_fen[fund_id] -= given_fen
                missing_fen -= given_fen
    return shares


def take_back(amount_fen: int, paid: Sequence[Paid]) -> list[tuple[Paid, int]]:
    """Share what goes back over payments, in the order given; none of the shares is zero.

    ``amount_fen`` is never more than what is left of the payments together.
    """
    shares = []
    for one in paid:
        given_fen = min(amount_fen, one.left_fen)
        if given_fen:
            shares.append((one, given_fen))
            amount_fen -= given_fen
    assert amount_fen == 0
    return shares
