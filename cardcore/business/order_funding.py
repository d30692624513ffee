"""Who pays the citizen's share of an order, and out of which of their funds. Pure.

The person themselves, or somebody who pays for them by a delegation. One payer pays the whole
share: where the first to be asked cannot, the next is asked. A delegation's limits of a day and a
month are counted as the city's own limits are, in the order's statement, so that two servers
cannot pass them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time
from typing import Final
from uuid import UUID

from cardcore.account.funding_plan import AUTO, FundShare, split_over_funds
from cardcore.account.funding_policy import FundingPlans
from cardcore.business.limits import (
    EVERY_SCENE,
    Asking,
    CounterKey,
    LimitRule,
    LimitSubject,
    Measure,
    Period,
    Use,
    check,
    uses_of,
)
from cardcore.business.order_facts import BatchFacts, PersonFacts, PreparedOrder
from cardcore.business.request import PaidBy
from cardcore.errors import (
    CardcoreError,
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    UserFrozenError,
)
from cardcore.user.delegation import Delegation, asked_in_turn, payers_of
from cardcore.values import value

# Where nobody can pay, the refusal that helps most is told.
_TELLING: Final[tuple[type[CardcoreError], ...]] = (
    LimitExceededError,
    InsufficientBalanceError,
    UserFrozenError,
    FundUnknownError,
)


@value
class Funded:
    """Where the citizen's share comes from.

    ``delegation``: by which somebody else pays; ``uses``: what that takes of its limits.
    """

    shares: Sequence[FundShare] = ()
    delegation: Delegation | None = None
    uses: Sequence[Use] = ()


class OrderFunding:
    """The funding plans and delegations, applied to one order at a time."""

    def __init__(self, plans: FundingPlans, cut_off: time) -> None:
        self._plans = plans
        self._cut_off = cut_off

    def plan(self, prepared: PreparedOrder) -> Sequence[str]:
        """Kinds of funds this purchase may draw on, first to last."""
        business = prepared.request.business
        return self._plans.kinds(business.scene, business.merchant_id, prepared.business_on)

    def funds_asked(self, person: PersonFacts, prepared: PreparedOrder) -> dict[UUID, str]:
        """Funds whose balance must be known, with their kinds.

        Where only one fund can pay, the ledger's own answer is enough and nothing is read.
        """
        own = self._usable(person.fund_ids, prepared, prepared.request.account.fund)
        if self._pays_alone(person, prepared):
            wanted = own if len(own) > 1 and prepared.request.account.fund == AUTO else []
        else:
            wanted = list(own)
            for one in person.delegations:
                wanted += self._usable(one.payer_funds, prepared, one.fund)
        return {fund_id: kind for kind, fund_id in wanted}

    def fund(
        self, facts: BatchFacts, prepared: PreparedOrder, person: PersonFacts, amount_fen: int
    ) -> Funded:
        """Where the citizen's share comes from; what it takes is gone for the next of the batch.

        Raises:
            FundUnknownError: no fund of anybody who may pay is one the scene may draw on.
            InsufficientBalanceError: the funds do not cover it.
            LimitExceededError: a delegation's limit stands against it; ``facts`` say which, and
                until when.
            UserFrozenError: whoever was to pay is not active.
        """
        if amount_fen == 0:
            return Funded()
        funded = self._first_able(facts, prepared, person, amount_fen)
        for share in funded.shares:
            before = facts.balances.get(share.fund_id)
            if before is not None:
                left_fen = before.available_fen - share.amount_fen
                facts.balances[share.fund_id] = replace(before, available_fen=left_fen)
        return funded

    # -- who -------------------------------------------------------------------------------------

    @staticmethod
    def _pays_alone(person: PersonFacts, prepared: PreparedOrder) -> bool:
        payer = prepared.request.account.payer
        if payer is PaidBy.AUTO:
            return not person.delegations
        return payer in (PaidBy.SELF, person.user_id, prepared.request.user.user_id)

    def _first_able(
        self, facts: BatchFacts, prepared: PreparedOrder, person: PersonFacts, amount_fen: int
    ) -> Funded:
        if self._pays_alone(person, prepared):
            return Funded(shares=self._own(facts, prepared, person, amount_fen))
        refusals: list[CardcoreError] = []
        for one in self._asked_in_turn(prepared, person, refusals):
            try:
                if one is None:
                    return Funded(shares=self._own(facts, prepared, person, amount_fen))
                return self._delegated(facts, prepared, one, amount_fen)
            except _TELLING as refusal:
                refusals.append(refusal)
        raise min(refusals, key=_how_telling)

    @staticmethod
    def _asked_in_turn(
        prepared: PreparedOrder, person: PersonFacts, refusals: list[CardcoreError]
    ) -> Sequence[Delegation | None]:
        """Who is asked to pay, in turn; None is the person themselves."""
        payer = prepared.request.account.payer
        try:
            able = payers_of(
                person.delegations,
                scene=prepared.request.business.scene,
                at=prepared.received_at,
            )
        except (FundUnknownError, UserFrozenError) as refusal:
            if payer is not PaidBy.AUTO:
                raise
            # The person may still pay themselves.
            refusals += [refusal] if isinstance(refusal, UserFrozenError) else []
            able = ()
        if payer is PaidBy.DELEGATE:
            return able
        if isinstance(payer, UUID):
            named = [one for one in able if one.is_of(payer)]
            if not named:
                raise FundUnknownError(
                    "this payer does not pay for this user", field="account.payer"
                )
            return named
        return asked_in_turn(able)

    # -- with what -------------------------------------------------------------------------------

    def _usable(
        self, fund_ids: Sequence[tuple[str, UUID]], prepared: PreparedOrder, wanted: str
    ) -> list[tuple[str, UUID]]:
        plan = self.plan(prepared)
        return [
            (kind, fund_id) for kind, fund_id in fund_ids if kind in plan and wanted in (AUTO, kind)
        ]

    def _own(
        self, facts: BatchFacts, prepared: PreparedOrder, person: PersonFacts, amount_fen: int
    ) -> Sequence[FundShare]:
        wanted = prepared.request.account.fund
        usable = self._usable(person.fund_ids, prepared, wanted)
        if not usable:
            raise FundUnknownError(
                f"the user has no fund {wanted!r} that this scene may draw on",
                field="account.fund",
            )
        if len(usable) == 1 and usable[0][1] not in facts.balances:
            kind, fund_id = usable[0]
            return [FundShare(fund_id=fund_id, kind=kind, amount_fen=amount_fen)]
        return split_over_funds(
            amount_fen,
            wanted,
            self.plan(prepared),
            [facts.balances[fund_id] for _, fund_id in usable],
        )

    def _delegated(
        self, facts: BatchFacts, prepared: PreparedOrder, by: Delegation, amount_fen: int
    ) -> Funded:
        asking = Asking(
            scene=prepared.request.business.scene,
            user_id=by.user_id,
            terminal_id=prepared.request.business.terminal_id,
            merchant_id=prepared.request.business.merchant_id,
            citizen_fen=amount_fen,
            at=prepared.received_at,
            business_on=prepared.business_on,
        )
        uses = delegation_uses(by, asking, facts.limits_used, self._cut_off)
        wanted = prepared.request.account.fund
        usable = [
            (kind, fund_id)
            for kind, fund_id in self._usable(by.payer_funds, prepared, by.fund)
            if wanted in (AUTO, kind)
        ]
        if not usable:
            raise FundUnknownError(
                "the payer has no fund that this scene may draw on", field="account.payer"
            )
        try:
            shares = split_over_funds(
                amount_fen,
                AUTO,
                self.plan(prepared),
                [facts.balances[fund_id] for _, fund_id in usable],
            )
        except InsufficientBalanceError:
            # How much the payer has is the payer's business.
            raise InsufficientBalanceError(field="account.payer", needed_fen=amount_fen) from None
        return Funded(shares=shares, delegation=by, uses=uses)


def delegation_uses(
    by: Delegation, asking: Asking, used: Mapping[CounterKey, int], cut_off: time
) -> list[Use]:
    """What an amount takes of a delegation's limits of a day and a month.

    Args:
        by: the delegation.
        asking: what is to be paid, and when it was asked.
        used: what was used of its limits before.
        cut_off: when a business day begins.

    Raises:
        LimitExceededError: one of them stands against it; ``facts`` say which, and until when.
    """
    by.admit(asking.citizen_fen)
    uses = uses_of(_limits_of(by), replace(asking, delegation_id=by.delegation_id), cut_off)
    _refuse_beyond(by, uses, used)
    return uses


def _limits_of(by: Delegation) -> list[LimitRule]:
    periods = [(Period.DAY, by.day_fen_max)]
    if by.month_fen_max is not None:
        periods.append((Period.MONTH, by.month_fen_max))
    return [
        LimitRule(
            limit_id=f"delegation_{period.value}",
            version=1,  # a delegation's limits never change: another one is granted
            scene=EVERY_SCENE,
            subject=LimitSubject.DELEGATION,
            measure=Measure.AMOUNT,
            period=period,
            period_s=0,
            limit_max=limit_fen_max,
        )
        for period, limit_fen_max in periods
    ]


def _refuse_beyond(by: Delegation, uses: Sequence[Use], used: Mapping[CounterKey, int]) -> None:
    try:
        check(uses, used, {})
    except LimitExceededError as refusal:
        refusal.field = "account.payer"
        refusal.facts["delegation_id"] = str(by.delegation_id)
        raise


def _how_telling(refusal: CardcoreError) -> int:
    return next(place for place, kind in enumerate(_TELLING) if isinstance(refusal, kind))
