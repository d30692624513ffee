"""Everything a batch of orders must know before it is decided, read in one go.

One round trip for the whole batch, whatever its size: each question is asked once for all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from cardcore.account.funding_plan import FundBalance
from cardcore.business.limits import CounterKey
from cardcore.business.request import OrderRequest
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError
from cardcore.known import Known, known_by_key
from cardcore.user.code_desk import Judging
from cardcore.user.delegation import Delegation, DelegationUse
from cardcore.user.presented import PresentedCode
from cardcore.values import value


@value
class PreparedOrder:
    """An order that has passed every check that needs no database.

    ``judging`` is a scanned code that is being judged. ``code`` is the accepted code (signatures
    and windows are right, replay not yet judged); it is None before, where the caller named the
    user, and where the code was refused: then ``refusal`` says why, and holds unless the request
    turns out to be booked already. ``digest`` is over the whole request.
    """

    caller: Caller
    request: OrderRequest
    key: str
    digest: bytes
    code: PresentedCode | None
    refusal: CardcoreError | None = None
    received_at: datetime
    business_on: date
    judging: Judging | None = None

    def judged(
        self, code: PresentedCode | None = None, refusal: CardcoreError | None = None
    ) -> "PreparedOrder":
        """The same order, now that its code is judged."""
        return PreparedOrder(
            caller=self.caller,
            request=self.request,
            key=self.key,
            digest=self.digest,
            code=code,
            refusal=refusal,
            received_at=self.received_at,
            business_on=self.business_on,
        )


@value
class TerminalFacts:
    """A terminal, its merchant, and where the merchant's money is booked."""

    merchant_id: str
    scene: str
    active: bool
    payable_id: UUID
    subsidy_payable_id: UUID


@value
class PersonFacts:
    """A person as the order's rules see them."""

    user_id: UUID
    level: str
    status: str
    concessions: tuple[tuple[str, date, date], ...]
    fund_ids: tuple[tuple[str, UUID], ...]
    delegations: tuple[Delegation, ...] = ()

    def concessions_on(self, day: date) -> frozenset[str]:
        """Entitlement classes valid on a business date."""
        return frozenset(name for name, first, last in self.concessions if first <= day <= last)


@dataclass(slots=True, kw_only=True)
class BatchFacts:
    """The answers, keyed as the orders ask."""

    effects: dict[tuple[str, str], tuple[bytes, UUID, Known]] = field(default_factory=dict)
    orders: dict[tuple[str, str], tuple[bytes, UUID]] = field(default_factory=dict)
    terminals: dict[str, TerminalFacts] = field(default_factory=dict)
    people_by_token: dict[bytes, PersonFacts] = field(default_factory=dict)
    people_by_id: dict[UUID, PersonFacts] = field(default_factory=dict)
    used_codes: dict[bytes, UUID] = field(default_factory=dict)
    balances: dict[UUID, FundBalance] = field(default_factory=dict)
    funding_version: int = 0
    rules_version: int = 0
    limits_used: dict[CounterKey, int] = field(default_factory=dict)

    def person(self, prepared: PreparedOrder) -> PersonFacts | None:
        """Who the order is for."""
        if prepared.code is not None:
            return self.people_by_token.get(prepared.code.token)
        if prepared.request.user.user_id is None:
            return None
        return self.people_by_id.get(prepared.request.user.user_id)


