"""Everything a batch of orders must know before it is decided, read in one go.

One round trip for the whole batch, whatever its size: each question is asked once for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from cardcore.account.funding_plan import FundBalance
from cardcore.books import RawConnection
from cardcore.business.request import OrderRequest
from cardcore.caller import Caller
from cardcore.errors import CardcoreError
from cardcore.user.presented import PresentedCode


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOrder:
    """An order that has passed every check that needs no database.

    ``code`` is the accepted code (signatures and windows are right, replay not yet judged); it
    is None where the caller named the user, and where the code was refused: then ``refusal``
    says why, and holds unless the request turns out to be booked already. ``digest`` is over the
    whole request.
    """

    caller: Caller
    request: OrderRequest
    key: str
    digest: bytes
    code: PresentedCode | None
    refusal: CardcoreError | None = None
    received_at: datetime
    business_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalFacts:
    """A terminal, its merchant, and where the merchant's money is booked."""

    merchant_id: str
    scene: str
    active: bool
    payable_id: UUID
    subsidy_payable_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    """A person as the order's rules see them."""

    user_id: UUID
    level: str
    status: str
    concessions: tuple[tuple[str, date, date], ...]
    fund_ids: tuple[tuple[str, UUID], ...]

    def concessions_on(self, day: date) -> frozenset[str]:
        """Entitlement classes valid on a business date."""
        return frozenset(name for name, first, last in self.concessions if first <= day <= last)


@dataclass(slots=True, kw_only=True)
class BatchFacts:
    """The answers, keyed as the orders ask."""

    effects: dict[tuple[str, str], tuple[bytes, UUID]] = field(default_factory=dict)
    orders: dict[tuple[str, str], tuple[bytes, UUID]] = field(default_factory=dict)
    terminals: dict[str, TerminalFacts] = field(default_factory=dict)
    people_by_token: dict[bytes, PersonFacts] = field(default_factory=dict)
    people_by_id: dict[UUID, PersonFacts] = field(default_factory=dict)
    used_codes: dict[bytes, UUID] = field(default_factory=dict)
    balances: dict[UUID, FundBalance] = field(default_factory=dict)

    def person(self, prepared: PreparedOrder) -> PersonFacts | None:
        """Who the order is for."""
        if prepared.code is not None:
            return self.people_by_token.get(prepared.code.token)
        if prepared.request.user.user_id is None:
            return None
        return self.people_by_id.get(prepared.request.user.user_id)


_EFFECTS: Final = """
    SELECT i.client_id, i.key, i.request_digest, i.effect_id
    FROM unnest(%s::text[], %s::text[]) AS asked (client_id, key)
    JOIN cardcore.idempotency i USING (client_id, key)"""
_ORDERS: Final = """
    SELECT o.merchant_id, o.out_trade_no, o.request_digest, o.order_id
    FROM unnest(%s::text[], %s::text[]) AS asked (merchant_id, out_trade_no)
    JOIN cardcore.business_order o USING (merchant_id, out_trade_no)"""
_TERMINALS: Final = """
    SELECT t.terminal_id, t.merchant_id, t.scene, t.status = 'active' AND m.status = 'active',
           m.payable_id, m.subsidy_payable_id
    FROM cardcore.terminal t JOIN cardcore.merchant m USING (merchant_id)
    WHERE t.terminal_id = ANY(%s)"""
_PERSON: Final = """
    p.user_id, p.level, p.status, e.classes, e.firsts, e.lasts, f.kinds, f.fund_ids
    FROM {source}
    LEFT JOIN LATERAL (
        SELECT array_agg(class) AS classes, array_agg(valid_from) AS firsts,
               array_agg(valid_to) AS lasts
        FROM cardcore.entitlement WHERE user_id = p.user_id) e ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(kind) AS kinds, array_agg(fund_id) AS fund_ids
        FROM cardcore.fund WHERE user_id = p.user_id AND status = 'active') f ON true"""
_PEOPLE_BY_TOKEN: Final = (
    "SELECT t.token,"
    + _PERSON.format(source="cardcore.code_token t JOIN cardcore.person p USING (user_id)")
    + " WHERE t.token = ANY(%s)"
)
_PEOPLE_BY_ID: Final = (
    "SELECT p.user_id," + _PERSON.format(source="cardcore.person p") + " WHERE p.user_id = ANY(%s)"
)
_USED_CODES: Final = (
    "SELECT replay_key, order_id FROM cardcore.used_code WHERE replay_key = ANY(%s)"
)


async def read_facts(connection: RawConnection, batch: Sequence[PreparedOrder]) -> BatchFacts:
    """Read what the batch must know, in one round trip."""
    codes = [prepared.code for prepared in batch if prepared.code is not None]
    named = [user_id for p in batch if (user_id := p.request.user.user_id) is not None]
    facts = BatchFacts()
    async with connection.pipeline():
        effects = await connection.execute(
            _EFFECTS, ([p.caller.client_id for p in batch], [p.key for p in batch])
        )
        orders = await connection.execute(
            _ORDERS,
            (
                [p.request.business.merchant_id for p in batch],
                [p.request.business.out_trade_no for p in batch],
            ),
        )
        terminals = await connection.execute(
            _TERMINALS, (list({p.request.business.terminal_id for p in batch}),)
        )
        by_token = used = by_id = None
        if codes:
            by_token = await connection.execute(_PEOPLE_BY_TOKEN, ([c.token for c in codes],))
            used = await connection.execute(_USED_CODES, ([c.replay_key for c in codes],))
        if named:
            by_id = await connection.execute(_PEOPLE_BY_ID, (named,))
    for client_id, key, digest, effect_id in await effects.fetchall():
        facts.effects[client_id, key] = digest, effect_id
    for merchant_id, out_trade_no, digest, order_id in await orders.fetchall():
        facts.orders[merchant_id, out_trade_no] = digest, order_id
    for terminal_id, *values in await terminals.fetchall():
        facts.terminals[terminal_id] = _terminal(values)
    if by_token is not None and used is not None:
        facts.people_by_token = {row[0]: _person(row[1:]) for row in await by_token.fetchall()}
        facts.used_codes = dict(await used.fetchall())
    if by_id is not None:
        facts.people_by_id = {row[0]: _person(row[1:]) for row in await by_id.fetchall()}
    return facts


def _terminal(values: Sequence[Any]) -> TerminalFacts:
    merchant_id, scene, active, payable_id, subsidy_payable_id = values
    return TerminalFacts(
        merchant_id=merchant_id,
        scene=scene,
        active=active,
        payable_id=payable_id,
        subsidy_payable_id=subsidy_payable_id,
    )


def _person(values: Sequence[Any]) -> PersonFacts:
    user_id, level, status, classes, firsts, lasts, kinds, fund_ids = values
    return PersonFacts(
        user_id=user_id,
        level=level,
        status=status,
        concessions=tuple(zip(classes or (), firsts or (), lasts or (), strict=True)),
        fund_ids=tuple(zip(kinds or (), fund_ids or (), strict=True)),
    )
