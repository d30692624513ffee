"""What stands between a prepared order and its booking, one check a function. Pure."""

from collections.abc import Sequence
from uuid import UUID

from cardcore.business.order_facts import (
    BatchFacts,
    PersonFacts,
    PreparedOrder,
    TerminalFacts,
)
from cardcore.business.quote import Quote
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    IdempotencyKeyReusedError,
    InsufficientBalanceError,
    LimitExceededError,
    MerchantUnknownError,
    OrderConflictError,
    TerminalUnknownError,
    UserFrozenError,
    UserUnknownError,
)
from cardcore.known import Known
from cardcore.user.presented import PresentedCode


def claims_of(prepared: PreparedOrder) -> list[object]:
    """What only one order of a batch may hold."""
    business = prepared.request.business
    claims: list[object] = [
        ("key", prepared.caller.client_id, prepared.key),
        ("number", business.merchant_id, business.out_trade_no),
    ]
    if prepared.code is not None:
        claims.append(("code", prepared.code.replay_key))
    return claims


def all_claims_of(batch: Sequence[PreparedOrder]) -> set[object]:
    """What the orders of a batch hold together."""
    return {claim for prepared in batch for claim in claims_of(prepared)}


def known_effect(facts: BatchFacts, prepared: PreparedOrder) -> tuple[UUID, Known] | None:
    """The order this request has already become, if it has, and by which of its names.

    Raises:
        IdempotencyKeyReusedError, OrderConflictError: the name is another order's.
        MerchantUnknownError: the caller does not speak for this merchant.
    """
    business = prepared.request.business
    effect = facts.effects.get((prepared.caller.client_id, prepared.key))
    if effect is not None:
        if effect[0] != prepared.digest:
            raise IdempotencyKeyReusedError(field="Idempotency-Key")
        return effect[1:]
    if prepared.caller.merchant_id not in (None, business.merchant_id):
        raise MerchantUnknownError(field="business.merchant_id")
    order = facts.orders.get((business.merchant_id, business.out_trade_no))
    if order is None:
        return None
    if order[0] != prepared.digest:
        raise OrderConflictError(field="business.out_trade_no", order_id=str(order[1]))
    return order[1], Known.BY_NUMBER


def terminal_of(facts: BatchFacts, prepared: PreparedOrder) -> TerminalFacts:
    """The terminal, in service, of this merchant and scene, and the caller's own where it is one.

    Raises:
        TerminalUnknownError: any of that does not hold; which, is nobody's business.
    """
    business = prepared.request.business
    terminal = facts.terminals.get(business.terminal_id)
    if (
        terminal is None
        or not terminal.active
        or terminal.merchant_id != business.merchant_id
        or terminal.scene != business.scene
        or prepared.caller.terminal_id not in (None, business.terminal_id)
    ):
        raise TerminalUnknownError(field="business.terminal_id")
    return terminal


def person_of(facts: BatchFacts, prepared: PreparedOrder) -> PersonFacts:
    """Who it is for.

    Raises:
        UserUnknownError: the alias or id leads to nobody.
        UserFrozenError: not active.
    """
    person = facts.person(prepared)
    if person is None:
        raise UserUnknownError(field="user")
    if person.status != "active":
        raise UserFrozenError(field="user")
    return person


def check_code(facts: BatchFacts, code: PresentedCode, quote: Quote) -> None:
    """What only the database and the price can tell of a code.

    Raises:
        CodeRefusedError: it was used before.
        LimitExceededError: it may not pay so much.
    """
    if code.replay_key in facts.used_codes:
        raise CodeRefusedError("code_replayed", "this code was used before")
    if quote.citizen_fen > code.cap_fen:
        raise LimitExceededError(
            "the amount is above what this code may pay",
            field="user.credential",
            limit="code_cap",
            limit_fen=code.cap_fen,
            amount_fen=quote.citizen_fen,
        )


def ledger_refusal(names: Sequence[str]) -> CardcoreError:
    """The ledger's reason in the core's words. What a bug would cause is asserted, not answered."""
    reason = next(name for name in names if name != "linked_event_failed")
    if reason == "exceeds_credits":
        return InsufficientBalanceError(field="account.fund")
    assert reason in ("debit_account_already_closed", "credit_account_already_closed"), reason
    return UserFrozenError(field="account.fund")