# A delegation d whose payer is y, with what was used of its limits, as ``delegation_of`` reads it.
DELEGATION: Final = """
json_build_array(
    d.delegation_id, d.payer_id, d.kind, d.use, d.fund, d.scenes,
    d.order_fen_max, d.day_fen_max, d.month_fen_max, d.valid_from,
    least(d.valid_to, d.revoked_at), y.status = 'active',
    (SELECT json_agg(json_build_array(f.kind, f.fund_id)) FROM cardcore.fund f
      WHERE f.user_id = d.payer_id AND f.status = 'active'),
    (SELECT json_agg(m.user_id) FROM cardcore.person m WHERE m.merged_into = d.payer_id),
    (SELECT json_agg(json_build_array(
            c.subject, c.limit_id, extract(epoch FROM c.window_from)::bigint, c.used))
       FROM cardcore.limit_counter c WHERE c.subject = 'delegation:' || d.delegation_id))
"""
# One statement, so one round trip and one plan for a batch of any size. The answers come as JSON:
# reading it costs less than five result sets of their own.
FACTS: Final = f"""
WITH
    asked_key AS (SELECT * FROM unnest(%b::text[], %b::text[]) AS a (client_id, key)),
    asked_no AS (SELECT * FROM unnest(%b::text[], %b::text[]) AS a (merchant_id, out_trade_no)),
    subject AS (
        SELECT t.token, t.user_id, t.blocked, NULL::uuid AS named
          FROM cardcore.code_token t WHERE t.token = ANY(%b::bytea[])
        UNION ALL
        SELECT NULL, coalesce(p.merged_into, p.user_id), NULL, p.user_id
          FROM cardcore.person p WHERE p.user_id = ANY(%b::uuid[])
    )
SELECT
    (SELECT json_agg(json_build_array(
            i.client_id, i.key, encode(i.request_digest, 'hex'), i.effect_id, i.effect_kind))
       FROM asked_key a CROSS JOIN LATERAL (
            SELECT * FROM cardcore.idempotency i
             WHERE i.client_id = a.client_id AND i.key = a.key OFFSET 0) i),
    (SELECT json_agg(json_build_array(
            o.merchant_id, o.out_trade_no, encode(o.request_digest, 'hex'), o.order_id))
       FROM asked_no a CROSS JOIN LATERAL (
            SELECT * FROM cardcore.business_order o
             WHERE o.merchant_id = a.merchant_id AND o.out_trade_no = a.out_trade_no OFFSET 0) o),
    (SELECT json_agg(json_build_array(
            t.terminal_id, t.merchant_id, t.scene, t.status = 'active' AND m.status = 'active',
            m.payable_id, m.subsidy_payable_id))
       FROM cardcore.terminal t JOIN cardcore.merchant m USING (merchant_id)
      WHERE t.terminal_id = ANY(%b::text[])),
    (SELECT json_agg(json_build_array(
            encode(s.token, 'hex'), s.named, p.user_id, p.level, coalesce(s.blocked, p.status),
            (SELECT json_agg(json_build_array(e.class, e.valid_from, e.valid_to))
               FROM cardcore.entitlement e WHERE e.user_id = p.user_id),
            (SELECT json_agg(json_build_array(f.kind, f.fund_id))
               FROM cardcore.fund f WHERE f.user_id = p.user_id AND f.status = 'active'),
            (SELECT json_agg({DELEGATION} ORDER BY d.recorded_at, d.delegation_id)
               FROM cardcore.delegation d JOIN cardcore.person y ON y.user_id = d.payer_id
              WHERE d.user_id = p.user_id AND d.revoked_at IS NULL)))
       FROM subject s CROSS JOIN LATERAL (
            SELECT * FROM cardcore.person p WHERE p.user_id = s.user_id OFFSET 0) p),
    (SELECT json_agg(json_build_array(encode(u.replay_key, 'hex'), u.order_id))
       FROM cardcore.used_code u WHERE u.replay_key = ANY(%b::bytea[])),
    (SELECT max(version) FROM cardcore.funding_policy),
    (SELECT version FROM cardcore.rules_version)
"""  # noqa: S608  (our constants)
# Asked only where a limit counts over a window.
USED: Final = """
  , (SELECT json_agg(json_build_array(
            c.subject, c.limit_id, extract(epoch FROM c.window_from)::bigint, c.used))
       FROM cardcore.limit_counter c
      WHERE c.subject = ANY(%b::text[] || ARRAY(
                SELECT 'user:' || s.user_id FROM subject s WHERE s.user_id IS NOT NULL))
        AND c.expires_at > %b)
"""


