"""Who pays a record or a charge, out of what: as an order on-line, then arrears. Pure.

The delegations in force at the instant of the tap are asked in the turn of an on-line order, each
within its limits; where nobody covers the whole, the person's own funds are drawn, and what they do
not reach is owed (ADR 60).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import time
from typing import NamedTuple, Protocol
from uuid import UUID

from cardcore.account.funding_plan import AUTO, FundBalance, FundShare, split_over_funds
from cardcore.business.limits import Asking, CounterKey, Use
from cardcore.business.order_funding import delegation_uses
from cardcore.errors import FundUnknownError, InsufficientBalanceError, LimitExceededError
from cardcore.terminals.record_booking import own_fen, shares_with_arrears
from cardcore.terminals.record_facts import Holder
from cardcore.user.delegation import ANY_FUND, Delegation, asked_in_turn


class PayerFacts(Protocol):
    """What must be known of everybody who may pay."""

    @property
    def balances(self) -> Mapping[UUID, int]:
        """What each fund has available, in fen."""
        ...

    @property
    def owed_fen(self) -> Mapping[UUID, int]:
        """What each person owes; nothing where it is not known."""
        ...

    @property
    def delegations(self) -> Mapping[UUID, Sequence[Delegation]]:
        """By whom somebody else pays for, oldest first."""
        ...

    @property
    def limits_used(self) -> Mapping[CounterKey, int]:
        """What was used of the delegations' limits."""
        ...


class FundedRecord(NamedTuple):
    """Where the citizen's part comes from, by which delegation, and what that takes of it."""

    shares: Sequence[FundShare]
    delegation_id: UUID | None = None
    uses: Sequence[Use] = ()


def fund_record(
    holder: Holder, asking: Asking, facts: PayerFacts, *, plan: Sequence[str], cut_off: time
) -> FundedRecord | None:
    """Where the citizen's part of a record comes from; nothing is drawn yet.

    Args:
        holder: the person and their funds.
        asking: the part, and the instant and business day of the tap.
        facts: delegations, what was used of their limits, balances and debts.
        plan: kinds of funds the scene may draw on, first to last.
        cut_off: when a business day begins.

    Returns:
        None where nobody else pays and the arrears would pass their limit.
    """
    amount_fen = asking.citizen_fen
    for one in _in_turn(facts.delegations.get(holder.user_id, ()), asking):
        if one is None:
            if own_fen(holder, plan, facts.balances) >= amount_fen:
                break
            continue
        with suppress(LimitExceededError, FundUnknownError, InsufficientBalanceError):
            uses = delegation_uses(one, asking, facts.limits_used, cut_off)
            shares = split_over_funds(amount_fen, AUTO, plan, _funds_of(one, facts))
            return FundedRecord(shares, one.delegation_id, uses)
    return fund_alone(holder, amount_fen, facts, plan=plan)


def fund_alone(
    holder: Holder, amount_fen: int, facts: PayerFacts, *, plan: Sequence[str]
) -> FundedRecord | None:
    """As ``fund_record`` where nobody else pays for this person, as for most."""
    own = shares_with_arrears(
        holder,
        amount_fen,
        plan=plan,
        balances=facts.balances,
        owed_fen=facts.owed_fen.get(holder.user_id, 0),
    )
    return None if own is None else FundedRecord(own)


def _in_turn(delegations: Sequence[Delegation], asking: Asking) -> Sequence[Delegation | None]:
    if not delegations or not asking.citizen_fen:
        return ()
    return asked_in_turn(
        one for one in delegations if one.payer_active and one.covers(asking.scene, asking.at)
    )


def _funds_of(by: Delegation, facts: PayerFacts) -> list[FundBalance]:
    """The payer's funds that the delegation lets pay, as far as the ledger knows them."""
    return [
        FundBalance(fund_id=fund_id, kind=kind, available_fen=facts.balances[fund_id])
        for kind, fund_id in by.payer_funds
        if by.fund in (ANY_FUND, kind) and fund_id in facts.balances
    ]
