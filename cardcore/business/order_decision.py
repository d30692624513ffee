"""Deciding one order by what was read: refuse, or say exactly what is to be booked.

No database and no clock; the scene's rules, the funding plan and the limits come together here.
"""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Final

from cardcore.account.funding_policy import FundingPlans
from cardcore.business.booking import by_delegation, lines_of_order, transfers_of_order
from cardcore.business.limits import Asking, Use, uses_of
from cardcore.business.order_checks import check_code, person_of, terminal_of
from cardcore.business.order_facts import BatchFacts, PersonFacts, PreparedOrder
from cardcore.business.order_funding import OrderFunding
from cardcore.business.order_rules import RuleBook
from cardcore.business.orders import STATUS_AS_MADE, OrderRecord
from cardcore.business.plain_pricing import PlainPricer
from cardcore.business.quote import PricingFacts, Quote, Subject
from cardcore.business.request import Mode
from cardcore.errors import AmountInvalidError, SceneUnknownError
from cardcore.ids import RandomBytes, new_id
from cardcore.ports import ScenePricer
from cardcore.values import value
from ledger import Transfer


@value
class Decided:
    """An order decided but not yet in the ledger."""

    position: int
    prepared: PreparedOrder
    record: OrderRecord
    transfers: Sequence[Transfer]
    uses: Sequence[Use] = ()


_PLAIN: Final = PlainPricer()


class OrderDecider:
    """The rules of this installation, applied to one order at a time."""

    def __init__(
        self,
        *,
        pricers: Mapping[str, ScenePricer],
        plans: FundingPlans,
        rules: RuleBook,
        cut_off: time,
        random_bytes: RandomBytes,
    ) -> None:
        self._pricers = pricers
        self._plans = plans
        self._rules = rules
        self._cut_off = cut_off
        self._random_bytes = random_bytes
        self._funding = OrderFunding(plans, cut_off)
        self.funds_asked = self._funding.funds_asked

    def decide(self, facts: BatchFacts, position: int, prepared: PreparedOrder) -> Decided:
        """The pure part: refuse, or say exactly what is to be booked."""
        request = prepared.request
        terminal = terminal_of(facts, prepared)
        person = person_of(facts, prepared)
        quote = self.price(prepared, person)
        if prepared.code is not None:
            check_code(facts, prepared.code, quote)
        uses = self._uses(prepared, person, quote)
        funded = self._funding.fund(facts, prepared, person, quote.citizen_fen)
        order_id = new_id(prepared.received_at, self._random_bytes)
        lines = lines_of_order(
            order_id,
            quote,
            funded.shares,
            payable_id=terminal.payable_id,
            subsidy_payable_id=terminal.subsidy_payable_id,
            funding_version=self._plans.version,
        )
        by = funded.delegation
        lines = by_delegation(lines, None if by is None else by.delegation_id)
        business = request.business
        timeout_s = 0
        if request.mode is Mode.HOLD:
            timeout_s = self._rules.current.hold_timeout_s(business.scene)
        record = OrderRecord(
            order_id=order_id,
            merchant_id=business.merchant_id,
            terminal_id=business.terminal_id,
            scene=business.scene,
            type=business.type,
            mode=request.mode,
            status=STATUS_AS_MADE[request.mode],
            out_trade_no=business.out_trade_no,
            user_id=person.user_id,
            client_id=prepared.caller.client_id,
            nominal_fen=quote.nominal_fen,
            citizen_fen=quote.citizen_fen,
            captured_fen=quote.nominal_fen if request.mode is Mode.PAY else 0,
            refunded_fen=0,
            business_on=prepared.business_on,
            occurred_at=business.occurred_at,
            recorded_at=prepared.received_at,
            request_digest=prepared.digest,
            code_digest=None if prepared.code is None else prepared.code.digest,
            details=business.details,
            lines=lines,
            hold_expires_at=(
                prepared.received_at + timedelta(seconds=timeout_s) if timeout_s else None
            ),
            rules_version=self._rules.current.version,
        )
        return Decided(
            position=position,
            prepared=prepared,
            record=record,
            transfers=transfers_of_order(
                order_id, lines, pending=request.mode is Mode.HOLD, timeout_s=timeout_s
            ),
            uses=[*uses, *funded.uses],
        )

    def _uses(self, prepared: PreparedOrder, person: PersonFacts, quote: Quote) -> Sequence[Use]:
        """What the order takes of the limits in force."""
        limits = self._rules.current.limits
        if not limits:
            return ()
        business = prepared.request.business
        asking = Asking(
            scene=business.scene,
            user_id=person.user_id,
            terminal_id=business.terminal_id,
            merchant_id=business.merchant_id,
            citizen_fen=quote.citizen_fen,
            at=prepared.received_at,
            business_on=prepared.business_on,
        )
        return uses_of(limits, asking, self._cut_off)

    def price(self, prepared: PreparedOrder, person: PersonFacts) -> Quote:
        """Ask the scene's rules."""
        business = prepared.request.business
        pricer = self._pricers.get(business.scene)
        if pricer is None:
            registered = self._rules.current.scenes.get(business.scene)
            if registered is None:
                raise SceneUnknownError(field="business.scene")
            registered.admit(prepared.request.mode, person.level)
            pricer = _PLAIN
        facts = PricingFacts(
            scene=business.scene,
            type=business.type,
            merchant_id=business.merchant_id,
            terminal_id=business.terminal_id,
            amount_fen=business.amount_fen or None,  # zero, of a record: none is named
            occurred_at=business.occurred_at,
            details=business.details,
        )
        subject = Subject(
            user_id=person.user_id,
            level=person.level,
            concessions=person.concessions_on(prepared.business_on),
            business_on=prepared.business_on,
        )
        quote = Quote(lines=tuple(pricer.price(facts, subject)))
        assert quote.lines
        if prepared.request.mode is Mode.RECORD and quote.nominal_fen:
            raise AmountInvalidError("a record moves no money", field="mode")
        if prepared.request.mode is not Mode.RECORD and not quote.nominal_fen:
            raise AmountInvalidError("nothing to pay: use the mode record", field="mode")
        return quote