async def read_facts(
    connection: RawConnection, batch: Sequence[PreparedOrder], *, counted: bool = False
) -> BatchFacts:
    """Read what the batch must know, in one round trip; ``counted``: what is used of limits too."""
    codes = [prepared.code for prepared in batch if prepared.code is not None]
    found = await connection.execute(
        FACTS + USED if counted else FACTS,
        (
            [prepared.caller.client_id for prepared in batch],
            [prepared.key for prepared in batch],
            [prepared.request.business.merchant_id for prepared in batch],
            [prepared.request.business.out_trade_no for prepared in batch],
            [code.token for code in codes],
            [user_id for p in batch if (user_id := p.request.user.user_id) is not None],
            list({prepared.request.business.terminal_id for prepared in batch}),
            [code.replay_key for code in codes],
            *(_counters_asked(batch) if counted else ()),
        ),
    )
    row = await found.fetchone()
    assert row is not None
    effects, orders, terminals, people, used = (rows or () for rows in row[:5])
    facts = BatchFacts(
        effects={
            (client_id, key): (bytes.fromhex(digest), UUID(effect_id), known_by_key(kind))
            for client_id, key, digest, effect_id, kind in effects
        },
        orders={(one[0], one[1]): (bytes.fromhex(one[2]), UUID(one[3])) for one in orders},
        terminals={one[0]: _terminal(one[1:]) for one in terminals},
        used_codes={bytes.fromhex(key): UUID(order_id) for key, order_id in used},
        funding_version=row[5],
        rules_version=row[6],
    )
    _keep_counters(facts.limits_used, (counted and row[7]) or ())
    for token, named, *values in people:
        person = _person(facts, values)
        if token is None:
            # By the id that was asked: one that was merged leads to the survivor.
            facts.people_by_id[UUID(named)] = person
        else:
            facts.people_by_token[bytes.fromhex(token)] = person
    return facts


def _counters_asked(batch: Sequence[PreparedOrder]) -> tuple[list[str], datetime]:
    """Whose counters beside the users', and which of them have not ended."""
    terminals = {f"terminal:{one.request.business.terminal_id}" for one in batch}
    merchants = {f"merchant:{one.request.business.merchant_id}" for one in batch}
    return [*terminals, *merchants], min(one.received_at for one in batch)


def _terminal(values: Sequence[Any]) -> TerminalFacts:
    merchant_id, scene, active, payable_id, subsidy_payable_id = values
    return TerminalFacts(
        merchant_id=merchant_id,
        scene=scene,
        active=active,
        payable_id=UUID(payable_id),
        subsidy_payable_id=UUID(subsidy_payable_id),
    )


def _keep_counters(used: dict[CounterKey, int], counters: Iterable[Sequence[Any]]) -> None:
    for subject, limit_id, second, taken in counters:
        used[subject, limit_id, datetime.fromtimestamp(second, UTC)] = taken


def _person(facts: BatchFacts, values: Sequence[Any]) -> PersonFacts:
    user_id, level, status, concessions, funds, delegations = values
    return PersonFacts(
        user_id=UUID(user_id),
        level=level,
        status=status,
        concessions=tuple(
            (name, date.fromisoformat(first), date.fromisoformat(last))
            for name, first, last in concessions or ()
        ),
        fund_ids=_funds(funds),
        delegations=tuple(
            delegation_of(UUID(user_id), one, facts.limits_used) for one in delegations or ()
        ),
    )


def _funds(funds: Iterable[tuple[str, str]] | None) -> tuple[tuple[str, UUID], ...]:
    return tuple((kind, UUID(fund_id)) for kind, fund_id in funds or ())


def delegation_of(user_id: UUID, values: Sequence[Any], used: dict[CounterKey, int]) -> Delegation:
    """A delegation as ``DELEGATION`` has it; ``used`` gets what was used of its limits."""
    *said, payer_active, payer_funds, former_ids, counters = values
    _keep_counters(used, counters or ())
    delegation_id, payer_id, kind, use, fund, scenes, *limits, valid_from, valid_to = said
    order_fen_max, day_fen_max, month_fen_max = limits
    return Delegation(
        delegation_id=UUID(delegation_id),
        user_id=user_id,
        payer_id=UUID(payer_id),
        kind=kind,
        use=DelegationUse(use),
        fund=fund,
        scenes=frozenset(scenes),
        order_fen_max=order_fen_max,
        day_fen_max=day_fen_max,
        month_fen_max=month_fen_max,
        valid_from=datetime.fromisoformat(valid_from),
        valid_to=datetime.fromisoformat(valid_to),
        payer_active=payer_active,
        payer_funds=_funds(payer_funds),
        payer_former_ids=frozenset(UUID(one) for one in former_ids or ()),
    )
